/**
 * Rows of agents that are written together at the end of a transaction: as many in one statement,
 * whole rows take two thirds of the time. Until then what is asked of them is answered from here.
 */
import type { AgentId } from '../agent.ts';
import type { PackedData } from '../data-codec.ts';
import type { FactsRow, FactsStore, StatusRow } from './facts.ts';

/** What one transaction writes about agents. */
export class FactsBatch {
  readonly #facts: FactsStore;
  /** Whole rows that are still to be written. */
  readonly #rows = new Map<AgentId, FactsRow>();

  constructor(facts: FactsStore) {
    this.#facts = facts;
  }

  /** The data of an agent, packed. */
  packedData(id: AgentId): PackedData | undefined {
    return this.#rows.get(id)?.data ?? this.#facts.packedData(id);
  }

  /** Writes a row as a whole. */
  save(row: FactsRow): void {
    this.#rows.set(row.id, row);
  }

  /** Writes the status of a row that is there, which was `known`. */
  saveStatus(row: Omit<StatusRow, 'refusal'>, known: StatusRow): void {
    const waiting = this.#rows.get(row.id);
    if (waiting === undefined) this.#facts.saveStatus(row, known);
    else this.#rows.set(row.id, { ...waiting, ...row, refusal: waiting.refusal });
  }

  /** Writes what is left; to be called in the transaction. */
  finish(): void {
    this.#facts.saveAll([...this.#rows.values()]);
    this.#rows.clear();
  }
}
