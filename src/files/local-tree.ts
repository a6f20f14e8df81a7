/**
 * The node's own tree, kept known: the scanner, fed with hints from the watcher.
 *
 * A hint only makes a look happen earlier and smaller. Whatever the hints say, a full scan comes at
 * every interval; where a hint cannot say what changed, the next look is a full scan.
 */
import type { BytePath } from '../base/bytes.ts';
import { Mutex } from '../base/async.ts';
import type { Clock, Watcher } from '../ports.ts';
import type { SetTable } from './file-set.ts';
import type { Scanner, ScanReport } from './scan.ts';

/** Hints beyond this many are not worth keeping apart: a full scan is cheaper. */
const hintsMax = 1_000;

/** The managed tree of this node. */
export class LocalTree {
  readonly scanner: Scanner;
  readonly #clock: Clock;
  readonly #fullEveryMs: number;
  readonly #mutex = new Mutex();
  #hints = new Set<BytePath>();
  #isFullWanted = true;
  #lastFullMs = -Infinity;

  /** @param options.fullEveryMs longest time between two full scans, ms */
  constructor(
    ports: { readonly clock: Clock },
    scanner: Scanner,
    options: { readonly fullEveryMs: number },
  ) {
    this.#clock = ports.clock;
    this.scanner = scanner;
    this.#fullEveryMs = options.fullEveryMs;
  }

  /** Listens to the watcher; `onHint` is called at each hint, to start a round early. */
  watch(watcher: Watcher, sets: SetTable, onHint: () => void): { close(): void } {
    return watcher.watch(sets.roots, (path) => {
      this.hint(path);
      onHint();
    });
  }

  /** Something may have changed at a path; anywhere where that is undefined. */
  hint(path: BytePath | undefined): void {
    if (path === undefined || this.#hints.size >= hintsMax) this.#isFullWanted = true;
    else this.#hints.add(path);
  }

  /** Looks at what may have changed: all of it when that is due, else where hints point to. */
  refresh(signal: AbortSignal): Promise<ScanReport> {
    return this.#mutex.run(() => this.#refresh(signal));
  }

  /** Runs work during which no scan looks at the tree. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    return this.#mutex.run(work);
  }

  async #refresh(signal: AbortSignal): Promise<ScanReport> {
    const hints = this.#hints;
    const nowMs = this.#clock.monotonicMs();
    const isFull = this.#isFullWanted || nowMs - this.#lastFullMs >= this.#fullEveryMs;
    this.#hints = new Set();
    this.#isFullWanted = false;
    try {
      const scope = isFull ? { kind: 'full' as const } : { kind: 'hints' as const, paths: hints };
      const report = await this.scanner.scan(scope, signal);
      if (isFull) this.#lastFullMs = nowMs;
      return report;
    } catch (error) {
      // What was not looked at is still to be looked at.
      if (isFull) this.#isFullWanted = true;
      for (const hint of hints) this.#hints.add(hint);
      throw error;
    }
  }
}
