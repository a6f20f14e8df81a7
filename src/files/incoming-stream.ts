/**
 * One large content that comes in before anybody has said how long it is and what its hash is: both
 * are known at its end. Whether it is what it should be is for the caller to see, before it is placed.
 */
import type { BytePath } from '../base/bytes.ts';
import type { FileAttributes, Hasher, StagedFile } from '../ports.ts';
import type { Entry } from './entry.ts';

/** What an incoming content is made of. */
export interface StreamParts {
  readonly path: BytePath;
  readonly file: StagedFile;
  readonly hasher: Hasher;
  readonly attributes: FileAttributes;
  readonly nowMs: () => number;
  /** @throws ClusterError `noSpace` where there is no room for so many bytes more */
  readonly requireSpace: (bytes: number) => Promise<void>;
  /** Called once when it has ended; with the entry where it is whole. */
  readonly onEnd: (entry: Entry | undefined) => void;
  /** Removes what has come, after an error where there is one. */
  readonly drop: (error?: unknown) => Promise<void>;
}

/** Room is looked for whenever so many bytes have come. */
const spaceStepBytes = 16 * 1024 * 1024;

/** A large content that is coming in. To be ended by `finish` or `discard`. */
export class IncomingStream {
  readonly #parts: StreamParts;
  #bytesCount = 0;
  #roomBytes = 0;
  #isOpen = true;

  constructor(parts: StreamParts) {
    this.#parts = parts;
  }

  /** Takes the next bytes. @throws ClusterError `noSpace` or `io`: then it has ended */
  async write(bytes: Uint8Array): Promise<void> {
    const { hasher, file, requireSpace } = this.#parts;
    this.#bytesCount += bytes.length;
    hasher.update(bytes);
    try {
      if (this.#bytesCount > this.#roomBytes) {
        await requireSpace(spaceStepBytes);
        this.#roomBytes = this.#bytesCount + spaceStepBytes;
      }
      await file.write(bytes);
    } catch (error) {
      await this.#end(error);
      throw error;
    }
  }

  /** All bytes are there; the entry that they make. */
  async finish(): Promise<Entry> {
    const { path, hasher, file, attributes, nowMs, onEnd } = this.#parts;
    const entry = { path, size: this.#bytesCount, mtimeMs: nowMs(), hash: hasher.digest() };
    try {
      await file.finish(attributes);
    } catch (error) {
      await this.#end(error);
      throw error;
    }
    this.#isOpen = false;
    onEnd(entry);
    return entry;
  }

  /** Drops what has come so far. Nothing where it has ended. */
  async discard(): Promise<void> {
    if (this.#isOpen) await this.#end();
  }

  async #end(error?: unknown): Promise<void> {
    const { file, onEnd, drop } = this.#parts;
    this.#isOpen = false;
    onEnd(undefined);
    await file.suspend();
    await drop(error);
  }
}
