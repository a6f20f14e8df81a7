/**
 * The sending end of a bundle: turns contents into blocks of at most 256 KiB, compressed where that
 * pays. Holds one block, whatever the size of the files; the format is that of `bundle-format.ts`.
 */
import { ByteWriter } from '../base/cursor.ts';
import { invariant } from '../base/errors.ts';
import type { Compression } from '../ports.ts';
import {
  type AbsenceReason,
  absenceReasons,
  blockHeaderBytes,
  CODEC_CUT,
  CODEC_STORED,
  CODEC_ZSTD,
  COMPLETE,
  CONTENT,
  DISCARD,
  packBlockHeader,
} from './bundle-format.ts';
import { fileBytesMax } from './rows.ts';

/** How contents are sent. */
export interface BundleWriterOptions {
  readonly compression: Compression;
  /** Whether to try to compress at all. */
  readonly compress: boolean;
}

/**
 * Raw bytes of a block: large enough to compress well, small enough to take turns. One that is
 * stored as it is fills a frame, so that it is in one piece wherever it gets to.
 */
export const blockBytes = 256 * 1024 - blockHeaderBytes;

/** Below so many bytes a block is not worth the call. */
const compressBytesMin = 128;

/** Compressed blocks have to save at least this share, or decompressing them is not worth it. */
const savingMin = 1 / 16;

/** Blocks in a row that did not compress, after which the rest of an item is not tried. */
const futileBlocksMax = 4;

const completeTrailer = Uint8Array.of(COMPLETE);
const discardTrailer = Uint8Array.of(DISCARD);

/**
 * Turns contents into blocks. For each item asked for, in order: `add`, or `begin`, `write` and
 * `end`; at last `flush`. What was written may be changed as soon as the call returns.
 */
export class BundleWriter {
  readonly #compression: Compression;
  readonly #compresses: boolean;
  readonly #emit: (part: Uint8Array) => void;
  readonly #raw = new Uint8Array(blockBytes);
  #rawLength = 0;
  /** Bytes of the present item still to be written; undefined between items. */
  #missing: number | undefined;
  #futileBlocks = 0;
  /** What goes before a content; the same memory for all of them. */
  readonly #itemHeader = new ByteWriter(7);

  /**
   * @param emit takes the blocks, each in two parts, header and bytes; it is called within `write`.
   * A part is valid only within the call: what comes next may be in the same memory
   */
  constructor(options: BundleWriterOptions, emit: (part: Uint8Array) => void) {
    this.#compression = options.compression;
    this.#compresses = options.compress;
    this.#emit = emit;
  }

  /** An item whose content does not come. */
  add(reason: AbsenceReason): void {
    invariant(this.#missing === undefined, 'an item ends before the next one');
    this.#put(Uint8Array.of(absenceReasons.indexOf(reason) + 1));
  }

  /** An item whose content comes, in so many bytes. */
  begin(length: number): void {
    invariant(this.#missing === undefined, 'an item ends before the next one');
    invariant(length >= 0 && length <= fileBytesMax, 'the length of a content fits into 48 bits');
    const header = this.#itemHeader;
    header.reset();
    header.u8(CONTENT);
    header.u48(length);
    this.#put(header.view());
    // What follows goes from whole block to whole block: nothing is gathered first.
    if (length >= blockBytes) this.flush();
    this.#missing = length;
    this.#futileBlocks = 0;
  }

  /** The next bytes of the present item. */
  write(bytes: Uint8Array): void {
    invariant(
      this.#missing !== undefined && bytes.length <= this.#missing,
      'no more bytes are written than were announced',
    );
    this.#missing -= bytes.length;
    this.#put(bytes);
  }

  /**
   * Ends the present item. `isComplete` is false where its content changed on the way; it may then
   * be ended early.
   */
  end(isComplete: boolean): void {
    invariant(this.#missing !== undefined, 'an item begins before it ends');
    invariant(this.#missing === 0 || !isComplete, 'a complete item has all its bytes');
    if (this.#missing === 0) {
      this.#put(isComplete ? completeTrailer : discardTrailer);
    } else {
      this.flush();
      this.#emitPacked(0, CODEC_CUT, new Uint8Array(0));
    }
    this.#missing = undefined;
  }

  /** Sends what is gathered so far. */
  flush(): void {
    if (this.#rawLength === 0) return;
    this.#emitBlock(this.#raw.subarray(0, this.#rawLength));
    this.#rawLength = 0;
  }

  #put(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#rawLength === 0 && bytes.length - at >= blockBytes) {
        this.#emitBlock(bytes.subarray(at, at + blockBytes));
        at += blockBytes;
        continue;
      }
      const room = blockBytes - this.#rawLength;
      // Mostly all of it, of which another view would cost more than the copy.
      const isRest = at === 0 && bytes.length <= room;
      const piece = isRest ? bytes : bytes.subarray(at, at + room);
      this.#raw.set(piece, this.#rawLength);
      this.#rawLength += piece.length;
      at += piece.length;
      if (this.#rawLength === blockBytes) this.flush();
    }
  }

  #emitBlock(raw: Uint8Array): void {
    const isTried = this.#compresses && raw.length >= compressBytesMin &&
      this.#futileBlocks < futileBlocksMax;
    if (isTried) {
      const packed = this.#compression.compress(raw);
      if (packed.length <= raw.length * (1 - savingMin)) {
        this.#futileBlocks = 0;
        this.#emitPacked(raw.length, CODEC_ZSTD, packed);
        return;
      }
      this.#futileBlocks++;
    }
    this.#emitPacked(raw.length, CODEC_STORED, raw);
  }

  #emitPacked(rawBytes: number, codec: number, stored: Uint8Array): void {
    this.#emit(packBlockHeader(rawBytes, codec, stored.length));
    if (stored.length > 0) this.#emit(stored);
  }
}
