/**
 * The file of the log: one writer, appended line by line, each line one write.
 *
 * Written at once, so that a crash loses nothing; and never a reason to stop: a line that cannot be
 * written, because the disk is full for instance, is reported as not written and forgotten.
 */
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { ClusterError } from '../base/errors.ts';
import { failureReason } from './file-errors.ts';

/** The owner writes, the group (the administrators) reads. */
const FILE_MODE = 0o640;
const DIRECTORY_MODE = 0o750;

/** A file that lines are appended to. */
export class LogFile {
  readonly #path: string;
  #descriptor: number | undefined;
  /** The last line was written in part. */
  #isTorn = false;

  /** @throws ClusterError('permission') where the file cannot be opened */
  constructor(path: string) {
    this.#path = path;
    this.#descriptor = openLog(path);
  }

  /** Appends a line; returns the reason where that failed. */
  append(line: string): Error | undefined {
    if (this.#descriptor === undefined) return new Error('It is closed');
    const bytes = Buffer.from(`${this.#isTorn ? '\n' : ''}${line}\n`);
    let written = 0;
    try {
      while (written < bytes.length) {
        written += writeSync(this.#descriptor, bytes, written, bytes.length - written);
      }
      this.#isTorn = false;
      return undefined;
    } catch (error) {
      this.#isTorn ||= written > 0;
      return error as Error;
    }
  }

  /**
   * Opens the file anew, after it was renamed; the old one stays in use where that fails.
   * @throws ClusterError('permission')
   */
  reopen(): void {
    const descriptor = openLog(this.#path);
    this.close();
    this.#descriptor = descriptor;
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
    this.#isTorn = false;
  }
}

function openLog(path: string): number {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: DIRECTORY_MODE });
    return openSync(path, 'a', FILE_MODE);
  } catch (error) {
    throw new ClusterError(
      'permission',
      `Cannot open log file "${path}": ${failureReason(error)}`,
      {
        source: error,
        remedy: 'Check its directory and who owns it, or set log.file',
      },
    );
  }
}
