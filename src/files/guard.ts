/**
 * The guard: stops a change that looks like a catastrophe before it is carried out.
 *
 * Four rules, tried in this order; the first that a plan breaks halts its set.
 *
 *     emptied   a set with at least two files would lose all of them; a key file set: with one
 *     share     more than a share of its files would be deleted
 *     count     more than a number of its files would be deleted
 *     shrunk    a file of a key file set would lose more than a share of its size
 *
 * All but the first count together with what went in the last minutes (`recent-losses.ts`), so that
 * what vanishes bit by bit is stopped like what vanishes at once.
 *
 * Plans are judged as a whole, so that nothing of a halted one is carried out. What an operator has
 * approved is for the caller to let through without asking.
 */
import { type BytePath, displayPath } from '../base/bytes.ts';
import type { FileSet } from './file-set.ts';
import type { Plan } from './plan.ts';

/** Settings of the guard that hold for all sets; each set has limits of its own on deletions. */
export interface GuardConfig {
  /** Whether a set that would lose all its files is halted. */
  readonly isEmptiedHalted: boolean;
  /** Largest share of its size that a key file may lose, 0 to 1. */
  readonly shrinkShareMax: number;
}

/** The rule that a plan breaks. */
export type GuardRule = 'emptied' | 'share' | 'count' | 'shrunk';

/** What the guard has to say. */
export type Verdict =
  | { readonly kind: 'pass' }
  | { readonly kind: 'halt'; readonly guard: GuardRule; readonly reason: string };

/**
 * The share says nothing in small sets, where one of two files is half of them: it counts from so
 * many files in a set on, or from so many deletions on, whichever comes first. With a limit of 0
 * nothing at all may be deleted and these do not matter.
 */
const shareFilesMin = 10;
const shareDeletionsMin = 5;

/** What a set has lost of late. */
export interface LostOfLate {
  /** Files that were deleted. */
  readonly count: number;
  /** Bytes that a key file had before it shrank, the most; undefined where it did not. */
  readonly sizeOf: (path: BytePath) => number | undefined;
}

/** How many files a set has, before and after. */
export interface SetCounts {
  readonly actual: number;
  /** In the state that the plan leads to. */
  readonly wanted: number;
}

/** Whether a plan may be carried out. */
export function judge(
  plan: Plan,
  counts: SetCounts,
  lost: LostOfLate,
  config: GuardConfig,
): Verdict {
  return judgeDeletions(plan, counts, lost.count, config) ?? judgeShrunk(plan, lost, config) ??
    { kind: 'pass' };
}

// ---------------------------------------------------------------------------------------------

function judgeDeletions(
  plan: Plan,
  { actual, wanted }: SetCounts,
  lostCount: number,
  config: GuardConfig,
): Verdict | undefined {
  if (plan.remove.length === 0) return undefined;
  const { set } = plan;
  const total = actual + lostCount;
  const removals = plan.remove.length + lostCount;
  // What is said of the wanted state is not trusted more than what the plan would do.
  const remaining = Math.min(wanted, actual + plan.create.length - plan.remove.length);
  const when = lostCount > 0 ? ' within some minutes' : '';
  return judgeEmptied(set, total, remaining, when, config) ??
    judgeShare(set, removals, total, when) ??
    judgeCount(set, removals, when);
}

function judgeEmptied(
  set: FileSet,
  total: number,
  remaining: number,
  when: string,
  config: GuardConfig,
): Verdict | undefined {
  if (!config.isEmptiedHalted || remaining > 0 || total < (set.keyFile ? 1 : 2)) return undefined;
  return halt(
    'emptied',
    total === 1
      ? 'the only file would be deleted: the set would be empty'
      : `all ${total} files would be deleted${when}: the set would be empty`,
  );
}

function judgeShare(
  set: FileSet,
  removals: number,
  total: number,
  when: string,
): Verdict | undefined {
  const limit = set.deletionsShareMax;
  const isSmall = total < shareFilesMin && removals < shareDeletionsMin;
  // Divided, not multiplied: 29 of 100 is 0.29 to the last digit, 100 * 0.29 is less than 29.
  if (removals / total <= limit || (isSmall && limit > 0)) return undefined;
  return halt(
    'share',
    `${removals} of ${files(total)} (${percent(removals / total)}) would be deleted${when}: ` +
      `more than the limit of ${percent(limit)}`,
  );
}

function judgeCount(set: FileSet, removals: number, when: string): Verdict | undefined {
  if (removals <= set.deletionsMax) return undefined;
  return halt(
    'count',
    `${files(removals)} would be deleted${when}: more than the limit of ${set.deletionsMax}`,
  );
}

function judgeShrunk(plan: Plan, lost: LostOfLate, config: GuardConfig): Verdict | undefined {
  if (!plan.set.keyFile) return undefined;
  const limit = config.shrinkShareMax;
  for (const { entry: { path, size }, previous } of plan.replace) {
    if (size >= previous.size) continue;
    const largest = Math.max(previous.size, lost.sizeOf(path) ?? 0);
    // No floor: a key file of three lines that loses two of them is the very case this is for.
    const share = (largest - size) / largest;
    if (share <= limit) continue;
    const when = largest > previous.size ? ' within some minutes' : '';
    return halt(
      'shrunk',
      `"${displayPath(path)}" would shrink from ${largest} to ${size} bytes${when} ` +
        `(by ${percent(share)}): more than the limit of ${percent(limit)}`,
    );
  }
  return undefined;
}

function halt(guard: GuardRule, reason: string): Verdict {
  return { kind: 'halt', guard, reason };
}

function files(count: number): string {
  return count === 1 ? '1 file' : `${count} files`;
}

/** A share in per cent, to a tenth. */
function percent(share: number): string {
  return `${Math.round(share * 1000) / 10} %`;
}
