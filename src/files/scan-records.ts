/**
 * What is known of the files of one directory, packed: as it is stored, and in memory as long as
 * nobody asks for it. A tree that does not change is kept at some fifty bytes a file.
 *
 * For each file: u8 length of the name, the name, u48 size, f64 modification time, f64 time of the
 * last change, f64 inode, f64 time of the last reading, u8 whether equal facts mean equal content.
 * Inodes are doubles since an integer above 2^53 would not come back; so are they in memory.
 */
import { type ByteString, fromBytes } from '../base/bytes.ts';
import type { ByteWriter } from '../base/cursor.ts';
import type { FileRecord } from './scan-index.ts';

/** Bytes of a record beside the name and its length. */
const factsBytes = 6 + 4 * 8 + 1;

/** Packs the records of a directory. */
export function packRecords(
  files: ReadonlyMap<ByteString, FileRecord>,
  scratch: ByteWriter,
): Uint8Array {
  scratch.reset();
  for (const [name, record] of files) {
    scratch.u8(name.length);
    scratch.text(name);
    scratch.u48(record.size);
    scratch.f64(record.mtimeMs);
    scratch.f64(record.ctimeMs);
    scratch.f64(record.inode);
    scratch.f64(record.checkedMs);
    scratch.u8(record.isSettled ? 1 : 0);
  }
  return scratch.finish();
}

/** The records of a directory. Nothing is checked: they are this node's own. */
export function unpackRecords(packed: Uint8Array): Map<ByteString, FileRecord> {
  const files = new Map<ByteString, FileRecord>();
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  // One long text, of which the names are pieces, is made faster than many short ones.
  const text = fromBytes(packed);
  for (let at = 0; at < packed.length;) {
    const end = at + 1 + packed[at]!;
    files.set(text.slice(at + 1, end), {
      size: view.getUint16(end) * 2 ** 32 + view.getUint32(end + 2),
      mtimeMs: view.getFloat64(end + 6),
      ctimeMs: view.getFloat64(end + 14),
      inode: view.getFloat64(end + 22),
      checkedMs: view.getFloat64(end + 30),
      isSettled: packed[end + 38] === 1,
    });
    at = end + factsBytes;
  }
  return files;
}

/** How many records there are. */
export function countRecords(packed: Uint8Array): number {
  let count = 0;
  for (let at = 0; at < packed.length; at += 1 + packed[at]! + factsBytes) count++;
  return count;
}
