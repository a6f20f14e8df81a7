/**
 * The archives that a worker sends its master. All that matters in them is one file, the table: it is
 * taken out of memory when it is asked for, and nothing is ever written to where a worker points.
 */
import { type BytePath, type ByteString, concatBytes } from '../../base/bytes.ts';
import { ClusterError } from '../../base/errors.ts';
import type { Hasher, Hashing, Zlib } from '../../ports.ts';
import { tablePath } from '../archive-format.ts';
import { type ArchiveLimits, ArchiveReader } from '../archive-reader.ts';
import { internalFailure } from '../failure.ts';
import type { FileReceiver, FileSink } from '../file-transfer.ts';

/** The longest archive: the packed table of half a million files. */
const uploadBytesMax = 128 * 1024 * 1024;

/** Archives that are there at a time; real workers send one, and wait for what comes of it. */
const uploadsMax = 2;

/** A worker's archive holds a table and nothing else. */
const limits: ArchiveLimits = {
  membersMax: 16,
  pathBytesMax: 4096,
  memberBytesMax: 512 * 1024 * 1024,
  contentBytesMax: 512 * 1024 * 1024,
  expansionMax: 200,
};

/** An archive that has come. */
export interface Upload {
  readonly pieces: readonly Uint8Array[];
  /** SHA-256 over all of it: workers send the same again and again. */
  readonly digest: ByteString;
}

/** The archives of one worker. */
export class Uploads implements FileReceiver {
  readonly #hashing: Hashing;
  readonly #directory: BytePath;
  readonly #uploads = new Map<BytePath, Upload>();

  constructor(hashing: Hashing, node: string) {
    this.#hashing = hashing;
    this.#directory = `queue/cluster/${node}/`;
  }

  /** Takes what is sent into the worker's own directory, and right in there. */
  readonly open = (path: BytePath): FileSink | undefined => {
    const name = path.slice(this.#directory.length);
    const isOwn = path.startsWith(this.#directory) && name !== '' && !name.includes('/') &&
      name !== '..' && name !== '.';
    if (!isOwn) return undefined;
    return new UploadSink(this.#hashing.create('sha256'), (upload) => this.#add(path, upload));
  };

  /** An archive that has come; it is gone from here then. */
  take(path: BytePath): Upload | undefined {
    const plain = path.replace(/^\/+/, '');
    const upload = this.#uploads.get(plain);
    this.#uploads.delete(plain);
    return upload;
  }

  #add(path: BytePath, upload: Upload): void {
    this.#uploads.delete(path);
    const [oldest] = this.#uploads.keys();
    if (this.#uploads.size >= uploadsMax && oldest !== undefined) this.#uploads.delete(oldest);
    this.#uploads.set(path, upload);
  }
}

/**
 * The table in an archive, as JSON text.
 * @throws ClusterError `corrupt`
 */
export async function tableIn(zlib: Zlib, { pieces }: Upload): Promise<Uint8Array> {
  const reader = new ArchiveReader(zlib, limits);
  let table: Uint8Array | undefined;
  let isTable = false;
  let parts: Uint8Array[] = [];
  const take = async (events: ReturnType<ArchiveReader['push']>) => {
    for await (const event of events) {
      if (event.kind === 'whole' && event.path === tablePath) table = event.content;
      else if (event.kind === 'begin') isTable = event.path === tablePath;
      else if (event.kind === 'bytes' && isTable) parts.push(event.bytes);
      else if (event.kind === 'end' && isTable) {
        table = concatBytes(parts);
        [parts, isTable] = [[], false];
      }
    }
  };
  try {
    for (const piece of pieces) await take(reader.push(piece));
    await take(reader.finish());
  } finally {
    reader.close();
  }
  if (table === undefined) throw new ClusterError('corrupt', 'An archive has no table');
  return table;
}

class UploadSink implements FileSink {
  readonly #hasher: Hasher;
  readonly #onFinished: (upload: Upload) => void;
  #pieces: Uint8Array[] = [];
  #bytesCount = 0;

  constructor(hasher: Hasher, onFinished: (upload: Upload) => void) {
    this.#hasher = hasher;
    this.#onFinished = onFinished;
  }

  write(bytes: Uint8Array): Promise<void> {
    this.#bytesCount += bytes.length;
    if (this.#bytesCount > uploadBytesMax) {
      return Promise.reject(internalFailure('The archive is too long'));
    }
    this.#hasher.update(bytes);
    this.#pieces.push(bytes);
    return Promise.resolve();
  }

  finish(): Promise<void> {
    this.#onFinished({ pieces: this.#pieces, digest: this.#hasher.digest() });
    return Promise.resolve();
  }

  discard(): void {
    this.#pieces = [];
  }
}
