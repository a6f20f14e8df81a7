import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProtocolError } from '../../src/base/errors.ts';
import {
  bytes,
  byteString,
  dictionary,
  flag,
  list,
  number,
  oneOf,
  optional,
  type Reader,
  record,
  text,
  whole,
} from '../../src/base/readers.ts';

function accepts<T>(reader: Reader<T>, ...values: T[]): void {
  for (const value of values) assert.deepEqual(reader(value, 'x'), value);
}

function refuses(reader: Reader<unknown>, ...values: unknown[]): void {
  for (const value of values) {
    assert.throws(
      () => reader(value, 'x'),
      (error) =>
        error instanceof ProtocolError && error.fault === 'malformed' &&
        error.message.startsWith('"x'),
      `accepted ${String(value)}`,
    );
  }
}

test('text() takes texts up to its length', () => {
  accepts(text(3), '', 'abc', '漢字ü');
  refuses(text(3), 'abcd', 1, null, undefined, ['a'], new String('a'));
});

test('oneOf() takes the literal texts, not what looks like them', () => {
  accepts(oneOf('a', 'b'), 'a', 'b');
  refuses(oneOf('a', 'b'), 'c', '', ['a'], undefined, 'toString');
});

test('whole() takes whole numbers within its bounds, both included', () => {
  accepts(whole(1, 3), 1, 2, 3);
  refuses(whole(1, 3), 0, 4, 1.5, NaN, Infinity, '2', null, 2n);
  accepts(whole(0), 0, Number.MAX_SAFE_INTEGER);
  refuses(whole(0), -1, Number.MAX_SAFE_INTEGER + 1);
});

test('number() takes finite numbers', () => {
  accepts(number, 0, -1.5, 1e300);
  refuses(number, NaN, Infinity, -Infinity, '1', null);
});

test('flag() takes true and false', () => {
  accepts(flag, true, false);
  refuses(flag, 0, 1, 'true', null, undefined);
});

test('bytes() takes byte arrays up to their length', () => {
  accepts(bytes(2), new Uint8Array(0), Uint8Array.of(1, 2));
  refuses(bytes(2), new Uint8Array(3), [1], 'ab', new Uint16Array(1), new ArrayBuffer(1));
});

test('byteString() takes texts of single bytes within its bounds', () => {
  accepts(byteString(1, 2), 'a', '\x00\xff');
  refuses(byteString(1, 2), '', 'abc', '\u0100', 1, Uint8Array.of(1));
});

test('list() takes lists up to their count, and names the item that is wrong', () => {
  accepts(list(flag, 2), [], [true], [true, false]);
  refuses(list(flag, 2), [true, true, true], 'text', { length: 1 }, Uint8Array.of(1), null);
  assert.throws(() => list(flag, 2)([true, 1], 'x'), /"x\[1\]" is not true or false/);
});

test('optional() takes what is missing', () => {
  accepts(optional(flag), true, undefined);
  assert.equal(optional(flag)(null, 'x'), undefined);
  refuses(optional(flag), 0, 'x');
});

test('record() takes the fields that it names and leaves all others', () => {
  const reader = record({ a: whole(0), b: optional(text(3)) });
  assert.deepEqual(reader({ a: 1, b: 'x', newer: {} }, 'x'), { a: 1, b: 'x' });
  assert.deepEqual(reader({ a: 1 }, 'x'), { a: 1, b: undefined });
  refuses(reader, null, undefined, 'text', 1, [], [1], new Uint8Array(1), {});
  assert.throws(() => reader({ a: -1 }, 'x'), /"x\.a" is not a whole number/);
});

test('record() takes only fields of the object itself', () => {
  const reader = record({ toString: optional(text(3)), a: optional(flag) });
  assert.deepEqual(reader(Object.create({ a: true }), 'x'), { toString: undefined, a: undefined });
  assert.deepEqual(reader({}, 'x'), { toString: undefined, a: undefined });
});

test('dictionary() reads any keys, without meaning in them, up to a count', () => {
  const read = dictionary(whole(0), 2);
  const value: unknown = JSON.parse('{"__proto__": 1, "b": 2}');
  assert.deepEqual([...read(value, 'ids')], [['__proto__', 1], ['b', 2]]);
  assert.throws(
    () => read({ a: 1, b: 2, c: 3 }, 'ids'),
    /"ids" is not an object of at most 2 keys/,
  );
  assert.throws(() => read([1], 'ids'), /"ids" is not an object/);
  assert.throws(() => read({ a: -1 }, 'ids'), /"ids\["a"\]" is not a whole number/);
});
