/**
 * Packed rows: entries as bytes, in memory and on the wire alike.
 *
 * A row is u16 length of the path, the path, u48 size, f64 modification time, and the hash, whose
 * length follows from the cluster's algorithm; integers are big-endian. Rows of a leaf are sorted
 * by path. Rows from a peer are read with every value checked: what is wrong with them is a
 * `ProtocolError('malformed')`, never anything else.
 */
import {
  type BytePath,
  type ByteString,
  compareByteStrings,
  displayPath,
  fromBytes,
} from '../base/bytes.ts';
import { ByteReader, type ByteWriter } from '../base/cursor.ts';
import { invariant, ProtocolError } from '../base/errors.ts';
import { type HashAlgorithm, hashBytes } from '../ports.ts';
import { leafOf } from './digest-tree.ts';
import type { Entry } from './entry.ts';
import { pathBytesMax, pathProblem } from './paths.ts';

/** Largest size of a file: what fits into the 48 bits of a row. */
export const fileBytesMax = 2 ** 48 - 1;

/** Appends the row of an entry. */
export function packRow(writer: ByteWriter, entry: Entry): void {
  invariant(entry.size >= 0 && entry.size <= fileBytesMax, 'the size of a file fits into 48 bits');
  invariant(Number.isFinite(entry.mtimeMs), 'a modification time is a number');
  packPath(writer, entry.path);
  writer.u48(entry.size);
  writer.f64(entry.mtimeMs);
  writer.text(entry.hash);
}

/** Appends a path with its length. */
export function packPath(writer: ByteWriter, path: BytePath): void {
  invariant(path.length > 0 && path.length <= pathBytesMax, 'a path is not empty nor too long');
  writer.u16(path.length);
  writer.text(path);
}

/** Reads one row that this node packed itself: nothing is checked. */
export function unpackRow(reader: ByteReader, algorithm: HashAlgorithm): Entry {
  return {
    path: reader.text(reader.u16()),
    size: reader.u48(),
    mtimeMs: reader.f64(),
    hash: reader.text(hashBytes[algorithm]),
  };
}

/** Reads all rows of a leaf that this node packed itself: nothing is checked. */
export function unpackRows(rows: Uint8Array, algorithm: HashAlgorithm): Entry[] {
  const entries: Entry[] = [];
  // One long text, of which paths and hashes are pieces, is made faster than many short ones.
  const text = fromBytes(rows);
  const reader = new ByteReader(rows);
  while (reader.remaining > 0) {
    entries.push({
      path: readPiece(reader, text, reader.u16()),
      size: reader.u48(),
      mtimeMs: reader.f64(),
      hash: readPiece(reader, text, hashBytes[algorithm]),
    });
  }
  return entries;
}

/** Reads one row that a peer sent. */
export function readRow(reader: ByteReader, algorithm: HashAlgorithm): Entry {
  const entry = unpackRow(reader, algorithm);
  checkPath(entry.path);
  if (!Number.isFinite(entry.mtimeMs)) {
    throw malformed(`Modification time of "${displayPath(entry.path)}" is no number`);
  }
  return entry;
}

/**
 * Reads a path with its length that a peer sent.
 * @param text all bytes of the reader, where there is such a text already
 */
export function readPath(reader: ByteReader, text?: ByteString): BytePath {
  const length = reader.u16();
  const path = text === undefined ? reader.text(length) : readPiece(reader, text, length);
  checkPath(path);
  return path;
}

/** Reads a byte string, as a piece of the text that is all bytes of the reader. */
export function readPiece(reader: ByteReader, text: ByteString, length: number): ByteString {
  const start = reader.skip(length);
  return text.slice(start, start + length);
}

/**
 * The entries of whole leaves, one leaf after the other in ascending order, as
 * `Manifest.leafRows` gives them and a peer sent them. With `leaves`, rows of other leaves are an
 * error. Nothing is read ahead: a caller with many rows can let others have a turn in between.
 */
export function* eachRow(
  bytes: Uint8Array,
  algorithm: HashAlgorithm,
  leaves?: ReadonlySet<number>,
): Generator<Entry> {
  const reader = new ByteReader(bytes);
  let leafBefore = -1;
  let pathBefore = '';
  while (reader.remaining > 0) {
    const entry = readRow(reader, algorithm);
    const leaf = leafOf(entry.path);
    if (leaves !== undefined && !leaves.has(leaf)) {
      throw malformed(`Path "${displayPath(entry.path)}" is not in the leaves asked for`);
    }
    if (
      leaf < leafBefore || (leaf === leafBefore && compareByteStrings(pathBefore, entry.path) >= 0)
    ) {
      throw malformed(`Path "${displayPath(entry.path)}" is out of order`);
    }
    leafBefore = leaf;
    pathBefore = entry.path;
    yield entry;
  }
}

/** All entries of `eachRow` at once. */
export function readRows(
  bytes: Uint8Array,
  algorithm: HashAlgorithm,
  leaves?: ReadonlySet<number>,
): Entry[] {
  return [...eachRow(bytes, algorithm, leaves)];
}

/** The error for packed bytes that break the rules. */
export function malformed(text: string, cause?: unknown): ProtocolError {
  return new ProtocolError('malformed', text, cause === undefined ? {} : { cause });
}

// ---------------------------------------------------------------------------------------------

function checkPath(path: BytePath): void {
  const problem = pathProblem(path);
  if (problem !== undefined) throw malformed(`Path "${displayPath(path)}" ${problem}`);
}
