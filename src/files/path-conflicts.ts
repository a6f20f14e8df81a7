/**
 * Paths that cannot be there together: a file, and another one for which the first would have to be
 * a directory. Where a file becomes a directory, or a directory a file, one has to go before the
 * other can come.
 */
import type { BytePath } from '../base/bytes.ts';
import { parentOf } from './paths.ts';

/** Some paths: a set of them, or a table by path. */
export interface Paths {
  readonly size: number;
  has(path: BytePath): boolean;
  keys(): Iterable<BytePath>;
}

/** Those that are in each other's way. */
export interface PathConflicts {
  readonly coming: ReadonlySet<BytePath>;
  readonly leaving: ReadonlySet<BytePath>;
}

const noPaths: ReadonlySet<BytePath> = new Set();

/** Which of those that come have to wait for which of those that leave. */
export function pathConflicts(coming: Paths, leaving: Paths): PathConflicts {
  if (coming.size === 0 || leaving.size === 0) return { coming: noPaths, leaving: noPaths };
  const directoriesThatWereFiles = pathsBelow(coming, leaving);
  const filesThatWereDirectories = pathsBelow(leaving, coming);
  return {
    coming: new Set([...directoriesThatWereFiles.below, ...filesThatWereDirectories.above]),
    leaving: new Set([...directoriesThatWereFiles.above, ...filesThatWereDirectories.below]),
  };
}

// ---

/** Which paths lie below which others. */
function pathsBelow(paths: Paths, others: Paths) {
  const below: BytePath[] = [];
  const above = new Set<BytePath>();
  const known = new Map<BytePath, BytePath | undefined>([['', undefined]]);
  const ancestorOf = (path: BytePath): BytePath | undefined => {
    const parent = parentOf(path);
    if (known.has(parent)) return known.get(parent);
    const found = others.has(parent) ? parent : ancestorOf(parent);
    known.set(parent, found);
    return found;
  };
  for (const path of paths.keys()) {
    const ancestor = ancestorOf(path);
    if (ancestor === undefined) continue;
    below.push(path);
    above.add(ancestor);
  }
  return { below, above };
}
