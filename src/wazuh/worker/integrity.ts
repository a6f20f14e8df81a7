/**
 * integrity of a worker in a Wazuh cluster: brings its files in step with its master's.
 *
 * Started by the worker at intervals (9 s unless configured); the master grants one check to each
 * worker in its own cycle of some 8 s. The worker sends the table of its files; the master answers
 * that nothing differs, or with an archive of what does. Its contents are taken into staging while
 * they come, held against the hashes in the orders that follow them, judged by the guard like any
 * other change, and put in place. What went wrong with one file is tried again in the next round,
 * which finds it different again.
 */
import { Mutex, throwIfAborted } from '../../base/async.ts';
import { ClusterError } from '../../base/errors.ts';
import type { GuardConfig } from '../../files/guard.ts';
import { ProblemLog } from '../../files/problem-log.ts';
import type { Hashing, Random, Zlib } from '../../ports.ts';
import { nothingYet } from '../../tasks/integrity/execution.ts';
import type { RoundPorts, RoundRequest } from '../../tasks/integrity/integrity.ts';
import { judgeDifferences } from '../../tasks/integrity/judging.ts';
import { PendingReload } from '../../tasks/integrity/pending-reload.ts';
import { Placing } from '../../tasks/integrity/placing.ts';
import {
  type Judged,
  reportOf,
  resultOf,
  type RoundResult,
  type Work,
} from '../../tasks/integrity/round-result.ts';
import type { RoundReport, Task, Turn } from '../../tasks/task.ts';
import type { Connection } from '../connection.ts';
import type { FileCounts } from '../log-phrases.ts';
import type { SyncedFiles } from '../synced-files.ts';
import { ArchiveIntake } from './archive-intake.ts';
import { CheckRequest } from './check-request.ts';
import { differencesIn, type Found } from './ordered-changes.ts';
import { OwnTable } from './own-table.ts';
import { type MasterAnswer, type Question, SyncInbox } from './sync-inbox.ts';

/** Settings of integrity. */
export interface WazuhIntegrityOptions {
  readonly node: string;
  /** Pause between rounds, ms. @default 9,000 */
  readonly intervalMs: number;
  /** Longest time a round may take, ms. @default 600,000 */
  readonly deadlineMs: number;
  readonly guard: GuardConfig;
}

/** What a round needs over a connection of this protocol. */
export interface WazuhIntegrityPorts extends RoundPorts {
  readonly random: Random;
  readonly zlib: Zlib;
  readonly hashing: Hashing;
  readonly synced: SyncedFiles;
  /** The connection with the master, undefined while there is none. */
  readonly connection: () => Connection | undefined;
  readonly tell: IntegrityEvents;
}

/** What is told of rounds. */
export interface IntegrityEvents {
  /** Whether this tells all there is to tell of a round, so that nobody else has to. */
  readonly tellsRounds: boolean;
  /** The master has granted a check. */
  checking(): void;
  /** The master has answered, so long after that. */
  checked(durationMs: number, isSyncRequired: boolean): void;
  synchronising(counts: FileCounts): void;
  synchronised(durationMs: number): void;
}

/** What a round is asked to do. */
export interface WazuhRoundRequest extends RoundRequest {
  /** Ask again while the master grants nothing. @default false: the round is over then */
  readonly isPatient?: boolean;
}

/** The worker's task. */
export class WazuhIntegrity implements Task {
  readonly name = 'integrity';
  readonly title = 'Integrity check';
  readonly schedule;
  readonly inbox: SyncInbox;
  readonly #ports: WazuhIntegrityPorts;
  readonly #options: WazuhIntegrityOptions;
  readonly #table: OwnTable;
  readonly #check: CheckRequest;
  readonly #problems = new ProblemLog();
  readonly #rounds = new Mutex();
  readonly #reload: PendingReload;
  #lastResult: RoundResult | undefined;

  constructor(ports: WazuhIntegrityPorts, options: WazuhIntegrityOptions) {
    this.#ports = ports;
    this.#options = options;
    this.inbox = new SyncInbox(ports.random, options.node);
    const { scanner } = ports.tree;
    this.#table = new OwnTable({ ...ports, manifest: (set) => scanner.manifest(set) });
    this.#check = new CheckRequest(ports, options.node);
    this.#reload = new PendingReload(ports.index, ports.hooks);
    const { intervalMs, deadlineMs } = options;
    this.schedule = { intervalMs, deadlineMs, isStaggered: false };
  }

  /** What the last round found, and did if it was finished; undefined before the first. */
  get lastResult(): RoundResult | undefined {
    return this.#lastResult;
  }

  async round(turn: Turn): Promise<RoundReport> {
    if (this.#ports.connection() === undefined) return { summary: undefined };
    const { signal, log, isUrgent } = turn;
    const { tellsRounds } = this.#ports.tell;
    const onWork = () => {
      if (!tellsRounds) turn.starting();
    };
    const result = await this.synchronise({ signal, log, isUrgent, onWork });
    return result === undefined || tellsRounds ? { summary: undefined } : reportOf(result);
  }

  /**
   * One round, with its whole result; undefined where the master did not grant it. Rounds asked for
   * at the same time follow one another.
   */
  synchronise(request: WazuhRoundRequest): Promise<RoundResult | undefined> {
    return this.#rounds.run(() => this.#synchronise(request));
  }

  /** Compares with the master and changes nothing; what differs, set by set. */
  compare(request: WazuhRoundRequest): Promise<Found> {
    return this.#rounds.run(async () => {
      const looking = { ...request, isPatient: true, isDryRun: true };
      const connection = await this.#begin(looking);
      if (connection === undefined) throw new Error('Invariant broken: a patient one is granted');
      return await this.#ports.tree.exclusively(() => this.#ask(connection, looking));
    });
  }

  // --- internals -----------------------------------------------------------------------------

  async #synchronise(request: WazuhRoundRequest): Promise<RoundResult | undefined> {
    const connection = await this.#begin(request);
    if (connection === undefined) return undefined;
    const { tree, applier } = this.#ports;
    const { found, judged, work } = await tree.exclusively(async () => {
      try {
        return await this.#exchange(connection, request);
      } finally {
        // Nothing of an archive is of use in the next round: the master sends it all again.
        await applier.discard();
      }
    });
    if (request.isDryRun === true) return this.#result(found, judged, work, false);
    await this.#reload.tell(found.generation, request.signal);
    return await this.#settle(found, judged, work);
  }

  /** The connection on which the master grants a check, the own tree looked at. */
  async #begin(request: WazuhRoundRequest): Promise<Connection | undefined> {
    const { signal, log, isPatient = false, onProgress } = request;
    throwIfAborted(signal);
    const { tree, sets, applied } = this.#ports;
    const connection = this.#ports.connection();
    if (connection === undefined) {
      throw this.#ports.lastError() ??
        new ClusterError('unreachable', 'Cannot synchronise: no master is connected');
    }
    onProgress?.({ phase: 'scanning', ...nothingYet });
    if (!await this.#check.isGranted(connection, isPatient, signal)) return undefined;
    const scan = await tree.refresh(signal, request.isUrgent);
    this.#problems.report(log, scan.problems);
    applied.recognise(sets, tree.scanner);
    return connection;
  }

  async #exchange(connection: Connection, request: WazuhRoundRequest) {
    const found = await this.#ask(connection, request);
    const judged = await this.#judge(found, request);
    if (request.isDryRun === true) return { found, judged, work: undefined };
    // True until the round is over, and if that fails for longer.
    this.#lastResult = this.#result(found, judged, undefined, false);
    const isWork = judged.plans.length > 0;
    const work = isWork ? await this.#carryOut(found, judged, request) : undefined;
    return { found, judged, work };
  }

  /** Asks the master what differs. */
  async #ask(connection: Connection, request: WazuhRoundRequest): Promise<Found> {
    const { signal, isDryRun = false, onProgress } = request;
    const { clock, tree, sets, applier, applied } = this.#ports;
    const startedMs = clock.monotonicMs();
    this.#ports.tell.checking();
    const archive = await this.#table.archive();
    const intake = new ArchiveIntake(
      {
        ...this.#ports,
        manifest: (set) => tree.scanner.manifest(set),
        applier: isDryRun ? undefined : applier,
      },
      (bytesDone) => onProgress?.({ phase: 'fetching', ...nothingYet, bytesDone }),
    );
    onProgress?.({ phase: 'comparing', ...nothingYet });
    const answered = (isSyncRequired: boolean): void =>
      this.#ports.tell.checked(clock.monotonicMs() - startedMs, isSyncRequired);
    const send = () => this.#check.send(connection, archive, signal);
    const answer = await this.#answer(connection, intake, { send, answered }, signal);
    const numbers = {
      present: applied.numberOf(sets, tree.scanner),
      next: applied.generation + 1,
    };
    return await differencesIn(this.#ports, answer, intake, numbers);
  }

  async #answer(
    connection: Connection,
    intake: ArchiveIntake,
    question: Omit<Question, 'cancel'>,
    signal: AbortSignal,
  ): Promise<MasterAnswer> {
    const stop = AbortSignal.any([signal, connection.signal]);
    try {
      const cancel: Question['cancel'] = (task, error) =>
        this.#check.cancel(connection, task, error);
      return await this.inbox.ask(intake, { ...question, cancel }, stop);
    } catch (error) {
      this.#check.giveUp(connection, error);
      throw error;
    }
  }

  #judge(found: Found, { log, isDryRun = false }: WazuhRoundRequest): Promise<Judged> {
    const { guard } = this.#options;
    const options = { guard, isMasterTrusted: false, log, isDryRun };
    return judgeDifferences(this.#ports, found.differences, options);
  }

  async #carryOut(found: Found, judged: Judged, request: WazuhRoundRequest): Promise<Work> {
    const { tell, clock } = this.#ports;
    request.onWork?.();
    const { plans } = judged;
    const count = (list: 'create' | 'replace' | 'remove') =>
      plans.reduce((sum, plan) => sum + plan[list].length, 0);
    tell.synchronising({
      missing: count('create'),
      shared: count('replace'),
      extra: count('remove'),
    });
    const startedMs = clock.monotonicMs();
    const work = await this.#place(found, judged, request);
    tell.synchronised(clock.monotonicMs() - startedMs);
    return work;
  }

  async #place(found: Found, { plans }: Judged, request: WazuhRoundRequest): Promise<Work> {
    const { applier, hooks, tree } = this.#ports;
    const { generation, bytes } = found;
    const placing = new Placing({ ...this.#ports, log: request.log }, plans, generation);
    placing.failures.push(...found.failures);
    const wanted = new Set(plans.flatMap(({ create, replace }) => [
      ...create.map(({ path }) => path),
      ...replace.map(({ entry }) => entry.path),
    ]));
    await applier.retain((path) => wanted.has(path));
    const sets = plans.map((plan) => plan.set.name);
    const removed = plans.flatMap((plan) => plan.remove.map(({ path }) => path));
    try {
      await this.#reload.around(sets, placing, async () => {
        if (hooks.hasValidation) {
          const change = { generation, sets, staged: applier.staged(), removed };
          await hooks.validate(change, request.signal);
        }
        await placing.commit();
        await placing.remove();
        await placing.finish();
      });
    } finally {
      await tree.scanner.flush();
    }
    return { placing, bytes };
  }

  /** Notes what is in step now. */
  async #settle(found: Found, judged: Judged, work: Work | undefined): Promise<RoundResult> {
    const { applied, sets, tree, onCompared } = this.#ports;
    const { generation, differences, failures } = found;
    const wanted = new Map(differences.map(({ set, digest }) => [set, digest]));
    const isInStep = (set: string): boolean => {
      const digest = wanted.get(set);
      return digest === undefined || tree.scanner.manifest(set).rootDigest === digest;
    };
    const isInSync = failures.length === 0 && sets.sets.every(({ name }) => isInStep(name));
    if (isInSync) await applied.advance(generation, sets, tree.scanner);
    const result = this.#result(found, judged, work, isInSync);
    this.#lastResult = result;
    await onCompared(generation, isInStep);
    return result;
  }

  /** The result of a round; of what was not carried out what failed is told all the same. */
  #result(
    found: Found,
    judged: Judged,
    work: Work | undefined,
    isInSync: boolean,
  ): RoundResult {
    const { generation, failures } = found;
    const result = resultOf({ generation, excluded: [] }, judged, work, isInSync);
    return work === undefined ? { ...result, failures } : result;
  }
}
