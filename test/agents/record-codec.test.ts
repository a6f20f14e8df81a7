import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AgentRecord, packRecord, unpackRecords } from '../../src/agents/record-codec.ts';
import { agentIdMax, textColumnNames, textColumns } from '../../src/agents/agent.ts';
import { recordsBytesMax } from '../../src/agents/backlog.ts';
import { packData } from '../../src/agents/data-codec.ts';
import { labelLimits } from '../../src/agents/report.ts';
import { ByteWriter } from '../../src/base/cursor.ts';
import { ProtocolError } from '../../src/base/errors.ts';
import { factsOf } from './samples.ts';

function pack(records: readonly AgentRecord[]): Uint8Array {
  const writer = new ByteWriter();
  for (const record of records) packRecord(record, writer);
  return writer.finish();
}

const unpack = (packed: Uint8Array) => [...unpackRecords(packed)];

function recordOf(id: number, facts = factsOf()): AgentRecord {
  const { last_keepalive, connection_status, disconnection_time, status_code, ...data } = facts;
  const status = { last_keepalive, connection_status, disconnection_time, status_code };
  return { id, nodeOrderMs: 1_800_000_000_000.5, status, data: packData(data) };
}

const longest = factsOf({
  ...Object.fromEntries(textColumnNames.map((name) => [name, 'ü'.repeat(textColumns[name])])),
  labels: Array.from({ length: labelLimits.countMax }, (_, i) => [
    `${i}`.padEnd(labelLimits.keyLengthMax, '€'),
    '€'.repeat(labelLimits.valueLengthMax),
  ]),
});

test('records come back as they were', () => {
  const full = recordOf(
    7,
    factsOf({
      name: 'web-ü',
      os_name: 'Debian GNU/Linux',
      version: '',
      labels: [['env', 'prod'], ['rack', '']],
      last_keepalive: 1_800_000_000,
      connection_status: 'disconnected',
      disconnection_time: 1_800_000_100,
      status_code: 3,
    }),
  );
  const records = [
    full,
    recordOf(1),
    { ...recordOf(agentIdMax), data: undefined },
    recordOf(12, longest),
  ];
  assert.deepEqual(unpack(pack(records)), records);
  assert.deepEqual(unpack(new Uint8Array(0)), []);
});

test('the largest record fits into a chunk', () => {
  assert.ok(pack([recordOf(1, longest)]).length < recordsBytesMax);
});

test('records that are cut off anywhere are refused', () => {
  const packed = pack([recordOf(7, factsOf({ name: 'web', labels: [['a', 'b']] }))]);
  for (let length = 1; length < packed.length; length++) {
    assert.throws(() => unpack(packed.subarray(0, length)), ProtocolError, `${length} bytes`);
  }
});

test('records with impossible values are refused', () => {
  const good = recordOf(7, factsOf({ name: 'web' }));
  const altered = (change: (packed: Uint8Array, view: DataView) => void) => {
    const packed = pack([good]);
    change(packed, new DataView(packed.buffer));
    return () => unpack(packed);
  };
  assert.throws(altered((packed) => packed[0] = 9), /unknown kind 9/);
  assert.throws(altered((_, view) => view.setUint32(1, 0)), /number 0/);
  assert.throws(altered((_, view) => view.setUint32(1, 2 ** 31)), /number 2147483648/);
  assert.throws(altered((_, view) => view.setFloat64(5, Number.NaN)), /number that is none/);
  assert.throws(altered((_, view) => view.setFloat64(13, 0.5)), /not whole/);
  assert.throws(altered((packed) => packed[21] = 4), /unknown status 4/);
  assert.throws(altered((_, view) => view.setFloat64(22, Infinity)), /not whole/);
  assert.throws(altered((_, view) => view.setUint16(42, 60_000)), ProtocolError);
});
