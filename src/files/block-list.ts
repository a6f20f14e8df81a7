/**
 * The blocks of a content, listed: what a worker needs to find out which of them it has.
 *
 * A list has one row for each block, in order (see `block-cutter.ts` for where they end): u48
 * length, and as 8 bytes the XXH64 of the block. That is no proof of anything: the hash of the
 * whole content is, once it has been put together.
 *
 * Ranges of a content are asked for as rows of u48 offset and u48 length. The answer is a bundle
 * with one record for each range, in the order of the request.
 */
import type { ByteString } from '../base/bytes.ts';
import { ByteReader, ByteWriter } from '../base/cursor.ts';
import type { BlockBounds } from './block-cutter.ts';
import { malformed } from './rows.ts';

/** One block of a content. */
export interface Block {
  /** Where it begins in the content. */
  readonly offset: number;
  readonly length: number;
  readonly fingerprint: ByteString;
}

/** Consecutive bytes of a content. */
export interface Range {
  readonly offset: number;
  readonly length: number;
}

/** Bytes of a fingerprint. */
export const fingerprintBytes = 8;

const rowBytes = 6 + fingerprintBytes;
const rangeBytes = 12;

/** Most ranges that are asked for at once. */
export const rangesMax = 2048;

/** Most bytes of a request's ranges. */
export const rangesBytesMax = rangesMax * rangeBytes;

/** Appends the row of a block. */
export function packBlockRow(
  writer: ByteWriter,
  { length, fingerprint }: Omit<Block, 'offset'>,
): void {
  writer.u48(length);
  writer.text(fingerprint);
}

/**
 * Reads a list that a peer sends in chunks of any size. It holds a part of a row at most.
 * What breaks the rules is a `ProtocolError('malformed')`.
 */
export class BlockListReader {
  readonly #contentBytes: number;
  readonly #bounds: BlockBounds;
  readonly #row = new Uint8Array(rowBytes);
  #rowLength = 0;
  #offset = 0;

  constructor(contentBytes: number, bounds: BlockBounds) {
    this.#contentBytes = contentBytes;
    this.#bounds = bounds;
  }

  /** The blocks that the next chunk completes. */
  *push(chunk: Uint8Array): Generator<Block> {
    for (let at = 0; at < chunk.length;) {
      const piece = chunk.subarray(at, at + rowBytes - this.#rowLength);
      this.#row.set(piece, this.#rowLength);
      this.#rowLength += piece.length;
      at += piece.length;
      if (this.#rowLength < rowBytes) return;
      this.#rowLength = 0;
      yield this.#read();
    }
  }

  /** To be called at the end of the list. */
  finish(): void {
    if (this.#rowLength > 0 || this.#offset !== this.#contentBytes) {
      throw malformed(
        `A list has blocks of ${this.#offset} bytes for a content of ${this.#contentBytes}`,
      );
    }
  }

  #read(): Block {
    const reader = new ByteReader(this.#row);
    const offset = this.#offset;
    const length = reader.u48();
    const rest = this.#contentBytes - offset;
    // Only the last one may be short: so there are few of them.
    const isRight = length <= rest && length <= this.#bounds.bytesMax && length > 0 &&
      (length > this.#bounds.bytesMin || length === rest);
    if (!isRight) {
      throw malformed(`A list has a block of ${length} bytes where ${rest} are missing`);
    }
    this.#offset += length;
    return { offset, length, fingerprint: reader.text(fingerprintBytes) };
  }
}

/** Packs what is asked for of a content. */
export function packRanges(ranges: readonly Range[]): Uint8Array {
  const writer = new ByteWriter(ranges.length * rangeBytes);
  for (const { offset, length } of ranges) {
    writer.u48(offset);
    writer.u48(length);
  }
  return writer.finish();
}

/**
 * Reads what a peer asks for of a content.
 * @throws ProtocolError `malformed`, also for what is not within the content
 */
export function readRanges(bytes: Uint8Array, contentBytes: number): Range[] {
  const reader = new ByteReader(bytes);
  const ranges: Range[] = [];
  while (reader.remaining > 0) {
    const range = { offset: reader.u48(), length: reader.u48() };
    if (range.length === 0 || range.offset + range.length > contentBytes) {
      throw malformed(`A range is not within a content of ${contentBytes} bytes`);
    }
    ranges.push(range);
  }
  return ranges;
}
