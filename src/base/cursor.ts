/**
 * Writing and reading packed binary rows: big-endian integers, doubles and byte strings.
 *
 * The reader trusts nothing: every read is checked against the end of the bytes and throws
 * `ProtocolError('malformed')`, so that rows from a peer can be read without further guards.
 */
import { type ByteString, fromBytes, fromText, putHex } from './bytes.ts';
import { ProtocolError } from './errors.ts';

const TWO_16 = 2 ** 16;
const TWO_32 = 2 ** 32;

// A view of every array that is written or read would cost more than what is done with it: most
// are a row or two. So whole numbers are put together byte by byte, and doubles go through here.
const doubleBytes = new Uint8Array(8);
const doubleView = new DataView(doubleBytes.buffer);

/** Appends packed values to a growing array. */
export class ByteWriter {
  #bytes: Uint8Array;
  #length = 0;

  /** @param bytesExpected how much room to begin with; it grows by doubling */
  constructor(bytesExpected = 256) {
    this.#bytes = new Uint8Array(bytesExpected);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  u8(value: number): void {
    this.#room(1);
    this.#bytes[this.#length++] = value;
  }

  u16(value: number): void {
    this.#room(2);
    this.#bytes[this.#length++] = value >>> 8;
    this.#bytes[this.#length++] = value;
  }

  u32(value: number): void {
    this.#room(4);
    const bytes = this.#bytes;
    bytes[this.#length++] = value >>> 24;
    bytes[this.#length++] = value >>> 16;
    bytes[this.#length++] = value >>> 8;
    bytes[this.#length++] = value;
  }

  /** A whole number up to 2^48, for file sizes and offsets. */
  u48(value: number): void {
    this.u16(Math.floor(value / TWO_32));
    this.u32(value % TWO_32);
  }

  f64(value: number): void {
    this.#room(8);
    doubleView.setFloat64(0, value);
    for (let i = 0; i < 8; i++) this.#bytes[this.#length + i] = doubleBytes[i]!;
    this.#length += 8;
  }

  /** The bytes of a byte string, without a length. */
  text(text: ByteString): void {
    this.#room(text.length);
    const bytes = this.#bytes;
    const at = this.#length;
    for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
    this.#length += text.length;
  }

  /** The hexadecimal digits of a byte string, as ASCII. */
  hex(bytes: ByteString): void {
    this.#room(2 * bytes.length);
    putHex(this.#bytes, this.#length, bytes);
    this.#length += 2 * bytes.length;
  }

  /** A Unicode text: u32 length of its UTF-8, and that. */
  sizedText(text: string): void {
    this.#room(4 + text.length);
    const bytes = this.#bytes;
    const at = this.#length + 4;
    // One look at each character, since nearly every text is ASCII; another one is begun anew.
    let seen = 0;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      seen |= code;
      bytes[at + i] = code;
    }
    const encoded = seen < 128 ? text : fromText(text);
    this.u32(encoded.length);
    if (seen < 128) this.#length += text.length;
    else this.text(encoded);
  }

  bytes(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** A view of what was written; valid until the next write. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** A copy of what was written, in an array of exactly its size. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  /** Forgets what was written and keeps the room. */
  reset(): void {
    this.#length = 0;
  }

  #room(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}

/** Reads packed values; throws `ProtocolError('malformed')` where they end too early. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #at: number;
  readonly #end: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  /** Bytes not yet read. */
  get remaining(): number {
    return this.#end - this.#at;
  }

  /** Where the next read starts, counted from the beginning of the bytes. */
  get position(): number {
    return this.#at;
  }

  u8(): number {
    return this.#bytes[this.#take(1)]!;
  }

  u16(): number {
    const at = this.#take(2);
    return this.#bytes[at]! * 256 + this.#bytes[at + 1]!;
  }

  u32(): number {
    const at = this.#take(4);
    const bytes = this.#bytes;
    return (bytes[at]! * 256 + bytes[at + 1]!) * TWO_16 + bytes[at + 2]! * 256 + bytes[at + 3]!;
  }

  u48(): number {
    return this.u16() * TWO_32 + this.u32();
  }

  f64(): number {
    const at = this.#take(8);
    for (let i = 0; i < 8; i++) doubleBytes[i] = this.#bytes[at + i]!;
    return doubleView.getFloat64(0);
  }

  text(length: number): ByteString {
    const start = this.#take(length);
    return fromBytes(this.#bytes, start, start + length);
  }

  /** A view of the next bytes; not a copy. */
  bytes(length: number): Uint8Array {
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** Passes over the next bytes; gives where they start. */
  skip(length: number): number {
    return this.#take(length);
  }

  #take(length: number): number {
    const start = this.#at;
    const missing = length - this.remaining;
    if (missing > 0) {
      throw new ProtocolError('malformed', `Packed rows end ${missing} bytes too early`);
    }
    this.#at = start + length;
    return start;
  }
}
