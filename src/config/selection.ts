/**
 * Finds sets that choose the same file, and patterns that choose none.
 *
 * Works with witnesses: paths made from the patterns of one set and tried on both. Which set has a
 * path is not decided here but by `SetTable`, so that a witness is proof and there are no false
 * alarms; patterns that overlap only for names nobody thought of are left to the scan.
 */
import { type BytePath, fromText } from '../base/bytes.ts';
import { type FileSet, SetTable } from '../files/file-set.ts';
import { joinPath } from '../files/paths.ts';
import type { Hashing } from '../ports.ts';

/** A set and whether it chooses a file, given by its path relative to the root. */
export interface Choice {
  readonly set: FileSet;
  readonly isChosen: (path: BytePath) => boolean;
}

/** What a set chooses by itself, whatever other sets there are. */
export function choiceOf(set: FileSet): Choice {
  let table: SetTable | undefined;
  return {
    set,
    isChosen: (path) => {
      table ??= new SetTable([set], noHashing, 'md5');
      return table.setOf(path) !== undefined;
    },
  };
}

/** A path that both sets choose, if one can be made from their patterns. */
export function commonPath(left: Choice, right: Choice): BytePath | undefined {
  return [...witnesses(left.set, right.set.path), ...witnesses(right.set, left.set.path)]
    .find((path) => left.isChosen(path) && right.isChosen(path));
}

/** The include patterns of a set that name one file which the set leaves out at the same time. */
export function vainPatterns({ set, isChosen }: Choice): string[] {
  return set.include.filter((pattern) =>
    !/[*?[\]{}()!+@\\]/.test(pattern) && !isChosen(pathIn(set.path, pattern))
  );
}

// ---------------------------------------------------------------------------------------------

/** Choosing files takes no hashes. */
const noHashing: Hashing = {
  create: neverHash,
  digest: neverHash,
  digestAll: neverHash,
  fingerprints: neverHash,
};

function neverHash(): never {
  throw new Error('Invariant broken: nothing is hashed to choose files');
}

/** Paths such as the patterns of a set are made to choose, also within another directory. */
function witnesses(set: FileSet, elsewhere: string): BytePath[] {
  return set.include.flatMap((pattern) => {
    // Groups and classes would have to be solved; the scan tells for those.
    if (/[[\]{}()!+@\\]/.test(pattern)) return [];
    const filled = pattern.replace(/\*\*$/, '*').replaceAll('?', 'x');
    const shallow = filled.replaceAll('**/', '').replaceAll('*', 'x');
    const deep = filled.replaceAll('**/', 'x/').replaceAll('*', 'x');
    return [pathIn(set.path, shallow), pathIn(set.path, deep), pathIn(elsewhere, shallow)];
  });
}

function pathIn(directory: string, path: string): BytePath {
  return joinPath(fromText(directory), fromText(path));
}
