/** Cutting frames, a header of fixed length and a body, out of a stream of bytes. Pure. */
import { ByteWriter } from './cursor.ts';

/** What a header tells. */
export interface FrameHeader {
  /** Bytes of the body. */
  readonly length: number;
}

/**
 * Room for a body is taken at once up to here, so that it is not copied while it grows: the largest
 * piece of a file in any protocol, with what encryption adds. Beyond it, as bytes come.
 */
const reservedBytesMax = 8 * 1024 * 1024;

/**
 * Cuts frames out of chunks as they arrive.
 *
 * Holds at most one header and what has arrived of one body, never the chunks: however small the
 * pieces in which a peer sends. A body that lies in one chunk whole is given as a view of it.
 */
export abstract class FrameCutter<Header extends FrameHeader, Frame> {
  /** Largest body accepted, bytes; a change is for the frames whose header has not arrived yet. */
  limit: number;
  readonly #head: Uint8Array;
  #headFilled = 0;
  /** The header of the frame that is being gathered, once it is whole. */
  #header: Header | undefined;
  /** Its body, once it is known not to lie in one chunk. */
  #body: ByteWriter | undefined;

  protected constructor(headerBytes: number, limit: number) {
    this.#head = new Uint8Array(headerBytes);
    this.limit = limit;
  }

  /** Bytes held for a frame that is not whole yet. */
  get buffered(): number {
    return this.#headFilled + (this.#body?.length ?? 0);
  }

  /** A header has come and its body not: the time in which a peer may be slow is limited. */
  get isInBody(): boolean {
    return this.#header !== undefined;
  }

  /**
   * Takes a chunk and yields the frames that it completes, one at a time: the limit may be
   * changed between two of them. Who stops before the last gives up the rest of the chunk, and with
   * it the stream; nothing can be decoded after an error either.
   * @throws what `readHeader` throws, from the header alone
   */
  *push(chunk: Uint8Array): Generator<Frame, void, undefined> {
    let at = 0;
    for (;;) {
      if (this.#header === undefined) {
        at += this.#gatherHead(chunk, at);
        if (this.#headFilled < this.#head.length) return;
        this.#header = this.readHeader(this.#head);
      }
      const header = this.#header;
      const missing = header.length - (this.#body?.length ?? 0);
      if (at + missing > chunk.length) {
        this.#gatherBody(chunk, at, header.length);
        return;
      }
      // A plain Uint8Array, also where the runtime's chunks are of some class of its own.
      const rest = new Uint8Array(chunk.buffer, chunk.byteOffset + at, missing);
      at += missing;
      yield this.frameOf(header, this.#takeBody(rest));
    }
  }

  /** What a whole header says. Throws where there can be no such frame, or it is beyond `limit`. */
  protected abstract readHeader(head: Uint8Array): Header;

  protected abstract frameOf(header: Header, body: Uint8Array): Frame;

  #gatherHead(chunk: Uint8Array, at: number): number {
    const part = chunk.subarray(at, at + this.#head.length - this.#headFilled);
    this.#head.set(part, this.#headFilled);
    this.#headFilled += part.length;
    return part.length;
  }

  #gatherBody(chunk: Uint8Array, at: number, length: number): void {
    if (at === chunk.length) return;
    this.#body ??= new ByteWriter(Math.min(length, reservedBytesMax));
    this.#body.bytes(chunk.subarray(at));
  }

  /** The whole body, of which `rest` is what was still missing; makes ready for the next frame. */
  #takeBody(rest: Uint8Array): Uint8Array {
    const body = this.#body;
    this.#header = undefined;
    this.#headFilled = 0;
    this.#body = undefined;
    if (body === undefined) return rest;
    body.bytes(rest);
    return body.view();
  }
}
