/**
 * The outbox of a session: one writer, two queues.
 *
 * Control frames (requests, replies, events, credit) go before bulk data, so that a keep-alive
 * waits for the chunk that is being written and for nothing else. Control frames that wait together
 * leave in one write. Bulk senders wait for their own chunk to be written before they hand in the
 * next, which shares the line fairly between transfers. A peer that does not read is given up.
 */
import { type Deferred, deferred, withDeadline } from '../base/async.ts';
import { concatBytes } from '../base/bytes.ts';
import { ProtocolError } from '../base/errors.ts';
import type { Clock, Stream } from '../ports.ts';

/**
 * Control frames that may wait for a peer that does not read: 8 MiB, above what a node's requests
 * can be answered with.
 */
const controlBytesMax = 8 * 1024 * 1024;

/** Longest time one write may take, ms: a line that needs a minute for a chunk is none. */
export const writeTimeoutMs = 60_000;

interface Outgoing {
  readonly bytes: Uint8Array;
  readonly written: Deferred<void>;
}

/** Writes frames to a stream in the right order. */
export class Outbox {
  readonly #stream: Stream;
  readonly #clock: Clock;
  readonly #onFailure: (error: Error) => void;
  readonly #control: Outgoing[] = [];
  readonly #bulk: Outgoing[] = [];
  /** Frames of the write under way. */
  #batch: Outgoing[] = [];
  readonly #stop = new AbortController();
  #controlBytes = 0;
  #isWriting = false;
  #refusal: Error | undefined;
  #bytesWritten = 0;

  /** @param onFailure told once when nothing more can be written, unless by `fail` */
  constructor(stream: Stream, clock: Clock, onFailure: (error: Error) => void) {
    this.#stream = stream;
    this.#clock = clock;
    this.#onFailure = onFailure;
  }

  /** Bytes handed to the stream so far. */
  get bytesWritten(): number {
    return this.#bytesWritten;
  }

  /** Whether nothing waits and nothing is being written. */
  get isIdle(): boolean {
    return !this.#isWriting && this.#refusal === undefined;
  }

  /** Resolves when the frame has been written. Who does not wait need not care for failures. */
  control(bytes: Uint8Array): Promise<void> {
    // Before it is handed in: what is written at once does not wait.
    if (this.#refusal === undefined) this.#controlBytes += bytes.length;
    const written = this.#enqueue(this.#control, bytes);
    if (this.#controlBytes > controlBytesMax) {
      this.#broken(new ProtocolError('unexpected', 'The peer does not read what it asked for'));
    }
    return written;
  }

  /** Resolves when the chunk has been written. */
  bulk(bytes: Uint8Array): Promise<void> {
    return this.#enqueue(this.#bulk, bytes);
  }

  /** Sends a last frame; bulk data that wait are dropped, and later frames refused, with the error. */
  finish(bytes: Uint8Array, error: Error): Promise<void> {
    const written = this.#enqueue(this.#control, bytes);
    this.#refusal ??= error;
    reject(this.#bulk.splice(0), error);
    return written;
  }

  /** Gives up all that waits and the write under way; later frames are refused. */
  fail(error: Error): void {
    this.#refusal ??= error;
    reject([...this.#batch, ...this.#control.splice(0), ...this.#bulk.splice(0)], error);
    this.#controlBytes = 0;
    this.#stop.abort(error);
  }

  #broken(error: Error): void {
    if (this.#stop.signal.aborted) return;
    this.fail(error);
    this.#onFailure(error);
  }

  #enqueue(queue: Outgoing[], bytes: Uint8Array): Promise<void> {
    const outgoing = { bytes, written: deferred<void>() };
    // The session hears of failures by `onFailure`: not everyone who sends waits for the outcome.
    outgoing.written.promise.catch(() => {});
    if (this.#refusal !== undefined) {
      outgoing.written.reject(this.#refusal);
      return outgoing.written.promise;
    }
    queue.push(outgoing);
    if (!this.#isWriting) void this.#write();
    return outgoing.written.promise;
  }

  async #write(): Promise<void> {
    this.#isWriting = true;
    const what = `Writing to ${this.#stream.remote}`;
    try {
      for (;;) {
        this.#takeBatch();
        if (this.#batch.length === 0) break;
        const bytes = concatBytes(this.#batch.map((outgoing) => outgoing.bytes));
        await withDeadline(
          this.#clock,
          writeTimeoutMs,
          what,
          this.#stop.signal,
          () => this.#stream.write(bytes),
        );
        this.#bytesWritten += bytes.length;
        for (const outgoing of this.#batch) outgoing.written.resolve();
      }
    } catch (error) {
      this.#broken(error as Error);
    }
    this.#isWriting = false;
  }

  /** All waiting control frames, or else the first chunk of bulk data. */
  #takeBatch(): void {
    if (this.#control.length > 0) {
      this.#controlBytes = 0;
      this.#batch = this.#control.splice(0);
    } else {
      this.#batch = this.#bulk.splice(0, 1);
    }
  }
}

function reject(frames: readonly Outgoing[], error: Error): void {
  for (const outgoing of frames) outgoing.written.reject(error);
}
