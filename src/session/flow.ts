/**
 * Flow control: how much two nodes may have under way with each other.
 *
 * Bulk data go by credit: the sender spends it, the receiver grants it as it consumes. The window
 * bounds what a transfer holds in memory at either end, whatever the runtime's sockets do about
 * back-pressure.
 */
import { type Deferred, deferred, untilAborted } from '../base/async.ts';
import { ProtocolError } from '../base/errors.ts';

/** Credit that every transfer begins with, bytes. Part of the protocol. */
export const windowBytes = 1024 * 1024;

/** Requests that a node has under way with one peer at once. */
export const askingMax = 32;

/**
 * Requests of one peer being answered at once; more break the protocol. Twice what a peer asks:
 * those that it gave up count until they have really ended.
 */
export const answeringMax = 2 * askingMax;

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

  /** Takes credit for `bytes`, at most a window, waiting until there is enough. */
  async spend(bytes: number, signal: AbortSignal): Promise<void> {
    while (this.#credit < bytes) {
      this.#waiting ??= deferred();
      await untilAborted(this.#waiting.promise, signal);
    }
    this.#credit -= bytes;
  }
}

/** The receiver's side: a queue of chunks that grants credit as they are consumed. */
export class BulkInbox {
  readonly #grant: (bytes: number) => void;
  readonly #chunks: Uint8Array[] = [];
  #waiting: Deferred<void> | undefined;
  /** Credit granted that nothing has arrived for yet. */
  #outstanding = windowBytes;
  /** Bytes of the chunk that the consumer is busy with. */
  #taken = 0;
  #consumed = 0;
  #end: { error: unknown } | 'complete' | undefined;

  /** @param grant sends credit to the other end */
  constructor(grant: (bytes: number) => void) {
    this.#grant = grant;
  }

  /**
   * A chunk arrived.
   * @throws ProtocolError `windowExceeded` where the sender had no credit for it, `malformed` where
   * it is empty: it would cost memory and no credit
   */
  push(chunk: Uint8Array): void {
    if (chunk.length === 0) throw new ProtocolError('malformed', 'A data frame is empty');
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

  /** The next chunk, undefined after the last. The one taken before counts as consumed. */
  async take(): Promise<Uint8Array | undefined> {
    this.#consume();
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        this.#taken = chunk.length;
        return chunk;
      }
      if (this.#end === 'complete') return undefined;
      if (this.#end !== undefined) throw this.#end.error;
      this.#waiting = deferred();
      await this.#waiting.promise;
    }
  }

  #consume(): void {
    this.#consumed += this.#taken;
    this.#taken = 0;
    // In quarters of the window: rarely enough to cost nothing, often enough to keep it moving.
    if (this.#consumed < windowBytes / 4 || this.#end !== undefined) return;
    const bytes = this.#consumed;
    this.#consumed = 0;
    this.#outstanding += bytes;
    this.#grant(bytes);
  }

  #wake(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }
}
