/**
 * What was reported of agents: the table `agent`.
 *
 * On a worker it holds what its agents reported, with a mark on what the master has not confirmed; on
 * the master the newest record of every agent, whichever node it came from.
 */
import { transactionRowsMax } from '../../base/transaction.ts';
import type { Database, SqlValue, Statement } from '../../ports.ts';
import {
  type AgentFacts,
  type AgentId,
  type AgentStatus,
  type ConnectionStatus,
  type Label,
  type TextColumn,
  textColumnNames,
} from '../agent.ts';
import type { RecordOrder } from '../record-order.ts';

/** What of an agent the master has not confirmed. The stronger wins. */
export const pendingLevels = { nothing: 0, status: 1, all: 2 } as const;

export type PendingLevel = (typeof pendingLevels)[keyof typeof pendingLevels];

/** A row of the table. */
export interface FactsRow {
  readonly id: AgentId;
  readonly facts: AgentFacts;
  readonly order: RecordOrder;
  readonly pending: PendingLevel;
  /** The master does not know the agent. */
  readonly isRefused: boolean;
}

const statusColumns = ['last_keepalive', 'connection_status', 'disconnection_time', 'status_code'];
const orderColumns = ['node_name', 'node_epoch', 'node_order_ms', 'order_ms'];
const columns = [
  'id',
  ...textColumnNames,
  'labels',
  ...statusColumns,
  ...orderColumns,
  'pending',
  'is_refused',
];

/** Numbers of agents that one statement over many goes through. */
const sweptIdsMax = 4_000;

/** The reported facts of agents. */
export class FactsStore {
  readonly #select: Statement;
  readonly #save: Statement;
  readonly #saveStatus: Statement;
  readonly #remove: Statement;
  readonly #selectPending: Statement;
  readonly #countPending: Statement;
  readonly #confirm: Statement;
  readonly #refuse: Statement;
  readonly #accept: Statement;
  readonly #demand: Statement;
  readonly #demandSome: Statement;
  readonly #countRefused: Statement;
  readonly #selectSilent: Statement;
  readonly #disconnect: Statement;
  readonly #highest: Statement;

  constructor(database: Database) {
    const set = (names: readonly string[]) => names.map((name) => `${name} = ?`).join(', ');
    const list = columns.join(', ');
    this.#select = database.prepare(`SELECT ${list} FROM agent WHERE id = ?`);
    this.#save = database.prepare(
      `REPLACE INTO agent (${list}) VALUES (${columns.map(() => '?').join(', ')})`,
    );
    this.#saveStatus = database.prepare(
      `UPDATE agent SET ${set([...statusColumns, ...orderColumns, 'pending'])} WHERE id = ?`,
    );
    this.#remove = database.prepare('DELETE FROM agent WHERE id = ?');
    this.#selectPending = database.prepare(
      `SELECT ${list} FROM agent WHERE pending > 0 AND is_refused = 0 AND id > ?
       ORDER BY id LIMIT ${transactionRowsMax}`,
    );
    this.#countPending = database.prepare(
      'SELECT count(*) AS count FROM agent WHERE pending > 0 AND is_refused = 0',
    );
    this.#confirm = database.prepare(
      'UPDATE agent SET pending = 0 WHERE id = ? AND node_order_ms = ?',
    );
    this.#refuse = database.prepare('UPDATE agent SET is_refused = 1, pending = 2 WHERE id = ?');
    this.#accept = database.prepare(
      'UPDATE agent SET is_refused = 0 WHERE id = ? AND is_refused = 1',
    );
    this.#demand = database.prepare('UPDATE agent SET pending = 2 WHERE id = ?');
    this.#demandSome = database.prepare(
      'UPDATE agent SET pending = 2 WHERE id > ? AND id <= ? AND pending < 2',
    );
    this.#countRefused = database.prepare(
      'SELECT count(*) AS count FROM agent WHERE is_refused = 1',
    );
    this.#highest = database.prepare('SELECT max(id) AS id FROM agent');
    this.#selectSilent = database.prepare(
      `SELECT id, node_name FROM agent WHERE id > ? AND id <= ? AND connection_status = 'active'
       AND last_keepalive < ?`,
    );
    this.#disconnect = database.prepare(
      `UPDATE agent SET connection_status = 'disconnected', disconnection_time = ? WHERE id = ?`,
    );
  }

  get(id: AgentId): FactsRow | undefined {
    const row = this.#select.get(id);
    return row === undefined ? undefined : readFactsRow(row);
  }

  /** Writes a row as a whole. */
  save({ id, facts, order, pending, isRefused }: FactsRow): void {
    this.#save.run(
      id,
      ...textColumnNames.map((name) => facts[name]),
      JSON.stringify(facts.labels),
      ...statusValues(facts),
      ...orderValues(order),
      pending,
      isRefused ? 1 : 0,
    );
  }

  /** Writes the status of a row that is there. */
  saveStatus(id: AgentId, status: AgentStatus, order: RecordOrder, pending: PendingLevel): void {
    this.#saveStatus.run(...statusValues(status), ...orderValues(order), pending, id);
  }

  remove(id: AgentId): void {
    this.#remove.run(id);
  }

  // --- what the master has not confirmed -----------------------------------------------------

  /** The next unconfirmed rows with a higher number than `after`, in their order; few of them. */
  pendingAfter(after: AgentId): FactsRow[] {
    return this.#selectPending.all(after).map(readFactsRow);
  }

  countPending(): number {
    return Number(this.#countPending.get()?.['count'] ?? 0);
  }

  /** The master has this record; what was reported since is still to be sent. */
  confirm(id: AgentId, nodeOrderMs: number): void {
    this.#confirm.run(id, nodeOrderMs);
  }

  /** The master does not know the agent: nothing is sent of it until it is accepted. */
  refuse(id: AgentId): void {
    this.#refuse.run(id);
  }

  /** The agent is known now. */
  accept(id: AgentId): void {
    this.#accept.run(id);
  }

  /** The master wants all of an agent. */
  demand(id: AgentId): void {
    this.#demand.run(id);
  }

  /** The same of all agents, among some thousand numbers above `after`; gives the last of these. */
  demandAfter(after: AgentId): AgentId {
    const end = after + sweptIdsMax;
    this.#demandSome.run(after, end);
    return end;
  }

  countRefused(): number {
    return Number(this.#countRefused.get()?.['count'] ?? 0);
  }

  // --- silent agents ---------------------------------------------------------------------------

  /** The highest number of an agent in the table; 0 where it is empty. */
  highestId(): AgentId {
    return Number(this.#highest.get()?.['id'] ?? 0);
  }

  /**
   * Active agents without a keep-alive since `beforeSeconds`, with their nodes, among some thousand
   * numbers above `after`; `end` is the last number that was looked at.
   */
  silentAfter(after: AgentId, beforeSeconds: number) {
    const end = after + sweptIdsMax;
    const rows = this.#selectSilent.all(after, end, beforeSeconds);
    const silent = rows.map((row) => ({ id: Number(row['id']), node: String(row['node_name']) }));
    return { silent, end };
  }

  /** Marks an agent as disconnected; the next record of its node overrules that. */
  disconnect(id: AgentId, nowSeconds: number): void {
    this.#disconnect.run(nowSeconds, id);
  }
}

// ---------------------------------------------------------------------------------------------

function statusValues(status: AgentStatus): SqlValue[] {
  return [
    status.last_keepalive,
    status.connection_status,
    status.disconnection_time,
    status.status_code,
  ];
}

function orderValues({ node, epoch, nodeOrderMs, orderMs }: RecordOrder): SqlValue[] {
  return [node, epoch, nodeOrderMs, orderMs];
}

/** The facts of a row of the table. */
export function readFacts(row: Record<string, SqlValue>): AgentFacts {
  const texts: Partial<Record<TextColumn, string | null>> = {};
  for (const name of textColumnNames) {
    const value = row[name];
    texts[name] = typeof value === 'string' ? value : null;
  }
  const heard = row['last_keepalive'];
  return {
    ...texts as Record<TextColumn, string | null>,
    labels: readLabels(row['labels']),
    last_keepalive: heard === null || heard === undefined ? null : Number(heard),
    connection_status: row['connection_status'] as ConnectionStatus,
    disconnection_time: Number(row['disconnection_time']),
    status_code: Number(row['status_code']),
  };
}

function readLabels(value: SqlValue | undefined): readonly Label[] {
  return value === '[]' ? [] : JSON.parse(String(value)) as readonly Label[];
}

function readFactsRow(row: Record<string, SqlValue>): FactsRow {
  return {
    id: Number(row['id']),
    facts: readFacts(row),
    order: {
      node: String(row['node_name']),
      epoch: String(row['node_epoch']),
      nodeOrderMs: Number(row['node_order_ms']),
      orderMs: Number(row['order_ms']),
    },
    pending: Number(row['pending']) as PendingLevel,
    isRefused: row['is_refused'] === 1,
  };
}
