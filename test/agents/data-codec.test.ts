import assert from 'node:assert/strict';
import { test } from 'node:test';
import { textColumnNames } from '../../src/agents/agent.ts';
import { checkData, packData, unpackData } from '../../src/agents/data-codec.ts';
import { labelLimits } from '../../src/agents/report.ts';
import { ProtocolError } from '../../src/base/errors.ts';
import { migrate } from '../../src/base/migrations.ts';
import { FactsStore } from '../../src/agents/store/facts.ts';
import { agentMigrations, laterAgentMigrations } from '../../src/agents/store/schema.ts';
import { openDatabase } from '../../src/runtime/database.ts';
import { dataOf, factsOf } from './samples.ts';
import { openAgentTables } from './store/tables.ts';

const samples = [
  dataOf({}),
  dataOf({ os_platform: 'debian' }),
  dataOf({ name: 'web-ü€𝄞', ip: '', os_platform: 'ubuntü', group_config_status: 'synced' }),
  dataOf({ name: 'a', labels: [['env', 'prod'], ['rack', ''], ['ort', 'Köln, "Süd"']] }),
];

test('data come back as they were', () => {
  for (const data of samples) {
    const packed = packData(data);
    assert.deepEqual(unpackData(packed), data);
    checkData(packed);
  }
});

test('data that nobody can have packed are refused', () => {
  const texts: unknown[] = textColumnNames.map(() => null);
  const made = (values: unknown) => () => checkData(JSON.stringify(values));
  const named = (name: unknown) => made([name, ...texts.slice(1), []]);
  const labelled = (labels: unknown) => made([...texts, labels]);
  assert.doesNotThrow(named('ü'.repeat(128)));
  assert.throws(named('ü'.repeat(129)), /name of 129 characters/);
  assert.doesNotThrow(named('a'.repeat(128)));
  assert.throws(named('a'.repeat(129)), /name of 129 characters/);
  assert.throws(named(7), /name that is no text/);
  for (const shape of [null, 'text', {}, texts, [...texts, [], null]]) {
    assert.throws(made(shape), /unknown shape/);
  }
  const { countMax, keyLengthMax } = labelLimits;
  assert.throws(labelled(null), /labels that are no list/);
  assert.throws(labelled(Array(countMax + 1).fill(['a', 'b'])), /labels, of which/);
  assert.throws(labelled([['a']]), /no pair/);
  assert.throws(labelled([['a', null]]), /label that is no text/);
  assert.throws(labelled([['a'.repeat(keyLengthMax + 1), '']]), /label of/);
  assert.doesNotThrow(labelled(Array(countMax).fill(['a', 'b'])));
  for (const rest of ['[null', '["a","b"],]', '["a","b"]["a","b"]', '["a\tb",""]', '["\\x","b"]']) {
    assert.throws(() => checkData(`[${'null,'.repeat(texts.length)}[${rest}]]`), ProtocolError);
  }
  assert.throws(() => checkData('[null'), ProtocolError);
});

test('the columns of the data are there for whoever looks into the database', () => {
  const { database } = openAgentTables();
  const facts = new FactsStore(database);
  const order = { node: 'worker', epoch: 'e', nodeOrderMs: 5, orderMs: 6 };
  for (const [index, data] of samples.entries()) {
    const status = factsOf();
    const row = { id: index + 1, status, order, pending: 0, refusal: 0 } as const;
    facts.save({ ...row, data: packData(data) });
  }
  const select = `SELECT ${textColumnNames.join(', ')}, labels FROM agent ORDER BY id`;
  const rows = database.prepare(select).all();
  const found = rows.map((row) => ({
    ...row,
    labels: JSON.parse(String(row['labels'])) as unknown,
  }));
  assert.deepEqual(found, samples);
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
  migrate(database, [...agentMigrations, ...laterAgentMigrations]);
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
