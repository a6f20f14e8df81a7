/**
 * What the master has not confirmed: taken out in chunks, and settled by the master's answer.
 *
 * Nothing is forgotten before it is confirmed. A record that was replaced by a newer report while
 * it was on its way stays in the backlog with that report.
 */
import { fromText } from '../base/bytes.ts';
import { ByteWriter } from '../base/cursor.ts';
import { inTransaction } from '../base/transaction.ts';
import type { Clock, Database } from '../ports.ts';
import type { AgentId } from './agent.ts';
import { packRecord } from './record-codec.ts';
import { type FactsStore, refusals } from './store/facts.ts';
import type { Registrations } from './store/registrations.ts';

/** Records of a chunk take at most so many bytes. */
export const recordsBytesMax = 240 * 1024;

/** Room that a chunk begins with: mostly there is little to send. */
const chunkBytesExpected = 16 * 1024;

/** Bytes of a record without its data: more than there are. */
const statusBytesMax = 64;

/** Some records on their way to the master. */
export interface Chunk {
  readonly records: Uint8Array;
  /** What is in it, with the numbers of the records. */
  readonly sent: readonly SentRecord[];
}

interface SentRecord {
  readonly id: AgentId;
  readonly nodeOrderMs: number;
  /** The agent had been refused before: only asked about, and not to be confirmed. */
  readonly wasRefused: boolean;
}

/** What the master says to a chunk, by numbers of agents. */
export interface ChunkAnswer {
  /** It does not know these agents. */
  readonly refused: readonly AgentId[];
  /** These were removed. */
  readonly removed: readonly AgentId[];
  /** It wants all of these, of which only the status was sent. */
  readonly wanted: readonly AgentId[];
}

/** The backlog of a worker. */
export class Backlog {
  readonly #ports: { readonly clock: Clock; readonly database: Database };
  readonly #facts: FactsStore;
  readonly #registrations: Registrations;

  constructor(
    ports: { readonly clock: Clock; readonly database: Database },
    stores: { readonly facts: FactsStore; readonly registrations: Registrations },
  ) {
    this.#ports = ports;
    this.#facts = stores.facts;
    this.#registrations = stores.registrations;
  }

  /** Records that wait to be sent. */
  get count(): number {
    return this.#facts.countPending();
  }

  /** All that waits, in chunks, each agent once. */
  async *chunks(): AsyncGenerator<Chunk> {
    let writer = new ByteWriter(chunkBytesExpected);
    let sent: SentRecord[] = [];
    for (let after = 0;;) {
      const rows = this.#facts.pendingAfter(after);
      for (const { id, status, order: { nodeOrderMs }, refusal, data } of rows) {
        const wasRefused = refusal !== refusals.none;
        const dataBytes = data === undefined ? 0 : fromText(data).length;
        if (writer.length + statusBytesMax + dataBytes > recordsBytesMax) {
          yield { records: writer.view(), sent };
          writer = new ByteWriter(chunkBytesExpected);
          sent = [];
        }
        packRecord({ id, nodeOrderMs, status, data }, writer);
        sent.push({ id, nodeOrderMs, wasRefused });
      }
      if (rows.length === 0) break;
      after = rows.at(-1)!.id;
      await this.#ports.clock.breathe();
    }
    if (sent.length > 0) yield { records: writer.view(), sent };
  }

  /**
   * The master is asked once more about the agents that it did not know: some of them may be known by
   * now, or known to be removed.
   */
  askAgain(): void {
    this.#facts.askAgain();
  }

  /** The agents of a chunk that the master was not known to refuse, of those that it refuses. */
  static newlyRefused({ sent }: Chunk, { refused }: ChunkAnswer): AgentId[] {
    const before = new Set(sent.flatMap(({ id, wasRefused }) => wasRefused ? [id] : []));
    return refused.filter((id) => !before.has(id));
  }

  /** The master has answered: what it committed is no longer waiting. */
  settle({ sent }: Chunk, { refused, removed, wanted }: ChunkAnswer): void {
    const refusedIds = new Set(refused);
    const removedIds = new Set(removed);
    inTransaction(this.#ports.database, () => {
      for (const { id, nodeOrderMs, wasRefused } of sent) {
        if (removedIds.has(id)) this.#registrations.remove(id);
        else if (refusedIds.has(id)) this.#facts.refuse(id);
        else if (wasRefused) this.#facts.accept(id);
        else this.#facts.confirm(id, nodeOrderMs);
      }
      for (const id of wanted) this.#facts.demand(id);
    });
  }

  /** Everything is to be sent again: the master has lost what it had confirmed. */
  async restart(): Promise<void> {
    const last = this.#facts.highestId();
    for (let after = 0; after < last;) {
      after = this.#facts.demandAfter(after);
      await this.#ports.clock.breathe();
    }
  }
}
