/**
 * Agents: what is known of one, by the names under which people know it.
 *
 * Three parties write about an agent, each into a table of its own: the keys file and the operator
 * say that it exists (a registration), its node says how it is (the facts of an agent), and the
 * master says to which groups it belongs (an assignment). An agent exists where it is registered.
 */

/** Number of an agent, at least 1; written with three digits or more. */
export type AgentId = number;

/** The largest number that an agent can have. */
export const agentIdMax = 2 ** 31 - 1;

/** How an agent is connected to its node. */
export const connectionStatuses = [
  'never_connected',
  'pending',
  'active',
  'disconnected',
] as const;

export type ConnectionStatus = (typeof connectionStatuses)[number];

/** A label of an agent. */
export type Label = readonly [key: string, value: string];

/** The columns of an agent that hold a text, with the most characters of each. */
export const textColumns = {
  name: 128,
  ip: 64,
  register_ip: 64,
  version: 64,
  os_name: 128,
  os_version: 128,
  os_major: 32,
  os_minor: 32,
  os_codename: 128,
  os_build: 64,
  os_platform: 64,
  os_uname: 512,
  os_arch: 64,
  config_sum: 128,
  merged_sum: 128,
  manager_host: 256,
  group_config_status: 32,
} as const satisfies Readonly<Record<string, number>>;

export type TextColumn = keyof typeof textColumns;

/** The names of the text columns, in the order in which they are stored and sent. */
export const textColumnNames = Object.keys(textColumns) as readonly TextColumn[];

/** What changes with nothing but the connection of an agent. */
export interface AgentStatus {
  /** Unix seconds; null before the first. */
  readonly last_keepalive: number | null;
  readonly connection_status: ConnectionStatus;
  /** Unix seconds; 0 while it is connected. */
  readonly disconnection_time: number;
  readonly status_code: number;
}

/** What else is reported of an agent; null where it was not. */
export interface AgentData extends Readonly<Record<TextColumn, string | null>> {
  /** In the order of the report. */
  readonly labels: readonly Label[];
}

/** All that is reported of an agent. */
export type AgentFacts = AgentData & AgentStatus;

/** An agent's number for people: `007`, `1234`. */
export function agentIdText(id: AgentId): string {
  return String(id).padStart(3, '0');
}

/** So many agents, for people. */
export function agentsText(count: number): string {
  return count === 1 ? '1 agent' : `${count} agents`;
}

/** The number that a text such as `007` or `7` names; undefined where it names none. */
export function parseAgentId(text: string): AgentId | undefined {
  if (!/^[0-9]{1,10}$/.test(text)) return undefined;
  const id = Number(text);
  return id >= 1 && id <= agentIdMax ? id : undefined;
}

/** The rule of group names, for messages. */
export const groupNameExpected =
  'has 1 to 255 letters, digits, ".", "_" or "-", and is not "." or ".."';

/** Whether a text can be the name of a group: it is the name of a directory as well. */
export function isGroupName(text: string): boolean {
  return /^(?!\.{1,2}$)[A-Za-z0-9_.-]{1,255}$/.test(text);
}

/** The group of agents to which no rule gives another. */
export const defaultGroup = 'default';

/** The most groups that one agent can have. */
export const groupsMax = 128;
