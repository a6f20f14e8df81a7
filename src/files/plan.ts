/**
 * Plans: what has to be done to a set's files so that they are what they should be.
 *
 * Files are the same where size and hash are the same; another modification time alone is not a
 * difference. A plan is a statement of facts: whether it may be carried out is for `guard.ts` and
 * `SetTable.setOf` to say.
 */
import { type BytePath, compareByteStrings } from '../base/bytes.ts';
import type { Clock } from '../ports.ts';
import type { Entry, EntryChange } from './entry.ts';
import type { FileSet } from './file-set.ts';
import type { Manifest } from './manifest.ts';
import { parentOf } from './paths.ts';

/** A file that gets another content. */
export interface Replacement {
  /** As it should be. */
  readonly entry: Entry;
  /** As it is. */
  readonly previous: Entry;
}

/** What has to be done in one set; each list is sorted by path, no path is in two of them. */
export interface Plan {
  readonly set: FileSet;
  readonly create: readonly Entry[];
  readonly replace: readonly Replacement[];
  /** As they are. */
  readonly remove: readonly Entry[];
}

/** How much some plans amount to. */
export interface PlanTotals {
  readonly createCount: number;
  readonly replaceCount: number;
  readonly removeCount: number;
}

/** What leads from the actual files to the wanted state of some paths; of two of one path the last. */
export function planChanges(
  set: FileSet,
  actual: Manifest,
  changes: readonly EntryChange[],
): Plan {
  const wanted = new Map(changes.map((change) => [change.path, change.entry]));
  const create: Entry[] = [];
  const replace: Replacement[] = [];
  const remove: Entry[] = [];
  for (const path of [...wanted.keys()].sort(compareByteStrings)) {
    const entry = wanted.get(path);
    const previous = actual.get(path);
    if (entry === undefined) {
      if (previous !== undefined) remove.push(previous);
    } else if (previous === undefined) {
      create.push(entry);
    } else if (!isSameContent(previous, entry)) {
      replace.push({ entry, previous });
    }
  }
  return { set, create, replace, remove };
}

/**
 * The same for any number of changes, without holding the loop: directory by directory, which is
 * also the order of the lists.
 */
export async function makePlan(
  clock: Pick<Clock, 'breathe'>,
  set: FileSet,
  actual: Manifest,
  changes: readonly EntryChange[],
): Promise<Plan> {
  const create: Entry[] = [];
  const replace: Replacement[] = [];
  const remove: Entry[] = [];
  const byDirectory = await groupByDirectory(clock, changes);
  for (const directory of [...byDirectory.keys()].sort(compareByteStrings)) {
    const plan = planChanges(set, actual, byDirectory.get(directory)!);
    for (const entry of plan.create) create.push(entry);
    for (const replacement of plan.replace) replace.push(replacement);
    for (const entry of plan.remove) remove.push(entry);
    await clock.breathe();
  }
  return { set, create, replace, remove };
}

/** Whether a plan has nothing to do. */
export function isEmptyPlan(plan: Plan): boolean {
  return plan.create.length + plan.replace.length + plan.remove.length === 0;
}

/** The changes that lead from the actual entries of a leaf to the wanted ones. */
export function changesFromLeaves(
  actual: readonly Entry[],
  wanted: readonly Entry[],
): EntryChange[] {
  const left = new Map<BytePath, Entry>(actual.map((entry) => [entry.path, entry]));
  const changes: EntryChange[] = [];
  for (const entry of wanted) {
    const known = left.get(entry.path);
    left.delete(entry.path);
    if (known === undefined || !isSameContent(known, entry)) {
      changes.push({ path: entry.path, entry });
    }
  }
  for (const path of left.keys()) changes.push({ path, entry: undefined });
  return changes;
}

/** How much some plans amount to together. */
export function planTotals(plans: readonly Plan[]): PlanTotals {
  let createCount = 0;
  let replaceCount = 0;
  let removeCount = 0;
  for (const plan of plans) {
    createCount += plan.create.length;
    replaceCount += plan.replace.length;
    removeCount += plan.remove.length;
  }
  return { createCount, replaceCount, removeCount };
}

/** Whether two files have the same content. */
export function isSameContent(left: Entry, right: Entry): boolean {
  return left.hash === right.hash && left.size === right.size;
}

// ---------------------------------------------------------------------------------------------

/** Changes looked at between two breaths. */
const changesPerBreath = 1_000;

async function groupByDirectory(
  clock: Pick<Clock, 'breathe'>,
  changes: readonly EntryChange[],
): Promise<Map<BytePath, EntryChange[]>> {
  const groups = new Map<BytePath, EntryChange[]>();
  for (const [i, change] of changes.entries()) {
    const directory = parentOf(change.path);
    const group = groups.get(directory);
    if (group === undefined) groups.set(directory, [change]);
    else group.push(change);
    if (i % changesPerBreath === 0) await clock.breathe();
  }
  return groups;
}
