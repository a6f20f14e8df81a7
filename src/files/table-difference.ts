/**
 * What differs between two tables of the same set, found through their digest trees: the cost is
 * that of the differing leaves, not of the tables.
 */
import type { Clock } from '../ports.ts';
import type { EntryChange } from './entry.ts';
import { differingBranches, fanOut } from './digest-tree.ts';
import type { Manifest } from './manifest.ts';
import { changesFromLeaves } from './plan.ts';

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
export async function changesBetween(
  before: Manifest,
  after: Manifest,
  clock: Pick<Clock, 'breathe'>,
): Promise<EntryChange[]> {
  const changes: EntryChange[] = [];
  await before.prepareDigests(clock);
  await after.prepareDigests(clock);
  for (const leaf of differingLeaves(before, after)) {
    changes.push(...changesFromLeaves(before.leafEntries(leaf), after.leafEntries(leaf)));
    await clock.breathe();
  }
  return changes;
}

/** Changes made to a table at a time between two breaths. */
const sliceCount = 2_000;

/** The table after many changes, made in slices so that nothing is held up. */
export async function withChanges(
  table: Manifest,
  changes: readonly EntryChange[],
  clock: Pick<Clock, 'breathe'>,
): Promise<Manifest> {
  let changed = table;
  for (let at = 0; at < changes.length; at += sliceCount) {
    changed = changed.with(changes.slice(at, at + sliceCount));
    await clock.breathe();
  }
  return changed;
}
