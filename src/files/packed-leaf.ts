/**
 * The rows of one leaf of a manifest: a packed array that is searched and rewritten as bytes.
 *
 * Rows are those of `rows.ts`, sorted by path. Nothing here is checked: the rows are this node's
 * own. An array is never changed once it is in a manifest.
 */
import { type BytePath, type ByteString, equalBytes } from '../base/bytes.ts';
import type { ByteWriter } from '../base/cursor.ts';
import { invariant } from '../base/errors.ts';
import { type HashAlgorithm, hashBytes } from '../ports.ts';
import type { EntryChange } from './entry.ts';
import { packRow } from './rows.ts';

/** A leaf without entries. */
export const emptyRows = new Uint8Array(0);

// Within a row: u16 length of the path, path, u48 size, f64 modification time, hash.
const PATH_AT = 2;
const SIZE_BYTES = 6;
const MTIME_BYTES = 8;

/** Where the row of a path starts; -1 where there is none. */
export function findRow(rows: Uint8Array, path: BytePath, algorithm: HashAlgorithm): number {
  let at = 0;
  while (at < rows.length) {
    const order = compareRow(rows, at, path);
    if (order >= 0) return order === 0 ? at : -1;
    at = rowEnd(rows, at, algorithm);
  }
  return -1;
}

/** Whether the row that starts there has this hash. */
export function hasHash(
  rows: Uint8Array,
  at: number,
  hash: ByteString,
  algorithm: HashAlgorithm,
): boolean {
  if (hash.length !== hashBytes[algorithm]) return false;
  const start = rowEnd(rows, at, algorithm) - hash.length;
  for (let i = 0; i < hash.length; i++) if (rows[start + i] !== hash.charCodeAt(i)) return false;
  return true;
}

/** Where the rows of paths that begin with a prefix start. */
export function rowsWithPrefix(
  rows: Uint8Array,
  prefix: ByteString,
  algorithm: HashAlgorithm,
): number[] {
  const starts: number[] = [];
  for (let at = 0; at < rows.length; at = rowEnd(rows, at, algorithm)) {
    if (hasPrefix(rows, at, prefix)) starts.push(at);
  }
  return starts;
}

/** What became of a leaf. */
export interface MergedRows {
  /** The same array as before where nothing changed. */
  readonly rows: Uint8Array;
  /** By how much the number of entries grew. */
  readonly count: number;
  /** By how much the sum of the sizes grew. */
  readonly bytes: number;
}

/** The rows of a leaf after some changes, in any order; of two of one path the last counts. */
export function mergeRows(
  rows: Uint8Array,
  changes: readonly EntryChange[],
  algorithm: HashAlgorithm,
  scratch: ByteWriter,
): MergedRows {
  scratch.reset();
  let count = 0;
  let bytes = 0;
  let at = 0;
  let kept = 0;
  for (const { path, entry } of inOrder(changes)) {
    let order = 1;
    while (at < rows.length && (order = compareRow(rows, at, path)) < 0) {
      at = rowEnd(rows, at, algorithm);
    }
    copyRows(rows, kept, at, scratch);
    if (order === 0) {
      count--;
      bytes -= sizeAt(rows, at);
      at = rowEnd(rows, at, algorithm);
    }
    kept = at;
    if (entry !== undefined) {
      invariant(entry.hash.length === hashBytes[algorithm], 'a hash fits its algorithm');
      packRow(scratch, entry);
      count++;
      bytes += entry.size;
    }
  }
  copyRows(rows, kept, rows.length, scratch);
  const isSame = equalBytes(scratch.view(), rows);
  return { rows: isSame ? rows : scratch.finish(), count, bytes };
}

/** How many entries some rows are, and the sum of their sizes. */
export function measureRows(
  rows: Uint8Array,
  algorithm: HashAlgorithm,
): { readonly count: number; readonly bytes: number } {
  let count = 0;
  let bytes = 0;
  for (let at = 0; at < rows.length; at = rowEnd(rows, at, algorithm)) {
    count++;
    bytes += sizeAt(rows, at);
  }
  return { count, bytes };
}

/** Writes what the digest of a leaf is computed from: its rows without modification times. */
export function writeDigested(
  rows: Uint8Array,
  algorithm: HashAlgorithm,
  writer: ByteWriter,
): void {
  let kept = 0;
  let at = 0;
  while (at < rows.length) {
    const mtimeAt = at + PATH_AT + pathLength(rows, at) + SIZE_BYTES;
    copyRows(rows, kept, mtimeAt, writer);
    kept = mtimeAt + MTIME_BYTES;
    at = kept + hashBytes[algorithm];
  }
  copyRows(rows, kept, rows.length, writer);
}

// ---------------------------------------------------------------------------------------------

/** The changes sorted by path, the last one of each path only. */
function inOrder(changes: readonly EntryChange[]): readonly EntryChange[] {
  if (changes.length < 2) return changes;
  const byPath = new Map<BytePath, EntryChange>();
  for (const change of changes) byPath.set(change.path, change);
  // Texts sort natively, without a call for each pair: the order of byte strings is that of bytes.
  return [...byPath.keys()].sort().map((path) => byPath.get(path)!);
}

function copyRows(rows: Uint8Array, start: number, end: number, writer: ByteWriter): void {
  // A view costs more than all else here, and most stretches are empty.
  if (end > start) writer.bytes(rows.subarray(start, end));
}

function pathLength(rows: Uint8Array, at: number): number {
  return rows[at]! * 256 + rows[at + 1]!;
}

function rowEnd(rows: Uint8Array, at: number, algorithm: HashAlgorithm): number {
  return at + PATH_AT + pathLength(rows, at) + SIZE_BYTES + MTIME_BYTES + hashBytes[algorithm];
}

function sizeAt(rows: Uint8Array, at: number): number {
  const start = at + PATH_AT + pathLength(rows, at);
  let size = 0;
  for (let i = start; i < start + SIZE_BYTES; i++) size = size * 256 + rows[i]!;
  return size;
}

function hasPrefix(rows: Uint8Array, at: number, prefix: ByteString): boolean {
  if (pathLength(rows, at) < prefix.length) return false;
  const start = at + PATH_AT;
  for (let i = 0; i < prefix.length; i++) {
    if (rows[start + i] !== prefix.charCodeAt(i)) return false;
  }
  return true;
}

/** The order of a row's path and another path: negative where the row comes first. */
function compareRow(rows: Uint8Array, at: number, path: BytePath): number {
  const length = pathLength(rows, at);
  const shared = Math.min(length, path.length);
  const start = at + PATH_AT;
  for (let i = 0; i < shared; i++) {
    const difference = rows[start + i]! - path.charCodeAt(i);
    if (difference !== 0) return difference;
  }
  return length - path.length;
}
