/**
 * Removing from the managed tree, and making its directories durable; the rest of the port
 * `TreeWriter` is in `staging.ts`, `placer.ts` and `kept-versions.ts`.
 *
 * Only regular files and empty directories are ever removed.
 */
import * as fs from 'node:fs';
import type { BytePath } from '../base/bytes.ts';
import type { Clock } from '../ports.ts';
import { type Flushable, makeDurable } from './durability.ts';
import { BlockedPathError, fileError, saysAbsent, systemCode } from './file-errors.ts';
import { itself, parentOf, type RootedDirectory, type Walk } from './rooted-directory.ts';
import { eachInSlices } from './slices.ts';

const directoryFlags = fs.constants.O_RDONLY | fs.constants.O_DIRECTORY;

/** Changes names in the tree below a root. */
export class TreePruner {
  readonly #root: RootedDirectory;
  readonly #clock: Pick<Clock, 'monotonicMs' | 'breathe'>;

  constructor(root: RootedDirectory, clock: Pick<Clock, 'monotonicMs' | 'breathe'>) {
    this.#root = root;
    this.#clock = clock;
  }

  /** As `TreeWriter.remove`. */
  remove(path: BytePath): Promise<boolean> {
    return this.#walked('remove', path, (walk) => {
      const target = walk.locate(path);
      // Asked first: one runtime's unlink also removes an empty directory.
      const stats = fs.lstatSync(target, { throwIfNoEntry: false });
      if (stats === undefined) return false;
      if (!stats.isFile()) throw new BlockedPathError('it is not a regular file');
      fs.unlinkSync(target);
      return true;
    });
  }

  /** As `TreeWriter.removeDirectory`. */
  removeDirectory(path: BytePath): Promise<boolean> {
    return this.#walked('remove directory', path, (walk) => {
      try {
        fs.rmdirSync(walk.locate(path));
        return true;
      } catch (error) {
        const code = systemCode(error);
        if (code === 'ENOTEMPTY' || code === 'EEXIST') return false;
        throw error;
      }
    });
  }

  /**
   * As `TreeWriter.flushDirectories`; also flushes the directories above them, in which they
   * themselves may be new names.
   */
  async flushDirectories(paths: readonly BytePath[]): Promise<void> {
    const items: Flushable[] = [];
    try {
      await eachInSlices(this.#clock, withThoseAbove(paths), (path) => {
        const device = this.#device(path);
        if (device !== undefined) items.push({ device, open: () => this.#open(path) });
      });
      await makeDurable(this.#clock, items);
    } catch (error) {
      throw fileError('flush directories of', '', error, 'writer');
    }
  }

  async #walked(
    action: string,
    path: BytePath,
    work: (walk: Walk) => boolean,
  ): Promise<boolean> {
    await this.#clock.breathe();
    let walk: Walk | undefined;
    try {
      walk = this.#root.walk();
      return work(walk);
    } catch (error) {
      if (saysAbsent(error)) return false;
      throw fileError(action, path, error, 'writer');
    } finally {
      walk?.close();
    }
  }

  #device(path: BytePath): number | undefined {
    const walk = this.#root.walk();
    try {
      return fs.statSync(itself(walk.directory(path))).dev;
    } catch (error) {
      if (saysAbsent(error)) return undefined;
      throw error;
    } finally {
      walk.close();
    }
  }

  #open(path: BytePath): number {
    const walk = this.#root.walk();
    try {
      return fs.openSync(itself(walk.directory(path)), directoryFlags);
    } finally {
      walk.close();
    }
  }
}

// ---

/** The directories and all that they are in, up to the root. */
function withThoseAbove(paths: readonly BytePath[]): BytePath[] {
  const all = new Set<BytePath>();
  for (const path of paths) {
    for (let directory = path; !all.has(directory); directory = parentOf(directory)) {
      all.add(directory);
    }
  }
  return [...all];
}
