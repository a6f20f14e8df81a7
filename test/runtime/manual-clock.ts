/** A Clock that is moved by hand, for what the runtime does after a time. */
import { abortReason } from '../../src/base/async.ts';
import type { Clock } from '../../src/ports.ts';

interface Sleeper {
  readonly wakeMs: number;
  readonly wake: () => void;
}

/** Stands still until `advance`; breathing lets the network have a turn. */
export class ManualClock implements Clock {
  #elapsedMs = 0;
  readonly #startMs: number;
  readonly #sleepers = new Set<Sleeper>();

  /** @param startMs wall-clock time at the start */
  constructor(startMs = 0) {
    this.#startMs = startMs;
  }

  /** Sleeps that have not ended: none must be left behind. */
  get sleepersCount(): number {
    return this.#sleepers.size;
  }

  nowMs(): number {
    return this.#startMs + this.#elapsedMs;
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  breathe(): Promise<void> {
    return new Promise((resolve) => void setTimeout(resolve, 0));
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(abortReason(signal));
        return;
      }
      const stop = (): void => {
        this.#sleepers.delete(sleeper);
        reject(abortReason(signal!));
      };
      const sleeper = {
        wakeMs: this.#elapsedMs + ms,
        wake: () => {
          signal?.removeEventListener('abort', stop);
          resolve();
        },
      };
      signal?.addEventListener('abort', stop, { once: true });
      this.#sleepers.add(sleeper);
    });
  }

  /** Lets time pass and wakes whose time has come. */
  advance(ms: number): void {
    this.#elapsedMs += ms;
    for (const sleeper of this.#sleepers) {
      if (sleeper.wakeMs > this.#elapsedMs || !this.#sleepers.delete(sleeper)) continue;
      sleeper.wake();
    }
  }
}

/** Waits for something that other parts of the process or the machine bring about. */
export async function eventually(what: string, holds: () => boolean): Promise<void> {
  for (let attempt = 0; !holds(); attempt++) {
    if (attempt > 5000) throw new Error(`This has not come about: ${what}`);
    await new Promise((resolve) => void setTimeout(resolve, 1));
  }
}
