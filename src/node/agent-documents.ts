/**
 * The documents about agents and groups. An agent has the names of its columns as keys; times among
 * them are Unix seconds, as they were reported.
 */
import {
  type AgentData,
  agentIdText,
  type AgentStatus,
  type Label,
  type TextColumn,
  textColumnNames,
} from '../agents/agent.ts';
import type { AgentCounts, AgentView } from '../agents/store/views.ts';
import { isoTimeOrNull } from '../base/time-text.ts';
import type { AgentsOutcome, GroupFacts, GroupFile, GroupSource } from './agent-operations.ts';
import { type AgentsStatusDocument, type Document, schemaVersion } from './documents.ts';

/** Of whose view a document is. */
export interface ViewDocument extends Document {
  /** The master knows all; a worker knows what its agents reported, and what the master told it. */
  readonly view: 'master' | 'worker';
  /** On a worker: when it last had the groups that the master had. */
  readonly confirmed: string | null;
}

/** An agent. */
export interface AgentDocument extends Omit<AgentData, 'labels'>, AgentStatus {
  /** Three digits or more. */
  readonly id: string;
  readonly name: string;
  /** The node that it reports to; null before its first report. */
  readonly node_name: string | null;
  readonly groups: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly date_add: number;
  /** Who says that it exists: the keys file, or a command. */
  readonly source: 'keys' | 'command';
}

/** What `agents list` prints. */
export interface AgentsDocument extends ViewDocument {
  /** All that were asked for, also beyond those listed. */
  readonly total: number;
  readonly agents: readonly AgentDocument[];
}

/** What `agents show` and `agents add` print. */
export interface AgentShowDocument extends ViewDocument {
  readonly agent: AgentDocument;
}

/** What `agents remove`, `groups assign` and `groups unassign` print. */
export interface AgentsChangeDocument extends Document {
  /** Agents for which something has changed. */
  readonly changed: number;
  /** Agents for which it was so already. */
  readonly unchanged: number;
  readonly refused: readonly { readonly id: string; readonly problem: string }[];
}

/** What `agents report` prints. */
export interface ReportDocument extends Document {
  readonly accepted: number;
  readonly refused_count: number;
  /** The first of them. */
  readonly refused: readonly { readonly line: number; readonly problem: string }[];
}

/** A group. */
export interface GroupDocument {
  readonly name: string;
  /** Agents that have it. */
  readonly agents: number;
  /** Files in its directory. */
  readonly files: number;
  readonly bytes: number;
}

/** What `groups list` prints. */
export interface GroupsDocument extends ViewDocument {
  readonly total: number;
  readonly groups: readonly GroupDocument[];
}

/** What `groups show` and `groups create` print. */
export interface GroupShowDocument extends ViewDocument {
  readonly group: {
    readonly name: string;
    readonly agents: number;
    readonly files: readonly GroupFile[];
  };
}

/** What `groups remove` prints. */
export interface GroupRemovalDocument extends Document {
  readonly group: string;
  /** Agents that had it. */
  readonly agents: number;
}

// ---------------------------------------------------------------------------------------------

/** An agent for people and programs. */
export function agentDocument(agent: AgentView): AgentDocument {
  const facts = agent.reported?.facts;
  const texts: Partial<Record<TextColumn, string | null>> = {};
  for (const name of textColumnNames) texts[name] = facts?.[name] ?? null;
  return {
    id: agentIdText(agent.id),
    ...texts as Record<TextColumn, string | null>,
    name: agent.name,
    ip: facts?.ip ?? agent.ip,
    register_ip: facts?.register_ip ?? agent.ip,
    connection_status: facts?.connection_status ?? 'never_connected',
    last_keepalive: facts?.last_keepalive ?? null,
    disconnection_time: facts?.disconnection_time ?? 0,
    status_code: facts?.status_code ?? 0,
    node_name: agent.reported?.node ?? null,
    groups: agent.groups,
    labels: labelsDocument(facts?.labels ?? []),
    date_add: agent.dateAdded,
    source: agent.source,
  };
}

function labelsDocument(labels: readonly Label[]): Readonly<Record<string, string>> {
  return Object.fromEntries(labels);
}

/** The head of a document that shows one node's view. */
export function viewDocument(
  view: ViewDocument['view'],
  confirmedMs: number | undefined,
): ViewDocument {
  return { schema_version: schemaVersion, view, confirmed: isoTimeOrNull(confirmedMs) };
}

/** What became of several agents. */
export function changeDocument(
  { changed, unchanged, refused }: AgentsOutcome,
): AgentsChangeDocument {
  return {
    schema_version: schemaVersion,
    changed,
    unchanged,
    refused: refused.map(({ id, problem }) => ({ id: agentIdText(id), problem })),
  };
}

/** A group with the number of its agents. */
export function groupDocument(
  group: GroupFacts,
  agents: ReadonlyMap<string, number>,
): GroupDocument {
  return { ...group, agents: agents.get(group.name) ?? 0 };
}

/** How many agents there are. */
export function agentsStatusDocument(
  counts: AgentCounts,
  groups: Pick<GroupSource, 'groupsCount' | 'confirmedMs'>,
): AgentsStatusDocument {
  const { total, byStatus, byNode, unconfirmed, refused } = counts;
  return {
    total,
    by_status: byStatus,
    by_node: byNode.map(({ node, byStatus: ofNode }) => ({ node, ...ofNode })),
    unconfirmed,
    refused,
    groups: groups.groupsCount,
    confirmed: isoTimeOrNull(groups.confirmedMs()),
  };
}
