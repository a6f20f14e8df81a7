/**
 * Records of agents as they travel: packed one after the other, of two kinds.
 *
 * u8 kind (1 all, 2 status) · u32 id · f64 number of the record · status: f64 last keep-alive (NaN
 * for none), u8 connection status, f64 disconnection time, f64 status code. A record of all goes on
 * with u32 which text columns are there (bit 0 the first), u16 length and UTF-8 of each of these,
 * u16 count of labels, and of each key and value u16 length and UTF-8.
 */
import { type ByteString, displayText, fromBytes, fromText, toText } from '../base/bytes.ts';
import { ByteReader, type ByteWriter } from '../base/cursor.ts';
import { ProtocolError } from '../base/errors.ts';
import {
  type AgentData,
  type AgentId,
  agentIdMax,
  type AgentStatus,
  connectionStatuses,
  type Label,
  type TextColumn,
  textColumnNames,
  textColumns,
} from './agent.ts';
import { labelLimits } from './report.ts';

/** A record on its way from a node to the master. */
export interface AgentRecord {
  readonly id: AgentId;
  /** The node's number of the record; see record-order.ts. */
  readonly nodeOrderMs: number;
  readonly status: AgentStatus;
  /** Undefined where nothing but the status has changed since the master's last confirmation. */
  readonly data: AgentData | undefined;
}

const allKind = 1;
const statusKind = 2;

/** Appends a record. */
export function packRecord(record: AgentRecord, writer: ByteWriter): void {
  writer.u8(record.data === undefined ? statusKind : allKind);
  writer.u32(record.id);
  writer.f64(record.nodeOrderMs);
  packStatus(record.status, writer);
  if (record.data !== undefined) packData(record.data, writer);
}

/**
 * Reads all records.
 * @throws ProtocolError('malformed')
 */
export function* unpackRecords(packed: Uint8Array): Generator<AgentRecord> {
  const reader = new RecordReader(packed);
  while (reader.remaining > 0) {
    const kind = reader.u8();
    if (kind !== allKind && kind !== statusKind) throw malformed(`is of unknown kind ${kind}`);
    const id = reader.u32();
    if (id < 1 || id > agentIdMax) throw malformed(`has number ${id}`);
    const nodeOrderMs = finite(reader.f64());
    const status = unpackStatus(reader);
    yield { id, nodeOrderMs, status, data: kind === allKind ? unpackData(reader) : undefined };
  }
}

/** Reads records, their texts from one long text: a tenth of the time of one conversion for each. */
class RecordReader extends ByteReader {
  readonly #texts: ByteString;

  constructor(packed: Uint8Array) {
    super(packed);
    this.#texts = fromBytes(packed);
  }

  /** A text with its length before it, of at most so many characters. */
  limited(lengthMax: number, what: string): string {
    const length = this.u16();
    const start = this.skip(length);
    const text = toText(this.#texts.slice(start, start + length));
    if (text === undefined) throw malformed(`has a ${what} that is not UTF-8`);
    if (text.length > lengthMax) throw malformed(`has a ${what} of ${text.length} characters`);
    return text;
  }
}

// --- the status ------------------------------------------------------------------------------

function packStatus(status: AgentStatus, writer: ByteWriter): void {
  writer.f64(status.last_keepalive ?? Number.NaN);
  writer.u8(connectionStatuses.indexOf(status.connection_status));
  writer.f64(status.disconnection_time);
  writer.f64(status.status_code);
}

function unpackStatus(reader: RecordReader): AgentStatus {
  const heard = reader.f64();
  const number = reader.u8();
  const connectionStatus = connectionStatuses[number];
  if (connectionStatus === undefined) throw malformed(`has unknown status ${number}`);
  return {
    last_keepalive: Number.isNaN(heard) ? null : whole(heard),
    connection_status: connectionStatus,
    disconnection_time: whole(reader.f64()),
    status_code: whole(reader.f64()),
  };
}

function finite(value: number): number {
  if (!Number.isFinite(value)) throw malformed('has a number that is none');
  return value;
}

function whole(value: number): number {
  if (!Number.isSafeInteger(value)) throw malformed('has a number that is not whole');
  return value;
}

// --- the data --------------------------------------------------------------------------------

function packData(data: AgentData, writer: ByteWriter): void {
  let present = 0;
  for (const [bit, name] of textColumnNames.entries()) {
    if (data[name] !== null) present |= 1 << bit;
  }
  writer.u32(present);
  for (const name of textColumnNames) {
    const text = data[name];
    if (text !== null) packText(text, writer);
  }
  writer.u16(data.labels.length);
  for (const [key, value] of data.labels) {
    packText(key, writer);
    packText(value, writer);
  }
}

function unpackData(reader: RecordReader): AgentData {
  const present = reader.u32();
  const texts: Partial<Record<TextColumn, string | null>> = {};
  for (const [bit, name] of textColumnNames.entries()) {
    const isPresent = (present & (1 << bit)) !== 0;
    texts[name] = isPresent ? reader.limited(textColumns[name], name) : null;
  }
  return { ...texts as Record<TextColumn, string | null>, labels: unpackLabels(reader) };
}

function unpackLabels(reader: RecordReader): Label[] {
  const count = reader.u16();
  const { countMax, keyLengthMax, valueLengthMax } = labelLimits;
  if (count > countMax) throw malformed(`has ${count} labels, of which ${countMax} are possible`);
  return Array.from({ length: count }, () => {
    const key = reader.limited(keyLengthMax, 'label');
    return [key, reader.limited(valueLengthMax, 'label')] as const;
  });
}

function packText(text: string, writer: ByteWriter): void {
  const bytes = fromText(text);
  writer.u16(bytes.length);
  writer.text(bytes);
}

function malformed(problem: string): ProtocolError {
  return new ProtocolError('malformed', `A record of an agent ${displayText(problem)}`);
}
