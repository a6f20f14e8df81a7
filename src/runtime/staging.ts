/**
 * Staging: where files are written before they are moved to their place in the tree.
 *
 * A staged file is created anew, readable by nobody else, and gets its owner, mode and time through
 * the open file before anything else can see it. Content is durable only once flushed.
 */
import * as fs from 'node:fs';
import type { ClusterError } from '../base/errors.ts';
import type { Clock, FileAttributes, Hasher, SmallFile, StagedFile } from '../ports.ts';
import {
  createFlags,
  directoryFlags,
  readFlags,
  readPieces,
  writeAtOnce,
  writeFully,
} from './descriptors.ts';
import { makeDurable } from './durability.ts';
import { fileError, systemCode } from './file-errors.ts';
import type { Ownership } from './ownership.ts';
import { PrivateDirectory } from './private-directory.ts';
import { eachInSlices } from './slices.ts';

/** The directory of staged files. */
export class Staging {
  readonly #directory: PrivateDirectory;
  readonly #clock: Pick<Clock, 'monotonicMs' | 'breathe'>;
  readonly #ownership: Ownership;

  constructor(
    path: string,
    clock: Pick<Clock, 'monotonicMs' | 'breathe'>,
    ownership: Ownership,
  ) {
    this.#directory = new PrivateDirectory(path, clock);
    this.#clock = clock;
    this.#ownership = ownership;
  }

  /** The system's path of the directory. */
  get path(): string {
    return this.#directory.path;
  }

  /** The system's path of a staged file. */
  locate(name: string): string {
    return this.#directory.locate(name);
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
    await eachInSlices(this.#clock, files, (file) => {
      const path = this.locate(file.name);
      let descriptor: number | undefined;
      try {
        descriptor = createAnew(path);
        writeAtOnce(descriptor, file.bytes, 0);
        this.#ownership.apply(descriptor, file.attributes);
      } catch (error) {
        throw stagingError(file.name, error);
      } finally {
        if (descriptor !== undefined) fs.closeSync(descriptor);
      }
    });
  }

  /** Names with their sizes. */
  async staged(): Promise<Map<string, number>> {
    const sizes = new Map<string, number>();
    await eachInSlices(this.#clock, this.#directory.names(), (name) => {
      const stats = fs.lstatSync(this.locate(name), { throwIfNoEntry: false });
      if (stats?.isFile() === true) sizes.set(name, stats.size);
    });
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
      const own = { device: 0, open: () => fs.openSync(this.path, directoryFlags) };
      await makeDurable(this.#clock, [...contents, own]);
    } catch (error) {
      throw fileError('flush', this.path, error, 'writer');
    }
  }

  discard(names: readonly string[]): Promise<void> {
    return this.#directory.discard(names);
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
function createAnew(path: string): number {
  try {
    return fs.openSync(path, createFlags, 0o600);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
    fs.unlinkSync(path);
    return fs.openSync(path, createFlags, 0o600);
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
