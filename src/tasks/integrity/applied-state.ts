/**
 * What this worker applied last: the generation, its table (for offline checks), and sets that an
 * operator holds at an older state after a rollback.
 */
import { type ByteString, toHex } from '../../base/bytes.ts';
import type { Entry, EntryChange } from '../../files/entry.ts';
import type { SetTable } from '../../files/file-set.ts';
import type { IndexStore } from '../../files/index-store.ts';
import type { Manifest } from '../../files/manifest.ts';
import { changesBetween } from '../../files/table-difference.ts';
import type { Clock } from '../../ports.ts';

/** The applied generation of a worker. */
export class AppliedState {
  readonly #index: IndexStore;
  readonly #clock: Clock;
  #generation: number;
  #digests = '';
  #manifests: ReadonlyMap<string, Manifest> | undefined;

  constructor(ports: { readonly clock: Clock; readonly index: IndexStore }) {
    const { index, clock } = ports;
    this.#index = index;
    this.#clock = clock;
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
    if (this.#manifests !== undefined || !this.#index.isPublishedWhole) return;
    const manifests = tablesOf(sets, actual);
    if (this.#index.value(digestsName) === digestsOf(manifests)) this.#manifests = manifests;
  }

  /**
   * All sets are as in this generation: notes it, with its table. Costs what changed since the
   * tables that are known; without such the whole table is written.
   */
  async advance(generation: number, sets: SetTable, actual: Tables): Promise<void> {
    const manifests = tablesOf(sets, actual);
    const digests = digestsOf(manifests);
    if (generation === this.#generation && digests === this.#digests) return;
    const values = { [digestsName]: digests };
    if (this.#manifests !== undefined) {
      const changes = await this.#changesSince(this.#manifests, manifests);
      await this.#index.savePublished(generation, changes, values);
    } else {
      await this.#index.replacePublished(generation, entriesOf(manifests.values()), values);
    }
    this.#manifests = manifests;
    this.#digests = digests;
    this.#generation = generation;
  }

  async #changesSince(
    before: ReadonlyMap<string, Manifest>,
    after: ReadonlyMap<string, Manifest>,
  ): Promise<EntryChange[]> {
    const changes: EntryChange[] = [];
    for (const [name, table] of after) {
      const known = before.get(name)!;
      for (const change of await changesBetween(known, table, this.#clock)) changes.push(change);
    }
    return changes;
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

function digestsOf(manifests: ReadonlyMap<string, Manifest>): string {
  return [...manifests].map(([name, table]) => `${name}=${toHex(table.rootDigest)}`).join(' ');
}

/** All entries of some tables, one at a time. */
function* entriesOf(tables: Iterable<Manifest>): Generator<Entry> {
  for (const table of tables) yield* table.entries();
}
