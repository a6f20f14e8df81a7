/**
 * Taking in the records that workers send, on the master: only of agents that exist, and only where
 * they are newer than what is known.
 */
import { inTransaction, slices, transactionRowsMax } from '../base/transaction.ts';
import type { Clock, Database } from '../ports.ts';
import type { AgentId, AgentStatus } from './agent.ts';
import type { ChunkAnswer } from './backlog.ts';
import { type AgentRecord, unpackRecords } from './record-codec.ts';
import { isNewer, masterSeconds, masterTimeMs, type RecordOrder } from './record-order.ts';
import { FactsBatch } from './store/facts-batch.ts';
import { type FactsStore, type Look, pendingLevels, refusals } from './store/facts.ts';

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

  constructor(
    ports: { readonly clock: Clock; readonly database: Database },
    facts: FactsStore,
  ) {
    this.#clock = ports.clock;
    this.#database = ports.database;
    this.#facts = facts;
  }

  /**
   * Stores packed records; when this resolves, they are on the disk.
   * @throws ProtocolError('malformed'); the records before the malformed one may be stored
   */
  async take(packed: Uint8Array, source: RecordSource): Promise<RecordOutcome> {
    const outcome: Lists = { refused: [], removed: [], wanted: [], firstContacts: [] };
    for (const slice of slices(unpackRecords(packed), transactionRowsMax)) {
      // Before, since the records of several workers may arrive in one moment.
      await this.#clock.breathe();
      inTransaction(this.#database, () => {
        const looks = this.#facts.lookAll(slice.map(({ id }) => id));
        const batch = new FactsBatch(this.#facts);
        for (const record of slice) this.#takeOne(record, source, { looks, batch, outcome });
        batch.finish();
      });
    }
    await this.#database.flush();
    return outcome;
  }

  /** Takes one record, and notes in `looks` what it has made of its agent. */
  #takeOne(
    record: AgentRecord,
    source: RecordSource,
    { looks, batch, outcome }: Slice,
  ): void {
    const { id, data } = record;
    const { existence, known } = looks.get(id)!;
    if (existence === 'removed') outcome.removed.push(id);
    else if (existence === 'unknown') outcome.refused.push(id);
    if (existence !== 'registered') return;
    const order = this.#orderOf(record, source);
    if (known !== undefined && !isNewer(order, known.order)) return;
    const status = inMasterTime(record.status, source.skewMs);
    const row = { id, status, order, pending: pendingLevels.nothing, refusal: refusals.none };
    if (data !== undefined) {
      if (known === undefined) outcome.firstContacts.push(id);
      batch.save({ ...row, data });
    } else if (known !== undefined && isOfSource(known.order, source)) {
      batch.saveStatus(row, known);
    } else {
      // The data of another node may be older than the status that this node tells.
      outcome.wanted.push(id);
      return;
    }
    looks.set(id, { existence, known: row });
  }

  #orderOf({ nodeOrderMs }: AgentRecord, { node, epoch, skewMs }: RecordSource): RecordOrder {
    const orderMs = masterTimeMs(nodeOrderMs, skewMs, this.#clock.nowMs());
    return { node, epoch, nodeOrderMs, orderMs };
  }
}

/** What one transaction works with. */
interface Slice {
  readonly looks: Map<AgentId, Look>;
  readonly batch: FactsBatch;
  readonly outcome: Lists;
}

interface Lists {
  readonly refused: AgentId[];
  readonly removed: AgentId[];
  readonly wanted: AgentId[];
  readonly firstContacts: AgentId[];
}

function isOfSource(order: RecordOrder, { node, epoch }: RecordSource): boolean {
  return order.node === node && order.epoch === epoch;
}

function inMasterTime(status: AgentStatus, skewMs: number): AgentStatus {
  const { last_keepalive: heard, disconnection_time: ended } = status;
  return {
    ...status,
    last_keepalive: heard === null ? null : masterSeconds(heard, skewMs),
    disconnection_time: ended === 0 ? 0 : masterSeconds(ended, skewMs),
  };
}
