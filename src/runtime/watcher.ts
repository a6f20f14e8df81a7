/**
 * The port `Watcher` on a real machine: the system's notifications about changed files.
 *
 * Each watched directory has one recursive watch. The directories above it have a shallow one, just
 * to notice when it, or one of them, appears, vanishes or is replaced. Whatever goes wrong, and
 * every name that cannot be told exactly, becomes the hint "look at everything"; a lost hint costs
 * time, never correctness, since interval scans see all.
 */
import type { Buffer } from 'node:buffer';
import * as fs from 'node:fs';
import { type BytePath, type ByteString, displayPath, fromBytes, fromText } from '../base/bytes.ts';
import type { Clock, Watcher } from '../ports.ts';
import { BlockedPathError, failureReason, saysAbsent, systemCode } from './file-errors.ts';
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
  return { watch: (directories, listener) => new TreeWatch(options, directories, listener) };
}

/**
 * How long a hint is held back at least, ms. One runtime swallows a second notification about a
 * path that comes within 2 ms of the first: by then whoever acts on the first one must not have
 * looked at the path yet.
 */
const settleMs = 5;

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

/** Watches some directories of a tree. */
class TreeWatch {
  readonly #options: WatcherOptions;
  readonly #root: RootedDirectory;
  readonly #listener: ChangeListener;
  /** Directories watched with all below them; none lies below another. */
  readonly #tops: ReadonlySet<BytePath>;
  /** The directories above those. */
  readonly #above: ReadonlySet<BytePath>;
  readonly #watches = new Set<fs.FSWatcher>();
  readonly #warned = new Set<string | undefined>();
  readonly #closing = new AbortController();
  /** Hints that came since the last delivery, and those that came before and are due at the next. */
  #fresh = new Set<Hint>();
  #due = new Set<Hint>();
  #isDelivering = false;

  constructor(
    options: WatcherOptions,
    directories: readonly BytePath[],
    listener: ChangeListener,
  ) {
    this.#options = options;
    this.#listener = listener;
    this.#root = RootedDirectory.open(options.root, options.clock);
    this.#tops = new Set(directories.filter((each) => !isBelowAny(each, directories)));
    this.#above = new Set([...this.#tops].flatMap(directoriesAbove));
    this.#attachAll();
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

  /** Takes up a hint, to be delivered once. */
  #hint(hint: Hint): void {
    this.#fresh.add(hint);
    if (!this.#isDelivering) void this.#deliver();
  }

  async #deliver(): Promise<void> {
    this.#isDelivering = true;
    while (this.#fresh.size + this.#due.size > 0) {
      try {
        await this.#options.clock.sleep(settleMs, this.#closing.signal);
      } catch {
        return;
      }
      const due = this.#due;
      this.#due = this.#fresh;
      this.#fresh = new Set();
      for (const hint of due) this.#tell(hint);
    }
    this.#isDelivering = false;
  }

  #tell(hint: Hint): void {
    if (this.#isClosed) return;
    if (hint !== moved) return this.#listener(hint);
    // All anew: a directory that was made again may have the number and the times of the old one.
    this.#detachAll();
    this.#attachAll();
    this.#listener(undefined);
  }

  #attachAll(): void {
    for (const directory of this.#above) this.#attach(directory, false);
    for (const directory of this.#tops) this.#attach(directory, true);
  }

  #detachAll(): void {
    for (const watch of this.#watches) watch.close();
    this.#watches.clear();
  }

  #attach(directory: BytePath, isRecursive: boolean): void {
    const path = systemPath(`${fromText(this.#options.root)}/${directory}`);
    const options = { recursive: isRecursive, encoding: 'buffer', persistent: false } as const;
    try {
      if (!this.#isReachable(directory)) return;
      const watch = fs.watch(path, options, (kind, name) => {
        if (isRecursive) this.#noteBelow(directory, readName(name));
        else if (kind === 'rename') this.#noteAbove(directory, readName(name));
      });
      watch.on('error', (error) => this.#fail(directory, error));
      this.#watches.add(watch);
    } catch (error) {
      this.#fail(directory, error);
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

  /** Something has changed below a watched directory. */
  #noteBelow(directory: BytePath, name: ByteString | undefined): void {
    if (this.#isClosed) return;
    if (name === undefined) this.#hint(undefined);
    else this.#hint(directory === '' ? name : `${directory}/${name}`);
  }

  /** A name has come or gone in a directory above watched ones. */
  #noteAbove(directory: BytePath, name: ByteString | undefined): void {
    if (this.#isClosed) return;
    const path = directory === '' ? name : `${directory}/${name}`;
    if (name === undefined || path === undefined) this.#hint(moved);
    else if (this.#tops.has(path) || this.#above.has(path)) this.#hint(moved);
  }

  #fail(directory: BytePath, error: unknown): void {
    if (this.#isClosed) return;
    // It has vanished just now: the watch above it tells when it is back.
    if (!saysAbsent(error)) this.#warn(directory, error);
    this.#hint(undefined);
  }

  #warn(directory: BytePath, error: unknown): void {
    const code = systemCode(error);
    if (this.#warned.has(code)) return;
    this.#warned.add(code);
    const what = directory === '' ? 'the root' : `"${displayPath(directory)}"`;
    const reason = limits.get(code) ?? failureReason(error);
    this.#options.onWarning(
      `Cannot watch all of ${what}: ${reason}; changes there wait for the interval scan`,
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

function isBelowAny(path: BytePath, directories: readonly BytePath[]): boolean {
  return directories.some((each) => each !== path && (each === '' || path.startsWith(`${each}/`)));
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
