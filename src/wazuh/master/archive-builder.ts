/**
 * Builds the archive that brings a worker in step, piece by piece while it is sent: no archive is
 * ever held as a whole.
 *
 * The table comes last and tells what is really in it. What does not fit, and what is not any more as
 * it was published, is not named there: the worker lacks it still, and is sent it the next time.
 */
import { type BytePath, displayPath } from '../../base/bytes.ts';
import type { Entry } from '../../files/entry.ts';
import type { Clock, Logger, Zlib } from '../../ports.ts';
import { packLarge, packSmall, packTable } from '../archive-writer.ts';
import { differencePieces, type FileRow, type TableDifference } from '../file-table.ts';
import { archiveBytesMax } from './archive-limit.ts';
import {
  batchesOf,
  isGone,
  type PublishedContents,
  smallFileBytesMax,
} from './published-contents.ts';

/** What building needs. */
export interface ArchivePorts {
  readonly clock: Clock;
  readonly zlib: Zlib;
  readonly log: Logger;
  readonly contents: PublishedContents;
}

/** What is to go into an archive. */
export interface ArchiveOrder {
  readonly difference: TableDifference;
  /** The published entry of a path. */
  readonly entryOf: (path: BytePath) => Entry | undefined;
  /** Most bytes of the archive, but for its table. */
  readonly bytesMax: number;
}

/** What a member takes beyond its content, at most: path, separators, and what packing may add. */
const overheadBytes = 8 * 1024;

/** An archive being built. */
export class ArchiveBuilder {
  readonly #ports: ArchivePorts;
  readonly #order: ArchiveOrder;
  readonly #missing = new Map<BytePath, FileRow>();
  readonly #shared = new Map<BytePath, FileRow>();
  #packedBytes = 0;
  #contentBytes = 0;
  #tooLargeCount = 0;
  #leftOutCount = 0;

  constructor(ports: ArchivePorts, order: ArchiveOrder) {
    this.#ports = ports;
    this.#order = order;
  }

  /** What the archive is about; complete when all pieces were taken. */
  get difference(): TableDifference {
    const { extra } = this.#order.difference;
    return { missing: this.#missing, extra, shared: this.#shared };
  }

  /** Files that did not fit, or were not any more what was published. */
  get leftOutCount(): number {
    return this.#leftOutCount;
  }

  /** The pieces of the archive, in order. A piece is valid until the next one is asked for. */
  async *pieces(signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    for (const batch of batchesOf(this.#fitting())) {
      signal.throwIfAborted();
      const [first] = batch;
      if (first !== undefined && first.size > smallFileBytesMax) yield* this.#large(first, signal);
      else yield* this.#small(batch);
      await this.#ports.clock.breathe();
    }
    if (this.#tooLargeCount > 0) {
      const text = `${this.#tooLargeCount} files are too large for an archive now.`;
      this.#ports.log.log('warning', text);
    }
    yield* packTable(this.#ports.zlib, differencePieces(this.difference));
  }

  // ---

  /** The entries that fit, one after the other; asked for one batch at a time. */
  *#fitting(): Generator<Entry, void, undefined> {
    const { difference: { missing, shared }, entryOf, bytesMax } = this.#order;
    for (const path of [...missing.keys(), ...shared.keys()]) {
      const entry = entryOf(path);
      const isFitting = entry !== undefined && this.#fits(entry, bytesMax);
      if (isFitting) {
        // Counted as if it did not pack at all, until it is packed.
        this.#packedBytes += entry.size + overheadBytes;
        this.#contentBytes += entry.size;
        yield entry;
      } else {
        this.#leftOutCount++;
        if (entry !== undefined && entry.size > bytesMax) this.#tooLargeCount++;
      }
    }
  }

  #fits({ size }: Entry, bytesMax: number): boolean {
    return this.#packedBytes + size + overheadBytes <= bytesMax &&
      this.#contentBytes + size <= archiveBytesMax;
  }

  async *#small(batch: readonly Entry[]): AsyncGenerator<Uint8Array, void, undefined> {
    const contents = await this.#ports.contents.small(batch);
    for (const [i, entry] of batch.entries()) {
      const content = contents[i];
      if (content === undefined) {
        this.#skip(entry);
        continue;
      }
      yield* this.#member(entry, content);
      await this.#ports.clock.breathe();
    }
  }

  async *#member(entry: Entry, content: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
    const { zlib } = this.#ports;
    const packed = packSmall(zlib, entry.path, content);
    let length = packed?.length ?? 0;
    if (packed !== undefined) yield packed;
    else {
      for await (const piece of packLarge(zlib, entry.path, [content])) {
        length += piece.length;
        yield piece;
      }
    }
    this.#packed(entry, length);
  }

  async *#large(
    entry: Entry,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { zlib, contents } = this.#ports;
    let [length, hasChanged] = [0, false];
    const content = untilGone(contents.large(entry, signal), () => hasChanged = true);
    for await (const piece of packLarge(zlib, entry.path, content)) {
      length += piece.length;
      yield piece;
    }
    // What of it is in the archive cannot be taken back, but what the table does not name is nothing.
    if (hasChanged) this.#skip(entry, length);
    else this.#packed(entry, length);
  }

  #packed(entry: Entry, length: number): void {
    const { missing, shared } = this.#order.difference;
    const { path } = entry;
    this.#packedBytes += length - entry.size - overheadBytes;
    const lacking = missing.get(path);
    const changed = shared.get(path);
    if (lacking !== undefined) this.#missing.set(path, lacking);
    if (changed !== undefined) this.#shared.set(path, changed);
  }

  #skip(entry: Entry, length = 0): void {
    this.#packedBytes += length - entry.size - overheadBytes;
    this.#leftOutCount++;
    const text = `"${displayPath(entry.path)}" has changed: it is sent the next time.`;
    this.#ports.log.log('debug', text);
  }
}

/** The content; ends early where its file is gone or has changed, and then calls back. */
async function* untilGone(
  content: AsyncIterable<Uint8Array>,
  onGone: () => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* content;
  } catch (error) {
    if (!isGone(error)) throw error;
    onGone();
  }
}
