/**
 * What was reported of agents: the table `agent_record`.
 *
 * On a worker it holds what its agents reported, with a mark on what the master has not confirmed; on
 * the master the newest record of every agent, whichever node it came from.
 */
import { transactionRowsMax } from '../../base/transaction.ts';
import type { Database, SqlValue, Statement } from '../../ports.ts';
import type { AgentData, AgentId, AgentStatus, ConnectionStatus } from '../agent.ts';
import { type PackedData, unpackData } from '../data-codec.ts';
import type { RecordOrder } from '../record-order.ts';
import type { Existence } from './registrations.ts';

/** What of an agent the master has not confirmed. The stronger wins. */
export const pendingLevels = { nothing: 0, status: 1, all: 2 } as const;

export type PendingLevel = (typeof pendingLevels)[keyof typeof pendingLevels];

/** Whether the master does not know the agent, and whether it is to be asked once more. */
export const refusals = { none: 0, refused: 1, askAgain: 2 } as const;

export type Refusal = (typeof refusals)[keyof typeof refusals];

/** A row of the table without the data. */
export interface StatusRow {
  readonly id: AgentId;
  readonly status: AgentStatus;
  readonly order: RecordOrder;
  readonly pending: PendingLevel;
  readonly refusal: Refusal;
}

/** A row of the table. */
export interface FactsRow extends StatusRow {
  readonly data: PackedData;
}

/** A row that waits to be sent: its data where all of it does. */
export interface PendingRow extends StatusRow {
  readonly data: PackedData | undefined;
}

/** What decides what becomes of news about an agent. */
export interface Look {
  readonly existence: Existence;
  /** Undefined where nothing was reported yet. */
  readonly known: StatusRow | undefined;
}

const statusColumns = ['last_keepalive', 'connection_status', 'disconnection_time', 'status_code'];
const orderColumns = ['node_name', 'node_epoch', 'node_order_ms', 'order_ms'];
const rowColumns = [...statusColumns, ...orderColumns, 'pending', 'refusal'];
const columns = ['id', 'data', ...rowColumns];

/** Numbers of agents that one statement over many goes through. */
const sweptIdsMax = 4_000;

/** The reported facts of agents. */
export class FactsStore {
  readonly #look: Statement;
  readonly #selectData: Statement;
  readonly #save: Statement;
  readonly #saveMany: Statement;
  readonly #saveStatus: Statement;
  readonly #saveKeepalive: Statement;
  readonly #remove: Statement;
  readonly #selectPending: Statement;
  readonly #countPending: Statement;
  readonly #confirm: Statement;
  readonly #refuse: Statement;
  readonly #askAgain: Statement;
  readonly #accept: Statement;
  readonly #demand: Statement;
  readonly #demandSome: Statement;
  readonly #countRefused: Statement;
  readonly #selectSilent: Statement;
  readonly #disconnect: Statement;
  readonly #highest: Statement;

  constructor(database: Database) {
    const set = (names: readonly string[]) => names.map((name) => `${name} = ?`).join(', ');
    this.#look = database.prepare(
      `SELECT wanted.value AS wanted, source, agent.id AS id, ${rowColumns.join(', ')}
       FROM json_each(?) AS wanted
       LEFT JOIN registration ON registration.id = wanted.value
       LEFT JOIN agent_record AS agent ON agent.id = wanted.value`,
    );
    this.#selectData = database.prepare('SELECT data FROM agent_record WHERE id = ?');
    this.#save = database.prepare(saveSql(1));
    this.#saveMany = database.prepare(saveSql(savedAtOnce));
    this.#saveStatus = database.prepare(
      `UPDATE agent_record SET ${set([...statusColumns, ...orderColumns, 'pending'])} WHERE id = ?`,
    );
    // Setting a column writes its index anew, even where the value is as before.
    const unindexed = statusColumns.filter((name) => name !== 'connection_status');
    this.#saveKeepalive = database.prepare(
      `UPDATE agent_record SET ${set([...unindexed, 'node_order_ms', 'order_ms', 'pending'])}
       WHERE id = ?`,
    );
    this.#remove = database.prepare('DELETE FROM agent_record WHERE id = ?');
    this.#selectPending = database.prepare(
      `SELECT id, ${rowColumns.join(', ')},
         iif(pending = ${pendingLevels.all} AND refusal = ${refusals.none}, data, NULL) AS data
       FROM agent_record WHERE pending > 0 AND refusal <> 1 AND id > ? ORDER BY id LIMIT ${transactionRowsMax}`,
    );
    this.#countPending = database.prepare(
      'SELECT count(*) AS count FROM agent_record WHERE pending > 0 AND refusal <> 1',
    );
    this.#confirm = database.prepare(
      'UPDATE agent_record SET pending = 0 WHERE id = ? AND node_order_ms = ?',
    );
    this.#refuse = database.prepare(
      'UPDATE agent_record SET refusal = 1, pending = 2 WHERE id = ?',
    );
    this.#askAgain = database.prepare('UPDATE agent_record SET refusal = 2 WHERE refusal > 0');
    this.#accept = database.prepare(
      'UPDATE agent_record SET refusal = 0 WHERE id = ? AND refusal > 0',
    );
    this.#demand = database.prepare('UPDATE agent_record SET pending = 2 WHERE id = ?');
    this.#demandSome = database.prepare(
      'UPDATE agent_record SET pending = 2 WHERE id > ? AND id <= ? AND pending < 2',
    );
    this.#countRefused = database.prepare(
      'SELECT count(*) AS count FROM agent_record WHERE refusal > 0',
    );
    this.#highest = database.prepare('SELECT max(id) AS id FROM agent_record');
    this.#selectSilent = database.prepare(
      `SELECT id, node_name FROM agent_record WHERE id > ? AND id <= ? AND connection_status = 'active'
       AND last_keepalive < ?`,
    );
    this.#disconnect = database.prepare(
      `UPDATE agent_record SET connection_status = 'disconnected', disconnection_time = ? WHERE id = ?`,
    );
  }

  /** Whether an agent exists, and what is known of it but its data. */
  look(id: AgentId): Look {
    return this.lookAll([id]).get(id)!;
  }

  /** The same for several agents at once, which takes a sixth of the time. */
  lookAll(ids: readonly AgentId[]): Map<AgentId, Look> {
    const looks = new Map<AgentId, Look>();
    for (const row of this.#look.all(`[${ids.join(',')}]`)) {
      const source = row['source'];
      const isGone = source === 'removed';
      looks.set(Number(row['wanted']), {
        existence: typeof source !== 'string' ? 'unknown' : isGone ? 'removed' : 'registered',
        known: typeof row['id'] !== 'number' ? undefined : readStatusRow(row),
      });
    }
    return looks;
  }

  /** The data of an agent, packed. */
  packedData(id: AgentId): PackedData | undefined {
    const data = this.#selectData.get(id)?.['data'];
    return typeof data === 'string' ? data : undefined;
  }

  /** The data of an agent. */
  data(id: AgentId): AgentData | undefined {
    const packed = this.packedData(id);
    return packed === undefined ? undefined : unpackData(packed);
  }

  /** All that is known of an agent. */
  get(id: AgentId): (StatusRow & { readonly data: AgentData }) | undefined {
    const { known } = this.look(id);
    return known === undefined ? undefined : { ...known, data: this.data(id)! };
  }

  /** Writes a row as a whole. */
  save(row: FactsRow): void {
    this.#save.run(...rowValues(row));
  }

  /** Writes rows as wholes. */
  saveAll(rows: readonly FactsRow[]): void {
    let at = 0;
    for (; at + savedAtOnce <= rows.length; at += savedAtOnce) {
      this.#saveMany.run(...rows.slice(at, at + savedAtOnce).flatMap(rowValues));
    }
    for (const row of rows.slice(at)) this.save(row);
  }

  /** Writes the status of a row that is there, which was `known`. */
  saveStatus(row: Omit<StatusRow, 'refusal'>, known: StatusRow): void {
    const { id, status, order, pending } = row;
    const isConnectedAsBefore = status.connection_status === known.status.connection_status &&
      order.node === known.order.node && order.epoch === known.order.epoch;
    if (isConnectedAsBefore) {
      const times = [status.last_keepalive, status.disconnection_time, status.status_code];
      this.#saveKeepalive.run(...times, order.nodeOrderMs, order.orderMs, pending, id);
    } else {
      this.#saveStatus.run(...statusValues(status), ...orderValues(order), pending, id);
    }
  }

  remove(id: AgentId): void {
    this.#remove.run(id);
  }

  // --- what the master has not confirmed -----------------------------------------------------

  /** The next unconfirmed rows with a higher number than `after`, in their order; few of them. */
  pendingAfter(after: AgentId): PendingRow[] {
    return this.#selectPending.all(after).map((row) => {
      const data = row['data'];
      return { ...readStatusRow(row), data: typeof data === 'string' ? data : undefined };
    });
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

  /** All agents that the master did not know are to be asked about once more. */
  askAgain(): void {
    this.#askAgain.run();
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

/** Whole rows of one statement. */
const savedAtOnce = 20;

function saveSql(rowsCount: number): string {
  const row = `(${columns.map(() => '?').join(', ')})`;
  // REPLACE looks through all indexes for what it would replace, also where there is nothing.
  const replaced = columns.slice(1).map((name) => `${name} = excluded.${name}`);
  return `INSERT INTO agent_record (${columns.join(', ')})
    VALUES ${Array(rowsCount).fill(row).join(', ')}
    ON CONFLICT (id) DO UPDATE SET ${replaced.join(', ')}`;
}

function rowValues({ id, data, status, order, pending, refusal }: FactsRow): SqlValue[] {
  return [id, data, ...statusValues(status), ...orderValues(order), pending, refusal];
}

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

/** The status of a row of the table. */
export function readStatus(row: Record<string, SqlValue>): AgentStatus {
  const heard = row['last_keepalive'];
  return {
    last_keepalive: typeof heard === 'number' ? heard : null,
    connection_status: row['connection_status'] as ConnectionStatus,
    disconnection_time: Number(row['disconnection_time']),
    status_code: Number(row['status_code']),
  };
}

function readStatusRow(row: Record<string, SqlValue>): StatusRow {
  return {
    id: Number(row['id']),
    status: readStatus(row),
    order: {
      node: String(row['node_name']),
      epoch: String(row['node_epoch']),
      nodeOrderMs: Number(row['node_order_ms']),
      orderMs: Number(row['order_ms']),
    },
    pending: Number(row['pending']) as PendingLevel,
    refusal: Number(row['refusal']) as Refusal,
  };
}
