/**
 * The format of bundles: contents in transit.
 *
 * A bundle is a sequence of blocks, each u32 raw length, u8 codec (0 stored, 1 zstd), u32 stored
 * length, and the stored bytes. The raw bytes of all blocks, one after the other, are one record
 * for each item asked for, in order: u8 status (0 content, 1 changed, 2 vanished, 3 unreadable,
 * 4 unknown); for status 0 also u48 length, so many bytes, and u8 trailer (0 complete, 1 changed
 * while it was sent: to be discarded). Blocks and records need not begin and end together.
 *
 * Where a content cannot be sent to its end, a block of codec 2 without bytes takes the place of
 * what is missing, trailer included: the item is to be discarded, the next record follows.
 */
import { concatBytes } from '../base/bytes.ts';
import { ByteReader, ByteWriter } from '../base/cursor.ts';
import { malformed } from './rows.ts';

/** Why a content does not come. */
export type AbsenceReason = 'changed' | 'vanished' | 'unreadable' | 'unknown';

/** Reasons by their status, from 1 on. */
export const absenceReasons: readonly AbsenceReason[] = [
  'changed',
  'vanished',
  'unreadable',
  'unknown',
];

/** Status of a record with a content. */
export const CONTENT = 0;

/** Trailers of a content. */
export const COMPLETE = 0;
export const DISCARD = 1;

/** Codecs of a block. */
export const CODEC_STORED = 0;
export const CODEC_ZSTD = 1;
export const CODEC_CUT = 2;

/** Bytes before those of a block: raw length, codec, stored length. */
export const blockHeaderBytes = 9;

/** Longest raw block accepted, bytes: bounds what a peer can make us hold. */
export const blockBytesMax = 1024 * 1024;

/** What is said of a block before it comes. */
export interface BlockHeader {
  readonly rawBytes: number;
  readonly codec: number;
  readonly storedBytes: number;
}

/** A block with its header. */
export function packBlock(rawBytes: number, codec: number, stored: Uint8Array): Uint8Array {
  return concatBytes([packBlockHeader(rawBytes, codec, stored.length), stored]);
}

/** What comes before the stored bytes of a block. */
export function packBlockHeader(rawBytes: number, codec: number, storedBytes: number): Uint8Array {
  const writer = new ByteWriter(blockHeaderBytes);
  writer.u32(rawBytes);
  writer.u8(codec);
  writer.u32(storedBytes);
  return writer.view();
}

/**
 * Reads the header of a block that a peer sent.
 * @throws ProtocolError `malformed`
 */
export function readBlockHeader(bytes: Uint8Array): BlockHeader {
  const reader = new ByteReader(bytes);
  const header = { rawBytes: reader.u32(), codec: reader.u8(), storedBytes: reader.u32() };
  if (!isBlockHeader(header)) {
    const { rawBytes, codec, storedBytes } = header;
    throw malformed(`A block of ${rawBytes} bytes has ${storedBytes} bytes in codec ${codec}`);
  }
  return header;
}

// ---------------------------------------------------------------------------------------------

function isBlockHeader({ rawBytes, codec, storedBytes }: BlockHeader): boolean {
  if (codec === CODEC_CUT) return rawBytes === 0 && storedBytes === 0;
  if (rawBytes === 0 || rawBytes > blockBytesMax) return false;
  if (codec === CODEC_STORED) return storedBytes === rawBytes;
  return codec === CODEC_ZSTD && storedBytes > 0 && storedBytes < rawBytes;
}
