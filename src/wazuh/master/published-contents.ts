/**
 * Reads the contents that were published, and nothing else: a file that has changed since does not
 * pass for its entry. Small files are read many at a time, large ones in pieces.
 */
import type { ByteString } from '../../base/bytes.ts';
import { ClusterError, codeOf } from '../../base/errors.ts';
import type { Entry } from '../../files/entry.ts';
import type { Clock, HashAlgorithm, Hasher, Hashing, OpenFile, TreeReader } from '../../ports.ts';

/** Files up to this size are read many at a time, bytes. */
export const smallFileBytesMax = 128 * 1024;

/** Small files read at a time, and their bytes. */
const readCountMax = 100;
const readBytesMax = 1024 * 1024;

/** Bytes read from a large file at a time. */
const pieceBytes = 256 * 1024;

/** What reading needs. */
export interface PublishedContentsPorts {
  readonly clock: Clock;
  readonly hashing: Hashing;
  readonly files: TreeReader;
  readonly algorithm: HashAlgorithm;
}

/** Reads what was published. */
export class PublishedContents {
  readonly #ports: PublishedContentsPorts;

  constructor(ports: PublishedContentsPorts) {
    this.#ports = ports;
  }

  /** Hashes of another kind; undefined where the content is not there any more. */
  async hash(
    entries: readonly Entry[],
    algorithm: HashAlgorithm,
    signal: AbortSignal,
  ): Promise<(ByteString | undefined)[]> {
    const { hashing, clock } = this.#ports;
    const hashes: (ByteString | undefined)[] = [];
    for (const batch of batchesOf(entries)) {
      signal.throwIfAborted();
      const [first] = batch;
      if (first !== undefined && first.size > smallFileBytesMax) {
        hashes.push(await this.#hashLarge(first, hashing.create(algorithm), signal));
        continue;
      }
      for (const content of await this.small(batch)) {
        hashes.push(content === undefined ? undefined : hashing.digest(algorithm, content));
        await clock.breathe();
      }
    }
    return hashes;
  }

  /** The contents of small files, in order; undefined where one is not there any more. */
  async small(entries: readonly Entry[]): Promise<(Uint8Array | undefined)[]> {
    const { files, hashing, algorithm, clock } = this.#ports;
    const contents = await files.readAll(entries.map(({ path }) => path), smallFileBytesMax);
    const published: (Uint8Array | undefined)[] = [];
    for (const [i, { size, hash }] of entries.entries()) {
      const content = contents[i];
      const isPublished = content instanceof Uint8Array && content.length === size &&
        hashing.digest(algorithm, content) === hash;
      published.push(isPublished ? content : undefined);
      await clock.breathe();
    }
    return published;
  }

  /**
   * The content of a large file, piece by piece; a piece is valid until the next one is asked for.
   * @throws ClusterError `changed` at the end where it was not what was published; what opening and
   * reading a file throws
   */
  async *large(entry: Entry, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    const { files, hashing, algorithm, clock } = this.#ports;
    const hasher = hashing.create(algorithm);
    const file = await files.open(entry.path);
    try {
      if (file.facts.size !== entry.size) throw changed();
      for await (const piece of piecesOf(file, entry.size)) {
        signal.throwIfAborted();
        hasher.update(piece);
        yield piece;
        await clock.breathe();
      }
    } finally {
      await file.close();
    }
    if (hasher.digest() !== entry.hash) throw changed();
  }

  async #hashLarge(
    entry: Entry,
    hasher: Hasher,
    signal: AbortSignal,
  ): Promise<ByteString | undefined> {
    try {
      for await (const piece of this.large(entry, signal)) hasher.update(piece);
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
    return hasher.digest();
  }
}

/** Whether a content could not be had because of what happened to its file. */
export function isGone(error: unknown): boolean {
  return ['changed', 'notFound', 'permission', 'io'].includes(codeOf(error));
}

/** Entries that are read together: some small ones, or one large one. */
export function* batchesOf(entries: Iterable<Entry>): Generator<Entry[], void, undefined> {
  let batch: Entry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    const isLarge = entry.size > smallFileBytesMax;
    const isFull = batch.length >= readCountMax || bytes + entry.size > readBytesMax;
    if (batch.length > 0 && (isLarge || isFull)) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(entry);
    bytes += entry.size;
    if (!isLarge) continue;
    yield batch;
    [batch, bytes] = [[], 0];
  }
  if (batch.length > 0) yield batch;
}

// ---

async function* piecesOf(file: OpenFile, size: number) {
  for (let at = 0; at < size;) {
    const piece = await file.read(at, Math.min(pieceBytes, size - at));
    if (piece.length === 0) throw changed();
    yield piece;
    at += piece.length;
  }
}

function changed(): ClusterError {
  return new ClusterError('changed', 'A file is not what was published');
}
