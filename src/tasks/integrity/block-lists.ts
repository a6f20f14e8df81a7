/**
 * The master's lists of blocks: a content is cut once for all workers that ask, who get the rows
 * while it is being cut. Lists of late are kept; a list that nobody waits for any more is given up.
 */
import { type Deferred, deferred, untilAborted } from '../../base/async.ts';
import { displayPath } from '../../base/bytes.ts';
import { ByteWriter } from '../../base/cursor.ts';
import { ClusterError } from '../../base/errors.ts';
import { BlockCutter, boundsFor } from '../../files/block-cutter.ts';
import { packBlockRow } from '../../files/block-list.ts';
import type { Entry } from '../../files/entry.ts';
import { ReadAhead } from '../../files/read-ahead.ts';
import type { Clock, Hasher, Hashing, OpenFile, TreeReader } from '../../ports.ts';

/** Lists that are kept, bytes: that of 1 GiB takes 230 KB. */
const keptBytesMax = 8 * 1024 * 1024;

/** Rows are handed on when they are so many bytes: those of some 5 MB at least. */
const pieceBytes = 1024;

/** And when so much of a content has been cut: blocks of very large ones are few, and nobody waits long. */
const pieceContentBytes = 64 * 1024 * 1024;

/** What cutting takes. */
export interface BlockListPorts {
  readonly clock: Clock;
  readonly files: Pick<TreeReader, 'open'>;
  readonly hashing: Pick<Hashing, 'fingerprints'>;
}

/** Makes lists of blocks and keeps them. */
export class BlockLists {
  readonly #ports: BlockListPorts;
  readonly #lists = new Map<string, GrowingList>();

  constructor(ports: BlockListPorts) {
    this.#ports = ports;
  }

  /**
   * Sends the list of a content.
   * @throws ClusterError where the content is not there any more
   */
  async send(
    entry: Entry,
    signal: AbortSignal,
    send: (piece: Uint8Array) => Promise<void>,
  ): Promise<void> {
    const key = `${entry.size} ${entry.hash}`;
    const known = this.#lists.get(key);
    const list = known === undefined || known.signal.aborted ? this.#begin(entry) : known;
    this.#lists.delete(key);
    this.#lists.set(key, list); // most recently used last
    try {
      await list.sendAll(signal, send);
      this.#evict();
    } finally {
      if (!list.isWhole && !list.isWaitedFor && this.#lists.get(key) === list) {
        this.#lists.delete(key);
      }
    }
  }

  #begin(entry: Entry): GrowingList {
    const list = new GrowingList();
    this.#make(entry, list).then(() => list.finish(), (error: unknown) => list.fail(error));
    return list;
  }

  async #make(entry: Entry, list: GrowingList): Promise<void> {
    const fingerprint = await this.#ports.hashing.fingerprints();
    const file = await this.#ports.files.open(entry.path);
    const reader = new ReadAhead(file);
    try {
      // A time that has changed alone is rare; to send the whole is right in any case.
      const { size, mtimeMs, ctimeMs, inode } = file.facts;
      if (size !== entry.size || Math.floor(mtimeMs) !== Math.floor(entry.mtimeMs)) {
        throw changed(entry);
      }
      await this.#cut(file, reader, fingerprint, list);
      const after = await file.currentFacts();
      const isSame = after.size === size && after.mtimeMs === mtimeMs &&
        after.ctimeMs === ctimeMs && after.inode === inode;
      if (!isSame) throw changed(entry);
    } finally {
      await reader.settle();
      await file.close();
    }
  }

  async #cut(
    file: OpenFile,
    reader: ReadAhead,
    fingerprint: () => Hasher,
    list: GrowingList,
  ): Promise<void> {
    const { size } = file.facts;
    const cutter = new BlockCutter(boundsFor(size));
    const writer = new ByteWriter(2 * pieceBytes);
    let hasher = fingerprint();
    let blockStart = 0;
    let handedAt = 0;
    for (let at = 0; at < size;) {
      const bytes = await reader.read(at, size - at);
      if (bytes.length === 0) return; // the facts tell
      for (let from = 0; from < bytes.length;) {
        const border = cutter.next(bytes, from) ?? bytes.length;
        hasher.update(bytes.subarray(from, border));
        at += border - from;
        from = border;
        if (cutter.length > 0 && at < size) break;
        packBlockRow(writer, { length: at - blockStart, fingerprint: hasher.digest() });
        hasher = fingerprint();
        blockStart = at;
      }
      const isDue = writer.length >= pieceBytes || at - handedAt >= pieceContentBytes ||
        at === size;
      if (isDue && writer.length > 0) {
        list.add(writer.finish());
        writer.reset();
        handedAt = at;
      }
      list.signal.throwIfAborted();
      await this.#ports.clock.breathe();
    }
  }

  #evict(): void {
    let bytes = 0;
    for (const list of this.#lists.values()) bytes += list.bytes;
    for (const [key, list] of this.#lists) {
      if (bytes <= keptBytesMax) return;
      if (list.isWaitedFor) continue;
      bytes -= list.bytes;
      this.#lists.delete(key);
    }
  }
}

// ---------------------------------------------------------------------------------------------

/** A list that is being made, or has been. */
class GrowingList {
  bytes = 0;
  isWhole = false;
  readonly #pieces: Uint8Array[] = [];
  readonly #controller = new AbortController();
  #waitersCount = 0;
  #failure: { readonly error: unknown } | undefined;
  #more: Deferred<void> = deferred();

  /** Aborted when nobody waits for it any more. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get isWaitedFor(): boolean {
    return this.#waitersCount > 0;
  }

  add(rows: Uint8Array): void {
    this.#pieces.push(rows);
    this.bytes += rows.length;
    this.#tell();
  }

  finish(): void {
    this.isWhole = true;
    this.#tell();
  }

  fail(error: unknown): void {
    this.#failure = { error };
    this.#tell();
  }

  async sendAll(
    signal: AbortSignal,
    send: (piece: Uint8Array) => Promise<void>,
  ): Promise<void> {
    this.#waitersCount++;
    try {
      for (let i = 0;; i++) {
        while (i >= this.#pieces.length) {
          if (this.#failure !== undefined) throw this.#failure.error;
          if (this.isWhole) return;
          await untilAborted(this.#more.promise, signal);
        }
        await send(this.#pieces[i]!);
      }
    } finally {
      this.#waitersCount--;
      if (!this.isWaitedFor && !this.isWhole) {
        this.#controller.abort(new ClusterError('aborted', 'Nobody asks for the blocks any more'));
      }
    }
  }

  #tell(): void {
    this.#more.resolve();
    this.#more = deferred();
  }
}

function changed(entry: Entry): ClusterError {
  return new ClusterError('changed', `"${displayPath(entry.path)}" is not what was published`);
}
