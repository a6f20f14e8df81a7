/**
 * Time on a real machine: the Clock port, and a watch on how long the event loop is held.
 *
 * `breathe` hands out turns one task at a time, in the order of asking: however many tasks have
 * much to do, timers and the network get their turn after every slice of one of them.
 */
import { abortReason } from '../base/async.ts';
import type { Clock } from '../ports.ts';
import { cpuMs } from './cpu-time.ts';
import { RunQueue } from './run-queue.ts';

/** A task may hold the loop for so long before `breathe` makes it wait, ms. */
const SLICE_MS = 8;

/** The longest delay that timers know: they fire at once beyond it. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/**
 * How often the loop is sampled, ms: a hold is seen as up to this much shorter than it was. Fifty
 * samples a second were measured to cost 0.4 % of a core.
 */
const SAMPLE_MS = 20;

/**
 * The same while the process rests, ms: most of what it takes then is being woken. Whoever begins
 * long work breathes, and that ends the rest.
 */
const REST_SAMPLE_MS = 300;

/** A process rests that uses no more than this share of a processor. */
const AT_REST_SHARE = 0.05;

const done = Promise.resolve();

/** Lets the network and the timers have a turn, then calls. */
// deno looks after the network only every 64th time between two immediates; bun starves it between
// the messages of a channel. What is left is the cheapest that works on each.
const afterTurn: (call: () => void) => void = 'Deno' in globalThis
  ? (call) => void setTimeout(call, 0)
  : (call) => void setImmediate(call);

/** Tasks in the middle of long loops. */
class Breather {
  /** When the running turn of the loop was first seen to be used; undefined before that. */
  #sliceStartMs: number | undefined;
  /** Called when somebody begins to use a turn. */
  onWork: () => void = () => {};
  readonly #waiting: (() => void)[] = [];

  breathe(): Promise<void> {
    const nowMs = performance.now();
    if (this.#sliceStartMs === undefined) {
      this.#startSlice(nowMs);
      return done;
    }
    if (nowMs - this.#sliceStartMs < SLICE_MS) return done;
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#waiting.length === 1) afterTurn(this.#resumeOne);
    });
  }

  readonly #resumeOne = (): void => {
    this.#startSlice(performance.now());
    this.#waiting.shift()?.();
    if (this.#waiting.length > 0) afterTurn(this.#resumeOne);
  };

  readonly #endSlice = (): void => {
    this.#sliceStartMs = undefined;
  };

  #startSlice(nowMs: number): void {
    if (this.#sliceStartMs === undefined) {
      setImmediate(this.#endSlice);
      this.onWork();
    }
    this.#sliceStartMs = nowMs;
  }
}

const breather = new Breather();

/** The clock of this machine. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  breathe: () => breather.breathe(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(abortReason(signal));
        return;
      }
      let timer: NodeJS.Timeout;
      const stop = (): void => {
        clearTimeout(timer);
        reject(abortReason(signal!));
      };
      const wait = (leftMs: number): void => {
        const stepMs = Math.min(leftMs, TIMER_MS_MAX);
        timer = setTimeout(() => {
          if (leftMs > stepMs) {
            wait(leftMs - stepMs);
            return;
          }
          signal?.removeEventListener('abort', stop);
          resolve();
        }, stepMs);
      };
      signal?.addEventListener('abort', stop, { once: true });
      wait(Math.max(0, ms));
    }),
};

/** Tells how long the event loop was held. */
export interface LoopWatch {
  /**
   * The longest hold since the start or the last `reset`, ms; up to 20 ms too little, for one that
   * begins while the process is at rest, and does not breathe, up to 300 ms. Time in which the process was ready and the
   * machine ran others is not counted, where the system tells.
   */
  longestHoldMs(): number;
  /** Forgets what was seen. */
  reset(): void;
  close(): void;
}

/** Starts to watch the event loop. Does not keep the process alive. */
export function watchLoop(): LoopWatch {
  return new LoopSampler();
}

/** Looks often while the process works, and seldom while it rests: that is most of the time. */
class LoopSampler implements LoopWatch {
  #longestMs = 0;
  readonly #queue = new RunQueue();
  #dueMs = 0;
  #queuedMs = 0;
  #cpuMs = cpuMs();
  #timer: NodeJS.Timeout | undefined;
  #isResting = false;

  constructor() {
    this.#wait(SAMPLE_MS);
    breather.onWork = () => this.#endRest();
  }

  longestHoldMs(): number {
    // With the hold that may be going on.
    const lateMs = performance.now() - this.#dueMs;
    if (lateMs <= this.#longestMs) return this.#longestMs;
    return Math.max(this.#longestMs, lateMs - (this.#queue.waitedMs() - this.#queuedMs));
  }

  reset(): void {
    this.#longestMs = 0;
    clearTimeout(this.#timer);
    this.#wait(SAMPLE_MS);
  }

  close(): void {
    clearTimeout(this.#timer);
    breather.onWork = () => {};
    this.#queue.close();
  }

  #endRest(): void {
    if (!this.#isResting) return;
    this.#longestMs = this.longestHoldMs();
    clearTimeout(this.#timer);
    this.#wait(SAMPLE_MS);
  }

  #wait(ms: number): void {
    this.#isResting = ms > SAMPLE_MS;
    this.#dueMs = performance.now() + ms;
    this.#queuedMs = this.#queue.waitedMs();
    this.#timer = setTimeout(() => this.#look(ms), ms);
    this.#timer.unref();
  }

  #look(waitedMs: number): void {
    this.#longestMs = this.longestHoldMs();
    const usedMs = cpuMs() - this.#cpuMs;
    this.#cpuMs += usedMs;
    this.#wait(usedMs > waitedMs * AT_REST_SHARE ? SAMPLE_MS : REST_SAMPLE_MS);
  }
}
