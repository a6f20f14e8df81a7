import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concatBytes } from '../../src/base/bytes.ts';
import {
  type BlockBounds,
  BlockCutter,
  blocksMax,
  boundsFor,
} from '../../src/files/block-cutter.ts';
import { simHashing } from '../sim/hashing.ts';
import { SeededRandom } from '../sim/random.ts';

const bounds = boundsFor(0);

/** The ends of all blocks, with the content handed over in pieces. */
function endsOf(content: Uint8Array, pieceBytes = () => content.length): number[] {
  const cutter = new BlockCutter(bounds);
  const ends: number[] = [];
  for (let at = 0; at < content.length;) {
    const piece = content.subarray(at, at + Math.max(1, pieceBytes()));
    for (let from = 0; from < piece.length;) {
      const end = cutter.next(piece, from);
      if (end !== undefined) ends.push(at + end);
      from = end ?? piece.length;
    }
    at += piece.length;
  }
  if (cutter.length > 0) ends.push(content.length);
  return ends;
}

/** The blocks as texts that can be compared. */
function blocksOf(content: Uint8Array): string[] {
  let start = 0;
  return endsOf(content).map((end) => {
    const block = content.subarray(start, end);
    start = end;
    return simHashing.digest('md5', block);
  });
}

test('BlockCutter finds the same blocks whatever the pieces that come in', () => {
  const random = new SeededRandom('pieces');
  const content = random.bytes(3_000_000);
  const whole = endsOf(content);
  assert.ok(whole.length > 20);
  for (const most of [1, 33, 1000, 70_000, 500_000]) {
    assert.deepEqual(endsOf(content, () => random.integer(1, most)), whole, `at most ${most}`);
  }
});

test('BlockCutter keeps the bounds, and comes near the middle on the whole', () => {
  const random = new SeededRandom('bounds');
  const content = random.bytes(8_000_000);
  const ends = endsOf(content);
  const lengths = ends.map((end, i) => end - (ends[i - 1] ?? 0));
  assert.equal(ends.at(-1), content.length);
  for (const length of lengths.slice(0, -1)) {
    assert.ok(length > bounds.bytesMin && length <= bounds.bytesMax, String(length));
  }
  const mean = content.length / lengths.length;
  assert.ok(mean > 1.6 * bounds.bytesMin && mean < 2.4 * bounds.bytesMin, String(mean));
});

test('BlockCutter ends a block of equal bytes where it is longest', () => {
  const content = new Uint8Array(3 * bounds.bytesMax + 5);
  const [first, second, third] = [1, 2, 3].map((n) => n * bounds.bytesMax);
  assert.deepEqual(endsOf(content), [first, second, third, content.length]);
});

test('BlockCutter moves only the borders near an insertion, a removal or a replacement', () => {
  const random = new SeededRandom('insertion');
  const content = random.bytes(6_000_000);
  const before = new Set(blocksOf(content));
  const at = 2_500_000;
  const [head, tail] = [content.subarray(0, at), content.subarray(at)];
  const changes = {
    insertion: concatBytes([head, random.bytes(65_536), tail]),
    'of one byte': concatBytes([head, random.bytes(1), tail]),
    removal: concatBytes([head, tail.subarray(70_000)]),
    replacement: concatBytes([head, random.bytes(65_536), tail.subarray(65_536)]),
  };
  for (const [name, changed] of Object.entries(changes)) {
    const after = blocksOf(changed);
    const newOnes = after.filter((block) => !before.has(block));
    assert.ok(newOnes.length > 0 && newOnes.length <= 6, `${name}: ${newOnes.length} new blocks`);
  }
});

test('BlockCutter ends blocks where the protocol says', () => {
  // The definition, done as plainly as can be: nodes of different versions have to agree about it.
  const table = Array.from({ length: 256 }, (_, byte) => {
    let hash = Math.imul(byte + 1, 0x9e3779b9);
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return BigInt((hash ^ (hash >>> 16)) >>> 0);
  });
  const content = new SeededRandom('protocol').bytes(600_000);
  const ends: number[] = [];
  let start = 0;
  for (let end = 1; end <= content.length; end++) {
    let hash = 0n;
    if (end - start > 2 ** 15) {
      for (const byte of content.subarray(end - 32, end)) hash = hash * 2n + table[byte]!;
      if ((hash & 0xffff_ffffn) >> 17n !== 0n && end - start < 2 ** 18) continue;
      ends.push(end);
      start = end;
    }
  }
  if (start < content.length) ends.push(content.length);
  assert.deepEqual(endsOf(content), ends);
  assert.deepEqual(ends.slice(0, 4), [55_151, 95_495, 164_096, 237_610]);
});

test('boundsFor() keeps lists short, whatever the content', () => {
  const of = (bytes: number): BlockBounds => boundsFor(bytes);
  assert.deepEqual(of(2 ** 31), { bits: 15, bytesMin: 2 ** 15, bytesMax: 2 ** 18 });
  assert.deepEqual(of(2 ** 31 + 1), { bits: 16, bytesMin: 2 ** 16, bytesMax: 2 ** 19 });
  for (const bytes of [0, 1, 2 ** 31, 2 ** 31 + 1, 2 ** 40, 2 ** 48 - 1]) {
    const { bytesMin, bytesMax } = of(bytes);
    assert.ok(bytes / bytesMin <= blocksMax, String(bytes));
    assert.ok(bytesMax < 2 ** 48);
  }
});
