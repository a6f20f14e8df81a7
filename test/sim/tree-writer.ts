/**
 * The writing half of the Files port of a simulated node.
 *
 * Every step that a real file system does by itself (one write, one rename) is an event of its own,
 * so that a node can be killed between any two of them.
 */
import { type BytePath, displayPath } from '../../src/base/bytes.ts';
import { ClusterError, type ErrorCode } from '../../src/base/errors.ts';
import type { FileAttributes, StagedFile, TreeWriter } from '../../src/ports.ts';
import type { SimDisk } from './disk.ts';
import { factsOf, type Inode } from './inode.ts';
import type { Life } from './life.ts';
import * as tree from './tree-change.ts';

/** Changes the managed tree of a disk for one incarnation. */
export function treeWriter(life: Life, disk: SimDisk): TreeWriter {
  const { staging, versions } = disk;
  const perform = <T>(verb: string, path: BytePath, work: () => T): Promise<T> =>
    disk.perform(life, verb, path, work);
  const each = async (verb: string, names: readonly string[], work: (name: string) => void) => {
    for (const name of names) await perform(verb, name, () => work(name));
  };

  return {
    stage: (name, offset) =>
      perform('stage', name, () => stagedFile(life, disk, name, openStaged(disk, name, offset))),

    stageAll: async (files) => {
      for (const { name, bytes, attributes } of files) {
        await perform('stage whole', name, () => {
          const inode = openStaged(disk, name, 0);
          append(disk, inode, bytes);
          setAttributes(disk, inode, attributes);
        });
      }
    },

    staged: () =>
      perform('list', 'staging', () => {
        return new Map([...staging.children].map(([name, inode]) => [name, inode.body.size]));
      }),

    hashStaged: (name, size, hasher) =>
      perform('hash', name, () => {
        const content = mustHave(staging, name).body.view();
        if (content.length < size) throw failure('io', 'hash', name, `it has not ${size} bytes`);
        hasher.update(content.slice(0, size));
      }),

    flushStaged: async (names) => {
      // What is not there any more needs no flushing.
      await each('flush', names, (name) => {
        const inode = staging.children.get(plainName(name));
        if (inode !== undefined) disk.flush(inode);
      });
      await perform('flush names', 'staging', () => disk.flushNames(new Set([staging])));
    },

    discardStaged: (names) =>
      each('discard', names, (name) => {
        if (staging.children.has(plainName(name))) disk.bind(staging, name, undefined);
      }),

    place: (moves) =>
      outcomesOf(moves, (move) => perform('place', move.path, () => tree.place(disk, move))),

    keepVersions: (files) =>
      outcomesOf(files, ({ path, versionName }) =>
        perform('keep', path, () => {
          plainName(versionName);
          const inode = tree.regularFile(disk, path, 'keep');
          if (inode === undefined) return undefined;
          disk.bind(versions, versionName, inode);
          return factsOf(inode);
        })),

    stageVersion: (versionName, name, attributes) =>
      perform('stage version', name, () => {
        const kept = mustHave(versions, versionName);
        const inode = openStaged(disk, name, 0);
        append(disk, inode, kept.body.view().slice());
        setAttributes(disk, inode, attributes);
      }),

    discardVersions: (names) =>
      each('discard', names, (name) => {
        if (versions.children.has(plainName(name))) disk.bind(versions, name, undefined);
      }),

    versions: () => perform('list', 'versions', () => [...versions.children.keys()]),

    remove: (path) => perform('remove', path, () => tree.remove(disk, path)),

    removeDirectory: (path) => perform('remove', path, () => tree.removeDirectory(disk, path)),

    // With the directories above, and with staging and versions, as on a real machine.
    flushDirectories: async (paths) => {
      await perform('flush names', 'staging', () => disk.flushNames(new Set([staging, versions])));
      for (const directory of tree.directoriesUpwards(disk, paths)) {
        await perform('flush names', '', () => disk.flushNames(new Set([directory])));
      }
    },

    // Staging is in the same file system: nothing is ever copied.
    removeTemporaries: () => Promise.resolve(0),

    freeBytes: () => perform('free', '', () => disk.freeBytes),
  };
}

// ---

/** The name, if it is one that staging and versions can have; staging is flat here. */
function plainName(name: string): string {
  if (/^[A-Za-z0-9_-][A-Za-z0-9._-]*(\/[\x20-\x2e\x30-\x7e]+)?$/.test(name)) return name;
  throw new ClusterError('refused', `"${displayPath(name)}" is not a plain file name`);
}

function mustHave(directory: Inode, name: string): Inode {
  const inode = directory.children.get(plainName(name));
  if (inode === undefined) throw failure('notFound', 'use', name, 'it is not there');
  return inode;
}

/** Works on items one after the other; what fails is told in the place of a result. */
async function outcomesOf<T, R>(
  items: readonly T[],
  work: (item: T) => Promise<R>,
): Promise<(R | Error)[]> {
  const outcomes: (R | Error)[] = [];
  for (const item of items) {
    try {
      outcomes.push(await work(item));
    } catch (error) {
      outcomes.push(error instanceof Error ? error : new Error(String(error)));
    }
  }
  return outcomes;
}

function openStaged(disk: SimDisk, name: string, offset: number): Inode {
  if (offset === 0) {
    const inode = disk.makeInode('file', 0o600);
    disk.bind(disk.staging, plainName(name), inode);
    return inode;
  }
  const inode = mustHave(disk.staging, name);
  if (inode.body.size < offset) throw failure('io', 'stage', name, `it has not ${offset} bytes`);
  disk.edit(inode, (body) => body.truncate(offset));
  return inode;
}

/** Writes what there is room for. */
function append(disk: SimDisk, inode: Inode, bytes: Uint8Array): void {
  const fitting = bytes.subarray(0, Math.min(bytes.length, disk.freeBytes));
  disk.edit(inode, (body) => body.write(body.size, fitting));
  if (fitting.length < bytes.length) throw failure('noSpace', 'write', '', 'the disk is full');
}

function setAttributes(disk: SimDisk, inode: Inode, attributes: FileAttributes): void {
  inode.mode = attributes.mode;
  inode.owner = attributes.owner;
  inode.group = attributes.group;
  inode.ctimeMs = disk.stampMs();
  if (attributes.mtimeMs !== undefined) inode.mtimeMs = disk.rounded(attributes.mtimeMs);
}

function stagedFile(life: Life, disk: SimDisk, name: string, inode: Inode): StagedFile {
  const handle = life.open('file', `staged ${name}`);
  let isOpen = true;
  const close = (): void => {
    isOpen = false;
    life.close(handle);
  };
  /** Any failure closes the file. */
  const perform = (verb: string, work: () => void): Promise<void> =>
    disk.perform(life, verb, name, () => {
      try {
        if (!isOpen) throw failure('io', verb, name, 'it has been closed');
        work();
      } catch (error) {
        close();
        throw error;
      }
    });
  return {
    write: (bytes) => perform('write', () => append(disk, inode, bytes)),
    finish: (attributes) =>
      perform('finish', () => {
        setAttributes(disk, inode, attributes);
        close();
      }),
    suspend: async () => close(),
  };
}

function failure(code: ErrorCode, verb: string, name: string, why: string): ClusterError {
  return new ClusterError(code, `Cannot ${verb} staged "${displayPath(name)}": ${why}`);
}
