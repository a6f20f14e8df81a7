/**
 * The port `TreeReader` on a real disk: listing, facts, hashes and reading, confined to the root.
 *
 * A name is looked at through the directory that it is in, so a link on the way reads as if
 * nothing were there. Names are bytes; where a runtime cannot represent one it is reported.
 */
import type { Buffer } from 'node:buffer';
import * as fs from 'node:fs';
import { type BytePath, type ByteString, displayPath, fromBytes, isAscii } from '../base/bytes.ts';
import { ClusterError } from '../base/errors.ts';
import type {
  DirectoryItem,
  DirectoryListing,
  FileFacts,
  HashAlgorithm,
  HashOutcome,
  OpenFile,
  TreeReader,
  UnreadableItem,
} from '../ports.ts';
import {
  factsOf,
  readAtOnce,
  readFlags,
  readFully,
  regularFacts,
  smallBytesMax,
} from './descriptors.ts';
import {
  BlockedPathError,
  failureReason,
  fileError,
  saysAbsent,
  systemCode,
} from './file-errors.ts';
import { FileHasher, type HasherPorts } from './file-hasher.ts';
import { ReadAhead } from './read-ahead.ts';
import { itself, replacementBytes, type Walk, type WalkedDirectory } from './rooted-directory.ts';
import { inSlices } from './slices.ts';

/** Directories that take more than this on the disk are read on another thread, bytes. */
const largeDirectoryBytes = 512 * 1024;

const withKinds = { withFileTypes: true } as const;

const asBytes = { encoding: 'buffer' } as const;

/** The names that were read from a directory. */
interface FoundNames {
  readonly names: readonly ByteString[];
  /**
   * Of which of them the directory itself says that they are regular files. Undefined where that was
   * not asked for, or not all can be said by text; not all file systems know what their names are.
   */
  readonly areFiles?: readonly boolean[];
}

/** Reads the tree below a root. */
export class DiskReader implements TreeReader {
  readonly #ports: HasherPorts;
  readonly #readAhead: ReadAhead;
  readonly #hasher: FileHasher;

  constructor(ports: HasherPorts) {
    this.#ports = ports;
    this.#readAhead = new ReadAhead(ports);
    this.#hasher = new FileHasher(ports, this.#readAhead);
  }

  async list(directory: BytePath, needsFacts = true): Promise<DirectoryListing> {
    const items: DirectoryItem[] = [];
    const unreadable: UnreadableItem[] = [];
    let found: FoundNames | undefined;
    let next = 0;
    const look = (walk: Walk, open: WalkedDirectory, { names, areFiles }: FoundNames): void => {
      const name = names[next]!;
      if (areFiles?.[next] === true) items.push({ name, kind: 'file', facts: undefined });
      else lookAt(walk, open, name, items, unreadable);
      next++;
    };
    // Reads the names and looks at them: most directories are visited once.
    const visit = (_: number, mayGoOn: () => boolean): number => {
      const walk = this.#ports.root.walkInside();
      try {
        const open = walk.directory(directory);
        if (found === undefined && isLarge(open)) return 1;
        found ??= readNames(open, !needsFacts);
        while (next < found.names.length) {
          look(walk, open, found);
          if (!mayGoOn()) break;
        }
        return 1;
      } finally {
        walk.close();
      }
    };
    try {
      do {
        await inSlices(this.#ports.clock, 1, visit);
        found ??= await this.#readLarge(directory, !needsFacts);
      } while (next < found.names.length);
      return { items, unreadable };
    } catch (error) {
      throw fileError('list', directory, error, 'reader');
    }
  }

  async facts(path: BytePath): Promise<FileFacts | undefined> {
    await this.#ports.clock.breathe();
    try {
      return this.#walked((walk) => {
        if (path === '') return factsOf(fs.statSync(itself(walk.directory(''))));
        const stats = fs.lstatSync(walk.locate(path), { throwIfNoEntry: false });
        return stats === undefined ? undefined : factsOf(stats);
      });
    } catch (error) {
      const isBlocked = error instanceof BlockedPathError || systemCode(error) === 'ENOTDIR';
      if (isBlocked || saysAbsent(error)) return undefined;
      throw fileError('look at', path, error, 'reader');
    }
  }

  hash(
    paths: readonly BytePath[],
    algorithm: HashAlgorithm,
    signal: AbortSignal,
  ): Promise<HashOutcome[]> {
    return this.#hasher.hash(paths, algorithm, signal);
  }

  async readAll(paths: readonly BytePath[], bytesMax: number): Promise<(Uint8Array | Error)[]> {
    const contents = Array.from<Uint8Array | Error>({ length: paths.length });
    const upcoming = this.#readAhead.of(paths);
    try {
      await inSlices(this.#ports.clock, paths.length, (start, mayGoOn) => {
        const readsBefore = this.#ports.diskReads();
        const walk = this.#ports.root.walkInside();
        try {
          let index = start;
          do {
            upcoming.reach(index, walk);
            contents[index] = readWhole(walk, paths[index]!, bytesMax);
            index++;
          } while (index < paths.length && mayGoOn());
          return index;
        } finally {
          walk.close();
          this.#readAhead.learn(readsBefore);
        }
      });
    } catch (error) {
      throw fileError('enter', '', error, 'reader');
    }
    return contents;
  }

  async open(path: BytePath): Promise<OpenFile> {
    await this.#ports.clock.breathe();
    let descriptor: number | undefined;
    try {
      descriptor = this.#walked((walk) => fs.openSync(walk.locate(path), readFlags));
      return new DiskFile(path, descriptor, regularFacts(descriptor));
    } catch (error) {
      if (descriptor !== undefined) fs.closeSync(descriptor);
      throw fileError('open', path, error, 'reader');
    }
  }

  /** The names in a large directory, read on another thread. */
  async #readLarge(directory: BytePath, needsKinds: boolean): Promise<FoundNames> {
    const walk = this.#ports.root.walk();
    try {
      // The walk is held over these awaits: what is read is the directory that was reached.
      const path = itself(walk.directory(directory));
      const found = needsKinds
        ? kindsOf(await fs.promises.readdir(path, withKinds))
        : { names: await fs.promises.readdir(path) };
      if (found.names.every(isAscii)) return found;
      return namesOf(await fs.promises.readdir(path, asBytes));
    } finally {
      walk.close();
    }
  }

  #walked<T>(work: (walk: Walk) => T): T {
    const walk = this.#ports.root.walk();
    try {
      return work(walk);
    } finally {
      walk.close();
    }
  }
}

function isLarge(directory: WalkedDirectory): boolean {
  return fs.statSync(itself(directory)).size > largeDirectoryBytes;
}

/** The names in a directory. */
function readNames(directory: WalkedDirectory, needsKinds: boolean): FoundNames {
  const path = itself(directory);
  const found = needsKinds
    ? kindsOf(fs.readdirSync(path, withKinds))
    : { names: fs.readdirSync(path) };
  return found.names.every(isAscii) ? found : namesOf(fs.readdirSync(path, asBytes));
}

function kindsOf(entries: readonly fs.Dirent[]): FoundNames {
  return {
    names: entries.map((entry) => entry.name),
    areFiles: entries.map((entry) => entry.isFile()),
  };
}

function namesOf(names: readonly Buffer[]): FoundNames {
  return { names: names.map((name) => fromBytes(name)) };
}

/** The content of a small file, or why there is none. */
function readWhole(walk: Walk, path: BytePath, bytesMax: number): Uint8Array | Error {
  let descriptor: number | undefined;
  try {
    descriptor = fs.openSync(walk.locate(path), readFlags);
    const { size } = regularFacts(descriptor);
    if (size > bytesMax) {
      return new ClusterError(
        'changed',
        `"${displayPath(path)}" has grown beyond ${bytesMax} bytes`,
      );
    }
    const bytes = new Uint8Array(size);
    const count = readAtOnce(descriptor, bytes, 0);
    return count === size ? bytes : bytes.subarray(0, count);
  } catch (error) {
    return fileError('read', path, error, 'reader');
  } finally {
    if (descriptor !== undefined) fs.closeSync(descriptor);
  }
}

/** Looks at a name in a directory; one that has just vanished is left out. */
function lookAt(
  walk: Walk,
  directory: WalkedDirectory,
  name: ByteString,
  items: DirectoryItem[],
  unreadable: UnreadableItem[],
): void {
  try {
    const stats = fs.lstatSync(walk.child(directory, name), { throwIfNoEntry: false });
    if (stats !== undefined) {
      const facts = factsOf(stats);
      items.push({ name, kind: facts.kind, facts });
    } else if (name.includes(replacementBytes)) {
      const reason = 'its name is not UTF-8, which this runtime cannot represent';
      unreadable.push({ shownName: displayPath(name), reason });
    }
  } catch (error) {
    unreadable.push({ shownName: displayPath(name), reason: failureReason(error) });
  }
}

/** An open file of the tree. */
class DiskFile implements OpenFile {
  readonly facts: FileFacts;
  readonly #path: BytePath;
  /** Used again by every read: new memory for each piece would be what a large file costs most. */
  #buffer = new Uint8Array(0);
  /** Undefined once closed: the system gives its number to the next file that is opened. */
  #descriptor: number | undefined;

  constructor(path: BytePath, descriptor: number, facts: FileFacts) {
    this.#path = path;
    this.#descriptor = descriptor;
    this.facts = facts;
  }

  async read(offset: number, length: number, memory?: Uint8Array): Promise<Uint8Array> {
    const buffer = (memory ?? this.#ownMemory(length)).subarray(0, length);
    try {
      const count = length <= smallBytesMax
        ? readAtOnce(this.#opened(), buffer, offset)
        : await readFully(this.#opened(), buffer, offset);
      return buffer.subarray(0, count);
    } catch (error) {
      throw fileError('read', this.#path, error, 'reader');
    }
  }

  async currentFacts(): Promise<FileFacts> {
    try {
      return factsOf(fs.fstatSync(this.#opened()));
    } catch (error) {
      throw fileError('look at', this.#path, error, 'reader');
    }
  }

  async close(): Promise<void> {
    const descriptor = this.#descriptor;
    this.#descriptor = undefined;
    if (descriptor !== undefined) fs.closeSync(descriptor);
  }

  #ownMemory(length: number): Uint8Array {
    if (this.#buffer.length < length) this.#buffer = new Uint8Array(length);
    return this.#buffer;
  }

  #opened(): number {
    if (this.#descriptor === undefined) throw new Error('it has been closed');
    return this.#descriptor;
  }
}
