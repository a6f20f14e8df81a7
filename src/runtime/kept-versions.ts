/**
 * Kept versions: earlier contents of managed files, by hard link where that is possible.
 *
 * A link costs nothing and shares its content with the file in the tree until that is replaced,
 * which in muster is always a move of another file to its name.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import type { BytePath } from '../base/bytes.ts';
import { ClusterError } from '../base/errors.ts';
import type { Clock, FileAttributes, FileFacts, KeptFile } from '../ports.ts';
import {
  copyContent,
  createFlags,
  factsOf,
  flush,
  isStillUnchanged,
  readFlags,
  readPieces,
  regularFacts,
} from './descriptors.ts';
import { BlockedPathError, fileError, saysAbsent, systemCode } from './file-errors.ts';
import { PrivateDirectory } from './private-directory.ts';
import type { RootedDirectory, SystemPath } from './rooted-directory.ts';
import type { Staging } from './staging.ts';
import { temporaryName, temporaryPrefix } from './temporaries.ts';
import { walkEach } from './walks.ts';

/**
 * Why a file cannot be linked but may well be copied: another file system, one without links or
 * with no more of them for this file, or a file of somebody else's, which Linux protects.
 */
const unlinkable: ReadonlySet<string | undefined> = new Set([
  'EXDEV',
  'EPERM',
  'EMLINK',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
]);

/** What keeping versions works with. */
export interface VersionPorts {
  readonly root: RootedDirectory;
  readonly clock: Pick<Clock, 'monotonicMs' | 'breathe'>;
  readonly staging: Staging;
}

/** The directory of kept versions. */
export class KeptVersions {
  readonly #directory: PrivateDirectory;
  readonly #ports: VersionPorts;

  constructor(path: string, ports: VersionPorts) {
    this.#directory = new PrivateDirectory(path, ports.clock);
    this.#ports = ports;
    // Copies that a crash interrupted.
    for (const name of fs.readdirSync(path)) {
      if (name.startsWith(temporaryPrefix)) fs.unlinkSync(join(path, name));
    }
  }

  /** The system's path of the directory. */
  get path(): string {
    return this.#directory.path;
  }

  /** As `TreeWriter.keepVersions`. */
  async keep(files: readonly KeptFile[]): Promise<(FileFacts | Error | undefined)[]> {
    const outcomes = Array.from<FileFacts | Error | undefined>({ length: files.length });
    const toCopy: number[] = [];
    await walkEach(this.#ports, files, (walk, { path, versionName }, index) => {
      try {
        outcomes[index] = linkAnew(walk.locate(path), this.#directory.locate(versionName));
      } catch (error) {
        if (unlinkable.has(systemCode(error))) toCopy.push(index);
        else outcomes[index] = keepingError(path, error);
      }
    });
    for (const index of toCopy) outcomes[index] = await this.#keepCopy(files[index]!);
    return outcomes;
  }

  /** As `TreeWriter.stageVersion`. */
  async stage(versionName: string, name: string, attributes: FileAttributes): Promise<void> {
    let source: number | undefined;
    try {
      source = fs.openSync(this.#directory.locate(versionName), readFlags);
      const { size } = regularFacts(source);
      const staged = await this.#ports.staging.stage(name, 0);
      try {
        for await (const piece of readPieces(this.#ports.clock, source, size)) {
          await staged.write(piece);
        }
        await staged.finish(attributes);
      } finally {
        await staged.suspend();
      }
    } catch (error) {
      throw fileError('restore version', versionName, error, 'writer');
    } finally {
      if (source !== undefined) fs.closeSync(source);
    }
  }

  discard(versionNames: readonly string[]): Promise<void> {
    return this.#directory.discard(versionNames);
  }

  async names(): Promise<string[]> {
    return this.#directory.names();
  }

  async #keepCopy({ path, versionName }: KeptFile): Promise<FileFacts | Error | undefined> {
    let source: number | undefined;
    try {
      source = this.#open(path);
      return await this.#copy(source, this.#directory.locate(versionName));
    } catch (error) {
      return keepingError(path, error);
    } finally {
      if (source !== undefined) fs.closeSync(source);
    }
  }

  #open(path: BytePath): number {
    const walk = this.#ports.root.walk();
    try {
      const source = walk.locate(path);
      // Looked at first: to open a device can have consequences.
      if (!fs.lstatSync(source).isFile()) throw notRegular();
      return fs.openSync(source, readFlags);
    } finally {
      walk.close();
    }
  }

  async #copy(source: number, version: string): Promise<FileFacts> {
    const before = regularFacts(source);
    const temporary = join(this.path, temporaryName());
    const target = fs.openSync(temporary, createFlags, 0o600);
    try {
      await copyContent(this.#ports.clock, source, target);
      await flush(target);
      if (!isStillUnchanged(before, source)) {
        throw new ClusterError(
          'changed',
          'Cannot keep a version: the file was written to meanwhile',
        );
      }
      fs.renameSync(temporary, version);
      return before;
    } catch (error) {
      fs.unlinkSync(temporary);
      throw error;
    } finally {
      fs.closeSync(target);
    }
  }
}

// ---

/** Links a file to a version and gives its facts. */
function linkAnew(source: SystemPath, version: string): FileFacts {
  try {
    fs.linkSync(source, version);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
    fs.unlinkSync(version);
    fs.linkSync(source, version);
  }
  const facts = factsOf(fs.lstatSync(version));
  if (facts.kind === 'file') return facts;
  // A link to a symbolic link, or to anything else that may have stood there, must not stay.
  fs.unlinkSync(version);
  throw notRegular();
}

/** What a failure to keep a file means: nothing where there is none. */
function keepingError(path: BytePath, error: unknown): ClusterError | undefined {
  return saysAbsent(error) ? undefined : fileError('keep a version of', path, error, 'writer');
}

function notRegular(): BlockedPathError {
  return new BlockedPathError('it is not a regular file');
}
