/**
 * Taking in the records that workers send, on the master: only of agents that exist, and only where
 * they are newer than what is known.
 */
import { ByteReader } from '../base/cursor.ts';
import { inTransaction, slices, transactionRowsMax } from '../base/transaction.ts';
import type { Clock, Database } from '../ports.ts';
import type { AgentId, AgentStatus } from './agent.ts';
import type { ChunkAnswer } from './backlog.ts';
import { type AgentRecord, unpackRecords } from './record-codec.ts';
import { isNewer, masterSeconds, masterTimeMs, type RecordOrder } from './record-order.ts';
import type { FactsStore } from './store/facts.ts';
import type { Registrations } from './store/registrations.ts';

/** Where records come from. */
export interface RecordSource {
  readonly node: string;
  /** Names the database of that node. */
  readonly epoch: string;
  /** How far the node's clock is ahead of the master's, ms. */
  readonly skewMs: number;
}

/** What came of some records. */
export interface RecordOutcome extends ChunkAnswer {
  /** Agents of which nothing had been stored before. */
  readonly firstContacts: readonly AgentId[];
}

/** Takes in records. */
export class RecordIntake {
  readonly #clock: Clock;
  readonly #database: Database;
  readonly #facts: FactsStore;
  readonly #registrations: Registrations;

  constructor(
    ports: { readonly clock: Clock; readonly database: Database },
    stores: { readonly facts: FactsStore; readonly registrations: Registrations },
  ) {
    this.#clock = ports.clock;
    this.#database = ports.database;
    this.#facts = stores.facts;
    this.#registrations = stores.registrations;
  }

  /**
   * Stores packed records; when this resolves, they are on the disk.
   * @throws ProtocolError('malformed'); the records before the malformed one may be stored
   */
  async take(packed: Uint8Array, source: RecordSource): Promise<RecordOutcome> {
    const outcome: Lists = { refused: [], removed: [], wanted: [], firstContacts: [] };
    for (const slice of slices(unpackRecords(new ByteReader(packed)), transactionRowsMax)) {
      inTransaction(this.#database, () => {
        for (const record of slice) this.#takeOne(record, source, outcome);
      });
      await this.#clock.breathe();
    }
    await this.#database.flush();
    return outcome;
  }

  #takeOne(record: AgentRecord, source: RecordSource, outcome: Lists): void {
    const { id, data } = record;
    const existence = this.#registrations.existence(id);
    if (existence === 'removed') outcome.removed.push(id);
    else if (existence === 'unknown') outcome.refused.push(id);
    if (existence !== 'registered') return;
    const known = this.#facts.get(id);
    const order = this.#orderOf(record, source);
    if (known !== undefined && !isNewer(order, known.order)) return;
    const status = inMasterTime(record.status, source.skewMs);
    // The data of another node may be older than the status that this node tells.
    const isDataNeeded = known === undefined || known.order.node !== source.node ||
      known.order.epoch !== source.epoch;
    if (data === undefined && isDataNeeded) {
      outcome.wanted.push(id);
      return;
    }
    if (known === undefined) outcome.firstContacts.push(id);
    if (data === undefined) this.#facts.saveStatus(id, status, order, 0);
    else {
      const facts = { ...data, ...status };
      this.#facts.save({ id, facts, order, pending: 0, isRefused: false });
    }
  }

  #orderOf({ nodeOrderMs }: AgentRecord, { node, epoch, skewMs }: RecordSource): RecordOrder {
    const orderMs = masterTimeMs(nodeOrderMs, skewMs, this.#clock.nowMs());
    return { node, epoch, nodeOrderMs, orderMs };
  }
}

interface Lists {
  readonly refused: AgentId[];
  readonly removed: AgentId[];
  readonly wanted: AgentId[];
  readonly firstContacts: AgentId[];
}

function inMasterTime(status: AgentStatus, skewMs: number): AgentStatus {
  const { last_keepalive: heard, disconnection_time: ended } = status;
  return {
    ...status,
    last_keepalive: heard === null ? null : masterSeconds(heard, skewMs),
    disconnection_time: ended === 0 ? 0 : masterSeconds(ended, skewMs),
  };
}
