import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProtocolError } from '../../src/base/errors.ts';
import { decodePayload, encodePayload } from '../../src/wire/codec.ts';

function refused(bytes: readonly number[], why: RegExp): void {
  assert.throws(() => decodePayload(Uint8Array.from(bytes)), (error) => {
    assert.ok(error instanceof ProtocolError, String(error));
    assert.equal(error.fault, 'malformed');
    assert.match(error.message, why);
    return true;
  });
}

function nested(depth: number): unknown {
  let value: unknown = 'core';
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { inner: value };
  return value;
}

test('encodePayload() and decodePayload() keep every kind of plain value', () => {
  const values: readonly unknown[] = [
    null,
    true,
    false,
    0,
    1,
    127,
    128,
    255,
    256,
    65535,
    65536,
    2 ** 32 - 1,
    2 ** 32,
    Number.MAX_SAFE_INTEGER,
    -1,
    -32,
    -33,
    -128,
    -129,
    -32769,
    -(2 ** 31),
    -(2 ** 31) - 1,
    0.5,
    -1.25,
    1e300,
    Infinity,
    -Infinity,
    '',
    'a',
    'ä漢😀',
    '\x00\xff',
    'x'.repeat(31),
    'x'.repeat(32),
    'x'.repeat(300),
    'x'.repeat(70_000),
    [],
    [1, [2, [3]]],
    Array.from({ length: 20 }, (_, i) => i),
    Array.from({ length: 70_000 }, () => 7),
    {},
    { a: 1, b: { c: null } },
    Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`key ${i}`, i])),
    new Uint8Array(0),
    Uint8Array.of(1, 2, 3),
    new Uint8Array(300).fill(7),
    new Uint8Array(70_000),
  ]; // deno-fmt-ignore-line
  for (const value of values) assert.deepEqual(decodePayload(encodePayload(value)), value);
  assert.ok(Number.isNaN(decodePayload(encodePayload(NaN))));
});

test('encodePayload() writes a missing optional value as nil, which every reader takes', () => {
  assert.deepEqual(decodePayload(encodePayload({ a: undefined, b: [undefined] })), {
    a: null,
    b: [null],
  });
});

test('encodePayload() gives an array of its own', () => {
  const first = encodePayload({ text: 'first' });
  assert.equal(first.constructor, Uint8Array);
  assert.equal(first.buffer.byteLength, first.length);
  const before = first.slice();
  for (let i = 0; i < 1000; i++) encodePayload({ text: `${i}` });
  assert.deepEqual(first, before);
});

test('decodePayload() gives byte arrays of the plain class, whatever the chunk was', () => {
  const encoded = encodePayload({ bytes: Uint8Array.of(1, 2) });
  const { bytes } = decodePayload(encoded) as { bytes: Uint8Array };
  assert.equal(bytes.constructor, Uint8Array);
});

test('decodePayload() refuses every extension type before the library sees it', () => {
  for (const type of [0, 1, 0x62, 0x65, 0x69, 0x70, 0x73, 0x74, 0x78, 0xff]) {
    refused([0xd4, type, 0], /type 0xd4, which is not plain data/);
    refused([0xd5, type, 0, 0], /type 0xd5/);
    refused([0xd6, type, 0, 0, 0, 0], /type 0xd6/);
    refused([0xd7, type, 0, 0, 0, 0, 0, 0, 0, 0], /type 0xd7/);
    refused([0xd8, type, ...new Uint8Array(16)], /type 0xd8/);
    refused([0xc7, 1, type, 0], /type 0xc7/);
    refused([0xc8, 0, 1, type, 0], /type 0xc8/);
    refused([0xc9, 0, 0, 0, 1, type, 0], /type 0xc9/);
  }
  refused([0xc1], /type 0xc1/);
  refused([0x81, 0xa1, 0x61, 0xd6, 0xff, 0, 0, 0, 0], /type 0xd6/);
  refused([0x81, 0xd4, 0x72, 0x40, 0x01], /type 0xd4/);
  refused([0x92, 0x01, 0xc7, 0, 0], /type 0xc7/);
});

test('decodePayload() refuses what is nested deeper than any message', () => {
  assert.deepEqual(decodePayload(encodePayload(nested(7))), nested(7));
  for (const depth of [8, 9, 100, 1000]) {
    assert.throws(() => decodePayload(encodePayload(nested(depth))), /nested too deeply/);
  }
  refused(Array.from({ length: 250_000 }, () => 0x91), /nested too deeply/);
});

test('decodePayload() refuses lengths that are not true', () => {
  refused([0xdd, 0xff, 0xff, 0xff, 0xff], /announces more than it holds/);
  refused([0xdf, 0xff, 0xff, 0xff, 0xff], /announces more than it holds/);
  refused([0xdc, 0x00, 0x02, 0x01], /announces more than it holds/);
  refused([0xde, 0x00, 0x01, 0x01], /announces more than it holds/);
  refused([0x9f, 0x01], /announces more than it holds/);
  refused([0xdb, 0xff, 0xff, 0xff, 0xff, 0x61], /ends too early/);
  refused([0xc6, 0x7f, 0xff, 0xff, 0xff, 0x61], /ends too early/);
  refused([0xda, 0x00, 0x02, 0x61], /ends too early/);
  refused([0xd9, 0x02, 0x61], /ends too early/);
  refused([0xa2, 0x61], /ends too early/);
});

test('decodePayload() refuses every payload that is cut short, and none that is whole', () => {
  const value = {
    a: [1, 300, 70_000, 2 ** 40, -5, -300, -70_000, 1.5],
    b: ['short', 'x'.repeat(40), 'y'.repeat(300)],
    c: { d: new Uint8Array(10), e: null, f: true },
    g: Array.from({ length: 17 }, () => 1),
  };
  const whole = encodePayload(value);
  assert.deepEqual(decodePayload(whole), value);
  for (let length = 0; length < whole.length; length++) {
    refused([...whole.subarray(0, length)], /ends too early|announces more than it holds/);
  }
});

test('decodePayload() refuses bytes after the end', () => {
  refused([0xc0, 0xc0], /has bytes after its end/);
  refused([...encodePayload({ a: 1 }), 0], /has bytes after its end/);
  refused([], /ends too early/);
});

test('decodePayload() lets no key near a prototype', () => {
  const raw = (key: string) =>
    Uint8Array.of(
      0x81,
      0xa0 | key.length,
      ...new TextEncoder().encode(key),
      0x81,
      0xa8,
      ...new TextEncoder().encode('polluted'),
      0xc3,
    ); // deno-fmt-ignore-line
  for (const key of ['__proto__', 'constructor', 'prototype']) {
    const value = decodePayload(raw(key)) as Record<string, unknown>;
    assert.equal(Object.getPrototypeOf(value), Object.prototype);
    assert.equal(Object.keys(value).length, 1);
    assert.equal(({} as Record<string, unknown>).polluted, undefined);
    assert.equal((Object as unknown as Record<string, unknown>).polluted, undefined);
  }
});

test('decodePayload() survives keys that are no texts', () => {
  // {1: 2}, {nil: 2}, {[1]: 2}, {{}: 2}, {bytes: 2}: plain msgpack, though no message of ours.
  for (const key of [[0x01], [0xc0], [0x91, 0x01], [0x80], [0xc4, 0x01, 0x07], [0xc3]]) {
    try {
      const value = decodePayload(Uint8Array.of(0x81, ...key, 0x02));
      assert.equal(Object.getPrototypeOf(value), Object.prototype);
    } catch (error) {
      assert.ok(error instanceof ProtocolError, String(error));
    }
  }
});
