/**
 * What a worker sends a master about its agents in the Wazuh protocol. Pure.
 *
 * Up to three lists: agents of which everything is told, those that only showed that they are there,
 * and those whose connection changed. Texts that are empty and numbers that are not set are left
 * out; who reads a full record takes them for empty and for 0.
 */
import { list, number, optional, type ReaderType, record, text, whole } from '../base/readers.ts';
import { compactJson, type Json, parseJson } from './json.ts';

/** The most agents in one of the lists. */
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
export function readAgentInfo(bytes: Uint8Array): AgentInfo {
  return withDefaults(lists(parseJson(bytes, 'Agents'), 'agents'));
}

/** What a worker sent about its agents. @throws ProtocolError `malformed` */
export function readAgentMessage(bytes: Uint8Array): AgentInfo {
  return withDefaults(message(parseJson(bytes, 'Agents'), 'agents').chunks);
}

// ---

const lists = record({
  syncreq: optional(list(readRecord, agentsMax)),
  syncreq_keepalive: optional(list(readKeepalive, agentsMax)),
  syncreq_status: optional(list(readStatus, agentsMax)),
});

const message = record({ chunks: lists });

function withDefaults(read: ReaderType<typeof lists>): AgentInfo {
  return {
    syncreq: read.syncreq ?? [],
    syncreq_keepalive: read.syncreq_keepalive ?? [],
    syncreq_status: read.syncreq_status ?? [],
  };
}

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
