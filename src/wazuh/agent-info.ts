/**
 * What a worker sends a master about its agents in the Wazuh protocol. Pure.
 *
 * Up to three lists: agents of which everything is told, those that only showed that they are there,
 * and those whose connection changed. Texts that are empty and numbers that are not set are left
 * out; who reads a full record takes them for empty and for 0.
 */
import { ProtocolError } from '../base/errors.ts';
import { list, number, optional, type ReaderType, record, text, whole } from '../base/readers.ts';
import { compactJson, type Json, parseJson } from './json.ts';
import { JsonCursor } from './json-cursor.ts';

/** The most agents in all lists. */
const agentsMax = 1_000_000;

const id = whole(1, 2 ** 31 - 1);
const field = optional(text(4096));
/** Unix seconds, or a number with a meaning of its own. */
const count = optional(number);
const label = record({ key: text(4096), value: text(65_536) });

const keepaliveFields = { id, version: field };
const statusFields = {
  ...keepaliveFields,
  connection_status: field,
  disconnection_time: count,
  status_code: count,
};

const readKeepalive = record(keepaliveFields);
const readStatus = record(statusFields);
const readRecord = record({
  ...statusFields,
  last_keepalive: count,
  name: field,
  ip: field,
  os_name: field,
  os_version: field,
  os_major: field,
  os_minor: field,
  os_codename: field,
  os_build: field,
  os_platform: field,
  os_uname: field,
  os_arch: field,
  config_sum: field,
  merged_sum: field,
  manager_host: field,
  node_name: field,
  group_config_status: field,
  labels: optional(list(label, 4096)),
});

/** All about one agent. */
export type AgentRecord = ReaderType<typeof readRecord>;

/** An agent that has been heard of. */
export type AgentKeepalive = ReaderType<typeof readKeepalive>;

/** An agent whose connection changed. */
export type AgentStatus = ReaderType<typeof readStatus>;

/** What a worker tells. */
export interface AgentInfo {
  readonly syncreq: readonly AgentRecord[];
  readonly syncreq_keepalive: readonly AgentKeepalive[];
  readonly syncreq_status: readonly AgentStatus[];
}

/** Number of lists that are not empty: what a master tells as `updated_chunks`. */
export function chunksOf(info: AgentInfo): number {
  const { syncreq, syncreq_keepalive: heard, syncreq_status: changed } = info;
  return [syncreq, heard, changed].filter((agents) => agents.length > 0).length;
}

/** The lists as the database of a node gives and takes them. */
export function writeAgentInfo(info: AgentInfo): Uint8Array {
  return compactJson(infoJson(info));
}

/** The JSON text that a worker sends about its agents. */
export function writeAgentMessage(info: AgentInfo): Uint8Array {
  return compactJson({
    set_data_command: 'global sync-agent-info-set',
    payload: {},
    chunks: infoJson(info),
  });
}

/** The lists in the answer of a node's database. @throws ProtocolError `malformed` */
export async function readAgentInfo(bytes: Uint8Array, clock: Breath): Promise<AgentInfo> {
  const cursor = new JsonCursor(bytes);
  const info = await readLists(cursor, clock);
  cursor.end();
  return info;
}

/** What a worker sent about its agents. @throws ProtocolError `malformed` */
export async function readAgentMessage(bytes: Uint8Array, clock: Breath): Promise<AgentInfo> {
  const cursor = new JsonCursor(bytes);
  let info: AgentInfo | undefined;
  for (const key of cursor.keys()) {
    if (key === 'chunks') info = await readLists(cursor, clock);
    else cursor.skip();
  }
  cursor.end();
  if (info === undefined) {
    throw new ProtocolError('malformed', 'A message about agents has no chunks');
  }
  return info;
}

// ---

/** Long lists are read with the loop free in between. */
interface Breath {
  breathe(): Promise<void>;
}

/** Agents parsed in one go. */
const agentsAtOnce = 500;

async function readLists(cursor: JsonCursor, clock: Breath): Promise<AgentInfo> {
  const syncreq: AgentRecord[] = [];
  const heard: AgentKeepalive[] = [];
  const changed: AgentStatus[] = [];
  const takers: Readonly<Record<string, (value: unknown, where: string) => unknown>> = {
    syncreq: (value, where) => syncreq.push(...records(value, where)),
    syncreq_keepalive: (value, where) => heard.push(...keepalives(value, where)),
    syncreq_status: (value, where) => changed.push(...statuses(value, where)),
  };
  for (const key of cursor.keys()) {
    const take = Object.hasOwn(takers, key) ? takers[key] : undefined;
    if (take === undefined) {
      cursor.skip();
      continue;
    }
    for (const part of cursor.parts('list', agentsAtOnce)) {
      take(parseJson(part, 'Agents'), `agents.${key}`);
      if (syncreq.length + heard.length + changed.length > agentsMax) {
        throw new ProtocolError('malformed', `A message tells of more than ${agentsMax} agents`);
      }
      await clock.breathe();
    }
  }
  return { syncreq, syncreq_keepalive: heard, syncreq_status: changed };
}

const records = list(readRecord, agentsAtOnce);
const keepalives = list(readKeepalive, agentsAtOnce);
const statuses = list(readStatus, agentsAtOnce);

/** The lists without what is empty. */
function infoJson(info: AgentInfo): Json {
  const shown: Record<string, Json> = {};
  const named: Readonly<Record<string, readonly object[]>> = { ...info };
  for (const [name, agents] of Object.entries(named)) {
    if (agents.length > 0) shown[name] = agents.map((agent) => withoutEmpty(agent));
  }
  return shown;
}

function withoutEmpty(agent: object): Json {
  const entries: [string, Json][] = Object.entries(agent);
  return Object.fromEntries(
    entries.filter(([, value]) =>
      value !== undefined && value !== '' && !(Array.isArray(value) && value.length === 0)
    ),
  );
}
