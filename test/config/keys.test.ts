import assert from 'node:assert/strict';
import test from 'node:test';
import * as v from 'valibot';
import type { Config } from '../../src/config/config.ts';
import { camel, fieldName, type Key } from '../../src/config/key.ts';
import { eachKey, tables } from '../../src/config/keys.ts';
import { reservedVariables, variableOf } from '../../src/config/layers.ts';
import { setKeys } from '../../src/config/set-keys.ts';
import { configOf, workerText } from './sources.ts';

const everyKey: [string, Key][] = [
  ...[...eachKey()].map(({ dotted, key }) => [dotted, key] as [string, Key]),
  ...Object.entries<Key>(setKeys).map(([name, key]) => [`sets.${name}`, key] as [string, Key]),
];
const context = { directory: '/srv', hostname: 'host' };

test('every key has exactly one of a default, a derivation and an example', () => {
  for (const [name, key] of everyKey) {
    const given = [key.default, key.derived, key.required].filter((value) => value !== undefined);
    assert.equal(given.length, 1, name);
  }
});

test('every default and example is valid, and format() undoes parse()', () => {
  for (const [name, key] of everyKey) {
    const value = key.default ?? key.required;
    if (value === undefined) continue;
    assert.ok(v.is(key.schema, value), name);
    const parsed = key.parse(value, context);
    const shown = key.format(parsed);
    assert.ok(v.is(key.schema, shown), name);
    assert.deepEqual(key.parse(shown, context), parsed, name);
  }
});

test('every key is documented in sentences without a full stop at the end', () => {
  for (const [name, key] of everyKey) assert.match(key.doc, /^[A-Z].{9,}[^.]$/, name);
  for (const [name, { doc }] of Object.entries(tables)) assert.match(doc, /^[A-Z].*[^.]$/, name);
});

test('every key has a variable of its own that no other use reserves', () => {
  const variables = [...eachKey()].map(({ dotted }) => variableOf(dotted));
  assert.equal(
    new Set([...variables, ...reservedVariables]).size,
    variables.length + reservedVariables.length,
  );
  assert.equal(variableOf('keep_alive.interval'), 'MUSTER_KEEP_ALIVE__INTERVAL');
});

test('Config has a field for every key, named in camel case with the unit at the end', () => {
  const config = configOf(workerText) as unknown as Record<string, Record<string, unknown>>;
  for (const { table, name, key } of eachKey()) {
    assert.ok(fieldName(name, key) in config[camel(table)]!, `${table}.${name}`);
  }
  const typed: Config = configOf(workerText);
  const numbers: number[] = [
    typed.keepAlive.intervalMs,
    typed.integrity.batchBytes,
    typed.sets[0]!.mode,
  ];
  assert.deepEqual(numbers, [60_000, 8_388_608, 0o640]);
  const role: 'master' | 'worker' = typed.node.role;
  const owner: string | undefined = typed.sets[0]!.owner;
  assert.deepEqual([role, owner], ['worker', undefined]);
});

test('no kind accepts an empty text but those for which it means none', () => {
  const accepting = everyKey.filter(([, key]) => {
    try {
      return v.is(key.schema, '') && key.parse('', context) !== null;
    } catch {
      return false;
    }
  }).map(([name]) => name);
  assert.deepEqual(accepting, [
    'node.admin',
    'wazuh.listen',
    'wazuh.home',
    'sets.path',
    'sets.owner',
    'sets.group',
  ]);
});
