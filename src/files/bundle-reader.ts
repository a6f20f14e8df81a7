/**
 * The receiving end of a bundle: takes it apart, however it is cut into chunks.
 *
 * It holds one block at most, and believes nothing: all that breaks the rules of
 * `bundle-format.ts` is a `ProtocolError('malformed')`.
 */
import type { Compression } from '../ports.ts';
import {
  type AbsenceReason,
  absenceReasons,
  type BlockHeader,
  blockHeaderBytes,
  CODEC_CUT,
  CODEC_STORED,
  COMPLETE,
  CONTENT,
  DISCARD,
  readBlockHeader,
} from './bundle-format.ts';
import { malformed } from './rows.ts';

/** What a reader expects. */
export interface BundleReaderOptions {
  readonly compression: Compression;
  /** Items that were asked for: records to come. */
  readonly itemsCount: number;
}

/** What arrives; `item` counts the items asked for from 0. */
export type BundleEvent =
  | { readonly kind: 'begin'; readonly item: number; readonly length: number }
  /** Valid until the next event: a view of the chunk, or of memory that is used again. */
  | { readonly kind: 'bytes'; readonly item: number; readonly bytes: Uint8Array }
  /** Where `isComplete` is false what came of the item is to be discarded. */
  | { readonly kind: 'end'; readonly item: number; readonly isComplete: boolean }
  | { readonly kind: 'absent'; readonly item: number; readonly reason: AbsenceReason };

/** Takes blocks apart, however they are cut into chunks. */
export class BundleReader {
  readonly #compression: Compression;
  readonly #records: RecordReader;
  readonly #header = new Uint8Array(blockHeaderBytes);
  #headerLength = 0;
  /** The block whose header has been read. */
  #block: BlockHeader | undefined;
  /** The block's bytes, where they come in more than one chunk; the same memory for all blocks. */
  #stored = new Uint8Array(0);
  #storedLength = 0;

  constructor(options: BundleReaderOptions) {
    this.#compression = options.compression;
    this.#records = new RecordReader(options.itemsCount);
  }

  /** Whether every item asked for has arrived; from then on every further byte is an error. */
  get isFinished(): boolean {
    return this.#records.isFinished;
  }

  /**
   * What the next chunk brings. The events must be taken to the end before the next chunk.
   * @throws ProtocolError `malformed`
   */
  *push(chunk: Uint8Array): Generator<BundleEvent> {
    let at = 0;
    while (at < chunk.length) {
      if (this.isFinished) throw malformed('A bundle goes on after its last item');
      at += this.#takeHeader(chunk.subarray(at));
      if (this.#block === undefined) return;
      const { stored, taken } = this.#takeStored(chunk.subarray(at), this.#block.storedBytes);
      at += taken;
      if (stored === undefined) return;
      const block = this.#block;
      this.#block = undefined;
      this.#headerLength = 0;
      if (block.codec === CODEC_CUT) yield this.#records.cut();
      else yield* this.#records.push(this.#rawOf(block, stored));
    }
  }

  /** Completes the header of a block as far as the bytes go; returns how many it took. */
  #takeHeader(bytes: Uint8Array): number {
    if (this.#block !== undefined) return 0;
    const piece = bytes.subarray(0, blockHeaderBytes - this.#headerLength);
    this.#header.set(piece, this.#headerLength);
    this.#headerLength += piece.length;
    if (this.#headerLength === blockHeaderBytes) this.#block = readBlockHeader(this.#header);
    return piece.length;
  }

  /** The bytes of a block once all of them are there; in place where one chunk has them all. */
  #takeStored(
    bytes: Uint8Array,
    length: number,
  ): { readonly stored: Uint8Array | undefined; readonly taken: number } {
    const piece = bytes.subarray(0, length - this.#storedLength);
    if (piece.length === length) return { stored: piece, taken: length };
    if (this.#stored.length < length) this.#stored = new Uint8Array(length);
    this.#stored.set(piece, this.#storedLength);
    this.#storedLength += piece.length;
    if (this.#storedLength < length) return { stored: undefined, taken: piece.length };
    this.#storedLength = 0;
    return { stored: this.#stored.subarray(0, length), taken: piece.length };
  }

  #rawOf(block: BlockHeader, stored: Uint8Array): Uint8Array {
    if (block.codec === CODEC_STORED) return stored;
    let raw: Uint8Array;
    try {
      raw = this.#compression.decompress(stored, block.rawBytes);
    } catch (error) {
      throw malformed('A block of a bundle cannot be decompressed', error);
    }
    if (raw.length === block.rawBytes) return raw;
    throw malformed(`A block of a bundle has ${raw.length} bytes instead of ${block.rawBytes}`);
  }
}

/** Takes the raw bytes of a bundle apart into records. */
class RecordReader {
  readonly #itemsCount: number;
  #item = 0;
  #state: 'status' | 'length' | 'content' | 'trailer' = 'status';
  /** Length of the present content as far as it has been read, and how many of its bytes. */
  #length = 0;
  #lengthBytes = 0;
  /** Bytes of the present content still to come. */
  #missing = 0;

  constructor(itemsCount: number) {
    this.#itemsCount = itemsCount;
  }

  get isFinished(): boolean {
    return this.#item === this.#itemsCount;
  }

  *push(raw: Uint8Array): Generator<BundleEvent> {
    let at = 0;
    while (at < raw.length) {
      if (this.#state === 'content') {
        const bytes = raw.subarray(at, at + this.#missing);
        at += bytes.length;
        this.#missing -= bytes.length;
        if (this.#missing === 0) this.#state = 'trailer';
        yield { kind: 'bytes', item: this.#item, bytes };
      } else {
        const event = this.#takeByte(raw[at]!);
        at++;
        if (event !== undefined) yield event;
      }
    }
  }

  /** The present item ends here, unfinished. */
  cut(): BundleEvent {
    if (this.#state !== 'content') throw malformed('A bundle is cut where no content is');
    return this.#next({ kind: 'end', item: this.#item, isComplete: false });
  }

  #takeByte(byte: number): BundleEvent | undefined {
    if (this.isFinished) throw malformed('A bundle goes on after its last item');
    switch (this.#state) {
      case 'status':
        return this.#takeStatus(byte);
      case 'length':
        return this.#takeLength(byte);
      case 'trailer':
        if (byte !== COMPLETE && byte !== DISCARD) {
          throw malformed(`A content of a bundle ends with ${byte}`);
        }
        return this.#next({ kind: 'end', item: this.#item, isComplete: byte === COMPLETE });
      case 'content':
        throw new Error('Invariant broken: contents are taken as a whole');
    }
  }

  #takeStatus(status: number): BundleEvent | undefined {
    if (status === CONTENT) {
      this.#state = 'length';
      this.#length = 0;
      this.#lengthBytes = 0;
      return undefined;
    }
    const reason = absenceReasons[status - 1];
    if (reason === undefined) throw malformed(`An item of a bundle has the status ${status}`);
    return this.#next({ kind: 'absent', item: this.#item, reason });
  }

  #takeLength(byte: number): BundleEvent | undefined {
    this.#length = this.#length * 256 + byte;
    this.#lengthBytes++;
    if (this.#lengthBytes < 6) return undefined;
    this.#missing = this.#length;
    this.#state = this.#missing > 0 ? 'content' : 'trailer';
    return { kind: 'begin', item: this.#item, length: this.#length };
  }

  #next(event: BundleEvent): BundleEvent {
    this.#item++;
    this.#state = 'status';
    return event;
  }
}
