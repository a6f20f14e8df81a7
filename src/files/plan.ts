/**
 * Plans: what has to be done to a set's files so that they are what they should be.
 *
 * Files are the same where size and hash are the same; another modification time alone is not a
 * difference. A plan is a statement of facts: whether it may be carried out is for `guard.ts` and
 * `SetTable.setOf` to say.
 */
import { type BytePath, type ByteString, compareByteStrings } from '../base/bytes.ts';
import type { Entry, EntryChange } from './entry.ts';
import type { FileSet } from './file-set.ts';
import type { Manifest } from './manifest.ts';

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
  /** Size of the contents to be fetched, each counted once. */
  readonly fetchBytes: number;
}

/** A content that one or more files are to have. */
export interface WantedFile {
  readonly set: FileSet;
  readonly entry: Entry;
}

/** A content to be fetched once, and all files that are to have it. */
export interface DistinctContent {
  readonly hash: ByteString;
  /** Bytes. */
  readonly size: number;
  /** In the order of the plans; never empty. */
  readonly files: readonly [WantedFile, ...WantedFile[]];
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

/** What some plans want fetched, each content once, in the order in which it is first wanted. */
export function distinctContents(plans: readonly Plan[]): DistinctContent[] {
  const contents = new Map<string, { hash: ByteString; size: number; files: WantedFiles }>();
  for (const { set, create, replace } of plans) {
    for (const entry of [...create, ...replace.map((replacement) => replacement.entry)]) {
      // The size belongs to it: a peer may claim one hash for files of different sizes.
      const key = `${entry.size} ${entry.hash}`;
      const known = contents.get(key);
      if (known !== undefined) known.files.push({ set, entry });
      else contents.set(key, { hash: entry.hash, size: entry.size, files: [{ set, entry }] });
    }
  }
  return [...contents.values()];
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
  const fetchBytes = distinctContents(plans).reduce((sum, content) => sum + content.size, 0);
  return { createCount, replaceCount, removeCount, fetchBytes };
}

/** Whether two files have the same content. */
export function isSameContent(left: Entry, right: Entry): boolean {
  return left.hash === right.hash && left.size === right.size;
}

// ---------------------------------------------------------------------------------------------

type WantedFiles = [WantedFile, ...WantedFile[]];
