import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteReader, ByteWriter } from '../../src/base/cursor.ts';
import { ProtocolError } from '../../src/base/errors.ts';

function writeAll(writer: ByteWriter): void {
  writer.u8(0xfe);
  writer.u16(0x0102);
  writer.u32(0xfffffffe);
  writer.u48(2 ** 48 - 2);
  writer.f64(-1.5);
  writer.text('a\xff');
  writer.bytes(Uint8Array.of(7, 8));
}

const expected = 'fe' + '0102' + 'fffffffe' + 'fffffffffffe' + 'bff8000000000000' + '61ff' + '0708';

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

test('ByteWriter packs big-endian, and grows from any size', () => {
  for (const size of [0, 1, 3, 256]) {
    const writer = new ByteWriter(size);
    writeAll(writer);
    assert.equal(hex(writer.finish()), expected);
    assert.equal(writer.length, expected.length / 2);
  }
});

test('ByteWriter.finish() is a copy, view() is not, reset() starts anew', () => {
  const writer = new ByteWriter(4);
  writer.u16(1);
  const copy = writer.finish();
  const view = writer.view();
  writer.reset();
  writer.u16(2);
  assert.equal(hex(copy), '0001');
  assert.equal(hex(view), '0002');
  assert.equal(writer.length, 2);
});

test('ByteReader reads what ByteWriter wrote, also from within a larger array', () => {
  const writer = new ByteWriter();
  writer.u32(0);
  writeAll(writer);
  writer.u32(0);
  const reader = new ByteReader(writer.finish(), 4, writer.length - 4);
  assert.equal(reader.remaining, expected.length / 2);
  assert.equal(reader.u8(), 0xfe);
  assert.equal(reader.u16(), 0x0102);
  assert.equal(reader.u32(), 0xfffffffe);
  assert.equal(reader.u48(), 2 ** 48 - 2);
  assert.equal(reader.f64(), -1.5);
  assert.equal(reader.text(2), 'a\xff');
  assert.equal(reader.position, writer.length - 6);
  assert.deepEqual(reader.bytes(2), Uint8Array.of(7, 8));
  assert.equal(reader.remaining, 0);
});

test('ByteReader refuses to read beyond the end, whatever lies behind it', () => {
  const reads: readonly ((reader: ByteReader) => unknown)[] = [
    (reader) => reader.u8(),
    (reader) => reader.u16(),
    (reader) => reader.u32(),
    (reader) => reader.u48(),
    (reader) => reader.f64(),
    (reader) => reader.text(1),
    (reader) => reader.bytes(0xffffffff),
  ];
  for (const read of reads) {
    const reader = new ByteReader(new Uint8Array(32), 0, 0);
    assert.throws(
      () => read(reader),
      (error) => error instanceof ProtocolError && error.fault === 'malformed',
    );
    assert.equal(reader.position, 0);
  }
  const reader = new ByteReader(new Uint8Array(3));
  assert.throws(() => reader.u32(), /end 1 bytes too early/);
  assert.equal(reader.u16(), 0, 'what is there can still be read');
});

test('a text with its length is the UTF-8 of it, also where it has to be begun anew', () => {
  for (const text of ['', 'web', 'ünï', 'abc€𝄞', 'x'.repeat(5000) + 'ü']) {
    const writer = new ByteWriter(1);
    writer.sizedText(text);
    const encoded = new TextEncoder().encode(text);
    const reader = new ByteReader(writer.finish());
    assert.equal(reader.u32(), encoded.length);
    assert.deepEqual(reader.bytes(encoded.length), encoded);
    assert.equal(reader.remaining, 0);
  }
});
