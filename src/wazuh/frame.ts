/**
 * Frames of the Wazuh cluster protocol. Pure: bytes in, frames out.
 *
 *     offset  size  field
 *          0     4  counter  number of the request; its reply repeats it. Big-endian
 *          4     4  length   bytes of body, big-endian
 *          8    12  command  name, one space, dashes; the last byte is a flag
 *         20     …  body     a Fernet token on TCP, the plain payload on the local socket
 *
 * The flag says `d` where more parts of a divided message follow (see `reassembly.ts`). A name of 11
 * bytes puts its space where the flag is: anything but `d` means "whole, or the last part".
 *
 * A length above the limit is refused from the header alone. What is held for a frame grows with the
 * bytes that have arrived, never on the word of a header.
 */
import { type ByteString, fromBytes } from '../base/bytes.ts';
import { ByteWriter } from '../base/cursor.ts';
import { ProtocolError } from '../base/errors.ts';

/** Bytes before the body. */
export const headerBytes = 20;

/** Longest name of a command. */
export const commandBytesMax = 11;

/** Largest body of a frame, and of a divided message as a whole; what real nodes accept. */
export const bodyBytesMax = 256 * 1024 * 1024;

/** Largest plain payload that goes undivided, and largest frame of a divided message. */
export const chunkBytes = 5 * 1024 * 1024;

const SPACE = 0x20;
const DASH = 0x2d;
const FLAG_DIVIDED = 0x64;

const commandAt = 8;
const flagAt = headerBytes - 1;

/** One message: what a frame carries, or several that belong together. */
export interface Message {
  /** 0 to 2^32 - 1. */
  readonly counter: number;
  /** Name of a command, or of a reply, without padding; from a peer any bytes but a space. */
  readonly command: ByteString;
  readonly body: Uint8Array;
}

/** One frame. */
export interface Frame extends Message {
  /** More parts of the same message follow. */
  readonly isDivided: boolean;
}

/**
 * The frames of a message: one, or several of at most `frameBytesMax` bytes with their headers.
 *
 * Each is one array and has to leave in one write: where a read of a real node ends exactly behind
 * a header, the node takes the body for the next header, and the connection is lost.
 *
 * Some names of replies end in a space: real nodes send them so, and read them without.
 *
 * @throws Error where the command or the body is too long for any message
 */
export function encodeMessage(message: Message, frameBytesMax?: number): Uint8Array[] {
  const { counter, command, body } = message;
  if (body.length > bodyBytesMax) {
    throw new Error(`Cannot send ${body.length} bytes at once: the limit is ${bodyBytesMax}`);
  }
  if (frameBytesMax === undefined) return [encodeFrame(counter, fieldOf(command), body)];
  const frames: Uint8Array[] = [];
  const partBytes = frameBytesMax - headerBytes;
  const field = fieldOf(command);
  for (let at = 0; at === 0 || at < body.length; at += partBytes) {
    field[field.length - 1] = at + partBytes < body.length ? FLAG_DIVIDED : DASH;
    frames.push(encodeFrame(counter, field, body.subarray(at, at + partBytes)));
  }
  return frames;
}

/** The twelve bytes that name a command: its name, a space, dashes. */
function fieldOf(command: ByteString): Uint8Array {
  if (command.length > commandBytesMax) {
    throw new Error(`Cannot send command "${command}": the limit is ${commandBytesMax} bytes`);
  }
  const field = new Uint8Array(headerBytes - commandAt).fill(DASH);
  for (let i = 0; i < command.length; i++) field[i] = command.charCodeAt(i);
  field[command.length] = SPACE;
  return field;
}

function encodeFrame(counter: number, field: Uint8Array, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(headerBytes + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, counter);
  view.setUint32(4, body.length);
  bytes.set(field, commandAt);
  bytes.set(body, headerBytes);
  return bytes;
}

/**
 * Room for a body is taken at once up to here, a piece of a file with what encryption adds, so that
 * it is not copied while it grows; beyond it as bytes come.
 */
const reservedBytesMax = 8 * 1024 * 1024;

interface Header {
  readonly counter: number;
  readonly command: ByteString;
  readonly isDivided: boolean;
  readonly length: number;
}

/**
 * Cuts frames out of chunks as they arrive.
 *
 * Holds at most one header and what has arrived of one body, never the chunks. A body that lies in
 * one chunk whole is yielded as a view of it.
 */
export class FrameDecoder {
  #limit: number;
  readonly #head = new Uint8Array(headerBytes);
  #headFilled = 0;
  /** The header of the frame that is being gathered, once it is whole. */
  #header: Header | undefined;
  /** Its body, once it is known not to lie in one chunk. */
  #body: ByteWriter | undefined;

  /** @param limit largest body accepted, bytes; small before the peer has shown the key */
  constructor(limit: number = bodyBytesMax) {
    this.#limit = limit;
  }

  /** Changes the limit, for the frames whose header has not arrived yet. */
  set limit(bytes: number) {
    this.#limit = bytes;
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
   * Takes a chunk and yields the frames that it completes, one at a time: the limit may be changed
   * between two of them. Nothing can be decoded after an error.
   * @throws ProtocolError `frameTooLarge`, from the header alone
   */
  *push(chunk: Uint8Array): Generator<Frame, void, undefined> {
    let at = 0;
    for (;;) {
      if (this.#header === undefined) {
        at += this.#gatherHead(chunk, at);
        if (this.#headFilled < headerBytes) return;
        this.#header = this.#readHeader();
      }
      const { counter, command, isDivided, length } = this.#header;
      const missing = length - (this.#body?.length ?? 0);
      if (at + missing > chunk.length) {
        this.#gatherBody(chunk, at);
        return;
      }
      // A plain Uint8Array, also where the runtime's chunks are of some class of its own.
      const rest = new Uint8Array(chunk.buffer, chunk.byteOffset + at, missing);
      at += missing;
      yield { counter, command, isDivided, body: this.#takeBody(rest) };
    }
  }

  #gatherHead(chunk: Uint8Array, at: number): number {
    const part = chunk.subarray(at, at + headerBytes - this.#headFilled);
    this.#head.set(part, this.#headFilled);
    this.#headFilled += part.length;
    return part.length;
  }

  #gatherBody(chunk: Uint8Array, at: number): void {
    if (at === chunk.length) return;
    this.#body ??= new ByteWriter(Math.min(this.#header?.length ?? 0, reservedBytesMax));
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

  #readHeader(): Header {
    const head = this.#head;
    const view = new DataView(head.buffer);
    const length = view.getUint32(4);
    if (length > this.#limit) {
      throw new ProtocolError(
        'frameTooLarge',
        `A frame announces ${length} bytes: the limit is ${this.#limit}`,
      );
    }
    const nameEnd = head.indexOf(SPACE, commandAt);
    return {
      counter: view.getUint32(0),
      command: fromBytes(head, commandAt, nameEnd < 0 ? flagAt : Math.min(nameEnd, flagAt)),
      isDivided: head[flagAt] === FLAG_DIVIDED,
      length,
    };
  }
}
