/**
 * The writing half of the Files port of a simulated node.
 *
 * Every step that a real file system does by itself (one write, one rename) is an event of its own,
 * so that a node can be killed between any two of them.
 */
import { type BytePath, displayPath } from '../../src/base/bytes.ts';
import { ClusterError, type ErrorCode } from '../../src/base/errors.ts';
import type { FileAttributes, FileFacts, StagedFile, TreeWriter } from '../../src/ports.ts';
import type { SimDisk } from './disk.ts';
import type { Inode } from './inode.ts';
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
      await each('flush', names, (name) => disk.flush(mustHave(staging, name)));
      await perform('flush names', 'staging', () => disk.flushNames(new Set([staging])));
    },

    discardStaged: (names) =>
      each('discard', names, (name) => {
        if (staging.children.has(name)) disk.bind(staging, name, undefined);
      }),

    place: async (moves) => {
      const outcomes: (FileFacts | Error)[] = [];
      for (const move of moves) {
        try {
          outcomes.push(await perform('place', move.path, () => tree.place(disk, move)));
        } catch (error) {
          outcomes.push(error instanceof Error ? error : new Error(String(error)));
        }
      }
      return outcomes;
    },

    keepVersion: (path, versionName) =>
      perform('keep', path, () => {
        mustBePlain(versionName);
        const inode = tree.regularFile(disk, path, 'keep');
        if (inode === undefined) return false;
        disk.bind(versions, versionName, inode);
        return true;
      }),

    stageVersion: (versionName, name, attributes) =>
      perform('stage version', name, () => {
        const kept = mustHave(versions, versionName);
        const inode = openStaged(disk, name, 0);
        append(disk, inode, kept.body.view().slice());
        setAttributes(disk, inode, attributes);
      }),

    discardVersions: (names) =>
      each('discard', names, (name) => {
        if (versions.children.has(name)) disk.bind(versions, name, undefined);
      }),

    versions: () => perform('list', 'versions', () => [...versions.children.keys()]),

    remove: (path) => perform('remove', path, () => tree.remove(disk, path)),

    removeDirectory: (path) => perform('remove', path, () => tree.removeDirectory(disk, path)),

    // The implementation keeps staging and versions in step with the tree.
    flushDirectories: (paths) =>
      each('flush names', paths, (path) => {
        const directory = tree.directory(disk, path);
        if (directory !== undefined) disk.flushNames(new Set([directory, staging, versions]));
      }),

    freeBytes: () => perform('free', '', () => disk.freeBytes),
  };
}

// ---

function mustBePlain(name: string): void {
  if (!/^[A-Za-z0-9.-]+$/.test(name) || /^\.+$/.test(name)) {
    throw new Error(`"${name}" is no plain name for staging or versions`);
  }
}

function mustHave(directory: Inode, name: string): Inode {
  mustBePlain(name);
  const inode = directory.children.get(name);
  if (inode === undefined) throw failure('notFound', 'use', name, 'it is not there');
  return inode;
}

function openStaged(disk: SimDisk, name: string, offset: number): Inode {
  mustBePlain(name);
  if (offset === 0) {
    const inode = disk.makeInode('file', 0o600);
    disk.bind(disk.staging, name, inode);
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
  return {
    write: (bytes) => disk.perform(life, 'write', name, () => append(disk, inode, bytes)),
    finish: (attributes) =>
      disk.perform(life, 'finish', name, () => {
        life.close(handle);
        setAttributes(disk, inode, attributes);
      }),
    suspend: async () => {
      life.close(handle);
    },
  };
}

function failure(code: ErrorCode, verb: string, name: string, why: string): ClusterError {
  return new ClusterError(code, `Cannot ${verb} staged "${displayPath(name)}": ${why}`);
}
