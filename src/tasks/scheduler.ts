/**
 * The scheduler of cooperative tasks: in place of threads, one loop per task on one event loop.
 *
 * A round of a task never overlaps the next one, not even a round that goes on after its deadline:
 * the task waits until it has really ended. A round that fails is followed by a longer pause,
 * up to a cap; a failure that repeats itself is logged once and counted. `runNow` asks for a round
 * as soon as possible; many such wishes during one round make one further round.
 */
import { type Deferred, deferred, linkedController, withDeadline } from '../base/async.ts';
import { ClusterError, codeOf, describeError } from '../base/errors.ts';
import type { Clock, Logger, Random } from '../ports.ts';
import { closingLine, type RoundReport, type Task, type TaskName } from './task.ts';

/** Failing rounds wait at most this many times the interval. */
const backoffFactorMax = 8;

/** How a task is doing, for status. */
export interface TaskState {
  readonly name: TaskName;
  /** What this one of several of the same name is for; undefined where there is only one. */
  readonly instance: string | undefined;
  readonly isRunning: boolean;
  readonly roundsCount: number;
  readonly failuresCount: number;
  readonly failuresInARow: number;
  /** Of all rounds that succeeded, ms. */
  readonly durationTotalMs: number;
  /** Wall clock of the end of the last successful round, ms since 1970. */
  readonly lastSuccessMs: number | undefined;
  readonly lastDurationMs: number | undefined;
  readonly lastSummary: string | undefined;
  readonly lastError: string | undefined;
}

/** The outcome of one round. */
export type RoundOutcome =
  | { readonly kind: 'done'; readonly report: RoundReport }
  | { readonly kind: 'failed'; readonly error: unknown };

/** The pause after a failing round: the interval, doubled with each further failure, capped. */
export function failurePauseMs(intervalMs: number, failuresInARow: number): number {
  return intervalMs * Math.min(backoffFactorMax, 2 ** Math.max(0, failuresInARow - 1));
}

/** Runs tasks. */
export class Scheduler {
  readonly #ports: { clock: Clock; log: Logger; random: Random };
  readonly #loops = new Map<string, TaskLoop>();

  constructor(ports: { clock: Clock; log: Logger; random: Random }) {
    this.#ports = ports;
  }

  /** Starts a task's loop; it ends when the signal is aborted. */
  start(task: Task, signal: AbortSignal): Promise<void> {
    const loop = new TaskLoop(this.#ports, task);
    this.#loops.set(task.name, loop);
    return loop.run(signal);
  }

  /**
   * Starts one of several loops of the same name, each for something else; a later one for the same
   * takes its place. When the signal is aborted, nothing is known of it any more.
   * @param log the log with the tag of what it is for
   */
  async startInstance(
    task: Task,
    instance: string,
    signal: AbortSignal,
    log: Logger = this.#ports.log.child(`Worker ${instance}`),
  ): Promise<void> {
    const loop = new TaskLoop({ ...this.#ports, log }, task, instance);
    const key = instanceKey(task.name, instance);
    this.#loops.set(key, loop);
    await loop.run(signal);
    if (this.#loops.get(key) === loop) this.#loops.delete(key);
  }

  /**
   * Asks for a round as soon as possible; resolves with the outcome of a round begun after this,
   * or with a failure where the task has been stopped.
   */
  runNow(name: TaskName, instance?: string): Promise<RoundOutcome> {
    const loop = this.#loops.get(instanceKey(name, instance));
    if (loop === undefined) throw new Error(`Task ${name} has not been started`);
    return loop.runNow();
  }

  /** Wakes a task without waiting for it. Does nothing where the task is not running. */
  wake(name: TaskName, instance?: string): void {
    void this.#loops.get(instanceKey(name, instance))?.runNow();
  }

  /** Wakes all instances of a task without waiting for them. */
  wakeInstances(name: TaskName): void {
    for (const loop of this.#loops.values()) if (loop.name === name) void loop.runNow();
  }

  /** How all tasks are doing. */
  states(): TaskState[] {
    return [...this.#loops.values()].map((loop) => loop.state());
  }
}

function instanceKey(name: TaskName, instance: string | undefined): string {
  return instance === undefined ? name : `${name} ${instance}`;
}

/** The loop of one task. */
class TaskLoop {
  readonly name: TaskName;
  readonly #instance: string | undefined;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Logger;
  readonly #task: Task;
  /** What those who want a round as soon as possible wait for; undefined where nobody does. */
  #wanted: Deferred<RoundOutcome> | undefined;
  /** Ends the pause between two rounds. */
  #pause: AbortController | undefined;
  #isRunning = false;
  #roundsCount = 0;
  #failuresCount = 0;
  #failuresInARow = 0;
  #durationTotalMs = 0;
  #lastSuccessMs: number | undefined;
  #lastDurationMs: number | undefined;
  #lastSummary: string | undefined;
  #lastError: string | undefined;

  constructor(
    ports: { clock: Clock; log: Logger; random: Random },
    task: Task,
    instance?: string,
  ) {
    this.name = task.name;
    this.#instance = instance;
    this.#clock = ports.clock;
    this.#random = ports.random;
    this.#log = ports.log.child(task.title);
    this.#task = task;
  }

  state(): TaskState {
    return {
      name: this.name,
      instance: this.#instance,
      isRunning: this.#isRunning,
      roundsCount: this.#roundsCount,
      failuresCount: this.#failuresCount,
      failuresInARow: this.#failuresInARow,
      durationTotalMs: this.#durationTotalMs,
      lastSuccessMs: this.#lastSuccessMs,
      lastDurationMs: this.#lastDurationMs,
      lastSummary: this.#lastSummary,
      lastError: this.#lastError,
    };
  }

  runNow(): Promise<RoundOutcome> {
    // The watcher may ask thousands of times before the round begins: only the first does anything.
    if (this.#wanted === undefined) {
      this.#wanted = deferred();
      this.#pause?.abort();
    }
    return this.#wanted.promise;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { intervalMs, isStaggered } = this.#task.schedule;
    if (isStaggered === true) await this.#wait(this.#random.float() * intervalMs, signal);
    while (!signal.aborted) {
      const wanted = this.#wanted;
      this.#wanted = undefined;
      const outcome = await this.#round(signal, wanted !== undefined);
      wanted?.resolve(outcome);
      const isMore = outcome.kind === 'done' && outcome.report.isMore === true;
      if (isMore) await this.#clock.breathe();
      else await this.#wait(this.#pauseAfter(outcome), signal);
    }
    // For those who wait, and for all who ask from now on.
    this.#wanted ??= deferred();
    this.#wanted.resolve(this.#stopped());
  }

  async #round(signal: AbortSignal, isUrgent: boolean): Promise<RoundOutcome> {
    const { deadlineMs } = this.#task.schedule;
    const startedMs = this.#clock.monotonicMs();
    let work: Promise<unknown> = Promise.resolve();
    this.#isRunning = true;
    try {
      const what = `A round of ${this.#task.name}`;
      const report = await withDeadline(this.#clock, deadlineMs, what, signal, (inner) => {
        const starting = () => this.#log.log('info', 'Starting.');
        const round = this.#task.round({ signal: inner, log: this.#log, isUrgent, starting });
        work = round;
        return round;
      });
      this.#succeeded(report, this.#clock.monotonicMs() - startedMs);
      return { kind: 'done', report };
    } catch (error) {
      this.#failed(error, signal);
      return { kind: 'failed', error };
    } finally {
      await work.catch(() => {});
      this.#isRunning = false;
      this.#roundsCount += 1;
    }
  }

  #stopped(): RoundOutcome {
    const error = new ClusterError('aborted', `Task ${this.#task.name} was stopped`);
    return { kind: 'failed', error };
  }

  #succeeded(report: RoundReport, durationMs: number): void {
    this.#failuresInARow = 0;
    this.#lastError = undefined;
    this.#lastSuccessMs = this.#clock.nowMs();
    this.#lastDurationMs = durationMs;
    this.#durationTotalMs += durationMs;
    if (report.summary !== undefined) this.#lastSummary = report.summary;
    const { level, text, facts } = closingLine(report, durationMs);
    this.#log.log(level, text, facts);
  }

  #failed(error: unknown, signal: AbortSignal): void {
    if (signal.aborted) return; // being stopped is no failure
    this.#failuresCount += 1;
    this.#failuresInARow += 1;
    const text = describeError(error);
    // While there is no master the dialer says so; each task need not say it again.
    const isQuiet = text === this.#lastError || codeOf(error) === 'unreachable';
    this.#lastError = text;
    this.#log.log(isQuiet ? 'debug' : 'error', text);
  }

  #pauseAfter(outcome: RoundOutcome): number {
    const { intervalMs } = this.#task.schedule;
    if (outcome.kind === 'done') return outcome.report.pauseMs ?? intervalMs;
    return failurePauseMs(intervalMs, this.#failuresInARow);
  }

  /** Waits, unless a round is wanted sooner. */
  async #wait(ms: number, signal: AbortSignal): Promise<void> {
    if (this.#wanted !== undefined || signal.aborted) return;
    const { controller, release } = linkedController(signal);
    this.#pause = controller;
    await this.#clock.sleep(ms, controller.signal).catch(() => {});
    release();
    this.#pause = undefined;
  }
}
