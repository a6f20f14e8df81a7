/**
 * Makes the names in directories durable: after that a file that was placed is found at its path,
 * and one that was removed is gone, whatever happens to the power.
 */
import * as fs from 'node:fs';
import type { BytePath } from '../base/bytes.ts';
import type { Clock } from '../ports.ts';
import { directoryFlags } from './descriptors.ts';
import { type Flushable, makeDurable } from './durability.ts';
import { BlockedPathError, fileError, saysAbsent } from './file-errors.ts';
import { itself, parentOf, type RootedDirectory, type SystemPath } from './rooted-directory.ts';
import { eachInSlices } from './slices.ts';

/** Flushes directories of the tree together with muster's own. */
export class DirectoryFlusher {
  readonly #root: RootedDirectory;
  readonly #clock: Pick<Clock, 'monotonicMs' | 'breathe'>;
  readonly #ownDirectories: readonly string[];

  /** @param ownDirectories where names were moved from, or kept, along with those in the tree */
  constructor(
    root: RootedDirectory,
    clock: Pick<Clock, 'monotonicMs' | 'breathe'>,
    ownDirectories: readonly string[],
  ) {
    this.#root = root;
    this.#clock = clock;
    this.#ownDirectories = ownDirectories;
  }

  /**
   * As `TreeWriter.flushDirectories`; also flushes the directories above them, in which they
   * themselves may be new names. What is no directory any more has no names to flush.
   */
  async flush(paths: readonly BytePath[]): Promise<void> {
    try {
      const items = this.#ownDirectories.map(ownFlushable);
      await eachInSlices(this.#clock, withThoseAbove(paths), (path) => {
        const device = this.#inDirectory(path, (itsPath) => fs.statSync(itsPath).dev);
        if (device === undefined) return;
        const open = () =>
          this.#inDirectory(path, (itsPath) => fs.openSync(itsPath, directoryFlags));
        items.push({ device, open });
      });
      await makeDurable(this.#clock, items);
    } catch (error) {
      throw fileError('flush directories of', '', error, 'writer');
    }
  }

  #inDirectory<T>(path: BytePath, work: (itsPath: SystemPath) => T): T | undefined {
    const walk = this.#root.walk();
    try {
      return work(itself(walk.directory(path)));
    } catch (error) {
      if (saysAbsent(error) || error instanceof BlockedPathError) return undefined;
      throw error;
    } finally {
      walk.close();
    }
  }
}

// ---

function ownFlushable(path: string): Flushable {
  return { device: fs.statSync(path).dev, open: () => fs.openSync(path, directoryFlags) };
}

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
