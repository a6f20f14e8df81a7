/**
 * Scan records as they are stored: what a manifest has is in the rows of its leaves, and the rest
 * lies beside them, in the same order.
 *
 * For each row: f64 time of the last change, f64 inode, f64 time of the last reading, u8 whether
 * equal facts mean equal content. Inodes are doubles since an integer above 2^53 would not come
 * back; so are they in memory.
 */
import type { BytePath } from '../base/bytes.ts';
import { ByteReader, type ByteWriter } from '../base/cursor.ts';
import { invariant } from '../base/errors.ts';
import type { HashAlgorithm } from '../ports.ts';
import type { Leaf } from './manifest.ts';
import { unpackRows } from './rows.ts';
import type { FileRecord } from './scan-index.ts';

const factsBytes = 8 + 8 + 8 + 1;

/** Packs what belongs to the rows of a leaf. A file that is not known will be read again. */
export function packRecords(
  rows: Uint8Array,
  recordOf: (path: BytePath) => FileRecord | undefined,
  algorithm: HashAlgorithm,
  scratch: ByteWriter,
): Uint8Array {
  scratch.reset();
  for (const { path } of unpackRows(rows, algorithm)) {
    const record = recordOf(path);
    scratch.f64(record?.ctimeMs ?? 0);
    scratch.f64(record?.inode ?? 0);
    scratch.f64(record?.checkedMs ?? 0);
    scratch.u8(record?.isSettled === true ? 1 : 0);
  }
  return scratch.finish();
}

/** The records of a stored leaf. */
export function unpackRecords(
  leaf: Pick<Leaf, 'rows'> & { readonly more?: Uint8Array },
  algorithm: HashAlgorithm,
): FileRecord[] {
  const entries = unpackRows(leaf.rows, algorithm);
  const { more } = leaf;
  invariant(
    more?.length === entries.length * factsBytes,
    'a stored leaf has a record for each row',
  );
  const reader = new ByteReader(more);
  return entries.map((entry) => ({
    entry,
    ctimeMs: reader.f64(),
    inode: reader.f64(),
    checkedMs: reader.f64(),
    isSettled: reader.u8() === 1,
  }));
}
