/**
 * The body of an HTTP request: as one small JSON document, or as a stream of bytes that is read no
 * faster than it is used.
 */
import { Buffer } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { deferred, withDeadline } from '../base/async.ts';
import { ClusterError } from '../base/errors.ts';
import { systemClock } from './clock.ts';
import { leftBehind } from './memory.ts';

/** Limits of the body of a request. */
export interface BodyLimits {
  /** Largest document, bytes. */
  readonly documentBytesMax: number;
  /** Time for a document to arrive, ms. */
  readonly documentMs: number;
  /** Time for the next bytes of a stream to arrive, ms; a stream may go on for ever. */
  readonly streamIdleMs: number;
}

/** Of a body that nobody wants, so much is read and dropped, bytes. */
const droppedBytesMax = 256 * 1024 * 1024;

/** The body is larger than a document may be. */
export class BodyTooLargeError extends ClusterError {
  constructor(bytesMax: number) {
    super('refused', `A request may have ${bytesMax} bytes`);
  }
}

/**
 * The JSON document that was sent; undefined where there was none.
 * @throws BodyTooLargeError, or ClusterError `protocol` or `timeout`
 */
export async function readDocument(
  message: IncomingMessage,
  { documentBytesMax, documentMs }: BodyLimits,
  signal: AbortSignal,
): Promise<unknown> {
  const ended = deferred<void>();
  const chunks: Buffer[] = [];
  let bytesCount = 0;
  message.on('data', (chunk: Buffer) => {
    bytesCount += chunk.length;
    if (bytesCount <= documentBytesMax) {
      chunks.push(chunk);
      return;
    }
    // The rest is read and dropped, so that the client sees the answer.
    chunks.length = 0;
    ended.reject(new BodyTooLargeError(documentBytesMax));
  });
  message.on('end', () => ended.resolve());
  message.on('error', (error) => ended.reject(error));
  await withDeadline(systemClock, documentMs, 'The request', signal, () => ended.promise);
  if (bytesCount === 0) return undefined;
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch (cause) {
    throw new ClusterError('protocol', 'Cannot read the body of the request', { cause });
  }
}

/** The body of a request as a stream of bytes. */
export class BodyStream {
  readonly #iterator: AsyncIterator<Buffer>;
  readonly #limits: BodyLimits;
  readonly #signal: AbortSignal;
  #isEnded = false;

  constructor(message: IncomingMessage, limits: BodyLimits, signal: AbortSignal) {
    this.#iterator = message[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    this.#limits = limits;
    this.#signal = signal;
  }

  /**
   * What is sent, as it arrives. While nobody asks for the next bytes, the socket is not read.
   * @throws ClusterError `timeout` where the client falls silent
   */
  async *chunks(): AsyncGenerator<Uint8Array, void, void> {
    for (let step = await this.#next(); step.done !== true; step = await this.#next()) {
      yield step.value;
    }
  }

  /**
   * Reads and drops what is left, within limits: many clients do not look at an answer before they
   * have sent everything. Never rejects.
   */
  async drop(): Promise<void> {
    try {
      for (let bytesLeft = droppedBytesMax; bytesLeft > 0 && !this.#isEnded;) {
        const step = await this.#next();
        if (step.done !== true) bytesLeft -= step.value.length;
      }
    } catch {
      // The client is gone, or silent.
    }
  }

  async #next(): Promise<IteratorResult<Buffer>> {
    const { streamIdleMs } = this.#limits;
    if (this.#isEnded) return { done: true, value: undefined };
    try {
      const step = await withDeadline(
        systemClock,
        streamIdleMs,
        'The rest of the request',
        this.#signal,
        () => this.#iterator.next(),
      );
      this.#isEnded = step.done === true;
      if (step.done !== true) leftBehind(step.value.length);
      return step;
    } catch (error) {
      this.#isEnded = true;
      if (error instanceof ClusterError) throw error;
      throw new ClusterError('aborted', 'The client has gone away', { cause: error });
    }
  }
}
