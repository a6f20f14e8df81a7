import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromText, toBytes } from '../../src/base/bytes.ts';
import { ProtocolError } from '../../src/base/errors.ts';
import { parseJson } from '../../src/wazuh/json.ts';
import { JsonCursor, membersInParts } from '../../src/wazuh/json-cursor.ts';
import { SeededRandom } from '../sim/random.ts';

function bytesOf(text: string): Uint8Array {
  return toBytes(fromText(text));
}

function isMalformed(error: unknown): boolean {
  return error instanceof ProtocolError && error.fault === 'malformed';
}

function listParts(text: string, countMax: number): unknown[][] {
  const cursor = new JsonCursor(bytesOf(text));
  const parts = [...cursor.parts('list', countMax)];
  cursor.end();
  return parts.map((part) => parseJson(part, 'part') as unknown[]);
}

const texts = ['', 'a', '"', '\\', '\\"', '{', '}]', ',', ':', 'é', '\n', '"\\"'];

function randomValue(random: SeededRandom, depth: number): unknown {
  const kind = random.integer(0, depth > 0 ? 6 : 4);
  if (kind === 0) return null;
  if (kind === 1) return random.chance(0.5);
  if (kind === 2) return random.integer(-5, 1e9) / 7;
  if (kind < 5) return random.pick(texts);
  const items = Array.from({ length: random.integer(0, 4) }, () => randomValue(random, depth - 1));
  if (kind === 5) return items;
  return Object.fromEntries(items.map((item, i) => [`${random.pick(texts)}${i}`, item]));
}

test('the parts of an object or a list make the whole, however it is spaced', () => {
  const random = new SeededRandom('json parts');
  for (let i = 0; i < 500; i++) {
    const items = Array.from({ length: random.integer(0, 12) }, () => randomValue(random, 3));
    const entries = items.map((item, at) => [`${random.pick(texts)}${at}`, item] as const);
    const [indent, countMax] = [random.pick([undefined, 1, '\t']), random.integer(1, 5)];
    const lists = listParts(` ${JSON.stringify(items, null, indent)} `, countMax);
    assert.deepEqual(lists.flat(), items);
    assert.ok(lists.every((part) => part.length <= countMax));
    const object = JSON.stringify(Object.fromEntries(entries), null, indent);
    const objects = [...membersInParts(bytesOf(object), countMax)]
      .map((part) => parseJson(part, 'part') as object);
    assert.deepEqual(Object.assign({}, ...objects), JSON.parse(object));
  }
});

test('an object is gone through key by key, whatever the values are', () => {
  const text =
    '{"a": [1, {"chunks": 2}], "list" : [ {"x": "]"}, {"x": "\\\\"} ] ,"b":"}" , "c":-1e3}';
  const cursor = new JsonCursor(bytesOf(text));
  const found: unknown[] = [];
  for (const key of cursor.keys()) {
    if (key === 'list') {
      found.push(...[...cursor.parts('list', 1)].map((part) => parseJson(part, '')));
    } else cursor.skip();
    found.push(key);
  }
  cursor.end();
  assert.deepEqual(found, ['a', [{ x: ']' }], [{ x: '\\' }], 'list', 'b', 'c']);
});

test('what is cut, has too much, or is something else is refused', () => {
  const bad = [
    '',
    ' ',
    '[',
    '[1',
    '[1,',
    '[1,]',
    '[,1]',
    '[1]]',
    '[1] 2',
    '{}',
    '"a"',
    '["a]',
    '[1 2]',
  ];
  for (const text of bad) assert.throws(() => listParts(text, 2), isMalformed, text);
  for (
    const text of ['{"a"}', '{"a":}', '{"a":1,}', '{a:1}', '{"a":1', '{"a":1}}', '[]', '{"a" 1}']
  ) {
    assert.throws(() => [...membersInParts(bytesOf(text), 2)], isMalformed, text);
  }
});

test('an item that cannot be parsed in one go is refused, many that can are not', () => {
  const long = 'x'.repeat(5 * 1024 * 1024);
  assert.throws(() => listParts(`["${long}"]`, 2), isMalformed);
  const many = JSON.stringify(Array.from({ length: 100 }, () => 'y'.repeat(100_000)));
  const parts = listParts(many, 1_000);
  assert.equal(parts.flat().length, 100);
  assert.ok(parts.length > 10);
});
