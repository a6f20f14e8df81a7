/**
 * The node's own tree, kept known: the scanner, fed with hints from the watcher.
 *
 * A hint only makes a look happen earlier and smaller. Where all directories are watched the rest of
 * the tree is gone through in parts, one with each look, so that every file is looked at once in
 * `sweepEveryMs`: an unchanged tree costs next to nothing, and what the watcher has missed is found
 * all the same. Where not all are watched, or a hint cannot say what has changed, all of the tree is
 * looked at as soon as that is due. Even then a hint need not wait for the end: the look stops at
 * the next directory, and the one after it goes to what was hinted at first and then on.
 *
 * A look that somebody waits for goes to what was hinted at and nowhere else: what else is due is
 * left to the next one that nobody waits for. And a hint about what this program has changed itself
 * asks for no look at all, where the file is as it was left.
 */
import type { BytePath } from '../base/bytes.ts';
import { Mutex } from '../base/async.ts';
import type { Clock, TreeWatch, Watcher } from '../ports.ts';
import type { SetTable } from './file-set.ts';
import type { ScanProgress } from './scan-pass.ts';
import type { Scanner, ScanReport, ScanScope } from './scan.ts';

/** Hints beyond this many are not worth keeping apart: a full scan is cheaper. */
const hintsMax = 1_000;

/** A look that hints wait for goes on for so long nevertheless, ms: it is to get somewhere. */
const heldUpMs = 20;

/** What is due is put off for so long at most, ms, while one look after the other is waited for. */
const putOffMsMax = 20_000;

/**
 * So many hints after own changes are held against what was left there, each at the cost of a walk
 * to the file. Where more come a look at all of them together costs less.
 */
const echoesMax = 64;

/** How often to look at all files. */
export interface LocalTreeOptions {
  /** Where directories are not watched: longest time between two full scans, ms. */
  readonly fullEveryMs: number;
  /** Where all directories are watched: time in which the whole tree is gone through, ms. */
  readonly sweepEveryMs: number;
}

/** The managed tree of this node. */
export class LocalTree {
  readonly scanner: Scanner;
  readonly #clock: Clock;
  readonly #options: LocalTreeOptions;
  readonly #mutex = new Mutex();
  #watch: TreeWatch | undefined;
  #hints = new Set<BytePath>();
  #isFullWanted = true;
  /** Whether a look at all has begun and not come to its end. */
  #isUnderWay = false;
  #lastFullMs = -Infinity;
  #lastPartMs = -Infinity;
  /** Files and directories that are due to be looked at; below zero where more than those were. */
  #dueCount = 0;
  /** Ends, never with an error, when this program has changed what it does at present. */
  #ownWork = Promise.resolve();
  /** Hints that may still be of that. */
  #echoesLeft = 0;

  constructor(ports: { readonly clock: Clock }, scanner: Scanner, options: LocalTreeOptions) {
    this.#clock = ports.clock;
    this.scanner = scanner;
    this.#options = options;
  }

  /** Listens to the watcher; `onHint` is called at each hint, to start a round early. */
  watch(watcher: Watcher, sets: SetTable, onHint: () => void): { close(): void } {
    const watch = watcher.watch(sets.roots, (path) => {
      if (path === undefined || this.#echoesLeft === 0 || this.#hints.size > 0) {
        this.hint(path);
        onHint();
      } else {
        void this.#hintUnlessOwn(path, onHint);
      }
    });
    this.#watch = watch;
    // Only a look at everything finds all directories that are to be watched.
    this.#isFullWanted = true;
    return {
      close: () => {
        watch.close();
        this.#watch = undefined;
      },
    };
  }

  /** Something may have changed at a path; anywhere where that is undefined. */
  hint(path: BytePath | undefined): void {
    if (path === undefined || this.#hints.size >= hintsMax) this.#isFullWanted = true;
    else this.#hints.add(path);
  }

  /**
   * Looks at what may have changed: all of it when that is due, else where hints point to.
   * @param isUrgent whether somebody waits for it, and all else had better be put off
   */
  refresh(signal: AbortSignal, isUrgent = false): Promise<ScanReport> {
    return this.#mutex.run(() => this.#refresh(signal, isUrgent));
  }

  /** Runs work during which no scan looks at the tree; that may change it. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    return this.#mutex.run(() => {
      const result = work();
      this.#ownWork = result.then(() => {}, () => {});
      this.#echoesLeft = echoesMax;
      return result;
    });
  }

  /** Takes up a hint where something is not as this program has left it. */
  async #hintUnlessOwn(path: BytePath, onHint: () => void): Promise<void> {
    this.#echoesLeft -= 1;
    // Until then it is not known what was left.
    await this.#ownWork;
    if (await this.scanner.isAsKnown(path)) return;
    this.hint(path);
    onHint();
  }

  async #refresh(signal: AbortSignal, isUrgent: boolean): Promise<ScanReport> {
    const nowMs = this.#clock.monotonicMs();
    const hints = this.#hints;
    const scope = this.#nextScope(hints, nowMs, isUrgent);
    this.#hints = new Set();
    this.#isFullWanted = false;
    try {
      const report = await this.scanner.scan(scope, signal, undefined, this.#watch);
      if (this.#isUnderWay && report.isThrough) {
        this.#isUnderWay = false;
        this.#lastFullMs = nowMs;
      }
      return report;
    } catch (error) {
      // What was not looked at is still to be looked at.
      this.#isFullWanted = true;
      for (const hint of hints) this.#hints.add(hint);
      throw error;
    }
  }

  #nextScope(paths: ReadonlySet<BytePath>, nowMs: number, isUrgent: boolean): ScanScope {
    const isDue = this.#watch?.isWhole !== true &&
      nowMs - this.#lastFullMs >= this.#options.fullEveryMs;
    const isOther = isDue || this.#isFullWanted || this.#isUnderWay;
    if (isUrgent && !isOther && nowMs - this.#lastPartMs < putOffMsMax) {
      return { kind: 'hints', paths, isUrgent };
    }
    const share = (nowMs - this.#lastPartMs) / this.#options.sweepEveryMs;
    this.#lastPartMs = nowMs;
    if (this.#isFullWanted || (isDue && !this.#isUnderWay)) {
      this.#isUnderWay = true;
      this.#dueCount = 0;
      // Until all has been seen once, what is missing of it must not look like deleted.
      if (this.#lastFullMs === -Infinity) return { kind: 'full' };
      return { kind: 'part', paths, isAnew: true, mayGoOn: this.#untilHint(nowMs) };
    }
    if (this.#watch === undefined && !this.#isUnderWay) return { kind: 'hints', paths };
    const mayGoOn = this.#isUnderWay ? this.#untilHint(nowMs) : this.#whileDue(share);
    return { kind: 'part', paths, isAnew: false, mayGoOn };
  }

  /** Goes on until a hint has come. */
  #untilHint(startMs: number): () => boolean {
    return () => {
      const isHinted = this.#hints.size > 0 || this.#isFullWanted;
      return !isHinted || this.#clock.monotonicMs() - startMs < heldUpMs;
    };
  }

  /** Goes on while there are files and directories due, as a share of all. */
  #whileDue(share: number): (progress: ScanProgress) => boolean {
    // One more than there are: where nothing is known the roots are looked for all the same.
    const wholeCount = this.scanner.knownCount + 1;
    this.#dueCount = Math.min(this.#dueCount + wholeCount * share, wholeCount);
    let seenCount: number | undefined;
    return ({ filesCount, directoriesCount }) => {
      const count = filesCount + directoriesCount;
      // What was looked at before was hinted at.
      this.#dueCount -= count - (seenCount ?? count);
      seenCount = count;
      return this.#dueCount > 0;
    };
  }
}
