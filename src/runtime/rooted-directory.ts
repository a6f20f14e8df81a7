/**
 * Confines paths to a directory: nothing that is reached through here lies outside of it.
 *
 * Theory of operation. A path is walked one component at a time. Each directory on the way is
 * opened without following a link, *through the directory before it*, so what has been passed
 * cannot be swapped any more; the operation itself then acts on one name in the last directory. The
 * runtimes offer no `openat`, but on Linux the path `/proc/self/fd/N/name` means the same: the
 * kernel goes straight to the open directory N. Where there is no `/proc` each component is looked
 * at before it is entered; that stops every link that is there, though not one that appears within
 * the microseconds between the two.
 *
 * The root's own path is resolved once and walked in the same way from then on, now and then: a
 * root that is replaced by another directory is found, one that is replaced by a link is refused.
 *
 * A `Walk` holds directories open and must be closed before the caller awaits anything: a directory
 * that somebody moves away would otherwise still be written to.
 */
import { Buffer } from 'node:buffer';
import * as fs from 'node:fs';
import { type BytePath, type ByteString, displayPath, fromText, isAscii } from '../base/bytes.ts';
import type { Clock } from '../ports.ts';
import { BlockedPathError, systemCode } from './file-errors.ts';
import { WorkingDirectory } from './working-directory.ts';

/** A path as the runtime takes it: bytes, where text cannot say it. */
export type SystemPath = string | Buffer;

/** An open directory of a walk. */
export interface WalkedDirectory {
  /** What to put before a name to reach it in this directory. */
  readonly prefix: ByteString;
  /** Undefined where directories are not held open. */
  readonly descriptor: number | undefined;
}

// Opening with O_PATH asks for no permission but to pass. It has this value on every architecture
// that the runtimes exist for, and no constant in them.
const O_PATH = 0o10000000;
const openDirectoryFlags = O_PATH | fs.constants.O_DIRECTORY | fs.constants.O_NOFOLLOW;

/** The directory with this process's open files; undefined where the system has none. */
const descriptorsDirectory = findDescriptorsDirectory();

/** What a runtime that takes names for text makes of a byte that is none: U+FFFD, as bytes. */
export const replacementBytes = '\xef\xbf\xbd';

/** The system's path of a byte string. Plain strings are much faster than buffers. */
export function systemPath(path: ByteString): SystemPath {
  return isAscii(path) ? path : Buffer.from(path, 'latin1');
}

/**
 * How long the root that was found last is taken for the root, ms. Finding it again costs several
 * times what reaching a file in it does, and only administrators replace it.
 */
const recheckMs = 1000;

/** A directory that paths are confined to. */
export class RootedDirectory {
  readonly #path: BytePath;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #holdsOpen: boolean;
  #found: WalkedDirectory;
  #foundMs: number;

  private constructor(path: BytePath, clock: Pick<Clock, 'monotonicMs'>, holdsOpen: boolean) {
    this.#path = path;
    this.#clock = clock;
    this.#holdsOpen = holdsOpen;
    this.#foundMs = clock.monotonicMs();
    this.#found = findRoot(path, holdsOpen);
  }

  /**
   * Resolves the path of the root, once.
   * @param holdsOpen whether to go through open directories; for tests of the other way
   * @throws what the system says about the path
   */
  static open(
    root: string,
    clock: Pick<Clock, 'monotonicMs'>,
    holdsOpen: boolean = descriptorsDirectory !== undefined,
  ): RootedDirectory {
    const path = fromText(fs.realpathSync(root)).replace(/^\//, '');
    return new RootedDirectory(path, clock, holdsOpen);
  }

  /** Starts a walk. To be closed by the caller, before anything is awaited. */
  walk(): Walk {
    return new Walk(this.#open(), this.#holdsOpen);
  }

  /**
   * Starts a walk that works in the directories it comes to: the cheapest way to many files. The
   * path that it gives for one of them is good until it is asked for the next.
   */
  walkInside(): Walk {
    const root = this.#open();
    return new Walk(
      root,
      this.#holdsOpen,
      '',
      this.#holdsOpen ? WorkingDirectory.borrow() : undefined,
    );
  }

  /** Lets go of the root. */
  close(): void {
    letGo(this.#found);
  }

  /** The root, opened for one walk. */
  #open(): WalkedDirectory {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#foundMs > recheckMs) {
      const found = findRoot(this.#path, this.#holdsOpen);
      this.close();
      this.#found = found;
      this.#foundMs = nowMs;
    }
    // A directory of the walk's own: the one held here may be closed while the walk goes on.
    return reopen(this.#found);
  }
}

/** A way through the tree; stays open where it went last, since the next path is mostly near. */
export class Walk {
  readonly #holdsOpen: boolean;
  /** What stands before paths in messages. */
  readonly #shownPrefix: string;
  /** The directories from the root down to the present one, and the names that led there. */
  readonly #trail: WalkedDirectory[];
  readonly #names: ByteString[] = [];
  /** Where the trail leads to; what is asked for mostly is there again. Undefined on the way. */
  #path: BytePath | undefined = '';
  readonly #workingDirectory: WorkingDirectory | undefined;
  /** The directory that names were looked for in last, and whether the process is in there. */
  #entered: WalkedDirectory | undefined;
  #isInside = false;

  constructor(
    root: WalkedDirectory,
    holdsOpen: boolean,
    shownPrefix = '',
    workingDirectory?: WorkingDirectory,
  ) {
    this.#trail = [root];
    this.#holdsOpen = holdsOpen;
    this.#shownPrefix = shownPrefix;
    this.#workingDirectory = workingDirectory;
  }

  /** Goes to a directory; '' is the root. */
  directory(path: BytePath): WalkedDirectory {
    return this.#go(path, undefined);
  }

  /**
   * The system's path of a file, in the directory that it is in.
   * @param mode permission bits to create missing directories with; without it they are an error
   */
  locate(path: BytePath, mode?: number): SystemPath {
    if (path.startsWith('/')) throw new BlockedPathError('it is an absolute path');
    return this.child(this.#go(parentOf(path), mode), nameOf(path));
  }

  /** The system's path of a name in a directory. */
  child(directory: WalkedDirectory, name: ByteString): SystemPath {
    checkName(name);
    return systemPath(this.#worksIn(directory) ? name : directory.prefix + name);
  }

  /** Lets go of all directories. */
  close(): void {
    this.#path = undefined;
    this.#workingDirectory?.giveBack();
    this.#retreat(0);
  }

  #worksIn(directory: WalkedDirectory): boolean {
    if (this.#workingDirectory === undefined) return false;
    if (directory !== this.#entered) {
      this.#entered = directory;
      this.#isInside = this.#workingDirectory.enter(`${directory.prefix}.`);
    }
    return this.#isInside;
  }

  #go(path: BytePath, mode: number | undefined): WalkedDirectory {
    if (path === this.#path) return this.#trail.at(-1)!;
    this.#path = undefined;
    const names = path === '' ? [] : path.split('/');
    let shared = 0;
    while (shared < names.length && names[shared] === this.#names[shared]) shared++;
    this.#retreat(1 + shared);
    for (const name of names.slice(shared)) {
      try {
        this.#enter(name);
      } catch (error) {
        if (mode === undefined || systemCode(error) !== 'ENOENT') throw error;
        this.#create(name, mode);
      }
    }
    this.#path = path;
    return this.#trail.at(-1)!;
  }

  #enter(name: ByteString): void {
    const path = through(this.#trail.at(-1)!, name);
    try {
      this.#trail.push(openDirectory(path, this.#holdsOpen));
    } catch (error) {
      const code = systemCode(error);
      if (code !== 'ENOTDIR' && code !== 'ELOOP') throw error;
      throw new BlockedPathError(this.#describeBlock(path, name));
    }
    this.#names.push(name);
  }

  #create(name: ByteString, mode: number): void {
    let isOurs = true;
    try {
      fs.mkdirSync(through(this.#trail.at(-1)!, name), mode);
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error;
      isOurs = false;
    }
    this.#enter(name);
    // The process's umask may have taken bits away.
    if (isOurs) fs.chmodSync(itself(this.#trail.at(-1)!), mode);
  }

  #describeBlock(path: SystemPath, name: ByteString): string {
    const shown = this.#shownPrefix + displayPath([...this.#names, name].join('/'));
    const isLink = fs.lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink();
    return isLink === true
      ? `"${shown}" is a symbolic link, and links are not followed`
      : `"${shown}" is not a directory`;
  }

  #retreat(length: number): void {
    while (this.#trail.length > length) letGo(this.#trail.pop()!);
    this.#names.length = Math.min(this.#names.length, Math.max(0, length - 1));
  }
}

/** The system's path of a name in an open directory, wherever the process works. */
function through(directory: WalkedDirectory, name: ByteString): SystemPath {
  checkName(name);
  return systemPath(directory.prefix + name);
}

/** The system's path of an open directory itself. */
export function itself(directory: WalkedDirectory): SystemPath {
  return systemPath(`${directory.prefix}.`);
}

/** The directory that a path is in; '' for the root. */
export function parentOf(path: BytePath): BytePath {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

/** The last component of a path. */
export function nameOf(path: BytePath): ByteString {
  return path.slice(path.lastIndexOf('/') + 1);
}

// ---

function findRoot(path: BytePath, holdsOpen: boolean): WalkedDirectory {
  const walk = new Walk(openDirectory('/', holdsOpen), holdsOpen, '/');
  try {
    return reopen(walk.directory(path));
  } finally {
    walk.close();
  }
}

function openDirectory(path: SystemPath, holdsOpen: boolean): WalkedDirectory {
  if (holdsOpen) {
    const descriptor = fs.openSync(path, openDirectoryFlags);
    return { descriptor, prefix: `${descriptorsDirectory}/${descriptor}/` };
  }
  if (!fs.lstatSync(path).isDirectory()) {
    throw Object.assign(new Error('not a directory'), { code: 'ENOTDIR' });
  }
  const bytes = typeof path === 'string' ? path : path.toString('latin1');
  return { descriptor: undefined, prefix: bytes.endsWith('/') ? bytes : `${bytes}/` };
}

/** The same directory, open once more. */
function reopen(directory: WalkedDirectory): WalkedDirectory {
  return directory.descriptor === undefined ? directory : openDirectory(itself(directory), true);
}

function letGo({ descriptor }: WalkedDirectory): void {
  if (descriptor !== undefined) fs.closeSync(descriptor);
}

/** Refuses what is no plain name: the last defence against a path that leads anywhere else. */
function checkName(name: ByteString): void {
  if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0')) {
    throw new BlockedPathError(`"${displayPath(name)}" is not a name that a path may contain`);
  }
}

function findDescriptorsDirectory(): string | undefined {
  try {
    // Not "/proc/self": resolving that link at every step costs a tenth of the time.
    const directory = `/proc/${fs.readlinkSync('/proc/self')}/fd`;
    return fs.existsSync(directory) ? directory : undefined;
  } catch {
    return undefined;
  }
}
