/**
 * A directory of muster's own inside its state directory, with plain names in it: staging, kept
 * versions. Nobody else may look into it.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { displayText } from '../base/bytes.ts';
import { ClusterError } from '../base/errors.ts';
import type { Clock } from '../ports.ts';
import { fileError, saysAbsent } from './file-errors.ts';
import { eachInSlices } from './slices.ts';

/** A directory that only muster uses. */
export class PrivateDirectory {
  readonly path: string;
  readonly #clock: Pick<Clock, 'monotonicMs' | 'breathe'>;

  /** Creates the directory where it is missing. */
  constructor(path: string, clock: Pick<Clock, 'monotonicMs' | 'breathe'>) {
    fs.mkdirSync(path, { recursive: true, mode: 0o700 });
    fs.chmodSync(path, 0o700);
    this.path = path;
    this.#clock = clock;
  }

  /**
   * The system's path of a name.
   * @throws ClusterError `refused` where it is no plain name
   */
  locate(name: string): string {
    if (!/^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(name)) {
      throw new ClusterError('refused', `"${displayText(name)}" is not a plain file name`);
    }
    return join(this.path, name);
  }

  /** Removes files; those that are not there are no error. */
  async discard(names: readonly string[]): Promise<void> {
    await eachInSlices(this.#clock, names, (name) => removeFile(this.locate(name), name));
  }

  /** All names, but those that begin with a dot. */
  names(): string[] {
    try {
      return fs.readdirSync(this.path).filter((name) => !name.startsWith('.'));
    } catch (error) {
      throw fileError('list', this.path, error, 'writer');
    }
  }
}

/** Removes a file of muster's own that is of no use any more; one that is not there is no error. */
export function removeFile(path: string, name: string): void {
  try {
    fs.unlinkSync(path);
  } catch (error) {
    if (!saysAbsent(error)) throw fileError('discard', name, error, 'writer');
  }
}
