/**
 * The data of an agent, packed: as they are stored on every node, and as they travel.
 *
 * u32 which text columns are there (bit 0 the first), u16 length and UTF-8 of each of these, u16 count
 * of labels, and of each key and value u16 length and UTF-8. What comes from a peer is checked without
 * being unpacked, and stored as it came.
 */
import { displayText, fromBytes, toText } from '../base/bytes.ts';
import { ByteReader, ByteWriter } from '../base/cursor.ts';
import { ProtocolError } from '../base/errors.ts';
import {
  type AgentData,
  type Label,
  type TextColumn,
  textColumnNames,
  textColumns,
} from './agent.ts';
import { labelLimits } from './report.ts';

/** Packed data that were checked, or packed here. */
export type PackedData = Uint8Array;

const { countMax, keyLengthMax, valueLengthMax } = labelLimits;

/** Columns with the most characters of each, in their order. */
const columns = Object.entries(textColumns);

const platformBit = textColumnNames.indexOf('os_platform');

const packing = new ByteWriter(1024);

/** Packs data. */
export function packData(data: AgentData): PackedData {
  packing.reset();
  let present = 0;
  for (let bit = 0; bit < textColumnNames.length; bit++) {
    if (data[textColumnNames[bit]!] !== null) present |= 1 << bit;
  }
  packing.u32(present);
  for (const name of textColumnNames) {
    const text = data[name];
    if (text !== null) packing.sizedText(text);
  }
  packing.u16(data.labels.length);
  for (const [key, value] of data.labels) {
    packing.sizedText(key);
    packing.sizedText(value);
  }
  return packing.finish();
}

/** Unpacks data that were checked. */
export function unpackData(packed: PackedData): AgentData {
  const reader = new ByteReader(packed);
  const present = reader.u32();
  const texts: Partial<Record<TextColumn, string | null>> = {};
  for (let bit = 0; bit < textColumnNames.length; bit++) {
    texts[textColumnNames[bit]!] = hasBit(present, bit) ? readText(reader) : null;
  }
  const labels = Array.from(
    { length: reader.u16() },
    (): Label => [readText(reader), readText(reader)],
  );
  return { ...texts as Record<TextColumn, string | null>, labels };
}

/** The platform of packed data, which is looked for without them. */
export function platformOf(packed: PackedData): string | null {
  const present = packed[0]! << 24 | packed[1]! << 16 | packed[2]! << 8 | packed[3]!;
  if (!hasBit(present, platformBit)) return null;
  // A reader for each of a hundred thousand rows takes more time than looking.
  const lengthAt = (at: number) => packed[at]! << 8 | packed[at + 1]!;
  let at = 4;
  for (let bit = 0; bit < platformBit; bit++) if (hasBit(present, bit)) at += 2 + lengthAt(at);
  return toText(fromBytes(packed, at + 2, at + 2 + lengthAt(at))) ?? null;
}

/**
 * Passes over the packed data of a peer.
 * @throws ProtocolError('malformed') where they are not what `packData` makes
 */
export function checkData(reader: ByteReader): void {
  const present = reader.u32();
  for (let bit = 0; bit < columns.length; bit++) {
    if (hasBit(present, bit)) checkText(reader, columns[bit]![1], columns[bit]![0]);
  }
  if (present >= 2 ** columns.length) throw malformed('has an unknown column');
  const count = reader.u16();
  if (count > countMax) throw malformed(`has ${count} labels, of which ${countMax} are possible`);
  for (let i = 0; i < count; i++) {
    checkText(reader, keyLengthMax, 'label');
    checkText(reader, valueLengthMax, 'label');
  }
}

/** That a record of an agent is not as it has to be. */
export function malformed(problem: string): ProtocolError {
  return new ProtocolError('malformed', `A record of an agent ${displayText(problem)}`);
}

// ---

function hasBit(bits: number, bit: number): boolean {
  return (bits & (1 << bit)) !== 0;
}

function readText(reader: ByteReader): string {
  return toText(reader.text(reader.u16())) ?? '';
}

function checkText(reader: ByteReader, lengthMax: number, what: string): void {
  const bytesCount = reader.u16();
  // Nearly every text is ASCII, and then a character for each byte.
  if (reader.isAscii(bytesCount)) {
    reader.skip(bytesCount);
    checkLength(bytesCount, lengthMax, what);
    return;
  }
  const text = toText(reader.text(bytesCount));
  if (text === undefined) throw malformed(`has a ${what} that is not UTF-8`);
  checkLength(text.length, lengthMax, what);
}

function checkLength(length: number, lengthMax: number, what: string): void {
  if (length > lengthMax) throw malformed(`has a ${what} of ${length} characters`);
}
