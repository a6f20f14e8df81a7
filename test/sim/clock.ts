/**
 * The Clock port of a simulated node.
 *
 * Every node has a wall clock of its own, off by a skew and moved by jumps, and a monotonic clock
 * that counts from a moment of its own and knows of neither. `breathe` now and then really lets
 * others go first, for a moment: interleavings that only a busy machine would show.
 */
import { abortReason } from '../../src/base/async.ts';
import type { Clock } from '../../src/ports.ts';
import type { Life } from './life.ts';
import type { SeededRandom } from './random.ts';

/** Wall-clock time at which every world begins: 2024-01-01, in milliseconds since 1970. */
export const WORLD_EPOCH_MS = 1_704_067_200_000;

/** How the clock of a node is. */
export interface ClockOptions {
  /** How far the wall clock is ahead of the true time, in milliseconds. @default 0 */
  readonly skewMs?: number;
  /** Share of the calls of `breathe` that take a moment of virtual time. @default 0.02 */
  readonly breathShare?: number;
}

/** The clock of a machine: it outlives the programs that run there. */
export class MachineClock {
  readonly breathShare: number;
  readonly #bootMs: number;
  readonly #trueMs: () => number;
  #skewMs: number;

  constructor(trueMs: () => number, random: SeededRandom, options: ClockOptions) {
    this.#trueMs = trueMs;
    this.#skewMs = options.skewMs ?? 0;
    this.breathShare = options.breathShare ?? 0.02;
    this.#bootMs = random.between(1000, 1_000_000);
  }

  nowMs(): number {
    return WORLD_EPOCH_MS + this.#trueMs() + this.#skewMs;
  }

  monotonicMs(): number {
    return this.#bootMs + this.#trueMs();
  }

  /** Sets the wall clock forward, or back where `ms` is negative. */
  jump(ms: number): void {
    this.#skewMs += ms;
  }
}

/** The clock as one incarnation sees it. */
export class SimClock implements Clock {
  readonly #life: Life;
  readonly #machine: MachineClock;
  readonly #random: SeededRandom;
  #breathsCount = 0;

  constructor(life: Life, machine: MachineClock, random: SeededRandom) {
    this.#life = life;
    this.#machine = machine;
    this.#random = random;
  }

  /** How often `breathe` was called: a loop over much data must do so now and then. */
  get breathsCount(): number {
    return this.#breathsCount;
  }

  nowMs(): number {
    return this.#machine.nowMs();
  }

  monotonicMs(): number {
    return this.#machine.monotonicMs();
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const life = this.#life;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(abortReason(signal));
        return;
      }
      const handle = life.open('sleep', `sleep ${ms} ms`);
      const wake = (): void => {
        life.close(handle);
        signal?.removeEventListener('abort', stop);
        resolve();
      };
      // An endless sleep is only ever ended by its signal.
      const event = ms === Infinity
        ? undefined
        : life.world.after(ms, `${life.owner} wakes`, wake, life);
      const stop = (): void => {
        life.close(handle);
        if (event !== undefined) life.world.cancel(event);
        if (life.isAlive) reject(abortReason(signal!));
      };
      signal?.addEventListener('abort', stop, { once: true });
    });
  }

  breathe(): Promise<void> {
    this.#breathsCount++;
    if (!this.#life.isAlive) return new Promise(() => {});
    if (!this.#random.chance(this.#machine.breathShare)) return Promise.resolve();
    return this.#life.operation('breathes', this.#random.between(0, 2), () => {});
  }
}
