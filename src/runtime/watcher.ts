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
import {
  itself,
  parentOf,
  replacementBytes,
  RootedDirectory,
  systemPath,
} from './rooted-directory.ts';

/** What watching works with. */
export interface WatcherOptions {
  /** The directory that the managed tree is in. */
  readonly root: string;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Told once for each kind of failure. */
  readonly onWarning: (text: string) => void;
}

/** Hears that a path has changed; undefined where only a full scan can tell. */
type ChangeListener = (path: BytePath | undefined) => void;

/** Makes the watcher of a tree. */
export function createWatcher(options: WatcherOptions): Watcher {
  return { watch: (directories, listener) => new TreeWatch(options, directories, listener) };
}

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

/** A watch of the system on one directory. */
interface DirectoryWatch {
  readonly inode: number;
  readonly watch: fs.FSWatcher;
}

/** Watches some directories of a tree. */
class TreeWatch {
  readonly #options: WatcherOptions;
  readonly #root: RootedDirectory;
  readonly #listener: ChangeListener;
  /** Directories watched with all below them; none lies below another. */
  readonly #tops: ReadonlySet<BytePath>;
  /** The directories above those. */
  readonly #above: ReadonlySet<BytePath>;
  readonly #watches = new Map<BytePath, DirectoryWatch>();
  readonly #warned = new Set<string | undefined>();
  #isClosed = false;

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
    this.#isClosed = true;
    for (const { watch } of this.#watches.values()) watch.close();
    this.#watches.clear();
    this.#root.close();
  }

  /** Watches what is there now and not what was; gives whether that is any different. */
  #attachAll(): boolean {
    const isShallowDifferent = [...this.#above].map((each) => this.#attach(each, false));
    const isTopDifferent = [...this.#tops].map((each) => this.#attach(each, true));
    return isShallowDifferent.includes(true) || isTopDifferent.includes(true);
  }

  #attach(directory: BytePath, isRecursive: boolean): boolean {
    const inode = this.#inode(directory);
    const present = this.#watches.get(directory);
    if (present?.inode === inode) return false;
    present?.watch.close();
    this.#watches.delete(directory);
    if (inode === undefined) return true;
    const path = systemPath(`${fromText(this.#options.root)}/${directory}`);
    const options = { recursive: isRecursive, encoding: 'buffer', persistent: false } as const;
    try {
      const watch = fs.watch(path, options, (_kind, name) => {
        if (isRecursive) this.#hint(directory, readName(name));
        else this.#lookAbove(directory, readName(name));
      });
      watch.on('error', (error) => this.#fail(directory, error));
      this.#watches.set(directory, { inode, watch });
    } catch (error) {
      this.#fail(directory, error);
    }
    return true;
  }

  /** Which directory is at a path now, if any can be reached without following links. */
  #inode(directory: BytePath): number | undefined {
    try {
      const walk = this.#root.walk();
      try {
        return fs.statSync(itself(walk.directory(directory))).ino;
      } finally {
        walk.close();
      }
    } catch (error) {
      if (!(error instanceof BlockedPathError) && !saysAbsent(error)) this.#warn(directory, error);
      return undefined;
    }
  }

  /** Something has changed below a watched directory. */
  #hint(directory: BytePath, name: ByteString | undefined): void {
    if (this.#isClosed) return;
    if (name === undefined) this.#listener(undefined);
    else this.#listener(directory === '' ? name : `${directory}/${name}`);
  }

  /** Something has changed in a directory above watched ones. */
  #lookAbove(directory: BytePath, name: ByteString | undefined): void {
    if (this.#isClosed) return;
    const path = directory === '' ? name : `${directory}/${name}`;
    const isOnTheWay = name === undefined || path === undefined || this.#tops.has(path) ||
      this.#above.has(path);
    if (isOnTheWay && this.#attachAll()) this.#listener(undefined);
  }

  #fail(directory: BytePath, error: unknown): void {
    if (this.#isClosed) return;
    // It has vanished just now: the watch above it tells when it is back.
    if (!saysAbsent(error)) this.#warn(directory, error);
    this.#listener(undefined);
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
