/**
 * Fetching contents: the list of what is asked for, and by name the two ends of the answer.
 *
 * The list is packed rows: u8 index of the set, u16 length and path, hash, u48 offset. The answer
 * is a bundle (see `bundle-format.ts`): one record for each item, in the order of the list.
 */
import { type BytePath, type ByteString, fromBytes } from '../base/bytes.ts';
import { ByteReader, ByteWriter } from '../base/cursor.ts';
import { type HashAlgorithm, hashBytes } from '../ports.ts';
import { packPath, readPath, readPiece } from './rows.ts';

export type { AbsenceReason } from './bundle-format.ts';
export { type BundleEvent, BundleReader } from './bundle-reader.ts';
export { blockBytes, BundleWriter } from './bundle-writer.ts';

/** A content that is asked for. */
export interface BundleItem {
  /** Index into the list of set names that comes with the request. */
  readonly setIndex: number;
  readonly path: BytePath;
  readonly hash: ByteString;
  /** Where to start, bytes; more than 0 where a former transfer was cut. */
  readonly offset: number;
}

/** Packs the list of what is asked for. */
export function packItems(items: readonly BundleItem[]): Uint8Array {
  const writer = new ByteWriter();
  for (const item of items) {
    writer.u8(item.setIndex);
    packPath(writer, item.path);
    writer.text(item.hash);
    writer.u48(item.offset);
  }
  return writer.finish();
}

/**
 * Reads the list of what a peer asks for; whether there is such a set is not checked.
 * @throws ProtocolError `malformed`
 */
export function readItems(bytes: Uint8Array, algorithm: HashAlgorithm): BundleItem[] {
  const reader = new ByteReader(bytes);
  // One long text, of which paths and hashes are pieces, is made faster than many short ones.
  const text = fromBytes(bytes);
  const items: BundleItem[] = [];
  while (reader.remaining > 0) {
    items.push({
      setIndex: reader.u8(),
      path: readPath(reader, text),
      hash: readPiece(reader, text, hashBytes[algorithm]),
      offset: reader.u48(),
    });
  }
  return items;
}
