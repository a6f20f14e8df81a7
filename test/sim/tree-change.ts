/**
 * The steps by which a program changes the managed tree of a simulated disk, each at one instant:
 * confined to the root, never through a symbolic link.
 */
import { type BytePath, displayPath } from '../../src/base/bytes.ts';
import { ClusterError, type ErrorCode, OccupiedError } from '../../src/base/errors.ts';
import type { FileFacts, Placement } from '../../src/ports.ts';
import type { SimDisk } from './disk.ts';
import { factsOf, type Found, type Inode, walk } from './inode.ts';

/** Moves a staged file to its path. */
export function place(disk: SimDisk, move: Placement): FileFacts {
  const { path, directoryMode, isNew } = move;
  const inode = disk.staging.children.get(move.name);
  if (inode === undefined) throw failure('notFound', 'place', path, 'nothing is staged');
  if (path === '') throw failure('refused', 'place', path, 'it is the root');
  disk.mustAllow(path, 'write', 'place');
  const found = inDirectories(disk, path, directoryMode);
  if (found.kind === 'found' && isNew === true) {
    throw new OccupiedError(`Cannot place "${displayPath(path)}": something stands there already`);
  }
  if (found.kind === 'found' && found.inode.kind !== 'file') {
    const code = found.inode.kind === 'directory' ? 'io' : 'refused';
    throw failure(code, 'place', path, `a ${found.inode.kind} is in its place`);
  }
  disk.rename(disk.staging, move.name, found.parent, found.name);
  disk.changed(path);
  return factsOf(inode);
}

/** The regular file at a path; undefined where nothing is there. */
export function regularFile(disk: SimDisk, path: BytePath, verb: string): Inode | undefined {
  const found = confined(disk, path, verb);
  if (found.kind !== 'found') return undefined;
  if (found.inode.kind !== 'file') throw failure('refused', verb, path, 'it is no regular file');
  return found.inode;
}

/** Removes a regular file; false where it is not there. */
export function remove(disk: SimDisk, path: BytePath): boolean {
  disk.mustAllow(path, 'write', 'remove');
  if (regularFile(disk, path, 'remove') === undefined) return false;
  return unlink(disk, path);
}

/** Removes an empty directory; false where it is not there, not empty or no directory. */
export function removeDirectory(disk: SimDisk, path: BytePath): boolean {
  disk.mustAllow(path, 'write', 'remove');
  const found = confined(disk, path, 'remove');
  if (path === '' || found.kind !== 'found') return false;
  if (found.inode.kind !== 'directory' || found.inode.children.size > 0) return false;
  return unlink(disk, path);
}

/** The directories at these paths and above them; what is none has no names to flush. */
export function directoriesUpwards(disk: SimDisk, paths: readonly BytePath[]): Set<Inode> {
  const directories = new Set<Inode>();
  for (const path of paths) {
    const parts = path === '' ? [] : path.split('/');
    for (let count = parts.length; count >= 0; count--) {
      const found = walk(disk.root, parts.slice(0, count).join('/'));
      if (found.kind === 'found' && found.inode.kind === 'directory') directories.add(found.inode);
    }
  }
  return directories;
}

// ---

function unlink(disk: SimDisk, path: BytePath): boolean {
  const found = walk(disk.root, path);
  if (found.kind !== 'found') return false;
  disk.bind(found.parent, found.name, undefined);
  disk.changed(path);
  return true;
}

/** Where a path leads, unless it leads out of the root or through something that is no directory. */
function confined(
  disk: SimDisk,
  path: BytePath,
  verb: string,
): Exclude<Found, { readonly kind: 'blocked' }> {
  const parts = path.split('/');
  if (path !== '' && parts.some((part) => part === '' || part === '.' || part === '..')) {
    throw failure('refused', verb, path, 'it is no path below the root');
  }
  const found = walk(disk.root, path);
  if (found.kind === 'blocked') {
    throw failure('refused', verb, path, `"${displayPath(found.at)}" is a ${found.by}`);
  }
  return found;
}

/** Where a path leads, once the directories on the way were made. */
function inDirectories(
  disk: SimDisk,
  path: BytePath,
  mode: number,
): Extract<Found, { readonly parent: Inode }> {
  for (;;) {
    const found = confined(disk, path, 'place');
    if (found.kind !== 'missing') return found;
    const missing = walk(disk.root, found.at);
    if (missing.kind !== 'free') throw new Error(`Cannot make directory "${found.at}"`);
    disk.bind(missing.parent, missing.name, disk.makeInode('directory', mode));
    disk.changed(found.at);
  }
}

function failure(code: ErrorCode, verb: string, path: BytePath, why: string): ClusterError {
  return new ClusterError(code, `Cannot ${verb} "${displayPath(path)}": ${why}`);
}
