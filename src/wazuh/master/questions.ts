/**
 * What a master answers about the nodes of its cluster: lists and health, in the shape that
 * `cluster_control` and the programs around it know. Pure.
 */
import { compareByteStrings, fromText } from '../../base/bytes.ts';
import {
  flag,
  list,
  oneOf,
  optional,
  type Reader,
  record,
  text,
  whole,
} from '../../base/readers.ts';
import { ProtocolError } from '../../base/errors.ts';
import { internalFailure, WazuhFailure } from '../failure.ts';
import { type Json, parseJson, spacedJson } from '../json.ts';
import { timeText } from './moment-text.ts';
import type { PeerHealth, Span } from './peer.ts';

/** A node of the cluster. */
export interface NodeInfo {
  readonly name: string;
  readonly type: 'master' | 'worker';
  readonly version: string;
  readonly ip: string;
}

/** A connected worker. */
export interface WorkerInfo extends NodeInfo {
  readonly health: PeerHealth;
}

/** The nodes that are there. */
export interface ClusterView {
  readonly master: NodeInfo;
  readonly workers: readonly WorkerInfo[];
  /** Active agents of a node. */
  readonly activeAgents: (node: string) => number;
}

/** The answer to `get_nodes`. @throws WazuhFailure */
export function nodesAnswer(view: ClusterView, payload: Uint8Array): Uint8Array {
  const asked = readQuestion(payload, nodesQuestion);
  const all = [view.master, ...view.workers].map(({ name, type, version, ip }): NodeInfo => ({
    name,
    type,
    version,
    ip,
  }));
  const fields = asked.select ?? nodeFields;
  const badFields = fields.filter((field) => !isNodeField(field));
  if (badFields.length > 0) throw badRequest(1724, badFields.join(', '));
  const type = asked.filter_type ?? 'all';
  if (!['all', 'master', 'worker'].includes(type)) throw badRequest(1728);
  mustKnow(view, asked.filter_node);
  const chosen = all
    .filter((node) => asked.filter_node?.includes(node.name) ?? true)
    .filter((node) => type === 'all' || node.type === type)
    .filter((node) => isFound(node, asked.search));
  const found = distinctOf(
    sorted(chosen, asked.sort).map((node) => onlyFields(node, fields)),
    asked.distinct ?? false,
  );
  const offset = asked.offset ?? 0;
  const limit = asked.limit ?? limitMax;
  return bytesOf({ items: found.slice(offset, offset + limit), totalItems: found.length });
}

/** The answer to `get_health`. @throws WazuhFailure */
export function healthAnswer(view: ClusterView, payload: Uint8Array): Uint8Array {
  const names = readQuestion(payload, healthQuestion);
  const isAsked = (name: string) =>
    names === undefined || names.length === 0 || names.includes(name);
  const workers = view.workers.filter(({ name }) => isAsked(name));
  const nodes: Record<string, Json> = {};
  for (const worker of workers) {
    nodes[worker.name] = { info: infoOf(worker, view), status: statusOf(worker.health) };
  }
  if (isAsked(view.master.name)) nodes[view.master.name] = { info: infoOf(view.master, view) };
  return bytesOf({ n_connected_nodes: workers.length, nodes });
}

// --- questions -------------------------------------------------------------------------------

const limitMax = 500;
const namesMax = 10_000;
const nodeFields = ['name', 'type', 'version', 'ip'];

const name = text(4096);

/** One name, or several. */
const names: Reader<readonly string[]> = (value, where) =>
  typeof value === 'string' ? [name(value, where)] : list(name, namesMax)(value, where);

const search = record({ value: name, negation: optional(flag) });
const sort = record({ fields: list(name, 16), order: optional(oneOf('asc', 'desc')) });

const nodesQuestion = record({
  filter_node: optional(names),
  offset: optional(whole(0)),
  limit: optional(whole(0)),
  sort: optional(sort),
  search: optional(search),
  select: optional(list(name, 16)),
  filter_type: optional(name),
  distinct: optional(flag),
});

/** Nothing, or names of nodes; `{}` is nothing too. */
const healthQuestion: Reader<readonly string[] | undefined> = (value, where) =>
  value === null || (typeof value === 'object' && !Array.isArray(value))
    ? undefined
    : names(value, where);

function readQuestion<T>(payload: Uint8Array, reader: Reader<T>): T {
  try {
    return reader(parseJson(payload, 'The question'), 'question');
  } catch (error) {
    if (error instanceof ProtocolError) throw internalFailure(error.message);
    throw error;
  }
}

function badRequest(code: number, detail?: string): WazuhFailure {
  return new WazuhFailure({ className: 'WazuhError', code, detail });
}

function mustKnow({ master, workers }: ClusterView, asked: readonly string[] | undefined): void {
  const known = new Set([master.name, ...workers.map((worker) => worker.name)]);
  if (asked?.every((node) => known.has(node)) ?? true) return;
  throw new WazuhFailure({ className: 'WazuhResourceNotFound', code: 1730, detail: undefined });
}

// --- lists -----------------------------------------------------------------------------------

function isNodeField(field: string): field is keyof NodeInfo {
  return nodeFields.includes(field);
}

function isFound(node: NodeInfo, asked: ReturnType<typeof search> | undefined): boolean {
  if (asked === undefined) return true;
  const wanted = asked.value.toLowerCase();
  const isIn = Object.values(node).some((value) => value.toLowerCase().includes(wanted));
  return isIn !== (asked.negation ?? false);
}

function sorted(nodes: readonly NodeInfo[], asked: ReturnType<typeof sort> | undefined) {
  if (asked === undefined) return nodes;
  const fields = asked.fields.filter(isNodeField);
  const sign = asked.order === 'desc' ? -1 : 1;
  return nodes.toSorted((left, right) => {
    for (const field of fields) {
      const order = compareByteStrings(fromText(left[field]), fromText(right[field]));
      if (order !== 0) return sign * order;
    }
    return 0;
  });
}

function onlyFields(node: NodeInfo, fields: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(node).filter(([field]) => fields.includes(field)));
}

function distinctOf<T extends Json>(items: readonly T[], isDistinct: boolean): readonly T[] {
  if (!isDistinct) return items;
  return [...new Map(items.map((item) => [JSON.stringify(item), item])).values()];
}

// --- health ----------------------------------------------------------------------------------

function infoOf({ name: node, type, version, ip }: NodeInfo, view: ClusterView): Json {
  return { name: node, type, version, ip, n_active_agents: view.activeAgents(node) };
}

function statusOf(health: PeerHealth): Json {
  const { sync } = health;
  // Real nodes name the files that workers may send until a first synchronisation.
  const counts = sync.counts ?? { missing: 0, shared: 0, extra: 0 };
  return {
    sync_integrity_free: health.isIntegrityFree,
    last_check_integrity: masterSpan(health.check),
    last_sync_integrity: {
      ...masterSpan(sync),
      total_extra_valid: 0,
      total_files: sync.counts === undefined ? { ...counts, extra_valid: 0 } : {
        missing: counts.missing,
        extra: counts.extra,
        shared: counts.shared,
      },
    },
    sync_agent_info_free: health.isAgentInfoFree,
    last_sync_agentinfo: {
      ...masterSpan(health.agentInfo),
      n_synced_chunks: health.agentInfo.chunksCount,
    },
    last_sync_agentgroup: groupsSpan(health.groups),
    last_sync_full_agentgroup: groupsSpan(health.groupsFull),
    last_keep_alive: timeText(health.keepAliveMs),
  };
}

function masterSpan({ startedMs, endedMs }: Span): Record<string, Json> {
  return { date_start_master: timeText(startedMs), date_end_master: timeText(endedMs) };
}

function groupsSpan({ startedMs, endedMs, chunksCount }: PeerHealth['groups']): Json {
  return {
    date_start: timeText(startedMs),
    date_end: timeText(endedMs),
    n_synced_chunks: chunksCount,
  };
}

const encoder = new TextEncoder();

function bytesOf(value: Json): Uint8Array {
  return encoder.encode(spacedJson(value));
}
