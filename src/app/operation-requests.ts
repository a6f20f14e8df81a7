/** Reading what is asked over the control socket: nothing that arrives there is trusted. */
import { agentIdMax, connectionStatuses, isGroupName, parseAgentId } from '../agents/agent.ts';
import { ClusterError } from '../base/errors.ts';
import { nearest } from '../base/nearest.ts';
import type { OperationName, OperationRequests } from '../node/operations.ts';
import { flag, list, oneOf, optional, type Reader, record, text, whole } from '../base/readers.ts';

const day = 86_400_000;

type Fields = Readonly<Record<string, Reader<unknown>>>;

const groupChange: Fields = {
  name: groupName,
  ids: optional(list(agentId, 100_000)),
  all: optional(flag),
  from: optional(groupName),
};

const fields: { readonly [N in OperationName]: Fields } = {
  status: {},
  sync: { dryRun: optional(flag) },
  check: { offline: optional(flag) },
  approve: { set: optional(text(64)) },
  versions: { path: optional(text(4096)) },
  rollback: { generation: optional(whole(1)), version: optional(whole(1)) },
  token: {
    addresses: list(text(300), 16),
    ttlMs: optional(whole(1000, 365 * day)),
    uses: optional(whole(1, 100_000)),
    node: optional(text(64)),
  },
  nodes: {},
  revoke: { node: text(64) },
  agentsList: {
    status: optional(oneOf(...connectionStatuses)),
    node: optional(text(64)),
    group: optional(groupName),
    platform: optional(text(64)),
    after: optional(agentId),
    limit: optional(wholeText(1, agentIdMax)),
  },
  agentsShow: { id: agentId },
  agentsAdd: { id: optional(agentId), name: text(1024), ip: optional(text(1024)) },
  agentsRemove: { ids: list(agentId, 100_000) },
  agentsReport: { reports: list(text(1024 * 1024), 100_000) },
  groupsList: {},
  groupsShow: { name: groupName },
  groupsCreate: { name: groupName },
  groupsRemove: { name: groupName, force: optional(flagText) },
  groupsAssign: groupChange,
  groupsUnassign: groupChange,
};

/**
 * The request of an operation from a JSON document.
 * @throws ClusterError('protocol') naming what is wrong
 */
export function readOperationRequest<N extends OperationName>(
  name: N,
  body: unknown,
): OperationRequests[N] {
  const read = record(fields[name])(body, name) as Record<string, unknown>;
  const given = Object.entries(read).filter(([, value]) => value !== undefined);
  const request = { ...defaults[name], ...Object.fromEntries(given) };
  if (name === 'rollback' && Object.keys(request).length !== 1) {
    throw new ClusterError('protocol', 'A rollback names either a generation or a version');
  }
  const selections = ['ids', 'all', 'from'].filter((key) => Object.hasOwn(request, key));
  if (fields[name] === groupChange && selections.length !== 1) {
    throw new ClusterError('protocol', 'One of "ids", "all" and "from" names the agents');
  }
  return request as unknown as OperationRequests[N];
}

/**
 * The request of an operation from the query of its address, and from what the path names.
 * @throws ClusterError('protocol') naming what is wrong, also where a key is not known
 */
export function readOperationQuery<N extends OperationName>(
  name: N,
  params: Readonly<Record<string, string>>,
  query: URLSearchParams,
): OperationRequests[N] {
  const known = Object.keys(fields[name]).filter((key) => !Object.hasOwn(params, key));
  for (const key of query.keys()) {
    if (known.includes(key)) continue;
    const meant = nearest(key, known);
    const hint = meant === undefined ? '' : `, did you mean "${meant}"?`;
    throw new ClusterError('protocol', `There is no "${key}" to be asked for${hint}`);
  }
  return readOperationRequest(name, { ...Object.fromEntries(query), ...params });
}

const defaults: { readonly [N in OperationName]?: object } = {
  sync: { dryRun: false },
  check: { offline: false },
  groupsRemove: { force: false },
};

// --- values that may be written as texts -------------------------------------------------------

function agentId(value: unknown, where: string): number {
  const id = parseAgentId(typeof value === 'number' ? String(value) : text(10)(value, where));
  if (id !== undefined) return id;
  throw new ClusterError('protocol', `"${where}" is not the number of an agent`);
}

function wholeText(min: number, max: number): Reader<number> {
  return (value, where) => {
    const isNumber = typeof value === 'string' && /^\d{1,15}$/.test(value);
    return whole(min, max)(isNumber ? Number(value) : value, where);
  };
}

function flagText(value: unknown, where: string): boolean {
  const isText = value === 'true' || value === 'false';
  return flag(isText ? value === 'true' : value, where);
}

function groupName(value: unknown, where: string): string {
  const name = text(255)(value, where);
  if (isGroupName(name)) return name;
  throw new ClusterError('protocol', `"${where}" is not the name of a group`);
}
