/**
 * Staging: where files are written before they are moved to their place in the tree.
 *
 * A staged file is created anew in a directory that nobody else may enter, and gets its owner, mode
 * and time through the open file. Content is durable only once flushed. Files of a new directory
 * are in a directory of their own here, under the names that they will have in the tree.
 */
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { displayText } from '../base/bytes.ts';
import { ClusterError } from '../base/errors.ts';
import type { Clock, FileAttributes, FileFacts, Hasher, SmallFile, StagedFile } from '../ports.ts';
import {
  createFlags,
  directoryFlags,
  factsOf,
  readFlags,
  readPieces,
  writeAtOnce,
  writeFully,
} from './descriptors.ts';
import { makeDurable } from './durability.ts';
import { fileError, systemCode } from './file-errors.ts';
import type { Ownership } from './ownership.ts';
import { PrivateDirectory, removeFile } from './private-directory.ts';
import { eachInSlices } from './slices.ts';

/** What a file in a directory of staging may be called: what every runtime keeps exactly. */
const ownName = /^[\x20-\x2e\x30-\x7e]+$/;

/** The directory of staged files. */
export class Staging {
  readonly #directory: PrivateDirectory;
  readonly #clock: Pick<Clock, 'monotonicMs' | 'breathe'>;
  readonly #ownership: Ownership;
  /** Facts of small files that were staged by this process, until they are placed or dropped. */
  readonly #facts = new Map<string, FileFacts>();
  /** Permission bits that files may have from the moment of their creation. */
  readonly #creationBits = 0o777 & ~process.umask();

  constructor(
    path: string,
    clock: Pick<Clock, 'monotonicMs' | 'breathe'>,
    ownership: Ownership,
  ) {
    this.#directory = new PrivateDirectory(path, clock);
    this.#clock = clock;
    this.#ownership = ownership;
    // Directories whose files have left before a crash.
    for (const item of fs.readdirSync(path, { withFileTypes: true })) {
      if (item.isDirectory()) removeIfEmpty(join(path, item.name));
    }
  }

  /** The system's path of the directory. */
  get path(): string {
    return this.#directory.path;
  }

  /**
   * The system's path of a staged file.
   * @throws ClusterError `refused` where that is no name of one
   */
  locate(name: string): string {
    const slash = name.indexOf('/');
    if (slash < 0) return this.#directory.locate(name);
    const own = name.slice(slash + 1);
    if (!ownName.test(own) || own === '.' || own === '..') {
      throw new ClusterError('refused', `"${displayText(name)}" is no name of a staged file`);
    }
    return `${this.#directory.locate(name.slice(0, slash))}/${own}`;
  }

  /** What is known of a staged file; `undefined` where it is not there. */
  facts(name: string): FileFacts | undefined {
    const known = this.#facts.get(name);
    if (known !== undefined) return known;
    const stats = fs.lstatSync(this.locate(name), { throwIfNoEntry: false });
    return stats === undefined ? undefined : factsOf(stats);
  }

  /** Names in a directory of staging. */
  namesIn(directory: string): string[] {
    return fs.readdirSync(this.#directory.locate(directory));
  }

  /** A staged file has been moved away. */
  forget(name: string): void {
    this.#facts.delete(name);
  }

  /** Removes directories of staging that files of these names were the last in. */
  removeEmptied(names: readonly string[]): void {
    for (const directory of directoriesOf(names)) removeIfEmpty(join(this.path, directory));
  }

  /** As `TreeWriter.stage`. */
  async stage(name: string, offset: number): Promise<StagedFile> {
    await this.#clock.breathe();
    const path = this.locate(name);
    try {
      const descriptor = offset === 0 ? createAnew(path) : openAt(path, offset);
      return new DiskStagedFile(name, descriptor, offset, this.#ownership);
    } catch (error) {
      throw stagingError(name, error);
    }
  }

  /** As `TreeWriter.stageAll`. */
  async stageAll(files: readonly SmallFile[]): Promise<void> {
    await eachInSlices(this.#clock, files, ({ name, bytes, attributes }) => {
      const path = this.locate(name);
      const { mode, owner, group } = attributes;
      const isOurs = owner === undefined && group === undefined;
      // Where it stays with us it can have its mode from the beginning: nobody else gets in here.
      const isComplete = isOurs && (mode & ~this.#creationBits) === 0;
      let descriptor: number | undefined;
      try {
        descriptor = createAnew(path, isComplete ? mode : 0o600);
        writeAtOnce(descriptor, bytes, 0);
        if (isComplete) this.#ownership.setTime(descriptor, attributes);
        else this.#ownership.apply(descriptor, attributes);
        this.#facts.set(name, factsOf(fs.fstatSync(descriptor)));
      } catch (error) {
        throw stagingError(name, error);
      } finally {
        if (descriptor !== undefined) fs.closeSync(descriptor);
      }
    });
  }

  /** Names with their sizes. */
  async staged(): Promise<Map<string, number>> {
    const sizes = new Map<string, number>();
    const directories: string[] = [];
    const look = (name: string): void => {
      const stats = fs.lstatSync(this.locate(name), { throwIfNoEntry: false });
      if (stats?.isFile() === true) sizes.set(name, stats.size);
      else if (stats?.isDirectory() === true && !name.includes('/')) directories.push(name);
    };
    await eachInSlices(this.#clock, this.#directory.names(), look);
    for (const directory of directories) {
      const names = this.namesIn(directory).filter((name) => ownName.test(name));
      await eachInSlices(this.#clock, names.map((name) => `${directory}/${name}`), look);
    }
    return sizes;
  }

  /** As `TreeWriter.hashStaged`. */
  async hashStaged(name: string, size: number, hasher: Hasher): Promise<void> {
    let descriptor: number | undefined;
    try {
      descriptor = fs.openSync(this.locate(name), readFlags);
      let count = 0;
      for await (const piece of readPieces(this.#clock, descriptor, size)) {
        hasher.update(piece);
        count += piece.length;
      }
      if (count < size) throw tooShort(count, size);
    } catch (error) {
      throw fileError('hash staged file', name, error, 'writer');
    } finally {
      if (descriptor !== undefined) fs.closeSync(descriptor);
    }
  }

  /** Makes the contents of staged files durable, and the names that they have here. */
  async flush(names: readonly string[]): Promise<void> {
    try {
      const contents = names.map((name) => ({
        device: 0,
        open: () => fs.openSync(this.locate(name), readFlags),
      }));
      const directories = Array.from(
        directoriesOf(names),
        (name) => this.#directory.locate(name),
      );
      const own = [...directories, this.path].map((path) => ({
        device: 0,
        open: () => fs.openSync(path, directoryFlags),
      }));
      await makeDurable(this.#clock, [...contents, ...own]);
    } catch (error) {
      throw fileError('flush', this.path, error, 'writer');
    }
  }

  /** As `TreeWriter.discardStaged`. */
  async discard(names: readonly string[]): Promise<void> {
    await eachInSlices(this.#clock, names, (name) => {
      this.#facts.delete(name);
      removeFile(this.locate(name), name);
    });
    this.removeEmptied(names);
  }

  /** Free bytes in the file system, for whoever muster runs as. */
  async freeBytes(): Promise<number> {
    try {
      const { bavail, bsize } = await fs.promises.statfs(this.path);
      return bavail * bsize;
    } catch (error) {
      throw fileError('look at', this.path, error, 'writer');
    }
  }
}

// ---

/** A file being written in staging. */
class DiskStagedFile implements StagedFile {
  readonly #name: string;
  readonly #ownership: Ownership;
  #position: number;
  /** Undefined once closed. */
  #descriptor: number | undefined;

  constructor(name: string, descriptor: number, offset: number, ownership: Ownership) {
    this.#name = name;
    this.#descriptor = descriptor;
    this.#position = offset;
    this.#ownership = ownership;
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      await writeFully(this.#opened(), bytes, this.#position);
      this.#position += bytes.length;
    } catch (error) {
      this.#close();
      throw stagingError(this.#name, error);
    }
  }

  async finish(attributes: FileAttributes): Promise<void> {
    try {
      this.#ownership.apply(this.#opened(), attributes);
    } catch (error) {
      throw stagingError(this.#name, error);
    } finally {
      this.#close();
    }
  }

  async suspend(): Promise<void> {
    this.#close();
  }

  #opened(): number {
    if (this.#descriptor === undefined) throw new Error('it has been closed');
    return this.#descriptor;
  }

  #close(): void {
    const descriptor = this.#descriptor;
    this.#descriptor = undefined;
    if (descriptor !== undefined) fs.closeSync(descriptor);
  }
}

/** Creates a file; one that is there is removed, not emptied: it may have other names. */
function createAnew(path: string, mode = 0o600): number {
  try {
    return fs.openSync(path, createFlags, mode);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'EEXIST') fs.unlinkSync(path);
    else if (code === 'ENOENT') fs.mkdirSync(dirname(path), 0o700);
    else throw error;
    return fs.openSync(path, createFlags, mode);
  }
}

/** The directories that some of these names begin with. */
function directoriesOf(names: readonly string[]): Set<string> {
  const directories = new Set<string>();
  for (const name of names) {
    const slash = name.indexOf('/');
    if (slash > 0 && name[0] !== '.') directories.add(name.slice(0, slash));
  }
  return directories;
}

function removeIfEmpty(path: string): void {
  try {
    fs.rmdirSync(path);
  } catch {
    // It is not empty, or not there: either is as it should be.
  }
}

/** Opens a file to be continued at an offset; what it holds beyond that is cut off. */
function openAt(path: string, offset: number): number {
  const descriptor = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_NOFOLLOW);
  try {
    const { size } = fs.fstatSync(descriptor);
    if (size < offset) throw tooShort(size, offset);
    fs.ftruncateSync(descriptor, offset);
    return descriptor;
  } catch (error) {
    fs.closeSync(descriptor);
    throw error;
  }
}

function tooShort(size: number, wanted: number): Error {
  return new Error(`it holds ${size} bytes, expected ${wanted} at least`);
}

function stagingError(name: string, error: unknown): ClusterError {
  return fileError('write staged file', name, error, 'writer');
}
