/**
 * integrity: brings a worker's files in step with its master's.
 *
 * Started by the worker at intervals (9 s unless configured) and at once when the master publishes
 * or the own disk changes. A round looks at the own tree, compares, and if anything differs: judges
 * each set's change by the guard, fetches contents, puts files in place, then removes. What went
 * wrong with one file is reported and tried again in the next round, which finds it different
 * again; a set that the guard stops is left as it is until it is approved. A cut connection ends
 * the round; what was fetched stays.
 */
import { Mutex, throwIfAborted } from '../../base/async.ts';
import { ClusterError } from '../../base/errors.ts';
import type { Applier, ApplyFailure } from '../../files/apply.ts';
import { type GuardConfig, judge } from '../../files/guard.ts';
import type { Halts } from '../../files/halts.ts';
import type { IndexStore } from '../../files/index-store.ts';
import type { LocalTree } from '../../files/local-tree.ts';
import { isEmptyPlan, type Plan, planChanges, planTotals } from '../../files/plan.ts';
import { ProblemLog } from '../../files/problem-log.ts';
import type { SetTable } from '../../files/file-set.ts';
import type { Clock, Compression, HashAlgorithm, Logger } from '../../ports.ts';
import type { HandlersFor } from '../../session/handlers.ts';
import type { Session } from '../../session/session.ts';
import type { RoundReport, Task, Turn } from '../task.ts';
import { AppliedState } from './applied-state.ts';
import { type Comparison, compareWithMaster } from './compare.ts';
import { failureText, Intake, type WantedFile } from './intake.ts';
import { batchesOf, fetchContents } from './transfer.ts';

/** Settings of integrity. */
export interface IntegrityOptions {
  /** Pause between rounds, ms. @default 9,000 */
  readonly intervalMs: number;
  /** Longest time a round may take, ms. @default 600,000 */
  readonly deadlineMs: number;
  readonly algorithm: HashAlgorithm;
  /** Contents asked for in one request, bytes. @default 8 MiB */
  readonly batchBytes: number;
  readonly guard: GuardConfig;
  /** Whether an approval given on the master counts here. @default true */
  readonly isMasterTrusted: boolean;
}

/** The operator's commands around a change. */
export interface RoundHooks {
  readonly hasValidation: boolean;
  /** @throws ClusterError('hook') where the change must not be made */
  validate(generation: number, sets: readonly string[], signal: AbortSignal): Promise<void>;
  reload(generation: number, sets: readonly string[], signal: AbortSignal): Promise<void>;
}

/** What a round needs. */
export interface IntegrityPorts {
  readonly clock: Clock;
  readonly compression: Compression;
  readonly sets: SetTable;
  readonly tree: LocalTree;
  readonly applier: Applier;
  readonly halts: Halts;
  readonly index: IndexStore;
  readonly hooks: RoundHooks;
  /** The session with the master, undefined while there is none. */
  session(): Session | undefined;
}

/** How far a round has come. */
export interface RoundProgress {
  readonly phase: 'scanning' | 'comparing' | 'fetching' | 'removing';
  readonly filesDone: number;
  readonly filesTotal: number;
  readonly bytesDone: number;
  readonly bytesTotal: number;
}

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

/** What a round is asked to do. */
export interface RoundRequest {
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly isDryRun?: boolean;
  readonly onProgress?: ((progress: RoundProgress) => void) | undefined;
}

/** Contents staged before they are put in place: bounds what a crash throws away, bytes. */
const commitBytes = 64 * 1024 * 1024;

/** Failures listed one by one in the log of one round; the rest are counted. */
const failureLinesMax = 20;

/** The worker's task. */
export class Integrity implements Task {
  readonly name = 'integrity';
  readonly title = 'Integrity check';
  readonly schedule;
  readonly applied: AppliedState;
  readonly #ports: IntegrityPorts;
  readonly #options: IntegrityOptions;
  readonly #problems = new ProblemLog();
  readonly #rounds = new Mutex();
  #lastResult: RoundResult | undefined;

  constructor(ports: IntegrityPorts, options: IntegrityOptions) {
    this.#ports = ports;
    this.#options = options;
    this.applied = new AppliedState(ports.index);
    const { intervalMs, deadlineMs } = options;
    this.schedule = { intervalMs, deadlineMs, isStaggered: false };
  }

  /** What the last finished round found and did; undefined before the first. */
  get lastResult(): RoundResult | undefined {
    return this.#lastResult;
  }

  async round(turn: Turn): Promise<RoundReport> {
    if (this.#ports.session() === undefined) return { summary: undefined };
    const result = await this.synchronise({ signal: turn.signal, log: turn.log });
    await this.#report(result, turn.signal);
    return reportOf(result);
  }

  /** One round, with its whole result. Rounds asked for at the same time follow one another. */
  synchronise(request: RoundRequest): Promise<RoundResult> {
    return this.#rounds.run(() => this.#synchronise(request));
  }

  async #synchronise(request: RoundRequest): Promise<RoundResult> {
    const { signal, log, onProgress } = request;
    throwIfAborted(signal);
    const { tree, sets } = this.#ports;
    const session = this.#ports.session();
    if (session === undefined) {
      throw new ClusterError('unreachable', 'Cannot synchronise: no master is connected');
    }
    const nothingYet = { filesDone: 0, filesTotal: 0, bytesDone: 0, bytesTotal: 0 };
    onProgress?.({ phase: 'scanning', ...nothingYet });
    const scan = await tree.refresh(signal);
    this.#problems.report(log, scan.problems);
    onProgress?.({ phase: 'comparing', ...nothingYet });
    const comparison = await compareWithMaster({ clock: this.#ports.clock }, session, {
      generation: this.applied.generation,
      sets,
      algorithm: this.#options.algorithm,
      manifest: (set) => tree.scanner.manifest(set),
    }, signal);
    const judged = this.#judge(comparison, log, request.isDryRun === true);
    if (request.isDryRun === true) return resultOf(comparison, judged, undefined, false);
    const work = judged.plans.length === 0
      ? undefined
      : await tree.exclusively(() => this.#carryOut(session, comparison, judged.plans, request));
    const isInSync = this.#isInSync(comparison);
    if (isInSync) await this.applied.advance(comparison.generation, sets, tree.scanner);
    const result = resultOf(comparison, judged, work, isInSync);
    this.#lastResult = result;
    return result;
  }

  /** What would have to be done for each set that differs, and whether the guard lets it. */
  #judge(comparison: Comparison, log: Logger, isDryRun: boolean): Judged {
    const { sets, tree, halts } = this.#ports;
    const plans: Plan[] = [];
    const haltedPlans: Plan[] = [];
    const halted: LeftOut[] = [];
    const differing = new Set(comparison.differences.map((difference) => difference.set));
    for (const set of sets.sets) {
      if (!differing.has(set.name) && !isDryRun) halts.release(set.name);
    }
    for (const difference of comparison.differences) {
      const set = sets.sets.find((candidate) => candidate.name === difference.set)!;
      const actual = tree.scanner.manifest(set.name);
      const plan = planChanges(set, actual, difference.changes);
      if (isEmptyPlan(plan)) continue;
      const verdict = judge(set, plan, actual, difference.wantedCount, this.#options.guard);
      const isApproved = halts.isApproved(set.name, difference.digest) ||
        (difference.isApproved && this.#options.isMasterTrusted);
      const held = this.applied.heldReason(set.name, difference.digest);
      const reason = held ?? (verdict.kind === 'halt' ? verdict.reason : undefined);
      if (reason === undefined || isApproved) {
        plans.push(plan);
        if (!isDryRun) halts.release(set.name);
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

  /** Fetches, places and removes. */
  async #carryOut(
    session: Session,
    comparison: Comparison,
    plans: readonly Plan[],
    request: RoundRequest,
  ): Promise<Work> {
    const { applier, hooks } = this.#ports;
    const { generation } = comparison;
    const names = plans.map((plan) => plan.set.name);
    const work = new Work(plans, request.onProgress);
    const { createCount, replaceCount, removeCount } = planTotals(plans);
    request.log.log(
      'info',
      `Files to create: ${createCount} | Files to update: ${replaceCount} | ` +
        `Files to delete: ${removeCount}`,
    );
    try {
      await applier.requireSpace(wantedFiles(plans).map((item) => item.entry));
      await this.#fetch(session, generation, plans, work, request.signal);
      if (hooks.hasValidation) {
        await hooks.validate(generation, names, request.signal);
        await this.#commit(generation, work);
      }
    } catch (error) {
      await applier.discard();
      throw error;
    }
    work.startRemoving();
    for (const plan of plans) {
      if (plan.remove.length === 0) continue;
      const removal = await applier.remove(plan.set, plan.remove, generation);
      this.#ports.tree.scanner.forget(removal.removed);
      work.removedCount += removal.removed.length;
      work.failures.push(...removal.failures);
    }
    await applier.finish();
    logFailures(request.log, work.failures);
    if (work.changedCount > 0) await hooks.reload(generation, names, request.signal);
    return work;
  }

  /** Fetches all contents; commits whenever much has been staged, and also what a cut leaves. */
  async #fetch(
    session: Session,
    generation: number,
    plans: readonly Plan[],
    work: Work,
    signal: AbortSignal,
  ): Promise<void> {
    const { applier, compression, hooks } = this.#ports;
    let stagedBytes = 0;
    try {
      for (const batch of batchesOf(wantedFiles(plans), this.#options.batchBytes)) {
        const intake = new Intake(applier, (bytes) => work.received(bytes));
        try {
          const wanted = await withOffsets(intake, batch);
          await fetchContents({ compression }, session, wanted, intake, signal);
          await intake.stage();
        } finally {
          await intake.close();
          work.failures.push(...intake.failures);
        }
        work.staged(batch.length);
        stagedBytes += batch.reduce((sum, item) => sum + item.entry.size, 0);
        if (hooks.hasValidation || stagedBytes < commitBytes) continue;
        await this.#commit(generation, work);
        stagedBytes = 0;
      }
    } finally {
      if (!hooks.hasValidation) await this.#commit(generation, work);
    }
  }

  async #commit(generation: number, work: Work): Promise<void> {
    const report = await this.#ports.applier.commitBatch(generation);
    this.#ports.tree.scanner.adopt(report.placed);
    work.createdCount += report.createdCount;
    work.replacedCount += report.replacedCount;
    work.failures.push(...report.failures);
  }

  #isInSync(comparison: Comparison): boolean {
    const { sets, tree } = this.#ports;
    return comparison.excluded.length === 0 && sets.sets.every((set) => {
      const wanted = comparison.digests.get(set.name);
      return wanted !== undefined && tree.scanner.manifest(set.name).rootDigest === wanted;
    });
  }

  /** Tells the master how this worker is doing. */
  async #report(result: RoundResult, signal: AbortSignal): Promise<void> {
    const { tree, session } = this.#ports;
    await session()?.request('node.report', {
      generation: this.applied.generation,
      isInSync: result.isInSync,
      halted: [...result.halted, ...result.excluded],
      filesCount: tree.scanner.filesCount,
      roundMs: undefined,
    }, { signal });
  }
}

/** What the worker answers to a publication: a round, at once. */
export function publishedHandlers(
  wake: () => void,
): Pick<HandlersFor<'master'>, 'integrity.published'> {
  return { 'integrity.published': () => wake() };
}

// ---------------------------------------------------------------------------------------------

interface Judged {
  readonly plans: readonly Plan[];
  readonly haltedPlans: readonly Plan[];
  readonly halted: readonly LeftOut[];
}

/** What has been done of some plans. */
class Work {
  createdCount = 0;
  replacedCount = 0;
  removedCount = 0;
  bytes = 0;
  readonly failures: ApplyFailure[] = [];
  readonly #onProgress: ((progress: RoundProgress) => void) | undefined;
  readonly #filesTotal: number;
  readonly #bytesTotal: number;
  #filesDone = 0;
  #phase: RoundProgress['phase'] = 'fetching';

  constructor(
    plans: readonly Plan[],
    onProgress: ((progress: RoundProgress) => void) | undefined,
  ) {
    this.#onProgress = onProgress;
    const wanted = wantedFiles(plans);
    this.#filesTotal = wanted.length;
    this.#bytesTotal = wanted.reduce((sum, item) => sum + item.entry.size, 0);
  }

  get changedCount(): number {
    return this.createdCount + this.replacedCount + this.removedCount;
  }

  received(bytes: number): void {
    this.bytes += bytes;
    this.#tell();
  }

  staged(files: number): void {
    this.#filesDone += files;
    this.#tell();
  }

  startRemoving(): void {
    this.#phase = 'removing';
    this.#tell();
  }

  #tell(): void {
    this.#onProgress?.({
      phase: this.#phase,
      filesDone: this.#filesDone,
      filesTotal: this.#filesTotal,
      bytesDone: this.bytes,
      bytesTotal: this.#bytesTotal,
    });
  }
}

function wantedFiles(plans: readonly Plan[]): WantedFile[] {
  return plans.flatMap(({ set, create, replace }) => [
    ...create.map((entry) => ({ set: set.name, entry, offset: 0, incoming: { set, entry } })),
    ...replace.map(({ entry, previous }) => ({
      set: set.name,
      entry,
      offset: 0,
      incoming: { set, entry, previous },
    })),
  ]);
}

/** The same contents, starting where an earlier transfer was cut. */
async function withOffsets(intake: Intake, batch: readonly WantedFile[]): Promise<WantedFile[]> {
  const wanted: WantedFile[] = [];
  for (const item of batch) wanted.push({ ...item, offset: await intake.prepare(item) });
  return wanted;
}

function resultOf(
  comparison: Comparison,
  judged: Judged,
  work: Work | undefined,
  isInSync: boolean,
): RoundResult {
  return {
    generation: comparison.generation,
    isInSync,
    ...judged,
    createdCount: work?.createdCount ?? 0,
    replacedCount: work?.replacedCount ?? 0,
    removedCount: work?.removedCount ?? 0,
    bytes: work?.bytes ?? 0,
    failures: work?.failures ?? [],
    excluded: comparison.excluded,
  };
}

function reportOf(result: RoundResult): RoundReport {
  const { createdCount, replacedCount, removedCount, failures, bytes, generation } = result;
  if (createdCount + replacedCount + removedCount + failures.length === 0) {
    return { summary: undefined };
  }
  const failed = failures.length === 0 ? '' : ` | Files failed: ${failures.length}`;
  return {
    summary: `Generation ${generation}. Files created: ${createdCount} | ` +
      `Files updated: ${replacedCount} | Files deleted: ${removedCount}${failed}`,
    facts: { generation, createdCount, replacedCount, removedCount, bytes },
    ...(failures.length === 0 ? {} : { level: 'warning' as const }),
  };
}

function logFailures(log: Logger, failures: readonly ApplyFailure[]): void {
  for (const failure of failures.slice(0, failureLinesMax)) log.log('warning', failureText(failure));
  const more = failures.length - failureLinesMax;
  if (more > 0) log.log('warning', `${more} further files failed`);
}
