import assert from 'node:assert/strict';
import test from 'node:test';
import { configJsonSchema } from '../../src/config/json-schema.ts';
import { eachKey } from '../../src/config/keys.ts';
import { setKeys } from '../../src/config/set-keys.ts';

interface Node {
  readonly $schema?: string;
  readonly type?: string;
  readonly pattern?: string;
  readonly default?: unknown;
  readonly description?: string;
  readonly required?: readonly string[];
  readonly additionalProperties?: unknown;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
}

const schema = await configJsonSchema() as Node;

test('configJsonSchema() is a closed draft 2020-12 schema of one object', () => {
  assert.equal(schema.$schema, 'https://json-schema.org/draft/2020-12/schema');
  assert.equal(schema.type, 'object');
  assert.equal(schema.additionalProperties, false);
});

test('configJsonSchema() has every key with its documentation and default', () => {
  for (const { table, name, key } of eachKey()) {
    const parent = schema.properties?.[table];
    assert.equal(parent?.additionalProperties, false, table);
    const found = parent?.properties?.[name];
    assert.ok(found?.description?.startsWith(key.doc), `${table}.${name}`);
    assert.deepEqual(found?.default, key.default, `${table}.${name}`);
  }
});

test('configJsonSchema() describes sets, of which name and path are required', () => {
  const set = schema.properties?.['sets']?.items;
  assert.deepEqual(set?.required, ['name', 'path']);
  assert.deepEqual(Object.keys(set?.properties ?? {}), Object.keys(setKeys));
});

test('configJsonSchema() knows the form of durations', () => {
  const pattern = schema.properties?.['keep_alive']?.properties?.['interval']?.pattern;
  assert.ok(
    pattern !== undefined && new RegExp(pattern).test('60s') && !new RegExp(pattern).test('60'),
  );
});
