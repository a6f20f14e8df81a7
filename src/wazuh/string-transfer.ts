/**
 * Strings: how JSON documents of any length go from one node to another. One end asks for an id,
 * sends the pieces to it, and then names it in the command that the string is for.
 */
import type { ByteString } from '../base/bytes.ts';
import { ByteWriter } from '../base/cursor.ts';
import type { Random } from '../ports.ts';
import { type Answer, answering, type Connection, randomU32 } from './connection.ts';
import { internalFailure } from './failure.ts';
import { bodyBytesMax } from './frame.ts';
import { quotedBytes } from './layouts.ts';
import { PlainRefusal, plainReplies, replyTexts } from './replies.ts';

/** Bytes of a piece: what a keep-alive may have to wait for. Real nodes send 5 MiB. */
const pieceBytes = 1024 * 1024;

/** Strings that are coming in at a time. */
const stringsMax = 32;

/**
 * Sends a string; its id at the other end, for the command that it is for.
 * @throws WazuhFailure what the peer told; ClusterError `timeout`, or why the connection ended
 */
export async function sendString(
  connection: Connection,
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<ByteString> {
  const id = await connection.request('new_str', bytes.length, { signal });
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const piece = bytes.subarray(at, at + pieceBytes);
    await connection.request('str_upd', { id, bytes: piece }, { signal });
  }
  return id;
}

interface IncomingString {
  readonly size: number;
  readonly content: ByteWriter;
}

/** The strings that come in over one connection. Room is taken as bytes come, not as announced. */
export class IncomingStrings {
  readonly #random: Random;
  readonly #bytesMax: number;
  readonly #strings = new Map<ByteString, IncomingString>();
  #bytesCount = 0;

  /** @param bytesMax of one string, and of all together */
  constructor(random: Random, bytesMax = bodyBytesMax) {
    this.#random = random;
    this.#bytesMax = bytesMax;
  }

  /** Bytes held. */
  get buffered(): number {
    return this.#bytesCount;
  }

  /** The answers that take strings in. */
  answers(): readonly (readonly [string, Answer])[] {
    return [
      answering('new_str', (size) => this.#begin(size)),
      answering('str_upd', ({ id, bytes }) => this.#append(id, bytes)),
      answering('err_str', (size) => this.#forget(size)),
    ];
  }

  /**
   * A string that has come in; it is gone from here then. Nothing says whether it is whole: who
   * reads it will see. Undefined where there is none of this id.
   */
  take(id: ByteString): Uint8Array | undefined {
    const taken = this.#strings.get(id);
    if (taken === undefined) return undefined;
    this.#strings.delete(id);
    this.#bytesCount -= taken.content.length;
    return taken.content.view();
  }

  #begin(size: number): ByteString {
    if (size > this.#bytesMax) throw new PlainRefusal(plainReplies.stringSize());
    if (this.#strings.size >= stringsMax) throw internalFailure('Too many strings at once');
    const id = String(randomU32(this.#random));
    this.#strings.set(id, { size, content: new ByteWriter() });
    return id;
  }

  #append(id: ByteString, bytes: Uint8Array): string {
    const string = this.#strings.get(id);
    if (string === undefined) throw internalFailure(quotedBytes(id));
    // What goes beyond the announced size is dropped, as real nodes do.
    const piece = bytes.subarray(0, string.size - string.content.length);
    if (this.#bytesCount + piece.length > this.#bytesMax) {
      this.take(id);
      throw internalFailure('Too many bytes in strings');
    }
    string.content.bytes(piece);
    this.#bytesCount += piece.length;
    return replyTexts.str_upd;
  }

  /** Frees a string of this size that nothing has come for. */
  #forget(size: number): ByteString {
    for (const [id, string] of this.#strings) {
      if (string.size !== size || string.content.length > 0) continue;
      this.#strings.delete(id);
      return id;
    }
    return 'None';
  }
}
