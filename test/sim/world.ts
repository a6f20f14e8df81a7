/**
 * The simulated world: one virtual time, one heap of events, one seed.
 *
 * `run` takes the next event, jumps to its time, runs it, lets every microtask that follows from it
 * finish, runs the checks, and takes the next. Nothing else moves anything, so the same seed gives
 * the same run down to the last byte, told by `traceHash`, on every JavaScript runtime.
 *
 * A world fails (`run` rejects with a `SimulationError`) when an event or a check throws, a promise
 * is rejected unheard, a goal is not reached in time or nothing is left that could reach it, or time
 * stands still. One world can run at a time in a process.
 */
import { Checks } from './checks.ts';
import { EventHeap, type SimEvent } from './event-heap.ts';
import type { Handle, Life } from './life.ts';
import { SeededRandom } from './random.ts';
import { Trace } from './trace.ts';
import { turn, watchRejections } from './turn.ts';

/** What a world starts from. */
export interface WorldOptions {
  readonly seed: number;
  /** Whether the full text of the trace is kept, not only its hash. @default false */
  readonly keepTrace?: boolean;
}

/** How far to run. */
export type RunGoal =
  | { readonly untilMs: number }
  | { readonly forMs: number }
  | { readonly events: number }
  /** Until the condition holds; fails if it does not within `limitMs` from now. */
  | { readonly until: () => boolean; readonly limitMs: number; readonly what?: string };

/** A run that went wrong: which seed, when, after which event. The cause is the real error. */
export class SimulationError extends Error {
  constructor(seed: number, atMs: number, what: string, cause: unknown) {
    const text = cause instanceof Error ? cause.message : String(cause);
    super(`Seed ${seed} failed at ${atMs.toFixed(3)} ms, after "${what}": ${text}`, { cause });
    this.name = 'SimulationError';
  }
}

/** So many events at one instant are a loop that never ends. */
const EVENTS_AT_ONCE_MAX = 200_000;

/** How long `stop` waits for the members, and then for what they left behind. */
const STOP_LIMIT_MS = 600_000;
const SETTLE_MS = 60_000;

let running: World | undefined;

/** A simulated world. */
export class World {
  readonly seed: number;
  readonly random: SeededRandom;
  readonly #heap = new EventHeap();
  readonly #trace: Trace;
  readonly #checks = new Checks();
  readonly #lives = new Set<Life>();
  readonly #members: (() => Promise<void>)[] = [];
  readonly #atStop: (() => void)[] = [];
  #nowMs = 0;
  #sequence = 0;
  #eventsCount = 0;
  #eventsAtOnce = 0;
  #lastEvent = 'the start';
  #failure: SimulationError | undefined;
  #isStopping = false;

  constructor(options: WorldOptions) {
    this.seed = options.seed;
    this.random = new SeededRandom(options.seed);
    this.#trace = new Trace(options.keepTrace ?? false);
  }

  /** Virtual milliseconds since the world began. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Events that have happened. */
  get eventsCount(): number {
    return this.#eventsCount;
  }

  /** Whether `stop` was called. */
  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** Identifies all that has happened. */
  get traceHash(): string {
    return this.#trace.hash;
  }

  /** All that has happened, one line each, where `keepTrace` was asked for. */
  get traceLines(): readonly string[] {
    return this.#trace.lines;
  }

  /** Adds a line to the identity of the run. */
  trace(text: string): void {
    this.#trace.add(this.#nowMs, text);
  }

  /** Makes something happen at a time; with a life, only if that has not ended by then. */
  at(atMs: number, what: string, run: () => void, life?: Life): SimEvent {
    const event = {
      atMs: Math.max(atMs, this.#nowMs),
      sequence: this.#sequence++,
      what,
      run,
      life,
      isCancelled: false,
    };
    this.#heap.push(event);
    return event;
  }

  /** Makes something happen after a delay. */
  after(delayMs: number, what: string, run: () => void, life?: Life): SimEvent {
    return this.at(this.#nowMs + Math.max(0, delayMs), what, run, life);
  }

  cancel(event: SimEvent): void {
    this.#heap.cancel(event);
  }

  /**
   * Runs a check after every event, or at most every so many milliseconds of virtual time. It
   * throws to fail the run.
   */
  check(name: string, run: () => void, options: { readonly everyMs?: number } = {}): void {
    this.#checks.add(name, run, options.everyMs ?? 0);
  }

  /** Fails the run once the present event is over. */
  fail(error: unknown): void {
    this.#failure ??= new SimulationError(this.seed, this.#nowMs, this.#lastEvent, error);
  }

  /** Lets the world go on. */
  async run(goal: RunGoal): Promise<void> {
    if (running !== undefined) throw new Error('Another world is running in this process');
    // oxlint-disable-next-line typescript/no-this-alias
    running = this;
    const rejections = watchRejections();
    try {
      await this.#runTo(goal);
      await turn();
    } finally {
      rejections.stop();
      running = undefined;
      for (const reason of rejections.reasons) this.fail(reason);
    }
    this.#throwFailure();
  }

  /** Runs until the promise settles, and gives its outcome. */
  async settle<T>(promise: Promise<T>, limitMs = 600_000): Promise<T> {
    let isSettled = false;
    const noted = promise.finally(() => {
      isSettled = true;
    });
    noted.catch(() => {});
    await this.run({ until: () => isSettled, limitMs, what: 'the promise settles' });
    return noted;
  }

  /** What is open now in all lives that were not killed. */
  openHandles(): Handle[] {
    return [...this.#lives].flatMap((life) => [...life.handles]);
  }

  /** Stops this when the world stops: `stop` is to end gracefully. */
  addMember(stop: () => Promise<void>): void {
    this.#members.push(stop);
  }

  /** Calls this at the very end, to give back what is real (a database connection). */
  atStop(release: () => void): void {
    this.#atStop.push(release);
  }

  /**
   * Stops all members gracefully, then fails if anything is still open, or if the program forgot
   * about a promise. The last line of every test.
   */
  async stop(): Promise<void> {
    this.#isStopping = true;
    try {
      this.#throwFailure();
      await this.settle(Promise.all(this.#members.map((stop) => stop())), STOP_LIMIT_MS);
      const settledMs = this.#nowMs + SETTLE_MS;
      while (this.openHandles().length > 0 && this.#nowMs < settledMs) {
        await this.run({ forMs: 1000 });
      }
      const open = this.openHandles();
      if (open.length > 0) throw new Error(`Left open: ${open.map(describeHandle).join('; ')}`);
    } finally {
      for (const release of this.#atStop.splice(0)) release();
    }
  }

  /** For `Life` only. */
  addLife(life: Life): void {
    this.#lives.add(life);
  }

  /** For `Life` only. */
  removeLife(life: Life): void {
    this.#lives.delete(life);
  }

  async #runTo(goal: RunGoal): Promise<void> {
    const limit = this.#limitOf(goal);
    // What the caller did before may have microtasks of its own.
    await turn();
    this.#runChecks();
    while (this.#failure === undefined && !limit.isReached()) {
      const event = this.#heap.peek();
      if (event === undefined || event.atMs > limit.lastMs) {
        const isIdle = event === undefined;
        const isHopeless = isIdle && 'until' in goal;
        if (Number.isFinite(limit.lastMs) && !isHopeless) {
          this.#nowMs = Math.max(this.#nowMs, limit.lastMs);
        }
        limit.onExhausted(isIdle);
        return;
      }
      this.#heap.pop();
      this.#happen(event);
      await turn();
      this.#runChecks();
    }
  }

  #happen(event: SimEvent): void {
    this.#eventsAtOnce = event.atMs === this.#nowMs ? this.#eventsAtOnce + 1 : 0;
    this.#nowMs = event.atMs;
    this.#lastEvent = event.what;
    this.#eventsCount++;
    this.#trace.add(event.atMs, event.what);
    if (this.#eventsAtOnce > EVENTS_AT_ONCE_MAX) this.fail(new Error('Time stands still'));
    try {
      event.run();
    } catch (error) {
      this.fail(error);
    }
  }

  #runChecks(): void {
    try {
      this.#checks.runDue(this.#nowMs);
    } catch (error) {
      this.fail(error);
    }
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #limitOf(goal: RunGoal): RunLimit {
    if ('events' in goal) {
      const last = this.#eventsCount + goal.events;
      const isReached = (): boolean => this.#eventsCount >= last;
      return { lastMs: Infinity, isReached, onExhausted: () => {} };
    }
    if ('until' in goal) {
      const what = goal.what ?? String(goal.until);
      const onExhausted = (isIdle: boolean): void => {
        const why = isIdle ? 'nothing is left to happen' : `${goal.limitMs} ms have passed`;
        const open = this.openHandles().slice(0, 20).map(describeHandle).join('; ');
        this.fail(new Error(`Never came about: ${what} (${why}; open: ${open || 'nothing'})`));
      };
      return { lastMs: this.#nowMs + goal.limitMs, isReached: () => goal.until(), onExhausted };
    }
    const lastMs = 'untilMs' in goal ? goal.untilMs : this.#nowMs + goal.forMs;
    return { lastMs, isReached: () => false, onExhausted: () => {} };
  }
}

// ---

interface RunLimit {
  /** No event later than this is run. */
  readonly lastMs: number;
  readonly isReached: () => boolean;
  readonly onExhausted: (isIdle: boolean) => void;
}

function describeHandle(handle: Handle): string {
  return `${handle.kind} of ${handle.owner} since ${handle.sinceMs.toFixed(0)} ms: ${handle.what}`;
}
