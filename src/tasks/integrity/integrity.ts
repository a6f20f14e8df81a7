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
import { PendingReload } from './pending-reload.ts';
import { Mutex, throwIfAborted } from '../../base/async.ts';
import { ClusterError, describeError, ProtocolError } from '../../base/errors.ts';
import type { Applier } from '../../files/apply.ts';
import type { GuardConfig } from '../../files/guard.ts';
import type { Halts } from '../../files/halts.ts';
import type { IndexStore } from '../../files/index-store.ts';
import type { LocalTree } from '../../files/local-tree.ts';
import type { Plan } from '../../files/plan.ts';
import { ProblemLog } from '../../files/problem-log.ts';
import type { RecentLosses } from '../../files/recent-losses.ts';
import type { SetTable } from '../../files/file-set.ts';
import type {
  Clock,
  Compression,
  HashAlgorithm,
  Hashing,
  Logger,
  TreeReader,
} from '../../ports.ts';
import type { HandlersFor } from '../../session/handlers.ts';
import type { Session } from '../../session/session.ts';
import type { RoundReport, Task, Turn } from '../task.ts';
import type { AppliedState } from './applied-state.ts';
import { type Announced, Announcements, readAnnouncement } from './announcement.ts';
import { compareWithMaster, type Comparison } from './compare.ts';
import { nothingYet, PlanExecution, type RoundHooks, type RoundProgress } from './execution.ts';
import { judgeDifferences } from './judging.ts';
import { Reporter } from './reporter.ts';
import { type LeftOut, reportOf, resultOf, type RoundResult, type Work } from './round-result.ts';

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

/** What a round needs, whichever protocol the master speaks. */
export interface RoundPorts {
  readonly clock: Clock;
  readonly sets: SetTable;
  readonly tree: LocalTree;
  readonly applier: Applier;
  readonly applied: AppliedState;
  readonly halts: Halts;
  readonly losses: RecentLosses;
  readonly index: IndexStore;
  readonly hooks: RoundHooks;
  /** Why no master is connected. */
  readonly lastError: () => Error | undefined;
  /**
   * A round against this generation has done what it could: these sets are as on the master. The
   * round waits for it.
   */
  readonly onCompared: (generation: number, isInStep: (set: string) => boolean) => Promise<void>;
}

/** What a round needs over a session. */
export interface IntegrityPorts extends RoundPorts {
  readonly compression: Compression;
  readonly files: Pick<TreeReader, 'open'>;
  readonly hashing: Pick<Hashing, 'fingerprints'>;
  /** The session with the master, undefined while there is none. */
  readonly session: () => Session | undefined;
}

/** What a round is asked to do. */
export interface RoundRequest {
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly isDryRun?: boolean;
  /** As that of a turn. */
  readonly isUrgent?: boolean | undefined;
  /** Whether what the master has announced will do; else it is asked. */
  readonly trustsAnnouncements?: boolean;
  readonly onProgress?: ((progress: RoundProgress) => void) | undefined;
  /** Called when it is known that something has to be done. */
  readonly onWork?: () => void;
}

/** The worker's task. */
export class Integrity implements Task {
  readonly name = 'integrity';
  readonly title = 'Integrity check';
  readonly schedule;
  readonly applied: AppliedState;
  /** What the master tells without being asked. */
  readonly announcements = new Announcements();
  readonly #ports: IntegrityPorts;
  readonly #options: IntegrityOptions;
  readonly #problems = new ProblemLog();
  readonly #rounds = new Mutex();
  readonly #reload: PendingReload;
  readonly #reporter: Reporter;
  #lastResult: RoundResult | undefined;

  constructor(ports: IntegrityPorts, options: IntegrityOptions) {
    this.#ports = ports;
    this.#options = options;
    this.applied = ports.applied;
    this.#reload = new PendingReload(ports.index, ports.hooks);
    this.#reporter = new Reporter(ports.clock, ports.session);
    const { intervalMs, deadlineMs } = options;
    this.schedule = { intervalMs, deadlineMs, isStaggered: false };
  }

  /** What the last round found, and did if it was finished; undefined before the first. */
  get lastResult(): RoundResult | undefined {
    return this.#lastResult;
  }

  async round(turn: Turn): Promise<RoundReport> {
    if (this.#ports.session() === undefined) return { summary: undefined };
    const { signal, log, isUrgent } = turn;
    const startedMs = this.#ports.clock.monotonicMs();
    const onWork = () => turn.starting();
    try {
      const request = { signal, log, isUrgent, onWork, trustsAnnouncements: true };
      const result = await this.synchronise(request);
      this.#report(result, this.#ports.clock.monotonicMs() - startedMs);
      return reportOf(result);
    } catch (error) {
      this.#reportFailed(startedMs, signal);
      throw error;
    }
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
      throw this.#ports.lastError() ??
        new ClusterError('unreachable', 'Cannot synchronise: no master is connected');
    }
    onProgress?.({ phase: 'scanning', ...nothingYet });
    const scan = await tree.refresh(signal, request.isUrgent);
    this.#problems.report(log, scan.problems);
    this.applied.recognise(sets, tree.scanner);
    onProgress?.({ phase: 'comparing', ...nothingYet });
    const announced = await this.#compare(session, request);
    const { comparison } = announced;
    const judged = await judgeDifferences(
      this.#ports,
      comparison.differences,
      { ...this.#options, log, isDryRun: request.isDryRun === true },
    );
    if (request.isDryRun === true) return resultOf(comparison, judged, undefined, false);
    // True until the round is over, and if that fails for longer.
    this.#lastResult = resultOf(comparison, judged, undefined, this.#isInSync(comparison));
    const work = judged.plans.length === 0
      ? undefined
      : await tree.exclusively(() => this.#carryOut(session, announced, judged.plans, request));
    await this.#reload.tell(comparison.generation, signal);
    const isInSync = this.#isInSync(comparison);
    if (isInSync) await this.applied.advance(comparison.generation, sets, tree.scanner);
    const result = resultOf(comparison, judged, work, isInSync);
    this.#lastResult = result;
    const { generation } = comparison;
    await this.#ports.onCompared(generation, (set) => this.#isInStep(comparison, set));
    return result;
  }

  /** What differs: as the master has announced it where that will do, else as it answers. */
  async #compare(session: Session, request: RoundRequest): Promise<Announced> {
    const { clock, tree, sets } = this.#ports;
    const local = {
      generation: this.applied.generation,
      sets,
      algorithm: this.#options.algorithm,
      manifest: (set: string) => tree.scanner.manifest(set),
    };
    // One that is not used now is never: it grows old.
    const announcement = this.announcements.take(session);
    if (announcement !== undefined && request.trustsAnnouncements === true) {
      try {
        const announced = await readAnnouncement(this.#ports, announcement, local);
        if (announced !== undefined) return announced;
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        request.log.log('warning', `The master is asked: ${describeError(error)}`);
      }
    }
    const comparison = await compareWithMaster({ clock }, session, local, request.signal);
    return { comparison, contents: undefined };
  }

  async #carryOut(
    session: Session,
    { comparison, contents }: Announced,
    plans: readonly Plan[],
    request: RoundRequest,
  ): Promise<Work> {
    const { signal, log, onProgress } = request;
    request.onWork?.();
    const execution = new PlanExecution({ ...this.#ports, log }, {
      plans,
      generation: comparison.generation,
      contents,
      batchBytes: this.#options.batchBytes,
      signal,
      onProgress,
    });
    const { placing } = execution;
    const changed = plans.map((plan) => plan.set.name);
    try {
      await this.#reload.around(changed, placing, () => execution.run(session));
    } finally {
      await this.#ports.tree.scanner.flush();
    }
    return { placing, bytes: execution.bytes };
  }

  #isInSync(comparison: Comparison): boolean {
    const { sets } = this.#ports;
    return comparison.excluded.length === 0 &&
      sets.sets.every(({ name }) => this.#isInStep(comparison, name));
  }

  #isInStep(comparison: Comparison, set: string): boolean {
    const wanted = comparison.digests.get(set);
    return wanted !== undefined &&
      this.#ports.tree.scanner.manifest(set).rootDigest === wanted;
  }

  /** Tells the master that this worker is behind, if that is what a failed round has found. */
  #reportFailed(startedMs: number, signal: AbortSignal): void {
    const result = this.#lastResult;
    if (result === undefined || result.isInSync || signal.aborted) return;
    this.#report(result, this.#ports.clock.monotonicMs() - startedMs);
  }

  /** Tells the master how this worker is doing, unless that is what it was told last. */
  #report(result: RoundResult, roundMs: number): void {
    const { tree } = this.#ports;
    this.#reporter.report({
      generation: this.applied.generation,
      isInSync: result.isInSync,
      halted: [...result.halted, ...result.excluded].slice(0, reportedSetsMax).map(shortened),
      filesCount: tree.scanner.filesCount,
    }, roundMs);
  }
}

/** What the worker answers to a publication: a round, at once. */
export function publishedHandlers(
  announcements: () => Announcements,
  wake: () => void,
): Pick<HandlersFor<'master'>, 'integrity.published' | 'integrity.announced'> {
  return {
    'integrity.published': () => wake(),
    'integrity.announced': (announcement, { session }) => {
      announcements().put(session, announcement);
      wake();
    },
  };
}

// ---------------------------------------------------------------------------------------------

/** Sets told to the master, and characters of each reason: together well below the message limit. */
const reportedSetsMax = 50;
const reasonCharactersMax = 200;

function shortened({ set, reason }: LeftOut): LeftOut {
  return { set, reason: reason.slice(0, reasonCharactersMax) };
}
