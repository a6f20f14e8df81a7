/**
 * The port `Files` on a real machine: puts together reading, staging, placing, kept versions and
 * removing.
 *
 * Owns `staging/` and `versions/` in the state directory, and what happens on the disk below the
 * root. Nothing outside of these is ever read or written, whatever paths are asked for; how is told
 * in `rooted-directory.ts`.
 */
import { join } from 'node:path';
import process from 'node:process';
import { fromText } from '../base/bytes.ts';
import { ClusterError } from '../base/errors.ts';
import type { Clock, Files, Hashing } from '../ports.ts';
import { DirectoryFlusher } from './directory-flusher.ts';
import { fileError } from './file-errors.ts';
import { KeptVersions } from './kept-versions.ts';
import { Ownership } from './ownership.ts';
import { Placer } from './placer.ts';
import { RootedDirectory } from './rooted-directory.ts';
import { Staging } from './staging.ts';
import { removeTemporaries } from './temporaries.ts';
import { TreePruner } from './tree-pruner.ts';
import { DiskReader } from './tree-reader.ts';

/** Where the files are and what working on them takes. */
export interface FilesOptions {
  /** The directory that the managed tree is in. */
  readonly root: string;
  /** Where `staging/` and `versions/` are kept; best in the file system of the root. */
  readonly stateDirectory: string;
  readonly clock: Pick<Clock, 'monotonicMs' | 'breathe'>;
  readonly hashing: Hashing;
  /** Told once where something does not work as configured though muster can go on. */
  readonly onWarning: (text: string) => void;
  /** A count that grows whenever something is read from a disk. @default that of this process */
  readonly diskReads?: () => number;
}

/** The port, and what only start-up needs. */
export interface DiskFiles extends Files {
  /** Lets go of the root; no other call may come after this. */
  close(): void;
}

/**
 * Opens the managed tree.
 * @throws ClusterError where the root is no directory or the state directory cannot be used
 */
export async function openFiles(options: FilesOptions): Promise<DiskFiles> {
  const { clock, hashing, onWarning, diskReads = processDiskReads } = options;
  const ownership = new Ownership(onWarning);
  const root = openRoot(options.root, clock);
  const reader = new DiskReader({ root, clock, hashing, diskReads });
  const pruner = new TreePruner(root, clock);
  const { staging, versions } = attempt(
    'use the state directory',
    options.stateDirectory,
    (path) => {
      const staging = new Staging(join(path, 'staging'), clock, ownership);
      const versions = new KeptVersions(join(path, 'versions'), { root, clock, staging });
      return { staging, versions };
    },
  );
  const flusher = new DirectoryFlusher(root, clock, [versions.path, staging.path]);
  const placer = new Placer({ root, clock, staging, ownership });
  return {
    list: (directory, needsFacts) => reader.list(directory, needsFacts),
    facts: (path) => reader.facts(path),
    hash: (paths, algorithm, signal) => reader.hash(paths, algorithm, signal),
    readAll: (paths, bytesMax) => reader.readAll(paths, bytesMax),
    open: (path) => reader.open(path),
    stage: (name, offset) => staging.stage(name, offset),
    stageAll: (files) => staging.stageAll(files),
    staged: () => staging.staged(),
    hashStaged: (name, size, hasher) => staging.hashStaged(name, size, hasher),
    flushStaged: (names) => staging.flush(names),
    discardStaged: (names) => staging.discard(names),
    freeBytes: () => staging.freeBytes(),
    place: (moves) => placer.place(moves),
    keepVersions: (files) => versions.keep(files),
    stageVersion: (versionName, name, attributes) => versions.stage(versionName, name, attributes),
    discardVersions: (versionNames) => versions.discard(versionNames),
    versions: () => versions.names(),
    remove: (path) => pruner.remove(path),
    removeDirectory: (path) => pruner.removeDirectory(path),
    flushDirectories: (paths) => flusher.flush(paths),
    removeTemporaries: (directory) => removeTemporaries(root, directory),
    close: () => root.close(),
  };
}

// ---

function processDiskReads(): number {
  return process.resourceUsage().fsRead;
}

function openRoot(root: string, clock: FilesOptions['clock']): RootedDirectory {
  try {
    return RootedDirectory.open(root, clock);
  } catch (error) {
    const { code, message } = fileError('open the root', fromText(root), error, 'writer');
    throw new ClusterError(code, message, {
      source: error,
      remedy:
        'Correct root under [node], or make the directory and let the user that runs muster use it',
    });
  }
}

function attempt<T>(action: string, path: string, work: (path: string) => T): T {
  try {
    return work(path);
  } catch (error) {
    throw fileError(action, fromText(path), error, 'writer');
  }
}
