/**
 * The port `Watcher` on a real machine: the system's notifications about changed files.
 *
 * Each directory has a watch of its own, which costs some 25 microseconds; one recursive watch would
 * list the whole tree before it returns, and hold the loop for that long. The directories above the
 * watched ones are watched as well, just to notice when one of them appears, vanishes or is
 * replaced. Whatever goes wrong, and every name that cannot be told exactly, becomes the hint "look
 * at everything"; a lost hint costs time, never correctness, since every file is looked at now and
 * then.
 *
 * A directory that is moved takes its watch with it: who hears of its name has to take the watch
 * away and add the directory anew.
 */
import type { Buffer } from 'node:buffer';
import * as fs from 'node:fs';
import { type BytePath, type ByteString, displayPath, fromBytes, fromText } from '../base/bytes.ts';
import type { Clock, TreeWatch, Watcher } from '../ports.ts';
import { BlockedPathError, failureReason, saysAbsent, systemCode } from './file-errors.ts';
import { loopWoke } from './loop-watch.ts';
import { parentOf, replacementBytes, RootedDirectory, systemPath } from './rooted-directory.ts';

/** What watching works with. */
export interface WatcherOptions {
  /** The directory that the managed tree is in. */
  readonly root: string;
  readonly clock: Pick<Clock, 'monotonicMs' | 'sleep'>;
  /** Told once for each kind of failure. */
  readonly onWarning: (text: string) => void;
}

/** Hears that a path has changed; undefined where only a full scan can tell. */
type ChangeListener = (path: BytePath | undefined) => void;

/** Makes the watcher of a tree. */
export function createWatcher(options: WatcherOptions): Watcher {
  return { watch: (tops, listener) => new SystemWatch(options, tops, listener) };
}

/**
 * How long a hint is held back at least, ms. One runtime swallows a second notification about a
 * path that comes within 2 ms of the first: by then whoever acts on the first one must not have
 * looked at the path yet.
 */
const settleMs = 3;

/** What the failures mean that are limits of the system, and what to do about them. */
const limits: ReadonlyMap<string | undefined, string> = new Map([
  [
    'ENOSPC',
    'the system watches no more directories, raise its limit with ' +
    '"sysctl fs.inotify.max_user_watches=1048576"',
  ],
  [
    'EMFILE',
    'the system gives out no more watchers, raise its limit with ' +
    '"sysctl fs.inotify.max_user_instances=1024"',
  ],
]);

/** Stands for: a directory on the way to a watched one has come or gone. */
const moved = Symbol('moved');

/** Something to tell or to do once it has settled. */
type Hint = BytePath | undefined | typeof moved;

/** When the first and the last notification came that a hint stands for, by the monotonic clock. */
interface HeldBack {
  readonly sinceMs: number;
  lastMs: number;
}

/** Watches directories of a tree. */
class SystemWatch implements TreeWatch {
  readonly #options: WatcherOptions;
  readonly #root: RootedDirectory;
  readonly #listener: ChangeListener;
  readonly #tops: ReadonlySet<BytePath>;
  /** The directories above those. */
  readonly #above: ReadonlySet<BytePath>;
  readonly #aboveWatches = new Set<fs.FSWatcher>();
  readonly #watches = new Map<BytePath, fs.FSWatcher>();
  /** Directories that should be watched and are not. */
  readonly #failed = new Set<BytePath>();
  readonly #warned = new Set<string | undefined>();
  readonly #closing = new AbortController();
  /** Hints that are held back, the oldest first. */
  readonly #held = new Map<Hint, HeldBack>();
  #isDelivering = false;

  constructor(options: WatcherOptions, tops: readonly BytePath[], listener: ChangeListener) {
    this.#options = options;
    this.#listener = listener;
    this.#root = RootedDirectory.open(options.root, options.clock);
    this.#tops = new Set(tops);
    this.#above = new Set(tops.flatMap(directoriesAbove));
    this.#watchAbove();
  }

  get isWhole(): boolean {
    return this.#failed.size === 0;
  }

  add(directory: BytePath): void {
    if (this.#isClosed || this.#watches.has(directory)) return;
    // No look whether there is a link on the way: its target is never listed, and the hints about
    // it lead to nothing.
    const watch = this.#open(directory, (_, name) => this.#note(directory, name));
    if (watch === undefined) return;
    this.#watches.set(directory, watch);
    this.#failed.delete(directory);
  }

  remove(directory: BytePath): void {
    this.#watches.get(directory)?.close();
    this.#watches.delete(directory);
    this.#failed.delete(directory);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#closing.abort();
    this.#detachAll();
    this.#root.close();
  }

  get #isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** Takes up a hint, to be delivered once it has settled. */
  #hint(hint: Hint): void {
    const nowMs = this.#options.clock.monotonicMs();
    const held = this.#held.get(hint);
    if (held === undefined) this.#held.set(hint, { sinceMs: nowMs, lastMs: nowMs });
    else held.lastMs = nowMs;
    if (!this.#isDelivering) void this.#deliver();
  }

  async #deliver(): Promise<void> {
    this.#isDelivering = true;
    const { clock } = this.#options;
    for (;;) {
      const oldest = firstOf(this.#held.values());
      if (oldest === undefined) break;
      try {
        const dueMs = oldest.sinceMs + settleMs;
        await clock.sleep(
          Math.max(0, Math.ceil(dueMs - clock.monotonicMs())),
          this.#closing.signal,
        );
      } catch {
        return;
      }
      this.#tellSettled(clock.monotonicMs());
    }
    this.#isDelivering = false;
  }

  #tellSettled(nowMs: number): void {
    for (const [hint, { sinceMs, lastMs }] of Array.from(this.#held)) {
      if (nowMs - sinceMs < settleMs) return;
      this.#held.delete(hint);
      // What came in between has not settled yet: it is told of once more.
      if (nowMs - lastMs < settleMs) this.#held.set(hint, { sinceMs: lastMs, lastMs });
      this.#tell(hint);
    }
  }

  #tell(hint: Hint): void {
    if (this.#isClosed) return;
    if (hint !== moved) return this.#listener(hint);
    // All anew: a directory that was made again may have the number and the times of the old one.
    this.#detachAll();
    this.#watchAbove();
    this.#listener(undefined);
  }

  #detachAll(): void {
    for (const watch of this.#aboveWatches) watch.close();
    for (const watch of this.#watches.values()) watch.close();
    this.#aboveWatches.clear();
    this.#watches.clear();
    this.#failed.clear();
  }

  #watchAbove(): void {
    for (const directory of this.#above) {
      if (!this.#isReachable(directory)) continue;
      const watch = this.#open(directory, (kind, name) => {
        if (kind === 'rename') this.#noteAbove(directory, name);
      });
      if (watch !== undefined) this.#aboveWatches.add(watch);
    }
  }

  /** Opens the watch of one directory; undefined where the system gives none. */
  #open(
    directory: BytePath,
    onChange: (kind: string, name: ByteString | undefined) => void,
  ): fs.FSWatcher | undefined {
    const path = systemPath(joinPath(fromText(this.#options.root), directory));
    try {
      const watch = fs.watch(path, { encoding: 'buffer', persistent: false }, (kind, name) => {
        loopWoke();
        if (!this.#isClosed) onChange(kind, readName(name));
      });
      watch.on('error', (error) => this.#lose(directory, error));
      return watch;
    } catch (error) {
      this.#fail(directory, error);
      return undefined;
    }
  }

  /** Whether there is a directory now, and no link on the way to it. */
  #isReachable(directory: BytePath): boolean {
    const walk = this.#root.walk();
    try {
      walk.directory(directory);
      return true;
    } catch (error) {
      if (error instanceof BlockedPathError || saysAbsent(error)) return false;
      throw error;
    } finally {
      walk.close();
    }
  }

  /** Something has changed in a watched directory. */
  #note(directory: BytePath, name: ByteString | undefined): void {
    this.#hint(name === undefined ? undefined : joinPath(directory, name));
  }

  /** A name has come or gone in a directory above watched ones. */
  #noteAbove(directory: BytePath, name: ByteString | undefined): void {
    if (name === undefined) return this.#hint(moved);
    const path = joinPath(directory, name);
    if (this.#tops.has(path) || this.#above.has(path)) this.#hint(moved);
  }

  /** A watch has come to an end by itself. */
  #lose(directory: BytePath, error: unknown): void {
    if (this.#isClosed) return;
    this.remove(directory);
    this.#fail(directory, error);
    this.#hint(undefined);
  }

  #fail(directory: BytePath, error: unknown): void {
    // It has vanished just now, or what it was in is a file now: the watch above tells when it is back.
    if (saysAbsent(error) || systemCode(error) === 'ENOTDIR') return;
    this.#failed.add(directory);
    this.#warn(directory, error);
  }

  #warn(directory: BytePath, error: unknown): void {
    const code = systemCode(error);
    if (this.#warned.has(code)) return;
    this.#warned.add(code);
    const what = directory === '' ? 'the root' : `"${displayPath(directory)}"`;
    const reason = limits.get(code) ?? failureReason(error);
    this.#options.onWarning(
      `Cannot watch ${what}: ${reason}; the whole tree is looked at in every interval`,
    );
  }
}

// ---

/** The name in a notification as bytes; undefined where it is missing or not exact. */
function readName(name: Buffer | null | undefined): ByteString | undefined {
  if (name === null || name === undefined || name.length === 0) return undefined;
  const bytes = fromBytes(name);
  return bytes.includes(replacementBytes) ? undefined : bytes;
}

function firstOf<T>(values: Iterable<T>): T | undefined {
  for (const value of values) return value;
  return undefined;
}

function joinPath(directory: BytePath, name: ByteString): BytePath {
  return directory === '' ? name : `${directory}/${name}`;
}

/** The directories that a path is in, up to the root; the root is in none. */
function directoriesAbove(path: BytePath): BytePath[] {
  const above: BytePath[] = [];
  for (let at = path; at !== '';) {
    at = parentOf(at);
    above.push(at);
  }
  return above;
}
