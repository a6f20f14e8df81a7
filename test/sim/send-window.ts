/**
 * How much may be on its way to a reader before those who write have to wait.
 *
 * It only counts: who sends and who reads tell it. Without back-pressure in the program,
 * `outstandingBytes` grows without bound, which a test can see.
 */
import { type Deferred, deferred } from '../../src/base/async.ts';

/** Back-pressure of one direction of a simulated connection. */
export class SendWindow {
  readonly #windowBytes: () => number;
  #outstandingBytes = 0;
  #writers: Deferred<void>[] = [];

  /** @param windowBytes how much may be outstanding, as it is now */
  constructor(windowBytes: () => number) {
    this.#windowBytes = windowBytes;
  }

  /** Written and, as far as is known, not yet taken by the reader. */
  get outstandingBytes(): number {
    return this.#outstandingBytes;
  }

  /** Counts bytes that are sent; resolves when no more than the window are outstanding. */
  take(bytesCount: number): Promise<void> {
    this.#outstandingBytes += bytesCount;
    if (this.#outstandingBytes <= this.#windowBytes()) return Promise.resolve();
    const writer = deferred<void>();
    this.#writers.push(writer);
    return writer.promise;
  }

  /** The reader has taken bytes. */
  free(bytesCount: number): void {
    this.#outstandingBytes -= bytesCount;
    if (this.#outstandingBytes > this.#windowBytes()) return;
    for (const writer of this.#writers.splice(0)) writer.resolve();
  }

  /** Nothing will be taken any more. */
  fail(error: Error): void {
    for (const writer of this.#writers.splice(0)) writer.reject(error);
  }
}
