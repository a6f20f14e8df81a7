/**
 * Files: how archives go from one node to another. One end opens a file by a path below
 * `queue/cluster`, sends its pieces one by one, and closes it with the SHA-256 of all.
 *
 * The path is a mere name here: a receiver decides itself what it makes of the bytes, and nothing
 * is ever written to where a peer points.
 */
import { type BytePath, type ByteString, equalBytes, toBytes } from '../base/bytes.ts';
import type { Hasher, Hashing } from '../ports.ts';
import { type Answer, answering, type Connection } from './connection.ts';
import { internalFailure } from './failure.ts';
import { quotedBytes } from './layouts.ts';
import { PlainRefusal, plainReplies, replyTexts } from './replies.ts';

/** Bytes of a piece: what a keep-alive may have to wait for. Real nodes send 5 MiB. */
const pieceBytes = 1024 * 1024;

/** Files that are coming in at a time; real nodes send one. */
const filesMax = 4;

/** What to send a file with. */
export interface SendingOptions {
  readonly hashing: Hashing;
  readonly signal: AbortSignal;
  /**
   * Asked between two pieces: true where the receiver has given up. The file is then closed as it
   * is: its hash is that of what was sent.
   */
  readonly isCancelled?: () => boolean;
}

/**
 * Sends a file; gives how many bytes went.
 * @throws WazuhFailure what the peer told; ClusterError `timeout`, or why the connection ended
 */
export async function sendFile(
  connection: Connection,
  path: BytePath,
  content: AsyncIterable<Uint8Array>,
  { hashing, signal, isCancelled = () => false }: SendingOptions,
): Promise<number> {
  const hasher = hashing.create('sha256');
  let bytesCount = 0;
  await connection.request('new_file', path, { signal });
  for await (const bytes of gathered(content)) {
    if (isCancelled()) break;
    hasher.update(bytes);
    bytesCount += bytes.length;
    await connection.request('file_upd', { path, bytes }, { signal });
  }
  await connection.request('file_end', { path, hash: hasher.digest() }, { signal });
  return bytesCount;
}

/** The same bytes in pieces of one length: each costs a round trip. */
async function* gathered(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let piece = new Uint8Array(pieceBytes);
  let filled = 0;
  for await (const bytes of content) {
    for (let at = 0; at < bytes.length;) {
      const part = bytes.subarray(at, at + pieceBytes - filled);
      piece.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled < pieceBytes) continue;
      yield piece;
      piece = new Uint8Array(pieceBytes);
      filled = 0;
    }
  }
  if (filled > 0) yield piece.subarray(0, filled);
}

/** What takes the bytes of a file that comes in. Calls follow each other, never two at once. */
export interface FileSink {
  write(bytes: Uint8Array): Promise<void>;
  /** All bytes have come and are those that were sent. */
  finish(): Promise<void>;
  /** What has come is to be forgotten. */
  discard(): void;
}

/** What becomes of files that a peer sends. */
export interface FileReceiver {
  /** Undefined where nothing may be sent to this path. Leading slashes are taken off. */
  readonly open: (path: BytePath) => FileSink | undefined;
}

interface OpenFile {
  readonly sink: FileSink;
  readonly hasher: Hasher;
}

/** The files that come in over one connection. */
export class IncomingFiles {
  readonly #hashing: Hashing;
  readonly #receiver: FileReceiver;
  readonly #files = new Map<ByteString, OpenFile>();
  /** Calls of sinks, one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(hashing: Hashing, receiver: FileReceiver) {
    this.#hashing = hashing;
    this.#receiver = receiver;
  }

  /** The answers that take files in. */
  answers(): readonly (readonly [string, Answer])[] {
    return [
      answering('new_file', (path) => this.#inOrder(() => this.#open(path))),
      answering('file_upd', ({ path, bytes }) => this.#inOrder(() => this.#write(path, bytes))),
      answering('file_end', ({ path, hash }) => this.#inOrder(() => this.#end(path, hash))),
    ];
  }

  /** Forgets what has not been closed; to be called when the connection has ended. */
  close(): void {
    for (const { sink } of this.#files.values()) sink.discard();
    this.#files.clear();
  }

  #inOrder(work: () => Promise<string>): Promise<string> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }

  async #open(path: ByteString): Promise<string> {
    this.#drop(path);
    if (this.#files.size >= filesMax) throw internalFailure('Too many files at once');
    const sink = this.#receiver.open(path.replace(/^\/+/, ''));
    if (sink === undefined) throw new PlainRefusal(plainReplies.writePath());
    this.#files.set(path, { sink, hasher: this.#hashing.create('sha256') });
    return await Promise.resolve(replyTexts.new_file);
  }

  async #write(path: ByteString, bytes: Uint8Array): Promise<string> {
    const { sink, hasher } = this.#fileOf(path);
    hasher.update(bytes);
    try {
      await sink.write(bytes);
    } catch (error) {
      this.#drop(path);
      throw error;
    }
    return replyTexts.file_upd;
  }

  async #end(path: ByteString, hash: ByteString): Promise<string> {
    const { sink, hasher } = this.#fileOf(path);
    if (!equalBytes(toBytes(hasher.digest()), toBytes(hash))) {
      this.#drop(path);
      throw new PlainRefusal(plainReplies.checksum());
    }
    this.#files.delete(path);
    await sink.finish();
    return replyTexts.file_end;
  }

  #fileOf(path: ByteString): OpenFile {
    const file = this.#files.get(path);
    if (file === undefined) throw internalFailure(quotedBytes(path));
    return file;
  }

  #drop(path: ByteString): void {
    this.#files.get(path)?.sink.discard();
    this.#files.delete(path);
  }
}
