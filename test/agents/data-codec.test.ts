import assert from 'node:assert/strict';
import { test } from 'node:test';
import { textColumnNames } from '../../src/agents/agent.ts';
import { checkData, packData, platformOf, unpackData } from '../../src/agents/data-codec.ts';
import { labelLimits } from '../../src/agents/report.ts';
import { ByteReader, ByteWriter } from '../../src/base/cursor.ts';
import { ProtocolError } from '../../src/base/errors.ts';
import { migrate } from '../../src/base/migrations.ts';
import { FactsStore } from '../../src/agents/store/facts.ts';
import { agentMigrations, packedDataMigrations } from '../../src/agents/store/schema.ts';
import { openDatabase } from '../../src/runtime/database.ts';
import { dataOf } from './samples.ts';

const samples = [
  dataOf({}),
  dataOf({ os_platform: 'debian' }),
  dataOf({ name: 'web-ü€𝄞', ip: '', os_platform: 'ubuntü', group_config_status: 'synced' }),
  dataOf({ name: 'a', labels: [['env', 'prod'], ['rack', ''], ['ort', 'Köln, "Süd"']] }),
];

test('data come back as they were, and their platform without the rest', () => {
  for (const data of samples) {
    const packed = packData(data);
    assert.deepEqual(unpackData(packed), data);
    assert.equal(platformOf(packed), data.os_platform);
    const reader = new ByteReader(packed);
    checkData(reader);
    assert.equal(reader.remaining, 0);
  }
});

test('data that nobody can have packed are refused', () => {
  const made = (present: number, write: (writer: ByteWriter) => void) => {
    const writer = new ByteWriter();
    writer.u32(present);
    write(writer);
    return () => checkData(new ByteReader(writer.finish()));
  };
  const utf8 = (bytes: number[]) => (writer: ByteWriter) => {
    writer.u16(bytes.length);
    writer.bytes(new Uint8Array(bytes));
    writer.u16(0);
  };
  assert.throws(made(1, utf8([0xc3])), /name that is not UTF-8/);
  assert.throws(made(1, utf8(Array(129).fill(65))), /name of 129 characters/);
  assert.doesNotThrow(made(1, utf8(Array.from({ length: 256 }, (_, i) => [0xc3, 0xbc][i % 2]!))));
  assert.throws(made(2 ** textColumnNames.length, utf8([65])), /unknown column/);
  const { countMax } = labelLimits;
  assert.throws(made(0, (writer) => writer.u16(countMax + 1)), /labels, of which/);
  assert.throws(made(0, (writer) => writer.u16(1)), ProtocolError);
});

test('what an older version has stored is packed', () => {
  const database = openDatabase(':memory:');
  migrate(database, agentMigrations);
  const save = database.prepare(
    `INSERT INTO agent VALUES (${Array(29).fill('?').join(', ')})`,
  );
  for (const [index, data] of samples.entries()) {
    const texts = textColumnNames.map((name) => data[name]);
    const labels = JSON.stringify(data.labels);
    save.run(index + 1, ...texts, labels, null, 'active', 0, 3, 'worker', 'e', 5, 6, 2, 0);
  }
  migrate(database, [...agentMigrations, ...packedDataMigrations]);
  const facts = new FactsStore(database);
  for (const [index, data] of samples.entries()) {
    const found = facts.get(index + 1);
    assert.deepEqual(found?.data, data);
    assert.equal(found?.status.status_code, 3);
    assert.deepEqual(found?.order, { node: 'worker', epoch: 'e', nodeOrderMs: 5, orderMs: 6 });
    assert.equal(found?.pending, 2);
  }
  assert.deepEqual(facts.pendingAfter(0).map(({ data }) => unpackData(data!)), samples);
  database.close();
});
