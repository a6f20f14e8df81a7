import assert from 'node:assert/strict';
import { createHash, hash } from 'node:crypto';
import { test } from 'node:test';
import { contentBytesMax, Md5Lanes } from '../../src/runtime/md5-lanes.ts';
import { SeededRandom } from '../sim/random.ts';

const digestOne = (bytes: Uint8Array): string => hash('md5', bytes, 'binary');

function bytesOf(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + seed * 17 + (i >> 8)) & 255;
  return bytes;
}

/** Hashes contents in as few batches as there is room for. */
function hashAll(lanes: Md5Lanes, contents: readonly Uint8Array[]): string[] {
  const digests: string[] = [];
  for (const content of contents) {
    if (!lanes.hasRoom(content.length)) digests.push(...lanes.digests());
    lanes.memory.set(content, lanes.end);
    lanes.add(content.length);
  }
  return [...digests, ...lanes.digests()];
}

function expected(contents: readonly Uint8Array[]): string[] {
  return contents.map((content) => createHash('md5').update(content).digest('binary'));
}

test('Md5Lanes hashes contents of every length from 0 to 300 bytes', () => {
  const lanes = Md5Lanes.create(digestOne)!;
  const contents = Array.from({ length: 301 }, (_, length) => bytesOf(length, length));
  assert.deepEqual(hashAll(lanes, contents), expected(contents));
  assert.deepEqual(hashAll(lanes, contents.toReversed()), expected(contents.toReversed()));
});

test('Md5Lanes hashes four contents of one length in lanes, without the ordinary hash', () => {
  const lanes = Md5Lanes.create(() => assert.fail('fell back to the ordinary hash'))!;
  for (const length of [0, 1, 55, 56, 63, 64, 119, 120, 1000, 2560, contentBytesMax]) {
    const contents = [1, 2, 3, 4].map((seed) => bytesOf(length, seed));
    assert.deepEqual(hashAll(lanes, contents), expected(contents), `${length} bytes`);
  }
});

test('Md5Lanes leaves to the ordinary hash what is alone or much longer than the rest', () => {
  const lengths: number[] = [];
  const lanes = Md5Lanes.create((bytes) => {
    lengths.push(bytes.length);
    return digestOne(bytes);
  })!;
  const contents = [100, 100_000, 110, 90, 105].map((length) => bytesOf(length, 3));
  assert.deepEqual(hashAll(lanes, contents), expected(contents));
  assert.deepEqual(lengths, [100_000]);
  assert.deepEqual(hashAll(lanes, contents.slice(0, 1)), expected(contents.slice(0, 1)));
  assert.deepEqual(lengths, [100_000, 100]);
});

test('Md5Lanes hashes batches of mixed lengths, up to the longest, over and over', () => {
  const random = new SeededRandom(7);
  const lanes = Md5Lanes.create(digestOne)!;
  for (let round = 0; round < 60; round++) {
    const lengthMax = random.pick([80, 600, 5000, 40_000, contentBytesMax]);
    const contents = Array.from(
      { length: random.integer(1, 40) },
      (_, seed) => bytesOf(random.integer(0, lengthMax), seed),
    );
    assert.deepEqual(hashAll(lanes, contents), expected(contents), `round ${round}`);
  }
});

test('Md5Lanes.hasRoom() says no once the memory is full', () => {
  const lanes = Md5Lanes.create(digestOne)!;
  let count = 0;
  while (lanes.hasRoom(contentBytesMax)) {
    lanes.add(contentBytesMax);
    count++;
  }
  assert.ok(count >= 7);
  assert.ok(lanes.hasRoom(100));
  assert.equal(lanes.digests().length, count);
});
