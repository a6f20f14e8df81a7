/**
 * Records of agents as they travel: packed one after the other, of two kinds.
 *
 * u8 kind (1 all, 2 status) · u32 id · f64 number of the record · status: f64 last keep-alive (NaN
 * for none), u8 connection status, f64 disconnection time, f64 status code. A record of all goes on
 * with the data: u32 length and UTF-8; see data-codec.ts.
 */
import { type ByteString, fromBytes, toText } from '../base/bytes.ts';
import { ByteReader, type ByteWriter } from '../base/cursor.ts';
import { type AgentId, agentIdMax, type AgentStatus, connectionStatuses } from './agent.ts';
import { checkData, malformed, type PackedData } from './data-codec.ts';

/** A record on its way from a node to the master. */
export interface AgentRecord {
  readonly id: AgentId;
  /** The node's number of the record; see record-order.ts. */
  readonly nodeOrderMs: number;
  readonly status: AgentStatus;
  /** Undefined where nothing but the status has changed since the master's last confirmation. */
  readonly data: PackedData | undefined;
}

const allKind = 1;
const statusKind = 2;

/** Appends a record. */
export function packRecord(record: AgentRecord, writer: ByteWriter): void {
  writer.u8(record.data === undefined ? statusKind : allKind);
  writer.u32(record.id);
  writer.f64(record.nodeOrderMs);
  packStatus(record.status, writer);
  if (record.data !== undefined) writer.sizedText(record.data);
}

/**
 * Reads all records.
 * @throws ProtocolError('malformed')
 */
export function* unpackRecords(packed: Uint8Array): Generator<AgentRecord> {
  const reader = new ByteReader(packed);
  // All bytes, where there are data: slices of one text cost less than many small ones.
  let text: ByteString | undefined;
  while (reader.remaining > 0) {
    const kind = reader.u8();
    if (kind !== allKind && kind !== statusKind) throw malformed(`is of unknown kind ${kind}`);
    const id = reader.u32();
    if (id < 1 || id > agentIdMax) throw malformed(`has number ${id}`);
    const nodeOrderMs = finite(reader.f64());
    const status = unpackStatus(reader);
    const data = kind === allKind ? readData(reader, text ??= fromBytes(packed)) : undefined;
    yield { id, nodeOrderMs, status, data };
  }
}

function readData(reader: ByteReader, text: ByteString): PackedData {
  const length = reader.u32();
  const start = reader.skip(length);
  const data = toText(text.slice(start, start + length));
  if (data === undefined) throw malformed('has data that are not UTF-8');
  checkData(data);
  return data;
}

// --- the status ------------------------------------------------------------------------------

function packStatus(status: AgentStatus, writer: ByteWriter): void {
  writer.f64(status.last_keepalive ?? Number.NaN);
  writer.u8(connectionStatuses.indexOf(status.connection_status));
  writer.f64(status.disconnection_time);
  writer.f64(status.status_code);
}

function unpackStatus(reader: ByteReader): AgentStatus {
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
