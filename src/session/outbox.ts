/**
 * The outbox of a session: one writer, two queues.
 *
 * Control frames (requests, replies, events, credit, close) go before bulk data, so that a
 * keep-alive waits for the chunk that is being written and for nothing else. Control frames that
 * wait together leave in one write. Bulk senders wait for their own chunk to be written before
 * they hand in the next, which shares the line fairly between transfers.
 */
import { concatBytes } from '../base/bytes.ts';
import { type Deferred, deferred } from '../base/async.ts';
import { ProtocolError } from '../base/errors.ts';
import type { Stream } from '../ports.ts';

/**
 * Control frames that may wait for a peer that does not read: 8 MiB, above what 32 requests at
 * once can be answered with.
 */
const controlBytesMax = 8 * 1024 * 1024;

interface Outgoing {
  readonly bytes: Uint8Array;
  readonly written: Deferred<void>;
}

/** Writes frames to a stream in the right order. */
export class Outbox {
  readonly #stream: Stream;
  readonly #control: Outgoing[] = [];
  readonly #bulk: Outgoing[] = [];
  #controlBytes = 0;
  #isWriting = false;
  #failure: Error | undefined;
  #bytesWritten = 0;

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  /** Bytes handed to the stream so far. */
  get bytesWritten(): number {
    return this.#bytesWritten;
  }

  /** Resolves when the frame has been written. */
  control(bytes: Uint8Array): Promise<void> {
    this.#controlBytes += bytes.length;
    if (this.#controlBytes > controlBytesMax) {
      const error = new ProtocolError('unexpected', 'The peer does not read what it asked for');
      this.fail(error);
      return Promise.reject(error);
    }
    return this.#enqueue(this.#control, bytes);
  }

  /** Resolves when the chunk has been written. */
  bulk(bytes: Uint8Array): Promise<void> {
    return this.#enqueue(this.#bulk, bytes);
  }

  /** Gives up all that waits; later frames are refused with the same error. */
  fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    for (const outgoing of [...this.#control, ...this.#bulk]) outgoing.written.reject(error);
    this.#control.length = 0;
    this.#bulk.length = 0;
    this.#controlBytes = 0;
  }

  #enqueue(queue: Outgoing[], bytes: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const written = deferred<void>();
    queue.push({ bytes, written });
    if (!this.#isWriting) {
      this.#isWriting = true;
      void this.#write();
    }
    return written.promise;
  }

  async #write(): Promise<void> {
    for (;;) {
      const batch = this.#nextBatch();
      if (batch.length === 0) break;
      try {
        const bytes = concatBytes(batch.map((outgoing) => outgoing.bytes));
        await this.#stream.write(bytes);
        this.#bytesWritten += bytes.length;
        for (const outgoing of batch) outgoing.written.resolve();
      } catch (error) {
        for (const outgoing of batch) outgoing.written.reject(error);
        this.fail(error as Error);
      }
    }
    this.#isWriting = false;
  }

  /** All waiting control frames, or else the first chunk of bulk data. */
  #nextBatch(): Outgoing[] {
    if (this.#control.length > 0) {
      this.#controlBytes = 0;
      return this.#control.splice(0);
    }
    return this.#bulk.splice(0, 1);
  }
}
