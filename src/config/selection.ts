/**
 * Which files a set chooses, and the checks that follow from it: no file belongs to two sets, and
 * none of muster's own files to any.
 *
 * The checks work with witnesses: paths made from the patterns of one set and tried on the other.
 * A witness is proof, so there are no false alarms; patterns that overlap only for file names
 * nobody thought of are left to the scan.
 */
import picomatch from 'picomatch/posix.js';
import { type BytePath, fromText } from '../base/bytes.ts';
import { relativeTo } from './location.ts';
import type { FileSetConfig } from './set-keys.ts';

/** What decides which files a set chooses. */
export type Selection = Pick<FileSetConfig, 'path' | 'include' | 'exclude' | 'recursive'>;

/**
 * The rule of a set as a function: whether it chooses a file, given by its path relative to the
 * root. Patterns are matched against the bytes of names; a leading "." is nothing special; an
 * exclude pattern that fits a directory leaves out all below it.
 */
export function compileSelection(set: Selection): (path: BytePath) => boolean {
  const base = fromText(set.path);
  const options = { dot: true, nonegate: true };
  const isIncluded = picomatch(set.include.map(fromText), options);
  const isExcluded = picomatch(set.exclude.map(fromText), options);
  return (path) => {
    const within = base === '' ? path : relativeTo(base, path);
    if (within === undefined || within === '') return false;
    let slash = within.indexOf('/');
    if (slash >= 0 && !set.recursive) return false;
    if (!isIncluded(within) || isExcluded(within)) return false;
    for (; slash >= 0; slash = within.indexOf('/', slash + 1)) {
      if (isExcluded(within.slice(0, slash))) return false;
    }
    return true;
  };
}

/** A path that both sets choose, if one can be made from their patterns. */
export function commonPath(left: Selection, right: Selection): BytePath | undefined {
  const [isLeft, isRight] = [compileSelection(left), compileSelection(right)];
  return [...witnesses(left, right.path), ...witnesses(right, left.path)]
    .find((path) => isLeft(path) && isRight(path));
}

/** The include patterns of a set that name one file which the set leaves out at the same time. */
export function vainPatterns(set: Selection): string[] {
  const isChosen = compileSelection(set);
  return set.include.filter((pattern) =>
    !/[*?[\]{}()!+@\\]/.test(pattern) && !isChosen(fromText(joined(set.path, pattern)))
  );
}

// ---------------------------------------------------------------------------------------------

/** Paths such as the patterns of a set are made to choose, also within another directory. */
function witnesses(set: Selection, elsewhere: string): BytePath[] {
  return set.include.flatMap((pattern) => {
    // Groups and classes would have to be solved; the scan tells for those.
    if (/[[\]{}()!+@\\]/.test(pattern)) return [];
    const filled = pattern.replace(/\*\*$/, '*').replaceAll('?', 'x');
    const shallow = filled.replaceAll('**/', '').replaceAll('*', 'x');
    const deep = filled.replaceAll('**/', 'x/').replaceAll('*', 'x');
    return [joined(set.path, shallow), joined(set.path, deep), joined(elsewhere, shallow)]
      .map(fromText);
  });
}

function joined(directory: string, path: string): string {
  return directory === '' ? path : `${directory}/${path}`;
}
