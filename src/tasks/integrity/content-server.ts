/**
 * The master's side of fetching: reads contents and writes bundles. Small files are read many at a
 * time and checked before a byte of them leaves; large ones are streamed and checked at the end.
 */
import { ClusterError, codeOf } from '../../base/errors.ts';
import {
  type AbsenceReason,
  blockBytes,
  type BundleItem,
  BundleWriter,
} from '../../files/bundle.ts';
import type { Range } from '../../files/block-list.ts';
import type { BuiltBundle, BundleCache } from '../../files/bundle-cache.ts';
import type { Entry } from '../../files/entry.ts';
import type {
  Clock,
  Compression,
  HashAlgorithm,
  Hashing,
  OpenFile,
  TreeReader,
} from '../../ports.ts';
import { SendBuffer } from './send-buffer.ts';

/** Files up to this size are read many at a time, bytes: one access of the disk each. */
const smallFileBytesMax = 128 * 1024;

/** Small files read at a time, and their bytes: what is held in memory before it is sent. */
const readCountMax = 100;
const readBytesMax = 1024 * 1024;

const nothing = new Uint8Array(0);

/** What serving contents needs. */
export interface TransferPorts {
  readonly clock: Clock;
  readonly files: TreeReader;
  readonly hashing: Hashing;
  readonly compression: Compression;
}

/** Settings of serving contents. */
export interface TransferOptions {
  readonly algorithm: HashAlgorithm;
  /** Whether to compress what compresses. */
  readonly compress: boolean;
  /** Finished bundles for other workers. */
  readonly cache: BundleCache;
  /** Largest bundle that is built in memory, bytes of contents. */
  readonly bundleBytesMax: number;
}

/** A content that a worker asks for. */
export interface Asked {
  readonly item: BundleItem;
  /** The published entry with the hash that was asked for; undefined where there is none. */
  readonly entry: Entry | undefined;
}

/** Reads contents and writes bundles. */
export class ContentServer {
  readonly #ports: TransferPorts;
  readonly #options: TransferOptions;

  constructor(ports: TransferPorts, options: TransferOptions) {
    this.#ports = ports;
    this.#options = options;
  }

  /** A bundle in memory. */
  async build(asked: readonly Asked[]): Promise<BuiltBundle> {
    const pieces: Uint8Array[] = [];
    const never = new AbortController().signal;
    const isComplete = await this.serve(asked, never, (piece) => {
      pieces.push(piece.slice());
      return Promise.resolve();
    });
    return { pieces, isComplete };
  }

  /**
   * Sends a bundle piece by piece; whether every content was there. A piece is valid until `send`
   * resolves.
   */
  async serve(
    asked: readonly Asked[],
    signal: AbortSignal,
    send: (piece: Uint8Array) => Promise<void>,
  ): Promise<boolean> {
    const { compression, clock } = this.#ports;
    const buffer = new SendBuffer(send);
    const writer = new BundleWriter(
      { compression, compress: this.#options.compress },
      (part) => buffer.add(part),
    );
    let isComplete = true;
    for (let at = 0; at < asked.length;) {
      signal.throwIfAborted();
      const small = smallOnes(asked, at);
      at += Math.max(1, small.length);
      const isThere = small.length > 0
        ? await this.#addSmall(writer, small)
        : await this.#addLarge(writer, asked[at - 1]!, buffer, signal);
      isComplete &&= isThere;
      await buffer.drain(false);
      await clock.breathe();
    }
    writer.flush();
    await buffer.drain(true);
    return isComplete;
  }

  /**
   * Sends a bundle with ranges of one content. Whether it is still that content is not looked at:
   * whoever asks for parts has the hash of the whole.
   * @throws ClusterError where there is no such content
   */
  async serveRanges(
    entry: Entry,
    ranges: readonly Range[],
    signal: AbortSignal,
    send: (piece: Uint8Array) => Promise<void>,
  ): Promise<void> {
    const { compression, files } = this.#ports;
    const buffer = new SendBuffer(send);
    const writer = new BundleWriter(
      { compression, compress: this.#options.compress },
      (part) => buffer.add(part),
    );
    const file = await files.open(entry.path);
    try {
      for (const range of ranges) {
        signal.throwIfAborted();
        writer.begin(range.length);
        writer.end(await this.#write(writer, file, range, buffer));
      }
    } finally {
      await file.close();
    }
    writer.flush();
    await buffer.drain(true);
  }

  /** Adds files that are read together. */
  async #addSmall(writer: BundleWriter, small: readonly SmallAsked[]): Promise<boolean> {
    const { files, hashing } = this.#ports;
    const contents = await files.readAll(small.map(({ entry }) => entry.path), smallFileBytesMax);
    const hashes = hashing.digestAll(
      this.#options.algorithm,
      contents.map((bytes) => bytes instanceof Error ? nothing : bytes),
    );
    let isComplete = true;
    for (const [i, { entry }] of small.entries()) {
      const bytes = contents[i]!;
      const reason = bytes instanceof Error
        ? absenceOf(bytes)
        : bytes.length === entry.size && hashes[i] === entry.hash
        ? undefined
        : 'changed';
      if (reason !== undefined || bytes instanceof Error) {
        writer.add(reason ?? 'unreadable');
        isComplete = false;
        continue;
      }
      writer.begin(bytes.length);
      writer.write(bytes);
      writer.end(true);
    }
    return isComplete;
  }

  /** Adds a file that is streamed. */
  async #addLarge(
    writer: BundleWriter,
    { item, entry }: Asked,
    buffer: SendBuffer,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (entry === undefined) {
      writer.add('unknown');
      return false;
    }
    let file: OpenFile;
    try {
      file = await this.#ports.files.open(entry.path);
    } catch (error) {
      writer.add(absenceOf(error));
      return false;
    }
    try {
      if (file.facts.size !== entry.size || !await this.#isStillThere(file, entry, signal)) {
        writer.add('changed');
        return false;
      }
      return await this.#stream(writer, file, entry, item.offset, buffer);
    } finally {
      await file.close();
    }
  }

  /**
   * Whether a large file seems to hold what was published. Its time may have changed alone, which
   * publishes nothing: then only the content tells.
   */
  async #isStillThere(file: OpenFile, entry: Entry, signal: AbortSignal): Promise<boolean> {
    if (Math.floor(file.facts.mtimeMs) === Math.floor(entry.mtimeMs)) return true;
    const { files } = this.#ports;
    const [outcome] = await files.hash([entry.path], this.#options.algorithm, signal);
    return outcome?.kind === 'hashed' && outcome.hash === entry.hash;
  }

  async #stream(
    writer: BundleWriter,
    file: OpenFile,
    entry: Entry,
    offset: number,
    buffer: SendBuffer,
  ): Promise<boolean> {
    writer.begin(entry.size - offset);
    if (!await this.#write(writer, file, { offset, length: entry.size - offset }, buffer)) {
      writer.end(false);
      return false;
    }
    const { size, mtimeMs, ctimeMs, inode } = await file.currentFacts();
    const before = file.facts;
    const isSame = size === before.size && mtimeMs === before.mtimeMs &&
      ctimeMs === before.ctimeMs && inode === before.inode;
    writer.end(isSame);
    return isSame;
  }

  /** Writes a range of a file; false where it has become shorter. */
  async #write(
    writer: BundleWriter,
    file: OpenFile,
    { offset, length }: Range,
    buffer: SendBuffer,
  ): Promise<boolean> {
    const end = offset + length;
    // From here on each block is one piece.
    if (length >= blockBytes) await buffer.drain(true);
    for (let at = offset; at < end;) {
      const bytes = await file.read(at, Math.min(blockBytes, end - at));
      if (bytes.length === 0) return false;
      writer.write(bytes);
      at += bytes.length;
      await buffer.drain(false);
      await this.#ports.clock.breathe();
    }
    return true;
  }
}

function absenceOf(error: unknown): AbsenceReason {
  if (!(error instanceof ClusterError)) throw error;
  return codeOf(error) === 'notFound' ? 'vanished' : 'unreadable';
}

// ---------------------------------------------------------------------------------------------

interface SmallAsked extends Asked {
  readonly entry: Entry;
}

/** The small files from a position on that are read together; none where a large one is there. */
function smallOnes(asked: readonly Asked[], start: number): SmallAsked[] {
  const small: SmallAsked[] = [];
  let bytes = 0;
  for (let at = start; at < asked.length && small.length < readCountMax; at++) {
    const { item, entry } = asked[at]!;
    if (entry === undefined || entry.size > smallFileBytesMax || item.offset > 0) break;
    bytes += entry.size;
    if (small.length > 0 && bytes > readBytesMax) break;
    small.push({ item, entry });
  }
  return small;
}
