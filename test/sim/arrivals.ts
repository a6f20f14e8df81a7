/**
 * What arrived at one end of a simulated connection, and the one who reads it.
 *
 * It knows nothing of the way: it keeps chunks in their order until they are taken, then the end or
 * the error that came after them.
 */
import { type Deferred, deferred } from '../../src/base/async.ts';
import { concatBytes } from '../../src/base/bytes.ts';

/** The result of one read. */
export type Taken = IteratorResult<Uint8Array, undefined>;

/** What the owner decides and learns. */
export interface ArrivalsOptions {
  /** Whether all that arrived shall be taken in one chunk. */
  readonly joins: () => boolean;
  readonly onTaken: (bytesCount: number) => void;
  /** The reader has seen the end. */
  readonly onEnd: () => void;
}

/** A queue of chunks with one reader. */
export class Arrivals {
  readonly #options: ArrivalsOptions;
  #chunks: Uint8Array[] = [];
  #hasEnded = false;
  #error: Error | undefined;
  #reader: Deferred<Taken> | undefined;

  constructor(options: ArrivalsOptions) {
    this.#options = options;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  push(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.#wake();
  }

  end(): void {
    this.#hasEnded = true;
    this.#wake();
  }

  /** Nothing more comes; what nobody has read yet may be dropped. */
  fail(error: Error, dropsUnread: boolean): void {
    this.#error = error;
    if (dropsUnread) this.#chunks = [];
    this.#wake();
  }

  next(): Promise<Taken> {
    if (this.#reader !== undefined) throw new Error('A stream has one reader, that waits already');
    const reader = deferred<Taken>();
    this.#reader = reader;
    this.#wake();
    return reader.promise;
  }

  #wake(): void {
    const reader = this.#reader;
    if (reader === undefined) return;
    if (this.#chunks.length > 0) {
      this.#reader = undefined;
      reader.resolve({ done: false, value: this.#take() });
    } else if (this.#error !== undefined) {
      this.#reader = undefined;
      reader.reject(this.#error);
    } else if (this.#hasEnded) {
      this.#reader = undefined;
      this.#options.onEnd();
      reader.resolve({ done: true, value: undefined });
    }
  }

  #take(): Uint8Array {
    const joinsAll = this.#chunks.length > 1 && this.#options.joins();
    const taken = concatBytes(this.#chunks.splice(0, joinsAll ? this.#chunks.length : 1));
    this.#options.onTaken(taken.length);
    return taken;
  }
}
