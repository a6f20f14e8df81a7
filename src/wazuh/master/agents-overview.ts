/**
 * The one function of the original's framework that muster executes: the list of agents, which
 * `cluster_control -a` asks for. Everything else is refused.
 */
import { agentIdText, type ConnectionStatus, connectionStatuses } from '../../agents/agent.ts';
import type { AgentViews } from '../../agents/store/views.ts';
import { isoTime } from '../../base/time-text.ts';
import { list, optional, type ReaderType, record, text, whole } from '../../base/readers.ts';
import { ProtocolError } from '../../base/errors.ts';
import { type Json, parseJson, spacedJson } from '../json.ts';
import type { NodeInfo } from './questions.ts';

/** What an overview is made of. */
export interface OverviewPorts {
  readonly views: AgentViews;
  /** The master, which is agent 000. */
  readonly master: NodeInfo;
}

/** Agents read at a time. */
const pageLength = 500;

/** What can be asked about an agent. */
const fieldNames = ['id', 'name', 'ip', 'status', 'node_name', 'version', 'lastKeepAlive'];

const name = text(4096);

const callable = record({ __callable__: record({ __qualname__: name, __module__: name }) });

const callOf = record({
  f: callable,
  f_kwargs: optional(record({
    filters: optional(record({ status: optional(name), node_name: optional(name) })),
    select: optional(list(name, 64)),
    offset: optional(whole(0)),
    limit: optional(whole(0)),
    q: optional(name),
    sort: optional(record({})),
    search: optional(record({})),
  })),
});

/** The question in a call, if it is one for the list of agents that can be answered. */
export function readOverviewCall(payload: Uint8Array): OverviewCall | undefined {
  let call: ReaderType<typeof callOf>;
  try {
    call = callOf(parseJson(payload, 'A call'), 'call');
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
  const { f: { __callable__: called }, f_kwargs: given } = call;
  const { filters, select, offset, limit, q, sort, search } = given ?? {};
  const isOverview = called.__module__ === 'wazuh.core.agent' &&
    called.__qualname__ === 'Agent.get_agents_overview';
  const fields = select ?? fieldNames;
  const isKnown = fields.every((field) => fieldNames.includes(field));
  const isPlain = q === undefined && sort === undefined && search === undefined;
  if (!isOverview || !isKnown || !isPlain) return undefined;
  return {
    fields,
    statuses: wordsOf(filters?.status),
    nodes: wordsOf(filters?.node_name),
    offset: offset ?? 0,
    limit: limit ?? Infinity,
  };
}

/** Which agents are asked for, and what about them. */
export interface OverviewCall {
  readonly fields: readonly string[];
  /** Undefined for all. */
  readonly statuses: readonly string[] | undefined;
  readonly nodes: readonly string[] | undefined;
  readonly offset: number;
  readonly limit: number;
}

/** The answer, as JSON text. */
export async function overviewAnswer(
  { views, master }: OverviewPorts,
  { fields, statuses, nodes, offset, limit }: OverviewCall,
): Promise<string> {
  const items: Json[] = [];
  let total = 0;
  const add = (agent: Agent) => {
    if (!(statuses?.includes(agent.status) ?? true)) return;
    if (!(nodes?.includes(agent.node_name ?? 'unknown') ?? true)) return;
    total++;
    if (total > offset && items.length < limit) items.push(onlyFields(agent, fields));
  };
  add(manager(master));
  for (let after = 0;;) {
    const { agents } = await views.page({}, after, pageLength);
    const last = agents.at(-1);
    if (last === undefined) return spacedJson({ items, totalItems: total });
    for (const { id, name: agent, ip, reported } of agents) {
      const facts = reported?.facts;
      add({
        id: agentIdText(id),
        name: agent,
        ip: facts?.ip ?? ip ?? 'any',
        status: facts?.connection_status ?? connectionStatuses[0],
        node_name: reported?.node,
        version: facts?.version ?? undefined,
        lastKeepAlive: facts?.last_keepalive === null || facts === undefined
          ? undefined
          : isoTime(facts.last_keepalive * 1000),
      });
    }
    after = last.id;
  }
}

// ---

interface Agent {
  readonly id: string;
  readonly name: string;
  readonly ip: string;
  readonly status: ConnectionStatus;
  readonly node_name: string | undefined;
  readonly version: string | undefined;
  readonly lastKeepAlive: string | undefined;
}

function manager({ name: node, version }: NodeInfo): Agent {
  return {
    id: '000',
    name: node,
    ip: '127.0.0.1',
    status: 'active',
    node_name: node,
    version: `Wazuh v${version}`,
    lastKeepAlive: '9999-12-31T23:59:59Z',
  };
}

/** Several words separated by commas; undefined where they ask for all. */
function wordsOf(given: string | undefined): readonly string[] | undefined {
  return given === undefined || given === 'all' ? undefined : given.split(',');
}

function onlyFields(agent: Agent, fields: readonly string[]): Json {
  return Object.fromEntries(
    Object.entries(agent).filter(([field, value]) => fields.includes(field) && value !== undefined),
  ) as Readonly<Record<string, string>>;
}
