/**
 * Time on a real machine: the Clock port.
 *
 * `breathe` hands out turns one task at a time, in the order of asking: however many tasks have
 * much to do, timers and the network get their turn after every slice of one of them.
 */
import { abortReason } from '../base/async.ts';
import type { Clock } from '../ports.ts';
import { loopWoke } from './loop-watch.ts';

/** A task may hold the loop for so long before `breathe` makes it wait, ms. */
const SLICE_MS = 8;

/** The longest delay that timers know: they fire at once beyond it. */
const TIMER_MS_MAX = 2 ** 31 - 1;

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
      loopWoke();
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
          loopWoke();
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
