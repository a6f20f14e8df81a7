/**
 * Moves directories that are new in the tree as a whole: one `rename` for all files in them, which
 * are made in staging as they are to be. A rename per file is what a first copy would otherwise
 * spend a third of its time on.
 *
 * It is done only where nothing can come of it but what single moves would give: nothing is at the
 * place, and what is in the staged directory is what is to be moved, nothing more. In all other
 * cases, errors included, the files are left to be moved one by one.
 */
import * as fs from 'node:fs';
import type { BytePath } from '../base/bytes.ts';
import type { FileFacts, Placement } from '../ports.ts';
import { itself, nameOf, parentOf, type Walk } from './rooted-directory.ts';
import type { Staging } from './staging.ts';

/** A directory of staging, and where its files go. */
export interface NewDirectory {
  /** Its name in staging. */
  readonly name: string;
  readonly path: BytePath;
  readonly directoryMode: number;
  /** The files in it, with their places among all moves. */
  readonly moves: { readonly move: Placement; readonly index: number }[];
}

/** In a directory with this bit, new ones get its group: those that are moved there do not. */
const setGroupBit = 0o2000;

/** Finds the moves that may be made together; `single` are the indexes of the others. */
export function newDirectories(
  moves: readonly Placement[],
): { readonly directories: readonly NewDirectory[]; readonly single: number[] } {
  const directories = new Map<string, NewDirectory>();
  const single: number[] = [];
  for (const [index, move] of moves.entries()) {
    const { name, path, directoryMode, isNew } = move;
    const slash = name.indexOf('/');
    if (slash < 0 || isNew !== true || name.slice(slash + 1) !== nameOf(path)) {
      single.push(index);
      continue;
    }
    const key = name.slice(0, slash);
    const parent = parentOf(path);
    let directory = directories.get(key);
    if (directory === undefined) {
      directory = { name: key, path: parent, directoryMode, moves: [] };
      directories.set(key, directory);
    }
    const isSame = directory.path === parent && directory.directoryMode === directoryMode;
    if (isSame) directory.moves.push({ move, index });
    else single.push(index);
  }
  return { directories: [...directories.values()], single };
}

/** Moves a directory; gives the facts of its files, or undefined where nothing was moved. */
export function moveDirectory(
  staging: Staging,
  walk: Walk,
  { name, path, directoryMode, moves }: NewDirectory,
): FileFacts[] | undefined {
  try {
    const wanted = new Set(moves.map(({ move }) => nameOf(move.path)));
    const present = staging.namesIn(name);
    if (path === '' || present.length !== moves.length) return undefined;
    if (!present.every((each) => wanted.has(each))) return undefined;
    const facts = moves.map(({ move }) => staging.facts(move.name));
    if (!facts.every(isFile)) return undefined;
    const target = walk.locate(path, directoryMode);
    const above = fs.statSync(itself(walk.directory(parentOf(path))));
    if ((above.mode & setGroupBit) !== 0) return undefined;
    if (fs.lstatSync(target, { throwIfNoEntry: false }) !== undefined) return undefined;
    const source = staging.locate(name);
    fs.chmodSync(source, directoryMode);
    fs.renameSync(source, target);
    for (const { move } of moves) staging.forget(move.name);
    return facts;
  } catch {
    // Whatever it was, moving one by one says for which file, or does better.
    return undefined;
  }
}

function isFile(facts: FileFacts | undefined): facts is FileFacts {
  return facts?.kind === 'file';
}
