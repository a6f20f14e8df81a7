/**
 * Flow control of bulk data: the sender spends credit, the receiver grants it as it consumes.
 *
 * The window bounds what a transfer holds in memory at either end, whatever the runtime's sockets
 * do about back-pressure.
 */
import { type Deferred, deferred, untilAborted } from '../base/async.ts';
import { ProtocolError } from '../base/errors.ts';

/** Credit that every transfer begins with, bytes. Part of the protocol. */
export const windowBytes = 1024 * 1024;

/** The sender's side: waits until there is credit. */
export class CreditGate {
  #credit = windowBytes;
  #waiting: Deferred<void> | undefined;

  /** The receiver granted more. */
  grant(bytes: number): void {
    this.#credit += bytes;
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }

  /** Takes credit for `bytes`, waiting until there is enough. One caller at a time. */
  async spend(bytes: number, signal: AbortSignal): Promise<void> {
    while (this.#credit < bytes) {
      this.#waiting = deferred();
      await untilAborted(this.#waiting.promise, signal);
    }
    this.#credit -= bytes;
  }
}

/** The receiver's side: a queue of chunks that grants credit as they are consumed. */
export class BulkInbox {
  readonly #grant: (bytes: number) => void;
  #chunks: Uint8Array[] = [];
  #waiting: Deferred<void> | undefined;
  #outstanding = windowBytes;
  #consumed = 0;
  #end: { error: unknown } | 'complete' | undefined;

  /** @param grant sends credit to the other end */
  constructor(grant: (bytes: number) => void) {
    this.#grant = grant;
  }

  /**
   * A chunk arrived.
   * @throws ProtocolError('windowExceeded') where the sender had no credit for it
   */
  push(chunk: Uint8Array): void {
    this.#outstanding -= chunk.length;
    if (this.#outstanding < 0) {
      throw new ProtocolError('windowExceeded', 'The peer sends more bulk data than was granted');
    }
    if (this.#end !== undefined) return;
    this.#chunks.push(chunk);
    this.#wake();
  }

  /** No more will come; an error is thrown to the consumer once it has taken what is there. */
  finish(end: { error: unknown } | 'complete'): void {
    this.#end ??= end;
    this.#wake();
  }

  /** The chunks, once. */
  async *read(): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        yield chunk;
        this.#consume(chunk.length);
      } else if (this.#end === 'complete') {
        return;
      } else if (this.#end !== undefined) {
        throw this.#end.error;
      } else {
        this.#waiting = deferred();
        await this.#waiting.promise;
      }
    }
  }

  #consume(bytes: number): void {
    this.#consumed += bytes;
    // In quarters of the window: rarely enough to cost nothing, often enough to keep it moving.
    if (this.#consumed < windowBytes / 4 || this.#end !== undefined) return;
    this.#outstanding += this.#consumed;
    this.#grant(this.#consumed);
    this.#consumed = 0;
  }

  #wake(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }
}
