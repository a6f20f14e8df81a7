/**
 * What can be asked of a node, and the one table that says how it is asked over the control socket.
 *
 * A command asks the daemon where one runs, and opens the node itself where none does; either way
 * it speaks to this interface and gets the same documents.
 */
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

export type {
  AgentAdministration,
  AgentSource,
  GroupAdministration,
  GroupSource,
} from './agent-operations.ts';

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
}

export type OperationName = keyof OperationRequests;

/** How each operation is asked over HTTP; the body is the request as JSON. */
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
};

/**
 * A node as commands see it. An operation that its role does not have throws ClusterError
 * `refused`, naming the role that has it.
 */
export type Operations = {
  readonly [N in OperationName]: (
    request: OperationRequests[N],
    context: { readonly signal: AbortSignal; readonly onProgress?: OnProgress },
  ) => Promise<OperationAnswers[N]>;
};
