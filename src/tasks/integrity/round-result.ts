/** What a round of integrity found and did, and how that is told. */
import type { ApplyFailure } from '../../files/apply.ts';
import { type Plan, planTotals } from '../../files/plan.ts';
import type { RoundReport } from '../task.ts';
import type { Placing } from './placing.ts';

/** A set that was left as it is, and why. */
export interface LeftOut {
  readonly set: string;
  readonly reason: string;
}

/** What a round found and did. */
export interface RoundResult {
  readonly generation: number;
  /** Whether all sets are as in that generation now. */
  readonly isInSync: boolean;
  /** What had to be done, set by set; halted sets are not in it. */
  readonly plans: readonly Plan[];
  /** Plans that the guard stopped. */
  readonly haltedPlans: readonly Plan[];
  readonly createdCount: number;
  readonly replacedCount: number;
  readonly removedCount: number;
  readonly bytes: number;
  readonly failures: readonly ApplyFailure[];
  /** Sets stopped by a guard. */
  readonly halted: readonly LeftOut[];
  /** Sets that cannot be compared. */
  readonly excluded: readonly LeftOut[];
}

/** What the guard made of a comparison. */
export interface Judged {
  readonly plans: readonly Plan[];
  readonly haltedPlans: readonly Plan[];
  readonly halted: readonly LeftOut[];
}

/** What was carried out. */
export interface Work {
  readonly placing: Placing;
  /** Bytes of contents that were received. */
  readonly bytes: number;
}

/** The result of a round; `work` is undefined where nothing was carried out. */
export function resultOf(
  comparison: Pick<RoundResult, 'generation' | 'excluded'>,
  judged: Judged,
  work: Work | undefined,
  isInSync: boolean,
): RoundResult {
  const { placing, bytes = 0 } = work ?? {};
  return {
    generation: comparison.generation,
    isInSync,
    ...judged,
    createdCount: placing?.createdCount ?? 0,
    replacedCount: placing?.replacedCount ?? 0,
    removedCount: placing?.removedCount ?? 0,
    bytes,
    failures: placing?.failures ?? [],
    excluded: comparison.excluded,
  };
}

/** The closing line of a round. */
export function reportOf(result: RoundResult): RoundReport {
  const { createdCount, replacedCount, removedCount, failures, bytes, generation } = result;
  const { createCount, replaceCount, removeCount } = planTotals(result.plans);
  if (createCount + replaceCount + removeCount === 0) return { summary: undefined };
  const failed = failures.length === 0 ? '' : ` | Files failed: ${failures.length}`;
  return {
    summary: `Files to create: ${createCount} | Files to update: ${replaceCount} | ` +
      `Files to delete: ${removeCount}${failed}. Generation ${generation}.`,
    facts: { generation, createdCount, replacedCount, removedCount, bytes },
    ...(failures.length === 0 ? {} : { level: 'warning' as const }),
  };
}

/** Files that a round found to differ and left so, of sets that could be compared. */
export function leftDifferent({ haltedPlans, failures }: RoundResult): number {
  const halted = planTotals(haltedPlans);
  return halted.createCount + halted.replaceCount + halted.removeCount + failures.length;
}
