import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteWriter } from '../../src/base/cursor.ts';
import { boundsFor } from '../../src/files/block-cutter.ts';
import {
  type Block,
  BlockListReader,
  packBlockRow,
  packRanges,
  rangesBytesMax,
  readRanges,
} from '../../src/files/block-list.ts';
import { payloadBytesMax } from '../../src/wire/frame.ts';
import { messages } from '../../src/wire/messages.ts';
import { SeededRandom } from '../sim/random.ts';
import { assertMalformed } from './material.ts';

const bounds = boundsFor(0);

function packed(...lengths: number[]): Uint8Array {
  const writer = new ByteWriter();
  for (const [i, length] of lengths.entries()) {
    packBlockRow(writer, { length, fingerprint: `block  ${i}` });
  }
  return writer.finish();
}

/** All blocks of a list, handed over in pieces. */
function readAll(
  bytes: Uint8Array,
  contentBytes: number,
  pieceBytes = () => bytes.length,
): Block[] {
  const reader = new BlockListReader(contentBytes, bounds);
  const blocks: Block[] = [];
  for (let at = 0; at < bytes.length;) {
    const piece = bytes.subarray(at, at + pieceBytes());
    blocks.push(...reader.push(piece));
    at += piece.length;
  }
  reader.finish();
  return blocks;
}

test('BlockListReader reads what was packed, however it is cut', () => {
  const lengths = [40_000, bounds.bytesMax, 33_000, 5];
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const random = new SeededRandom('list');
  const whole = readAll(packed(...lengths), total);
  assert.deepEqual(whole.map(({ length }) => length), lengths);
  assert.deepEqual(whole.map(({ offset }) => offset), [0, 40_000, 302_144, 335_144]);
  assert.equal(whole[2]!.fingerprint, 'block  2');
  for (const most of [1, 5, 20]) {
    const pieces = readAll(packed(...lengths), total, () => random.integer(1, most));
    assert.deepEqual(pieces, whole);
  }
});

test('BlockListReader refuses lists that are no list of the content', () => {
  const { bytesMin, bytesMax } = bounds;
  // What would make a worker hold more rows, or write more bytes, than a content of this size has.
  assertMalformed(() => readAll(packed(0), 100_000), /block of 0 bytes/);
  assertMalformed(() => readAll(packed(bytesMin), 100_000), /block of 32768 bytes/);
  assertMalformed(() => readAll(packed(1, 1, 1), 100_000), /block of 1 bytes/);
  assertMalformed(() => readAll(packed(bytesMax + 1), 10 * bytesMax), /block of 262145 bytes/);
  assertMalformed(() => readAll(packed(40_000, 70_000), 100_000), /block of 70000 bytes/);
  assertMalformed(() => readAll(packed(100_000, 1), 100_000), /block of 1 bytes/);
  assertMalformed(() => readAll(packed(2 ** 48 - 1), 100_000), /block of \d+ bytes/);
  // What is not all of it.
  assertMalformed(() => readAll(packed(40_000), 100_000), /of 40000 bytes for a content of 100000/);
  assertMalformed(() => readAll(packed(40_000).subarray(0, 9), 40_000), /of 0 bytes for/);
  assertMalformed(() => readAll(new Uint8Array(0), 1), /of 0 bytes for a content of 1/);
});

test('readRanges() reads what was packed and refuses what is not within the content', () => {
  const ranges = [{ offset: 0, length: 1 }, { offset: 2 ** 40, length: 2 ** 33 }];
  assert.deepEqual(readRanges(packRanges(ranges), 2 ** 41), ranges);
  const read = (offset: number, length: number) => () =>
    readRanges(packRanges([{ offset, length }]), 1000);
  assertMalformed(read(0, 0), /not within/);
  assertMalformed(read(999, 2), /not within/);
  assertMalformed(read(1000, 1), /not within/);
  assertMalformed(read(2 ** 47, 2 ** 47), /not within/);
  assertMalformed(() => readRanges(new Uint8Array(11), 1000), /early/);
});

test('the largest request of ranges fits into its message', () => {
  assert.ok(rangesBytesMax <= 24 * 1024);
  assert.ok(messages['content.ranges'].bytesMax < payloadBytesMax);
});
