/**
 * One large file that is coming in piece by piece, hashed as it comes.
 *
 * It ends in one of three ways: finished, and then in the batch with the content that it should
 * have; suspended, to be taken up again later; or dropped, which any error does too.
 */
import { displayPath } from '../base/bytes.ts';
import { ClusterError } from '../base/errors.ts';
import type { FileAttributes, Hasher, StagedFile } from '../ports.ts';
import type { Entry } from './entry.ts';

/** What an incoming file is made of. */
export interface IncomingParts {
  readonly entry: Entry;
  /** Where the content is written to, opened at `offset`. */
  readonly file: StagedFile;
  /** Has been fed what is there already. */
  readonly hasher: Hasher;
  /** Bytes that are there already. */
  readonly offset: number;
  readonly attributes: FileAttributes;
  /** Called once when it has ended; with true where it is whole and right. */
  readonly onEnd: (isWhole: boolean) => void;
  /** Removes what has come, after an error where there is one. */
  readonly drop: (error?: unknown) => Promise<void>;
}

/** A large file that is coming in. To be ended by `finish`, `suspend` or `discard`. */
export class IncomingFile {
  readonly #parts: IncomingParts;
  #bytesCount: number;
  #isOpen = true;

  constructor(parts: IncomingParts) {
    this.#parts = parts;
    this.#bytesCount = parts.offset;
  }

  /** Bytes that were there already: what follows is wanted. */
  get offset(): number {
    return this.#parts.offset;
  }

  /** Bytes that are there by now. */
  get position(): number {
    return this.#bytesCount;
  }

  /** Takes the next bytes. @throws ClusterError `noSpace`, `io` or `corrupt`: then it has ended */
  async write(bytes: Uint8Array): Promise<void> {
    const { entry, hasher, file } = this.#parts;
    this.#bytesCount += bytes.length;
    if (this.#bytesCount > entry.size) return await this.#fail(damaged(entry));
    const written = file.write(bytes);
    // Another thread writes: this one hashes meanwhile.
    hasher.update(bytes);
    try {
      await written;
    } catch (error) {
      await this.#fail(error);
    }
  }

  /** All bytes are there. @throws ClusterError `corrupt` where they are not the right ones */
  async finish(): Promise<void> {
    const { entry, hasher, file, attributes, onEnd } = this.#parts;
    const isWhole = this.#bytesCount === entry.size && hasher.digest() === entry.hash;
    if (!isWhole) return await this.#fail(damaged(entry));
    try {
      await file.finish(attributes);
    } catch (error) {
      return await this.#fail(error);
    }
    this.#isOpen = false;
    onEnd(true);
  }

  /** Keeps what has come so far. Nothing where it has ended. */
  async suspend(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#parts.onEnd(false);
    await this.#parts.file.suspend();
  }

  /** Drops what has come so far: the content is not wanted any more. Nothing where it has ended. */
  async discard(): Promise<void> {
    if (!this.#isOpen) return;
    await this.suspend();
    await this.#parts.drop();
  }

  async #fail(error: unknown): Promise<never> {
    await this.suspend();
    await this.#parts.drop(error);
    throw error;
  }
}

/** The error for a content that is not the one that it should be. */
export function damaged(entry: Entry): ClusterError {
  return new ClusterError(
    'corrupt',
    `Cannot stage "${displayPath(entry.path)}": its content does not have the size and hash ` +
      'that it should have',
  );
}
