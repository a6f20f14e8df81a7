/**
 * A watch on how long the event loop is held.
 *
 * A timer that comes late tells of a hold. It is set while there is work, and only then: at rest
 * the wakings themselves would be most of what a node takes, since each makes the runtime look
 * after its memory too. Whatever begins work calls `loopWoke` first, so that a hold is seen that
 * begins with the first thing done after a rest.
 */
import { cpuMs } from './cpu-time.ts';
import { RunQueue } from './run-queue.ts';

/**
 * How often the loop is sampled, ms: a hold is seen as up to this much shorter than it was. Fifty
 * samples a second were measured to cost 0.4 % of a core.
 */
const sampleMs = 20;

/** A process rests that uses no more than this share of a processor. */
const restShareMax = 0.05;

/** Tells how long the event loop was held. */
export interface LoopWatch {
  /**
   * The longest hold since the start or the last `reset`, ms; up to 20 ms too little. Time in which
   * the process was ready and the machine ran others is not counted, where the system tells.
   */
  longestHoldMs(): number;
  /** Forgets what was seen. */
  reset(): void;
  close(): void;
}

let onWake = (): void => {};

/** To be called where the loop hands over what has come: from a timer, the network, the disk. */
export function loopWoke(): void {
  onWake();
}

/** Starts to watch the event loop; one at a time. Does not keep the process alive. */
export function watchLoop(): LoopWatch {
  return new LoopSampler();
}

class LoopSampler implements LoopWatch {
  #longestMs = 0;
  readonly #queue = new RunQueue();
  /** When the timer is due; never while the process rests. */
  #dueMs = Infinity;
  #queuedMs = 0;
  #cpuMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor() {
    onWake = () => {
      if (this.#dueMs === Infinity) this.#begin();
    };
    this.#begin();
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
    this.#begin();
  }

  close(): void {
    clearTimeout(this.#timer);
    onWake = () => {};
    this.#queue.close();
  }

  #begin(): void {
    this.#cpuMs = cpuMs();
    this.#wait();
  }

  #wait(): void {
    this.#dueMs = performance.now() + sampleMs;
    this.#queuedMs = this.#queue.waitedMs();
    this.#timer = setTimeout(() => this.#look(), sampleMs);
    this.#timer.unref();
  }

  #look(): void {
    this.#longestMs = this.longestHoldMs();
    const usedMs = cpuMs() - this.#cpuMs;
    this.#cpuMs += usedMs;
    if (usedMs > sampleMs * restShareMax) this.#wait();
    else this.#dueMs = Infinity;
  }
}
