/**
 * What can be asked of a node, and the one table that says how it is asked over the control socket.
 *
 * A command asks the daemon where one runs, and opens the node itself where none does; either way
 * it speaks to this interface and gets the same documents.
 */
import type { AgentId, ConnectionStatus } from '../agents/agent.ts';
import type {
  AgentsChangeDocument,
  AgentsDocument,
  AgentShowDocument,
  GroupRemovalDocument,
  GroupsDocument,
  GroupShowDocument,
  ReportDocument,
} from './agent-documents.ts';
import type { AgentAddition } from './agent-operations.ts';
import type {
  ApproveDocument,
  CheckDocument,
  NodesDocument,
  RollbackDocument,
  StatusDocument,
  SyncDocument,
  TokenDocument,
  VersionsDocument,
} from './documents.ts';

/** What a running round has done so far. */
export interface SyncProgress {
  readonly phase: 'scanning' | 'comparing' | 'fetching' | 'removing';
  readonly filesDone: number;
  readonly filesTotal: number;
  readonly bytesDone: number;
  readonly bytesTotal: number;
}

/** Called now and then while long work goes on. */
export type OnProgress = (progress: SyncProgress) => void;

/** Requests by operation. */
export interface OperationRequests {
  readonly status: Record<never, never>;
  readonly sync: { readonly dryRun: boolean };
  readonly check: { readonly offline: boolean };
  readonly approve: { readonly set?: string };
  readonly versions: {
    /** Relative to the root; Unicode text, as people write it. */
    readonly path?: string;
  };
  readonly rollback: {
    /** Undo everything since and including this generation. */
    readonly generation?: number;
    /** Put back one kept version, by its id. */
    readonly version?: number;
  };
  readonly token: {
    readonly addresses: readonly string[];
    readonly ttlMs?: number;
    readonly uses?: number;
    readonly node?: string;
  };
  readonly nodes: Record<never, never>;
  readonly revoke: { readonly node: string };
  readonly agentsList: {
    readonly status?: ConnectionStatus;
    readonly node?: string;
    readonly group?: string;
    /** `os_platform`, in upper or lower case. */
    readonly platform?: string;
    /** Only agents with higher numbers. */
    readonly after?: AgentId;
    /** At most so many; of more than a thousand an answer has the first thousand. */
    readonly limit?: number;
  };
  readonly agentsShow: { readonly id: AgentId };
  readonly agentsAdd: AgentAddition;
  readonly agentsRemove: { readonly ids: readonly AgentId[] };
  /** JSON texts, one for each report, at most some thousand. */
  readonly agentsReport: { readonly reports: readonly string[] };
  readonly groupsList: Record<never, never>;
  readonly groupsShow: { readonly name: string };
  readonly groupsCreate: { readonly name: string };
  readonly groupsRemove: {
    readonly name: string;
    /** With all files that it holds. */
    readonly force: boolean;
  };
  readonly groupsAssign: GroupChangeRequest;
  readonly groupsUnassign: GroupChangeRequest;
}

/** A group, and the agents that are to get it or to lose it: one of `ids`, `all` and `from`. */
export interface GroupChangeRequest {
  readonly name: string;
  readonly ids?: readonly AgentId[];
  /** All agents. */
  readonly all?: boolean;
  /** All agents of this group. */
  readonly from?: string;
}

/** Answers by operation. */
export interface OperationAnswers {
  readonly status: StatusDocument;
  readonly sync: SyncDocument;
  readonly check: CheckDocument;
  readonly approve: ApproveDocument;
  readonly versions: VersionsDocument;
  readonly rollback: RollbackDocument;
  readonly token: TokenDocument;
  readonly nodes: NodesDocument;
  readonly revoke: NodesDocument;
  readonly agentsList: AgentsDocument;
  readonly agentsShow: AgentShowDocument;
  readonly agentsAdd: AgentShowDocument;
  readonly agentsRemove: AgentsChangeDocument;
  readonly agentsReport: ReportDocument;
  readonly groupsList: GroupsDocument;
  readonly groupsShow: GroupShowDocument;
  readonly groupsCreate: GroupShowDocument;
  readonly groupsRemove: GroupRemovalDocument;
  readonly groupsAssign: AgentsChangeDocument;
  readonly groupsUnassign: AgentsChangeDocument;
}

export type OperationName = keyof OperationRequests;

/**
 * How each operation is asked over HTTP. Fields of the request that the path names as `:field` stand
 * there; the others are the query of a `GET` or `DELETE`, and the JSON document of a `POST`. The
 * exception is `agentsReport`, whose body is one report a line.
 */
export const operationRoutes: Readonly<Record<OperationName, string>> = {
  status: 'GET /v1/status',
  sync: 'POST /v1/sync',
  check: 'POST /v1/check',
  approve: 'POST /v1/approve',
  versions: 'POST /v1/versions',
  rollback: 'POST /v1/rollback',
  token: 'POST /v1/tokens',
  nodes: 'GET /v1/nodes',
  revoke: 'POST /v1/nodes/revoke',
  agentsList: 'GET /v1/agents',
  agentsShow: 'GET /v1/agents/:id',
  agentsReport: 'POST /v1/agents',
  agentsAdd: 'POST /v1/agents/add',
  agentsRemove: 'POST /v1/agents/remove',
  groupsList: 'GET /v1/groups',
  groupsShow: 'GET /v1/groups/:name',
  groupsCreate: 'POST /v1/groups',
  groupsRemove: 'DELETE /v1/groups/:name',
  groupsAssign: 'POST /v1/groups/:name/assign',
  groupsUnassign: 'POST /v1/groups/:name/unassign',
};

/** What an operation works with. */
export interface OperationContext {
  readonly signal: AbortSignal;
  readonly onProgress?: OnProgress;
}

/**
 * A node as commands see it. An operation that its role does not have throws ClusterError
 * `refused`, naming the role that has it.
 */
export type Operations = {
  readonly [N in OperationName]: (
    request: OperationRequests[N],
    context: OperationContext,
  ) => Promise<OperationAnswers[N]>;
};
