/**
 * Cuts contents into blocks whose borders follow from the bytes around them, so that bytes which
 * were inserted or removed move the borders near them and no others. Part of the protocol: two
 * nodes that cut the same content by the same bounds get the same blocks.
 *
 * A hash of 32 bits rolls over the content: shifted left by one bit for each byte, plus the byte's
 * number in a table of 256, so that it depends on the last 32 bytes. Number `i` of the table is
 * MurmurHash3's finalizer of `(i + 1) * 0x9e3779b9`. A block has more than `2^bits` bytes and ends
 * where the highest `bits` bits of the hash are zero, or else with eight times as many; the last
 * one ends with the content. `bits` is 15 for contents up to 2 GiB, and one more for each doubling
 * beyond.
 */
import { fileBytesMax } from './rows.ts';

/** How long blocks are. */
export interface BlockBounds {
  /** Zero bits that end a block: one byte in `2 ** bits` has them. */
  readonly bits: number;
  /** Every block but the last has more bytes than this. */
  readonly bytesMin: number;
  readonly bytesMax: number;
}

const bitsMin = 15;

/** Blocks of a content are fewer than this. */
export const blocksMax = 2 ** 16;

/** What a border depends on, bytes. */
const windowBytes = 32;

/** The numbers of the bytes. */
const table = Int32Array.from({ length: 256 }, (_, byte) => mixed(Math.imul(byte + 1, 0x9e3779b9)));

/** The bounds for a content of so many bytes; the list of its blocks is short, however many. */
export function boundsFor(contentBytes: number): BlockBounds {
  let bits = bitsMin;
  while (2 ** bits * blocksMax < Math.min(contentBytes, fileBytesMax)) bits++;
  return { bits, bytesMin: 2 ** bits, bytesMax: 8 * 2 ** bits };
}

/** Finds the ends of blocks in a content that comes in pieces of any size. */
export class BlockCutter {
  readonly #bounds: BlockBounds;
  /** Bytes of the present block so far. */
  #length = 0;
  #hash = 0;

  constructor(bounds: BlockBounds) {
    this.#bounds = bounds;
  }

  /** Bytes of the present block so far; 0 where one has just ended. */
  get length(): number {
    return this.#length;
  }

  /**
   * Goes on with the bytes from `start` on. Gives the place in them after which the present block
   * ends; undefined where it goes on beyond them.
   */
  next(bytes: Uint8Array, start: number): number | undefined {
    const { bytesMin, bytesMax } = this.#bounds;
    // What comes long before the first place for a border has no influence on it.
    let at = start + this.#skipped(bytes.length - start, bytesMin - windowBytes);
    const rollEnd = at + Math.max(0, Math.min(bytes.length - at, bytesMin - this.#length));
    let hash = this.#hash;
    const rollStart = at;
    for (; at < rollEnd; at++) hash = (hash << 1) + table[bytes[at]!]!;
    this.#length += at - rollStart;
    this.#hash = hash;
    const end = Math.min(bytes.length, at + bytesMax - this.#length);
    const border = this.#search(bytes, at, end);
    this.#length += (border ?? end) - at;
    if (border === undefined && this.#length < bytesMax) return undefined;
    this.#length = 0;
    this.#hash = 0;
    return border ?? end;
  }

  /** Passes over bytes up to a length of the block; gives their number. */
  #skipped(available: number, upTo: number): number {
    const count = Math.max(0, Math.min(available, upTo - this.#length));
    this.#length += count;
    return count;
  }

  /**
   * The first border between two places. Four steps are written out: that halves its time, and it
   * is where cutting spends it.
   */
  #search(bytes: Uint8Array, start: number, end: number): number | undefined {
    const numbers = table;
    const mask = -1 << (32 - this.#bounds.bits);
    let hash = this.#hash;
    let at = start;
    for (; at + 3 < end; at += 4) {
      hash = ((hash << 1) + numbers[bytes[at]!]!) | 0;
      if ((hash & mask) === 0) return at + 1;
      hash = ((hash << 1) + numbers[bytes[at + 1]!]!) | 0;
      if ((hash & mask) === 0) return at + 2;
      hash = ((hash << 1) + numbers[bytes[at + 2]!]!) | 0;
      if ((hash & mask) === 0) return at + 3;
      hash = ((hash << 1) + numbers[bytes[at + 3]!]!) | 0;
      if ((hash & mask) === 0) return at + 4;
    }
    for (; at < end; at++) {
      hash = ((hash << 1) + numbers[bytes[at]!]!) | 0;
      if ((hash & mask) === 0) return at + 1;
    }
    this.#hash = hash;
    return undefined;
  }
}

// ---------------------------------------------------------------------------------------------

/** The finalizer of MurmurHash3. */
function mixed(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
