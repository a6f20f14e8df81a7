/**
 * What a name inside the managed tree may look like, and the small arithmetic of such names.
 *
 * `pathProblem` is the first of the checks that keep a peer from naming anything outside of the
 * tree; it knows no sets (see `file-set.ts`) and no disk, so that symbolic links are none of its
 * business. A path that passes has components that any Linux file system can hold.
 */
import type { BytePath, ByteString } from '../base/bytes.ts';

/** Names that muster itself uses while it places a file; never managed, never sent. */
export const temporaryPrefix = '.muster-tmp-';

/** Longest name of a file or directory, bytes: the limit of the usual file systems. */
export const nameBytesMax = 255;

/** Longest path, bytes: PATH_MAX of Linux, and short enough for the u16 of a packed row. */
export const pathBytesMax = 4096;

const SLASH = 0x2f;
const DOT = 0x2e;

/**
 * What is wrong with a path relative to the root, as the end of a sentence that starts with the
 * path: `starts with "/"`. Undefined where nothing is.
 */
export function pathProblem(path: BytePath): string | undefined {
  const length = path.length;
  if (length === 0) return 'is empty';
  if (length > pathBytesMax) return `is longer than ${pathBytesMax} bytes`;
  let start = 0;
  for (let i = 0; i <= length; i++) {
    const code = i < length ? path.charCodeAt(i) : SLASH;
    if (code === SLASH) {
      const problem = nameProblem(path, start, i);
      if (problem !== undefined) return problem;
      start = i + 1;
    } else if (code === 0) {
      return 'contains a NUL byte';
    } else if (code > 255) {
      return 'contains a character that is no byte';
    }
  }
  return undefined;
}

/** The directory that a path is in; '' for the root. */
export function parentOf(path: BytePath): BytePath {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

/** The last component of a path. */
export function nameOf(path: BytePath): ByteString {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The path of a name in a directory; '' is the root. */
export function joinPath(directory: BytePath, name: ByteString): BytePath {
  return directory === '' ? name : `${directory}/${name}`;
}

/** Whether a path lies below a directory at any depth; nothing lies below itself. */
export function isBelow(path: BytePath, directory: BytePath): boolean {
  if (directory === '') return path !== '';
  return path.length > directory.length && path.charCodeAt(directory.length) === SLASH &&
    path.startsWith(directory);
}

// ---------------------------------------------------------------------------------------------

/** What is wrong with the component of `path` between two positions. */
function nameProblem(path: BytePath, start: number, end: number): string | undefined {
  const length = end - start;
  if (length === 0) {
    if (start === 0) return 'starts with "/"';
    return end === path.length ? 'ends with "/"' : 'contains an empty component';
  }
  if (length > nameBytesMax) return `contains a name longer than ${nameBytesMax} bytes`;
  if (path.charCodeAt(start) !== DOT) return undefined;
  if (length === 1) return 'contains the component "."';
  if (length === 2 && path.charCodeAt(start + 1) === DOT) return 'contains the component ".."';
  return path.startsWith(temporaryPrefix, start)
    ? `contains a name that starts with "${temporaryPrefix}"`
    : undefined;
}
