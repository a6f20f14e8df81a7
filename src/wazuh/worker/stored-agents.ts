/**
 * News of agents out of muster's own store: what they reported to this node and the master has not
 * confirmed. Only agents that exist are told of: of others a master stores nothing, and does not say.
 */
import { type AgentData, type AgentId, type AgentStatus } from '../../agents/agent.ts';
import { type FactsStore, pendingLevels, type StatusRow } from '../../agents/store/facts.ts';
import type { Registrations } from '../../agents/store/registrations.ts';
import { inTransactions } from '../../base/transaction.ts';
import type { Clock, Database } from '../../ports.ts';
import type { AgentInfo, AgentRecord } from '../agent-info.ts';
import type { AgentNews, AgentNewsSource } from './agent-info.ts';

/** Agents told of in one round: a few megabytes. */
const agentsMax = 5_000;

/** What the news are read from. */
export interface StoredAgentPorts {
  readonly clock: Clock;
  readonly database: Database;
  readonly facts: FactsStore;
  readonly registrations: Registrations;
  /** The name of this node. */
  readonly node: string;
}

/** Lists that are being made. */
type Lists = { readonly [List in keyof AgentInfo]: AgentInfo[List][number][] };

/** Reads news out of the store. */
export class StoredAgents implements AgentNewsSource {
  readonly #ports: StoredAgentPorts;

  constructor(ports: StoredAgentPorts) {
    this.#ports = ports;
  }

  async next(): Promise<AgentNews | undefined> {
    const { facts, registrations, clock } = this.#ports;
    const lists: Lists = { syncreq: [], syncreq_keepalive: [], syncreq_status: [] };
    const sent: StatusRow[] = [];
    let isMore = false;
    for (let rows = facts.pendingAfter(0); rows.length > 0 && !isMore;) {
      for (const row of rows) {
        if (registrations.existence(row.id) !== 'registered') continue;
        isMore = sent.length >= agentsMax;
        if (isMore) break;
        sent.push(row);
        this.#tell(row, lists);
      }
      await clock.breathe();
      rows = facts.pendingAfter(rows.at(-1)!.id);
    }
    if (sent.length === 0) return undefined;
    return { info: lists, isMore, settle: () => this.#settle(sent) };
  }

  // ---

  #tell(
    { id, status, pending }: StatusRow,
    lists: Lists,
  ): void {
    const data = this.#ports.facts.data(id);
    const version = data?.version ?? '';
    const { connection_status, disconnection_time, status_code } = status;
    if (pending === pendingLevels.all && data !== undefined) {
      lists.syncreq.push(recordOf(id, data, status, this.#ports.node));
    } else if (connection_status === 'active' && status_code === 0) {
      lists.syncreq_keepalive.push({ id, version });
    } else {
      const told = { id, version, connection_status, disconnection_time, status_code };
      lists.syncreq_status.push(told);
    }
  }

  async #settle(sent: readonly StatusRow[]): Promise<void> {
    const { facts } = this.#ports;
    await inTransactions(this.#ports, sent, ({ id, order }) => {
      facts.confirm(id, order.nodeOrderMs);
    });
  }
}

// ---

/** All of an agent, as a record; what is not known is empty. Where it is registered is never told. */
function recordOf(id: AgentId, data: AgentData, status: AgentStatus, node: string): AgentRecord {
  const { last_keepalive: heard, connection_status, disconnection_time, status_code } = status;
  return {
    id,
    name: data.name ?? '',
    ip: data.ip ?? '',
    os_name: data.os_name ?? '',
    os_version: data.os_version ?? '',
    os_major: data.os_major ?? '',
    os_minor: data.os_minor ?? '',
    os_codename: data.os_codename ?? '',
    os_build: data.os_build ?? '',
    os_platform: data.os_platform ?? '',
    os_uname: data.os_uname ?? '',
    os_arch: data.os_arch ?? '',
    version: data.version ?? '',
    config_sum: data.config_sum ?? '',
    merged_sum: data.merged_sum ?? '',
    manager_host: data.manager_host ?? '',
    node_name: node,
    last_keepalive: heard ?? 0,
    connection_status,
    disconnection_time,
    group_config_status: data.group_config_status ?? '',
    status_code,
    labels: data.labels.map(([key, value]) => ({ key, value })),
  };
}
