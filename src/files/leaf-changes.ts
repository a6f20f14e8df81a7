/**
 * Changes of a table that wait to be made together, by the leaf that each belongs to.
 *
 * Pure data, no I/O.
 */
import type { BytePath } from '../base/bytes.ts';
import { invariant } from '../base/errors.ts';
import { fanOut, leafOf } from './digest-tree.ts';
import type { EntryChange } from './entry.ts';

/** Changes in the order in which they came; of two of one path the last counts. */
export class LeafChanges {
  readonly #branches = new Map<number, Map<number, EntryChange[]>>();

  /** Adds a change. */
  add(change: EntryChange): void {
    const { path, entry } = change;
    invariant(
      entry === undefined || entry.path === path,
      'a change and its entry have the same path',
    );
    const leaf = leafOf(path);
    const at = Math.floor(leaf / fanOut);
    let leaves = this.#branches.get(at);
    if (leaves === undefined) this.#branches.set(at, leaves = new Map());
    const changes = leaves.get(leaf);
    if (changes === undefined) leaves.set(leaf, [change]);
    else changes.push(change);
  }

  /** The change of a path that counts; undefined where there is none. */
  find(path: BytePath): EntryChange | undefined {
    const leaf = leafOf(path);
    const changes = this.#branches.get(Math.floor(leaf / fanOut))?.get(leaf);
    return changes?.findLast((change) => change.path === path);
  }

  /** The changes by branch (0 to 63), and in there by leaf (0 to 4095). */
  branches(): Iterable<[branch: number, ReadonlyMap<number, readonly EntryChange[]>]> {
    return this.#branches;
  }

  /** The leaves that have changes. */
  *leaves(): Generator<number> {
    for (const leaves of this.#branches.values()) yield* leaves.keys();
  }
}
