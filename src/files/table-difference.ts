/**
 * What differs between two tables of the same set, found through their digest trees: the cost is
 * that of the differing leaves, not of the tables.
 */
import type { Entry, EntryChange } from './entry.ts';
import { differingBranches, fanOut } from './digest-tree.ts';
import type { Manifest } from './manifest.ts';

/** Numbers of the leaves in which two tables differ. */
export function differingLeaves(before: Manifest, after: Manifest): number[] {
  if (before.rootDigest === after.rootDigest) return [];
  const leaves: number[] = [];
  for (const branch of differingBranches(before.branchDigests(), after.branchDigests())) {
    const mine = before.leafDigests(branch);
    for (const leaf of differingBranches(mine, after.leafDigests(branch))) {
      leaves.push(branch * fanOut + leaf);
    }
  }
  return leaves;
}

/** The changes that turn one table into another. */
export function changesBetween(before: Manifest, after: Manifest): EntryChange[] {
  return differingLeaves(before, after).flatMap((leaf) =>
    changesFromLeaves(before.leafEntries(leaf), after.leafEntries(leaf))
  );
}

/** The changes that turn the entries of one leaf into those of another. */
export function changesFromLeaves(
  before: readonly Entry[],
  after: readonly Entry[],
): EntryChange[] {
  const old = new Map(before.map((entry) => [entry.path, entry]));
  const changes: EntryChange[] = [];
  for (const entry of after) {
    const known = old.get(entry.path);
    old.delete(entry.path);
    if (known?.hash === entry.hash && known.size === entry.size) continue;
    changes.push({ path: entry.path, entry });
  }
  for (const path of old.keys()) changes.push({ path, entry: undefined });
  return changes;
}
