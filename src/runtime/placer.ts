/**
 * Moves staged files to their places in the tree.
 *
 * A move is one `rename`: at every instant the old file or the new one is there, whole. Files of a
 * directory that is not there yet are moved together with it (`new-directories.ts`). Where
 * staging lies in another file system the content is first copied beside its place, under a hidden
 * name, and flushed; then that is renamed. What is not a regular file is never replaced.
 */
import * as fs from 'node:fs';
import { type BytePath, displayPath } from '../base/bytes.ts';
import { ClusterError, OccupiedError } from '../base/errors.ts';
import type { Clock, FileFacts, Placement } from '../ports.ts';
import { copyContent, createFlags, factsOf, readFlags } from './descriptors.ts';
import { makeDurable } from './durability.ts';
import { BlockedPathError, fileError, systemCode } from './file-errors.ts';
import { moveDirectory, newDirectories } from './new-directories.ts';
import type { Ownership } from './ownership.ts';
import { parentOf, type RootedDirectory, type SystemPath, type Walk } from './rooted-directory.ts';
import { concurrently } from './slices.ts';
import type { Staging } from './staging.ts';
import { temporaryName } from './temporaries.ts';
import { walkEach } from './walks.ts';

/** What placing works with. */
export interface PlacerPorts {
  readonly root: RootedDirectory;
  readonly clock: Pick<Clock, 'monotonicMs' | 'breathe'>;
  readonly staging: Staging;
  readonly ownership: Ownership;
}

/** Files copied beside their places before they are flushed and renamed together. */
const copiesCountMax = 1000;

/** Files copied at a time. */
const copiersCount = 4;

/** Facts of a file in its place, or what kept it out. */
type Outcome = FileFacts | Error;

/** A file copied beside its place. */
interface Copy {
  readonly index: number;
  readonly path: BytePath;
  readonly device: number;
  readonly inode: number;
}

/** Moves files from staging into the tree. */
export class Placer {
  readonly #ports: PlacerPorts;

  constructor(ports: PlacerPorts) {
    this.#ports = ports;
  }

  /** As `TreeWriter.place`. */
  async place(moves: readonly Placement[]): Promise<Outcome[]> {
    const outcomes = Array.from<Outcome>({ length: moves.length });
    const single = await this.#placeDirectories(moves, outcomes);
    const crossing: number[] = [];
    await walkEach(this.#ports, single, (walk, index) => {
      const move = moves[index]!;
      try {
        outcomes[index] = this.#move(walk, move);
      } catch (error) {
        if (systemCode(error) === 'EXDEV') crossing.push(index);
        else outcomes[index] = placeError(move, error);
      }
    });
    for (let at = 0; at < crossing.length; at += copiesCountMax) {
      await this.#placeCopies(moves, crossing.slice(at, at + copiesCountMax), outcomes);
    }
    this.#ports.staging.removeEmptied(single.map((index) => moves[index]!.name));
    return outcomes;
  }

  /** Moves whole directories where that can be done; gives the indexes of all other moves. */
  async #placeDirectories(
    moves: readonly Placement[],
    outcomes: Outcome[],
  ): Promise<number[]> {
    const { staging } = this.#ports;
    const { directories, single } = newDirectories(moves);
    await walkEach(this.#ports, directories, (walk, directory) => {
      const facts = moveDirectory(staging, walk, directory);
      for (const [at, { index }] of directory.moves.entries()) {
        if (facts === undefined) single.push(index);
        else outcomes[index] = facts[at]!;
      }
    });
    return single;
  }

  #move(walk: Walk, move: Placement): Outcome {
    const { staging } = this.#ports;
    const { name, path, directoryMode } = move;
    const staged = staging.facts(name);
    if (staged === undefined) throw notStaged(name, path);
    const target = walk.locate(path, directoryMode);
    const facts = moveTo(staging.locate(name), staged.inode, target, move);
    staging.forget(name);
    return facts;
  }

  // --- from another file system --------------------------------------------------------------

  async #placeCopies(
    moves: readonly Placement[],
    indexes: readonly number[],
    outcomes: Outcome[],
  ): Promise<void> {
    const copies: Copy[] = [];
    await concurrently(copiersCount, indexes, async (index) => {
      const move = moves[index]!;
      try {
        copies.push(await this.#copy(move, index));
      } catch (error) {
        outcomes[index] = placeError(move, error);
      }
    });
    const failures = await this.#flushCopies(copies);
    const placedNames: string[] = [];
    await walkEach(this.#ports, copies, (walk, copy) => {
      const move = moves[copy.index]!;
      try {
        if (failures.has(copy)) throw failures.get(copy);
        const [source, target] = [walk.locate(copy.path), walk.locate(move.path)];
        outcomes[copy.index] = moveTo(source, copy.inode, target, move);
        placedNames.push(move.name);
      } catch (error) {
        this.#discard(copy.path);
        outcomes[copy.index] = placeError(move, error);
      }
    });
    await this.#ports.staging.discard(placedNames);
  }

  /** Makes copies durable; gives those for which that failed, with the reason. */
  async #flushCopies(copies: readonly Copy[]): Promise<ReadonlyMap<Copy, unknown>> {
    const failures = new Map<Copy, unknown>();
    const open = (copy: Copy): number | undefined => {
      try {
        return this.#open(copy.path, readFlags);
      } catch (error) {
        failures.set(copy, error);
        return undefined;
      }
    };
    try {
      await makeDurable(
        this.#ports.clock,
        copies.map((copy) => ({ device: copy.device, open: () => open(copy) })),
      );
    } catch (error) {
      for (const copy of copies) failures.set(copy, error);
    }
    return failures;
  }

  /** Copies a staged file, with owner, mode and time, to a hidden name in its directory. */
  async #copy({ name, path, directoryMode }: Placement, index: number): Promise<Copy> {
    const parent = parentOf(path);
    const temporary = parent === '' ? temporaryName() : `${parent}/${temporaryName()}`;
    const source = fs.openSync(this.#ports.staging.locate(name), readFlags);
    let target: number | undefined;
    try {
      target = this.#open(temporary, createFlags, directoryMode);
      await copyContent(this.#ports.clock, source, target);
      const { uid, gid, mode, mtimeMs } = fs.fstatSync(source);
      this.#ports.ownership.give(target, uid, gid);
      fs.fchmodSync(target, mode & 0o7777);
      fs.futimesSync(target, mtimeMs / 1000, mtimeMs / 1000);
      const { dev, ino } = fs.fstatSync(target);
      return { index, path: temporary, device: dev, inode: ino };
    } catch (error) {
      if (target !== undefined) this.#discard(temporary);
      throw error;
    } finally {
      fs.closeSync(source);
      if (target !== undefined) fs.closeSync(target);
    }
  }

  #open(path: BytePath, flags: number, directoryMode?: number): number {
    const walk = this.#ports.root.walk();
    try {
      return fs.openSync(walk.locate(path, directoryMode), flags, 0o600);
    } finally {
      walk.close();
    }
  }

  /** Removes a copy that is of no use. Where that fails, `removeTemporaries` finds it some day. */
  #discard(path: BytePath): void {
    const walk = this.#ports.root.walk();
    try {
      fs.unlinkSync(walk.locate(path));
    } catch {
      // The failure that led here is the one to report.
    } finally {
      walk.close();
    }
  }
}

// ---

/** Renames a file to its place, in which there is nothing or a regular file. */
function moveTo(
  source: SystemPath,
  inode: number,
  target: SystemPath,
  { path, isNew }: Placement,
): FileFacts {
  const present = fs.lstatSync(target, { throwIfNoEntry: false });
  if (present !== undefined && isNew === true) {
    throw new OccupiedError(`Cannot place "${displayPath(path)}": something stands there already`);
  }
  if (present?.isDirectory() === true) throw new Error('a directory is in its place');
  if (present?.isFile() === false) {
    const what = present.isSymbolicLink() ? 'a symbolic link' : 'a special file';
    throw new BlockedPathError(`${what} is in its place`);
  }
  fs.renameSync(source, target);
  const placed = factsOf(fs.lstatSync(target));
  // Facts of a file that somebody else has put there by now must not be taken for ours.
  if (placed.inode === inode) return placed;
  throw new ClusterError('changed', `"${displayPath(path)}" was replaced while it was placed`);
}

function notStaged(name: string, path: BytePath): ClusterError {
  const message = `Cannot place "${displayPath(path)}": staged file "${name}" is missing`;
  return new ClusterError('notFound', message);
}

function placeError({ path }: Placement, error: unknown): ClusterError {
  if (error instanceof OccupiedError) return error;
  return fileError('place', path, error, 'writer');
}
