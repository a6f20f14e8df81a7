/**
 * Frames: how messages are cut out of a stream of bytes. Pure: bytes in, frames out.
 *
 *     offset  size  field
 *          0     4  length   bytes of payload, big-endian
 *          4     1  kind     see `FrameKind`
 *          5     1  flags    zero; a reader ignores bits it does not know
 *          6     2  message  id in the message table; for `failure`, `data`, `credit`, `cancel` 0
 *          8     4  stream   number of the request that the frame belongs to; 0 for events, close
 *         12     …  payload
 *
 * A length above the limit is refused from the header alone, before anything is buffered for it.
 * Incomplete input is an ordinary condition: `push` yields the frames that are whole.
 */
import { ProtocolError } from '../base/errors.ts';

/** Bytes before the payload. */
export const headerBytes = 12;

/**
 * Largest payload of any frame. One chunk of bulk data is the longest that a keep-alive can have
 * to wait for; 256 KiB fills a TLS record batch well and takes 2 ms at 1 Gbit/s.
 */
export const payloadBytesMax = 256 * 1024;

/** What a frame is; the numbers are the protocol: only ever append. */
export const frameKinds = {
  request: 1,
  reply: 2,
  failure: 3,
  event: 4,
  data: 5,
  credit: 6,
  cancel: 7,
  close: 8,
} as const;

export type FrameKind = keyof typeof frameKinds;

const kindsByNumber: readonly (FrameKind | undefined)[] = (() => {
  const table: (FrameKind | undefined)[] = [];
  for (const [name, number] of Object.entries(frameKinds)) table[number] = name as FrameKind;
  return table;
})();

/** One frame. */
export interface Frame {
  readonly kind: FrameKind;
  /** Id in the message table; 0 where the kind carries none. */
  readonly message: number;
  /** Number of the request it belongs to; 0 where there is none. */
  readonly stream: number;
  readonly payload: Uint8Array;
}

const noPayload = new Uint8Array(0);

/**
 * The bytes of a frame, header and payload in one array, so that they leave in one write.
 * @throws Error where the payload is too long for any frame
 */
export function encodeFrame(
  kind: FrameKind,
  message: number,
  stream: number,
  payload: Uint8Array = noPayload,
): Uint8Array {
  if (payload.length > payloadBytesMax) {
    throw new Error(
      `Cannot send a ${kind} frame of ${payload.length} bytes: the limit is ${payloadBytesMax}`,
    );
  }
  const bytes = new Uint8Array(headerBytes + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, payload.length);
  bytes[4] = frameKinds[kind];
  view.setUint16(6, message);
  view.setUint32(8, stream);
  bytes.set(payload, headerBytes);
  return bytes;
}

interface Header {
  readonly kind: FrameKind;
  readonly message: number;
  readonly stream: number;
  readonly length: number;
}

/**
 * Cuts frames out of chunks as they arrive.
 *
 * Holds at most one header and one payload, never the chunks: however small the pieces in which a
 * peer sends, a decoder takes no more memory than its limit. A payload that lies in one chunk whole
 * is yielded as a view of it.
 */
export class FrameDecoder {
  #limit: number;
  readonly #head = new Uint8Array(headerBytes);
  #headFilled = 0;
  /** The header of the frame that is being gathered, once it is whole. */
  #header: Header | undefined;
  /** Where its payload is gathered, once it is known not to lie in one chunk. */
  #payload = noPayload;
  #payloadFilled = 0;

  /** @param limit largest payload accepted, bytes; small before the peer is known */
  constructor(limit: number = payloadBytesMax) {
    this.#limit = limit;
  }

  /** Changes the limit, for the frames whose header has not arrived yet. */
  set limit(bytes: number) {
    this.#limit = bytes;
  }

  /** Bytes held for a frame that is not whole yet. */
  get buffered(): number {
    return this.#headFilled + this.#payloadFilled;
  }

  /**
   * Takes a chunk and yields the frames that it completes, one at a time: the limit may be
   * changed between two of them. Who stops before the last gives up the rest of the chunk, and with
   * it the stream; nothing can be decoded after an error either.
   * @throws ProtocolError `frameTooLarge` or `unknownKind`, from the header alone
   */
  *push(chunk: Uint8Array): Generator<Frame, void, undefined> {
    let at = 0;
    for (;;) {
      if (this.#header === undefined) {
        at += this.#gatherHead(chunk, at);
        if (this.#headFilled < headerBytes) return;
        this.#header = this.#readHeader();
      }
      const { kind, message, stream, length } = this.#header;
      const missing = length - this.#payloadFilled;
      if (at + missing > chunk.length) {
        this.#gatherPayload(chunk, at, length);
        return;
      }
      // A plain Uint8Array, also where the runtime's chunks are of some class of its own.
      const rest = new Uint8Array(chunk.buffer, chunk.byteOffset + at, missing);
      at += missing;
      yield { kind, message, stream, payload: this.#takePayload(rest) };
    }
  }

  #gatherHead(chunk: Uint8Array, at: number): number {
    const part = chunk.subarray(at, at + headerBytes - this.#headFilled);
    this.#head.set(part, this.#headFilled);
    this.#headFilled += part.length;
    return part.length;
  }

  #gatherPayload(chunk: Uint8Array, at: number, length: number): void {
    if (at === chunk.length) return;
    if (this.#payloadFilled === 0) this.#payload = new Uint8Array(length);
    this.#payload.set(chunk.subarray(at), this.#payloadFilled);
    this.#payloadFilled += chunk.length - at;
  }

  /** The whole payload, of which `rest` is what was still missing; makes ready for the next frame. */
  #takePayload(rest: Uint8Array): Uint8Array {
    this.#header = undefined;
    this.#headFilled = 0;
    if (this.#payloadFilled === 0) return rest;
    const payload = this.#payload;
    payload.set(rest, this.#payloadFilled);
    this.#payload = noPayload;
    this.#payloadFilled = 0;
    return payload;
  }

  #readHeader(): Header {
    const view = new DataView(this.#head.buffer);
    const length = view.getUint32(0);
    const kind = kindsByNumber[this.#head[4]!];
    if (kind === undefined) {
      throw new ProtocolError('unknownKind', `Frame of unknown kind ${this.#head[4]}`);
    }
    if (length > this.#limit) {
      throw new ProtocolError(
        'frameTooLarge',
        `A ${kind} frame announces ${length} bytes: the limit is ${this.#limit}`,
      );
    }
    return { kind, message: view.getUint16(6), stream: view.getUint32(8), length };
  }
}
