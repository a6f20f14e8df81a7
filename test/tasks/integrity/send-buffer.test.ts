/** Blocks of any size become full frames, in order, whatever happens to their memory later. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SendBuffer } from '../../../src/tasks/integrity/send-buffer.ts';

const KiB = 1024;

/** Bytes that tell their position. */
function bytesFrom(start: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (start + i) % 251);
}

test('SendBuffer sends full pieces and at last the rest, in the order of the blocks', async () => {
  const pieces: Uint8Array[] = [];
  const buffer = new SendBuffer((piece) => {
    pieces.push(piece.slice());
    return Promise.resolve();
  });
  const block = new Uint8Array(300 * KiB);
  let length = 0;
  for (const size of [1, 100 * KiB, 300 * KiB, 0, 256 * KiB, 7, 300 * KiB]) {
    block.set(bytesFrom(length, size));
    buffer.add(block.subarray(0, size));
    // The caller uses it again.
    block.fill(255);
    length += size;
    await buffer.drain(false);
    assert.ok(pieces.every((piece) => piece.length === 256 * KiB));
  }
  await buffer.drain(true);
  await buffer.drain(true);
  const sizes = pieces.map((piece) => piece.length);
  assert.deepEqual(sizes, [...Array<number>(3).fill(256 * KiB), length - 3 * 256 * KiB]);
  let at = 0;
  for (const piece of pieces) {
    assert.deepEqual(piece, bytesFrom(at, piece.length));
    at += piece.length;
  }
});

test('SendBuffer passes on that sending failed', async () => {
  const buffer = new SendBuffer(() => Promise.reject(new Error('cut')));
  buffer.add(bytesFrom(0, 10));
  await buffer.drain(false);
  await assert.rejects(buffer.drain(true), /cut/);
});
