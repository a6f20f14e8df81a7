/**
 * What this worker applied last: the generation, its table (for offline checks), and sets that an
 * operator holds at an older state after a rollback.
 */
import { type ByteString, toHex } from '../../base/bytes.ts';
import type { SetTable } from '../../files/file-set.ts';
import type { IndexStore } from '../../files/index-store.ts';
import type { Manifest } from '../../files/manifest.ts';
import { digestsOf } from '../../files/stored-tables.ts';

/** The applied generation of a worker. */
export class AppliedState {
  readonly #index: IndexStore;
  #generation: number;
  #digests = '';
  /** Whether it is known what of the applied tables is stored. */
  #isKnown = false;

  constructor({ index }: { readonly index: IndexStore }) {
    this.#index = index;
    this.#generation = index.lastGeneration();
  }

  /** Number of the generation applied last; 0 for none. */
  get generation(): number {
    return this.#generation;
  }

  /**
   * Recognises the applied tables after a restart: where the node's own tables still have the
   * digests that were stored with them, they are the same, and need not be read.
   */
  recognise(sets: SetTable, actual: Tables): void {
    if (this.#isKnown || !this.#index.isPublishedWhole) return;
    const manifests = tablesOf(sets, actual);
    if (this.#index.value(digestsName) !== digestsOf(manifests)) return;
    this.#index.recognisePublished(manifests);
    this.#isKnown = true;
  }

  /**
   * The number of the state that the tables are in, where the master gives no numbers: that of the
   * one applied last while they are the same, else the next.
   */
  numberOf(sets: SetTable, actual: Tables): number {
    const isSame = this.#index.value(digestsName) === digestsOf(tablesOf(sets, actual));
    return isSame && this.#generation > 0 ? this.#generation : this.#generation + 1;
  }

  /**
   * All sets are as in this generation: notes it, with its table. Costs what changed since the
   * tables that are known; without such the whole table is written.
   */
  async advance(generation: number, sets: SetTable, actual: Tables): Promise<void> {
    const manifests = tablesOf(sets, actual);
    const digests = digestsOf(manifests);
    if (generation === this.#generation && digests === this.#digests) return;
    await this.#index.savePublished(generation, manifests, { [digestsName]: digests });
    this.#isKnown = true;
    this.#digests = digests;
    this.#generation = generation;
  }

  /** Holds a set as it is now: the master's content of this digest is not to be applied. */
  hold(set: string, digest: ByteString): void {
    this.#index.setValue(`held.${set}`, toHex(digest));
  }

  /** Why a content is not to be applied: it was rolled back here; undefined where it may. */
  heldReason(set: string, digest: ByteString): string | undefined {
    return this.#index.value(`held.${set}`) === toHex(digest)
      ? 'this content was rolled back on this node'
      : undefined;
  }
}

/** The tables of a node, by set. */
interface Tables {
  manifest(set: string): Manifest;
}

/** Name of the value in the store that holds the digests of the applied tables. */
const digestsName = 'applied.digests';

function tablesOf(sets: SetTable, actual: Tables): Map<string, Manifest> {
  return new Map(sets.sets.map((set) => [set.name, actual.manifest(set.name)]));
}
