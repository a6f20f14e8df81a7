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
import { ProtocolError } from '../base/errors.ts';
import { FrameCutter, type FrameHeader } from '../base/frame-cutter.ts';

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

interface Header extends FrameHeader {
  readonly counter: number;
  readonly command: ByteString;
  readonly isDivided: boolean;
}

/** Cuts frames out of chunks; throws ProtocolError `frameTooLarge`. */
export class FrameDecoder extends FrameCutter<Header, Frame> {
  /** @param limit largest body accepted, bytes; small before the peer has shown the key */
  constructor(limit: number = bodyBytesMax) {
    super(headerBytes, limit);
  }

  protected readHeader(head: Uint8Array): Header {
    const view = new DataView(head.buffer);
    const length = view.getUint32(4);
    if (length > this.limit) {
      throw new ProtocolError(
        'frameTooLarge',
        `A frame announces ${length} bytes: the limit is ${this.limit}`,
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

  protected frameOf({ counter, command, isDivided }: Header, body: Uint8Array): Frame {
    return { counter, command, isDivided, body };
  }
}
