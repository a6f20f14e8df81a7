/**
 * How long this process was ready to run while the machine ran others: time that is not its own.
 *
 * Linux counts it for each thread; for other systems it is not known.
 */
import { closeSync, openSync, readSync } from 'node:fs';

const nanosecondsPerMs = 1_000_000;

const decoder = new TextDecoder();

/** Reads the counter of the thread on which the process began: the one of the event loop. */
export class RunQueue {
  readonly #buffer = new Uint8Array(64);
  #descriptor: number | undefined;

  constructor() {
    try {
      this.#descriptor = openSync('/proc/self/schedstat', 'r');
    } catch {
      this.#descriptor = undefined;
    }
  }

  /** Time that was waited so far, ms; 0 where that is not known. */
  waitedMs(): number {
    if (this.#descriptor === undefined) return 0;
    try {
      const length = readSync(this.#descriptor, this.#buffer, 0, this.#buffer.length, 0);
      // Time on a processor, time of waiting for one, number of turns.
      const [, waited] = decoder.decode(this.#buffer.subarray(0, length)).split(' ');
      return Number(waited) / nanosecondsPerMs || 0;
    } catch {
      return 0;
    }
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}
