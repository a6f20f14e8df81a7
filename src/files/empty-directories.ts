/**
 * Directories that hold nothing but directories: what is left of a tree whose files have gone. Where
 * a file has to be in place of one, it is in nobody's interest.
 */
import { type BytePath, fromText } from '../base/bytes.ts';
import { codeOf } from '../base/errors.ts';
import type { TreeReader, TreeWriter } from '../ports.ts';
import type { FileSet, SetTable } from './file-set.ts';
import { joinPath } from './paths.ts';

/** Most directories removed in place of one file: more are looked at by somebody first. */
const directoriesMax = 1000;

/**
 * Removes a directory with all below it where there is no file, link or anything else in it.
 * Whatever is put there meanwhile stays, and keeps the directories above it.
 * @param isKept whether a directory has to stay, and all above it
 * @throws ClusterError `permission`, `refused` or `io`
 */
export async function removeEmptyDirectories(
  files: Pick<TreeReader, 'list'> & Pick<TreeWriter, 'removeDirectory'>,
  top: BytePath,
  isKept: (directory: BytePath) => boolean,
): Promise<void> {
  const directories = [top];
  for (const directory of directories) {
    const { items, unreadable } = await files.list(directory, false);
    const isEmpty = unreadable.length === 0 && items.every(({ kind }) => kind === 'directory');
    if (!isEmpty || isKept(directory)) return;
    for (const { name } of items) directories.push(joinPath(directory, name));
    if (directories.length > directoriesMax) return;
  }
  for (const directory of directories.toReversed()) await files.removeDirectory(directory);
}

/**
 * Removes a directory that has become empty, or that holds nothing but files that do not keep it: some
 * programs take every directory for a group, whatever is in it. True where it was removed.
 * @throws ClusterError `permission`, `refused` or `io`
 */
export async function removeLeftDirectory(
  files: Pick<TreeReader, 'list'> & Pick<TreeWriter, 'remove' | 'removeDirectory'>,
  directory: BytePath,
  { pruneFiles }: FileSet,
  sets: SetTable,
): Promise<boolean> {
  if (await files.removeDirectory(directory)) return true;
  if (pruneFiles.length === 0) return false;
  const names = new Set(pruneFiles.map(fromText));
  const listing = await listed(files, directory);
  if (listing === undefined) return false;
  const { items, unreadable } = listing;
  const paths = items.map(({ name }) => joinPath(directory, name));
  const isLeft = unreadable.length === 0 &&
    items.every(({ kind, name }) => kind === 'file' && names.has(name)) &&
    paths.every((path) => sets.setOf(path) === undefined);
  if (!isLeft) return false;
  for (const path of paths) await files.remove(path);
  return await files.removeDirectory(directory);
}

/** What is in a directory; undefined where it is gone. */
async function listed(files: Pick<TreeReader, 'list'>, directory: BytePath) {
  try {
    return await files.list(directory, false);
  } catch (error) {
    if (codeOf(error) === 'notFound') return undefined;
    throw error;
  }
}
