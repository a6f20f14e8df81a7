/**
 * What this worker applied last: the generation, its table (for offline checks), and sets that an
 * operator holds at an older state after a rollback.
 */
import { type ByteString, toHex } from '../../base/bytes.ts';
import type { EntryChange } from '../../files/entry.ts';
import type { SetTable } from '../../files/file-set.ts';
import type { IndexStore } from '../../files/index-store.ts';
import type { Manifest } from '../../files/manifest.ts';
import { changesBetween } from '../../files/table-difference.ts';

/** The applied generation of a worker. */
export class AppliedState {
  readonly #index: IndexStore;
  #generation: number;
  #digests = '';
  #manifests: ReadonlyMap<string, Manifest> | undefined;

  constructor(index: IndexStore) {
    this.#index = index;
    this.#generation = index.lastGeneration();
  }

  /** Number of the generation applied last; 0 for none. */
  get generation(): number {
    return this.#generation;
  }

  /**
   * All sets are as in this generation: notes it, with its table. Costs what changed since the
   * last call in this run; the first one writes the whole table.
   */
  async advance(
    generation: number,
    sets: SetTable,
    actual: { manifest(set: string): Manifest },
  ): Promise<void> {
    const manifests = new Map(sets.sets.map((set) => [set.name, actual.manifest(set.name)]));
    const digests = [...manifests.values()].map((table) => toHex(table.rootDigest)).join(' ');
    if (generation === this.#generation && digests === this.#digests) return;
    const values = { 'applied.digests': digests };
    if (this.#manifests !== undefined) {
      const changes = changesSince(this.#manifests, manifests);
      await this.#index.savePublished(generation, changes, values);
    } else if (this.#index.value('applied.digests') === digests) {
      await this.#index.savePublished(generation, [], values);
    } else {
      const entries = [...manifests.values()].flatMap((table) => [...table.entries()]);
      await this.#index.replacePublished(generation, entries, values);
    }
    this.#manifests = manifests;
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

function changesSince(
  before: ReadonlyMap<string, Manifest>,
  after: ReadonlyMap<string, Manifest>,
): EntryChange[] {
  return [...after].flatMap(([name, table]) => {
    const known = before.get(name);
    return known === undefined
      ? [...table.entries()].map((entry) => ({ path: entry.path, entry }))
      : changesBetween(known, table);
  });
}
