/**
 * Judging what differs: the plan of each set, and whether the guard lets it be carried out.
 *
 * Whichever way a worker learnt what its master has, this is what stands between that and its files.
 */
import type { ByteString } from '../../base/bytes.ts';
import type { EntryChange } from '../../files/entry.ts';
import type { SetTable } from '../../files/file-set.ts';
import { type GuardConfig, judge } from '../../files/guard.ts';
import type { Halts } from '../../files/halts.ts';
import type { LocalTree } from '../../files/local-tree.ts';
import { isEmptyPlan, makePlan, type Plan } from '../../files/plan.ts';
import type { RecentLosses } from '../../files/recent-losses.ts';
import type { Clock, Logger } from '../../ports.ts';
import type { AppliedState } from './applied-state.ts';
import type { Judged, LeftOut } from './round-result.ts';

/** What differs in one set: the state that the master wants. */
export interface SetDifference {
  readonly set: string;
  /** Root digest of the table that the set is to have. */
  readonly digest: ByteString;
  /** Entries in that table. */
  readonly wantedCount: number;
  /** Whether the master's operator has approved this content. */
  readonly isApproved: boolean;
  /** The wanted state of every path that differs. */
  readonly changes: readonly EntryChange[];
}

/** What judging needs. */
export interface JudgingPorts {
  readonly clock: Clock;
  readonly sets: SetTable;
  readonly tree: LocalTree;
  readonly halts: Halts;
  readonly losses: RecentLosses;
  readonly applied: Pick<AppliedState, 'heldReason'>;
}

/** How to judge. */
export interface JudgingOptions {
  readonly guard: GuardConfig;
  /** Whether an approval given on the master counts here. */
  readonly isMasterTrusted: boolean;
  readonly log: Logger;
  /** Nothing is noted then. */
  readonly isDryRun: boolean;
}

/**
 * What would have to be done for each set that differs, and whether the guard lets it. Sets that do
 * not differ are released.
 */
export async function judgeDifferences(
  ports: JudgingPorts,
  differences: readonly SetDifference[],
  options: JudgingOptions,
): Promise<Judged> {
  const { sets, tree, halts, losses, applied } = ports;
  const { isDryRun, log, guard, isMasterTrusted } = options;
  const plans: Plan[] = [];
  const haltedPlans: Plan[] = [];
  const halted: LeftOut[] = [];
  const differing = new Set(differences.map((difference) => difference.set));
  for (const set of sets.sets) {
    if (!differing.has(set.name) && !isDryRun) halts.release(set.name);
  }
  for (const difference of differences) {
    const set = sets.sets.find((candidate) => candidate.name === difference.set)!;
    const actual = tree.scanner.manifest(set.name);
    const plan = await makePlan(ports.clock, set, actual, difference.changes);
    if (isEmptyPlan(plan)) continue;
    const counts = { actual: actual.count, wanted: difference.wantedCount };
    const verdict = judge(plan, counts, losses.before(plan), guard);
    const held = applied.heldReason(set.name, difference.digest);
    // What was rolled back here is for this node alone to approve.
    const isApproved = halts.isApproved(set.name, difference.digest) ||
      (difference.isApproved && isMasterTrusted && held === undefined);
    const reason = held ?? (verdict.kind === 'halt' ? verdict.reason : undefined);
    if (reason === undefined || isApproved) {
      plans.push(plan);
      if (!isDryRun) await letThrough(ports, plan, actual.count, isApproved);
      continue;
    }
    haltedPlans.push(plan);
    halted.push({ set: set.name, reason });
    if (isDryRun || !halts.halt(set.name, difference.digest, reason)) continue;
    const remedy = `If this is meant, run: muster approve ${set.name}`;
    log.log('error', `Set "${set.name}" is halted: ${reason}. ${remedy}`);
  }
  return { plans, haltedPlans, halted };
}

async function letThrough(
  { halts, losses }: JudgingPorts,
  plan: Plan,
  count: number,
  isApproved: boolean,
): Promise<void> {
  const { name } = plan.set;
  halts.release(name);
  if (isApproved) losses.forget(name);
  else if (count > 0) await losses.note(plan);
}
