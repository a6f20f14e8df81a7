/**
 * The older content of a file, as far as a newer one can be made of it: finds the place of a block
 * whose length and fingerprint are known.
 *
 * Mostly the next block is where the one before it ends. Where it is not, the old content is cut
 * into blocks around that place, and where much is missing then, all of it is, once: to look is
 * cheaper than to send. Whatever is found is a guess; the hash of the whole new content tells.
 */
import type { ByteString } from '../base/bytes.ts';
import type { Clock, Hasher, OpenFile } from '../ports.ts';
import { type BlockBounds, BlockCutter, blocksMax } from './block-cutter.ts';
import type { Block } from './block-list.ts';
import { ReadAhead } from './read-ahead.ts';

/** How far around the place where a block was expected the old content is searched at first, bytes. */
const nearBytes = 4 * 1024 * 1024;

/** If more than this is missing, the whole old content is searched, bytes. */
const missingBytesMax = 1024 * 1024;

/** Blocks of the old content that are remembered: it may be much longer than the new one. */
const knownMax = 2 * blocksMax;

/** What looking for blocks takes. */
export interface OldContentPorts {
  readonly clock: Pick<Clock, 'breathe'>;
  /** Makes hashers of fingerprints. */
  readonly fingerprint: () => Hasher;
}

/** The older content of a file. */
export class OldContent {
  readonly #ports: OldContentPorts;
  readonly #bounds: BlockBounds;
  readonly #reader: ReadAhead;
  readonly #bytes: number;
  /** Places of blocks by their fingerprints. */
  readonly #known = new Map<ByteString, number>();
  /** What has been cut last: all blocks between these places are known. */
  #cutStart = 0;
  #cutEnd = 0;
  /** How far the old content is behind where a block was found last. */
  #shift = 0;

  /** @param bounds those of the new content */
  constructor(ports: OldContentPorts, file: OpenFile, bounds: BlockBounds) {
    this.#ports = ports;
    this.#bounds = bounds;
    this.#reader = new ReadAhead(file);
    this.#bytes = file.facts.size;
  }

  /** The places of consecutive blocks of the new content; undefined for those that are missing. */
  async locate(blocks: readonly Block[]): Promise<(number | undefined)[]> {
    const places: (number | undefined)[] = [];
    let missingBytes = 0;
    for (const block of blocks) {
      const place = await this.#find(block);
      places.push(place);
      if (place === undefined) missingBytes += block.length;
    }
    if (missingBytes <= missingBytesMax || this.#isCutWhole) return places;
    await this.#cut(0, this.#bytes);
    return places.map((place, i) => place ?? this.#known.get(blocks[i]!.fingerprint));
  }

  /** Waits until nothing is being read any more. */
  settle(): Promise<void> {
    return this.#reader.settle();
  }

  get #isCutWhole(): boolean {
    return this.#cutStart === 0 && this.#cutEnd >= this.#bytes;
  }

  async #find(block: Block): Promise<number | undefined> {
    const expected = block.offset + this.#shift;
    let place = await this.#isAt(block, expected) ? expected : this.#known.get(block.fingerprint);
    if (place === undefined && !this.#isCutWhole) {
      await this.#cutAround(Math.max(0, Math.min(expected, this.#bytes)));
      place = this.#known.get(block.fingerprint);
    }
    if (place === undefined) return undefined;
    this.#shift = place - block.offset;
    this.#note(block.fingerprint, place);
    return place;
  }

  async #isAt({ length, fingerprint }: Block, place: number): Promise<boolean> {
    if (place < 0 || place + length > this.#bytes) return false;
    const hasher = this.#ports.fingerprint();
    for (let at = place; at < place + length;) {
      const bytes = await this.#reader.read(at, place + length - at);
      if (bytes.length === 0) return false; // it has become shorter
      hasher.update(bytes);
      at += bytes.length;
      await this.#ports.clock.breathe();
    }
    return hasher.digest() === fingerprint;
  }

  async #cutAround(place: number): Promise<void> {
    // Twice as far as it has to be, so that the next places need nothing.
    const end = Math.min(this.#bytes, place + 2 * nearBytes);
    if (place < this.#cutStart || place > this.#cutEnd) {
      await this.#cut(Math.max(0, place - nearBytes), end);
    } else if (this.#cutEnd < Math.min(this.#bytes, place + nearBytes)) {
      // The borders go on from where it was cut last.
      await this.#cut(this.#cutEnd, end, this.#cutStart);
    }
  }

  /**
   * Cuts the old content from a place until a block ends at `end` or beyond. Where it begins within
   * a block, the first borders may be others than those of the whole, and soon are the same.
   * @param cutStart where what has been cut begins then
   */
  async #cut(start: number, end: number, cutStart = start): Promise<void> {
    const cutter = new BlockCutter(this.#bounds);
    let hasher = this.#ports.fingerprint();
    let blockStart = start;
    let at = start;
    while (at < this.#bytes && blockStart < end) {
      const bytes = await this.#reader.read(at, this.#bytes - at);
      if (bytes.length === 0) {
        blockStart = this.#bytes; // it has become shorter: there is no more to be cut
        break;
      }
      for (let from = 0; from < bytes.length;) {
        const border = cutter.next(bytes, from);
        hasher.update(bytes.subarray(from, border));
        at += (border ?? bytes.length) - from;
        from = border ?? bytes.length;
        if (border === undefined && at < this.#bytes) break;
        this.#note(hasher.digest(), blockStart);
        hasher = this.#ports.fingerprint();
        blockStart = at;
        if (blockStart >= end) break;
      }
      await this.#ports.clock.breathe();
    }
    this.#cutStart = cutStart;
    this.#cutEnd = blockStart;
  }

  #note(fingerprint: ByteString, place: number): void {
    if (this.#known.size < knownMax || this.#known.has(fingerprint)) {
      this.#known.set(fingerprint, place);
    }
  }
}
