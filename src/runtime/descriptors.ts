/**
 * Reading and writing through open files, whole and in bounded pieces; and what the system knows
 * about a file in the words of the port.
 *
 * Small pieces go synchronously, which is several times cheaper; anything above goes to another
 * thread, so that neither a slow disk nor a kernel that throttles writers holds the loop.
 */
import * as fs from 'node:fs';
import type { Clock, FileFacts, FileKind } from '../ports.ts';
import { BlockedPathError } from './file-errors.ts';

/** Up to here content is read at once and synchronously, bytes: one access of a disk. */
export const smallBytesMax = 128 * 1024;

/** Larger files are read in pieces of this size, bytes: 2 ms of MD5 each. */
export const pieceBytes = 1024 * 1024;

/** Flags to open a file for reading; a pipe in its place must not block. */
export const readFlags = fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW |
  fs.constants.O_NONBLOCK;

/** Flags to open a directory in order to flush it. */
export const directoryFlags = fs.constants.O_RDONLY | fs.constants.O_DIRECTORY;

/** Flags to create a file that must not exist. */
export const createFlags = fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_EXCL |
  fs.constants.O_NOFOLLOW;

/** The facts of the port. */
export function factsOf(stats: fs.Stats): FileFacts {
  return {
    kind: kindOf(stats.mode),
    size: stats.size,
    mtimeMs: stats.mtimeMs,
    ctimeMs: stats.ctimeMs,
    inode: stats.ino,
    mode: stats.mode & 0o7777,
  };
}

/** Whether an open file is the same as before and was not written to since. */
export function isStillUnchanged(before: FileFacts, descriptor: number): boolean {
  const { size, mtimeMs, ctimeMs, ino } = fs.fstatSync(descriptor);
  return before.size === size && before.mtimeMs === mtimeMs && before.ctimeMs === ctimeMs &&
    before.inode === ino;
}

/** The facts of an open file, which must be a regular one. */
export function regularFacts(descriptor: number): FileFacts {
  const facts = factsOf(fs.fstatSync(descriptor));
  if (facts.kind !== 'file') throw new BlockedPathError('it is not a regular file');
  return facts;
}

/**
 * Fills the buffer, or `length` bytes of it from `start` on, from a position; gives the number of
 * bytes, fewer only at the file's end.
 */
export function readAtOnce(
  descriptor: number,
  buffer: Uint8Array,
  position: number,
  start = 0,
  length: number = buffer.length - start,
): number {
  let count = 0;
  while (count < length) {
    const got = fs.readSync(descriptor, buffer, start + count, length - count, position + count);
    if (got === 0) break;
    count += got;
  }
  return count;
}

/** Like `readAtOnce`, on another thread. */
export async function readFully(
  descriptor: number,
  buffer: Uint8Array,
  position: number,
): Promise<number> {
  let count = 0;
  while (count < buffer.length) {
    const got = await readSome(descriptor, buffer.subarray(count), position + count);
    if (got === 0) break;
    count += got;
  }
  return count;
}

/** Writes all bytes at a position. */
export function writeAtOnce(descriptor: number, bytes: Uint8Array, position: number): void {
  for (let count = 0; count < bytes.length;) {
    const rest = bytes.length - count;
    count += fs.writeSync(descriptor, bytes, count, rest, position + count);
  }
}

/** Like `writeAtOnce`, on another thread. */
export async function writeFully(
  descriptor: number,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  for (let count = 0; count < bytes.length;) {
    count += await writeSome(descriptor, bytes.subarray(count), position + count);
  }
}

/**
 * Hands over the first `size` bytes of a file, or all of it, piece by piece. The pieces share one
 * buffer: each is valid only until the next.
 */
export async function* readPieces(
  clock: Pick<Clock, 'breathe'>,
  descriptor: number,
  size: number,
): AsyncGenerator<Uint8Array, void, void> {
  const buffer = new Uint8Array(Math.min(size, pieceBytes));
  for (let position = 0; position < size;) {
    const wanted = buffer.subarray(0, Math.min(buffer.length, size - position));
    const count = await readFully(descriptor, wanted, position);
    if (count > 0) yield wanted.subarray(0, count);
    if (count < wanted.length) return;
    position += count;
    await clock.breathe();
  }
}

/** Copies the whole content of one open file to another, which is empty. */
export async function copyContent(
  clock: Pick<Clock, 'breathe'>,
  source: number,
  target: number,
): Promise<void> {
  const { size } = fs.fstatSync(source);
  if (size <= smallBytesMax) {
    await clock.breathe();
    const buffer = new Uint8Array(size);
    writeAtOnce(target, buffer.subarray(0, readAtOnce(source, buffer, 0)), 0);
    return;
  }
  let position = 0;
  for await (const piece of readPieces(clock, source, size)) {
    await writeFully(target, piece, position);
    position += piece.length;
  }
}

/** Flushes a file to the disk, on another thread. */
export function flush(descriptor: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fs.fsync(descriptor, (error) => error === null ? resolve() : reject(error));
  });
}

// ---

const kinds: ReadonlyMap<number, FileKind> = new Map([
  [fs.constants.S_IFREG, 'file'],
  [fs.constants.S_IFDIR, 'directory'],
  [fs.constants.S_IFLNK, 'symlink'],
]);

const { S_IFMT } = fs.constants;

function kindOf(mode: number): FileKind {
  return kinds.get(mode & S_IFMT) ?? 'other';
}

function readSome(descriptor: number, buffer: Uint8Array, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.read(descriptor, buffer, 0, buffer.length, position, (error, count) => {
      if (error === null) resolve(count);
      else reject(error);
    });
  });
}

function writeSome(descriptor: number, bytes: Uint8Array, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.write(descriptor, bytes, 0, bytes.length, position, (error, count) => {
      if (error === null) resolve(count);
      else reject(error);
    });
  });
}
