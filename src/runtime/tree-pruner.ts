/**
 * Removing from the managed tree: regular files and empty directories, and nothing else.
 */
import * as fs from 'node:fs';
import type { BytePath } from '../base/bytes.ts';
import type { Clock } from '../ports.ts';
import { BlockedPathError, fileError, saysAbsent, systemCode } from './file-errors.ts';
import type { RootedDirectory, Walk } from './rooted-directory.ts';

/** What the system says of a directory that is not empty, or of what is no directory. */
const notRemovable: ReadonlySet<string | undefined> = new Set(['ENOTEMPTY', 'EEXIST', 'ENOTDIR']);

/** Removes names from the tree below a root. */
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
      if (path === '') return false;
      const target = walk.locate(path);
      try {
        fs.rmdirSync(target);
        return true;
      } catch (error) {
        if (notRemovable.has(systemCode(error))) return false;
        throw error;
      }
    });
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
}
