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
 * Incomplete input is an ordinary condition: `push` returns the frames that are whole.
 */
import { concatBytes } from '../base/bytes.ts';
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

/** The bytes of a frame, header and payload in one array, so that they leave in one write. */
export function encodeFrame(
  kind: FrameKind,
  message: number,
  stream: number,
  payload: Uint8Array = noPayload,
): Uint8Array {
  if (payload.length > payloadBytesMax) {
    throw new ProtocolError(
      'frameTooLarge',
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

/** Cuts frames out of chunks as they arrive. */
export class FrameDecoder {
  #payloadBytesMax: number;
  #chunks: Uint8Array[] = [];
  #buffered = 0;
  /** The header of the frame that is being gathered, once it is whole. */
  #header: { kind: FrameKind; message: number; stream: number; length: number } | undefined;

  /** @param limit largest payload accepted, bytes; small before the peer is known */
  constructor(limit: number = payloadBytesMax) {
    this.#payloadBytesMax = limit;
  }

  /** Changes the limit, for the frames whose header has not arrived yet. */
  set limit(bytes: number) {
    this.#payloadBytesMax = bytes;
  }

  /** Bytes held for a frame that is not whole yet. */
  get buffered(): number {
    return this.#buffered;
  }

  /**
   * Takes a chunk and yields the frames that it completes, one at a time: the limit may be
   * changed between two of them.
   * @throws ProtocolError `frameTooLarge` or `unknownKind`, from the header alone
   */
  *push(chunk: Uint8Array): Generator<Frame, void, undefined> {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    for (;;) {
      if (this.#header === undefined) {
        if (this.#buffered < headerBytes) return;
        this.#header = this.#readHeader(this.#take(headerBytes));
      }
      const { kind, message, stream, length } = this.#header;
      if (this.#buffered < length) return;
      this.#header = undefined;
      yield { kind, message, stream, payload: length === 0 ? noPayload : this.#take(length) };
    }
  }

  #readHeader(bytes: Uint8Array) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const length = view.getUint32(0);
    const kind = kindsByNumber[bytes[4]!];
    if (kind === undefined) {
      throw new ProtocolError('unknownKind', `Frame of unknown kind ${bytes[4]}`);
    }
    if (length > this.#payloadBytesMax) {
      throw new ProtocolError(
        'frameTooLarge',
        `A ${kind} frame announces ${length} bytes: the limit is ${this.#payloadBytesMax}`,
      );
    }
    return { kind, message: view.getUint16(6), stream: view.getUint32(8), length };
  }

  /** Removes the first `count` buffered bytes; a view of one chunk where they lie in one. */
  #take(count: number): Uint8Array {
    this.#buffered -= count;
    const first = this.#chunks[0]!;
    if (first.length > count) {
      this.#chunks[0] = first.subarray(count);
      return first.subarray(0, count);
    }
    const parts: Uint8Array[] = [];
    let missing = count;
    let used = 0;
    while (missing > 0) {
      const chunk = this.#chunks[used]!;
      if (chunk.length > missing) {
        parts.push(chunk.subarray(0, missing));
        this.#chunks[used] = chunk.subarray(missing);
        break;
      }
      parts.push(chunk);
      missing -= chunk.length;
      used += 1;
    }
    this.#chunks.splice(0, used);
    return concatBytes(parts);
  }
}
