import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simCompression } from './hashing.ts';
import { SeededRandom } from './random.ts';

test('Compression gives back what was compressed, and is small where content repeats', () => {
  const random = new SeededRandom(1);
  const contents = [
    new Uint8Array(0),
    Uint8Array.of(7),
    new Uint8Array(10_000).fill(3),
    random.bytes(10_000),
    Uint8Array.from({ length: 5000 }, () => random.integer(0, 1)),
  ];
  for (const content of contents) {
    const packed = simCompression.compress(content);
    assert.deepEqual(simCompression.decompress(packed, content.length), content);
    assert.ok(packed.length <= content.length + 10);
  }
  assert.ok(simCompression.compress(contents[2]!).length < 100);
});

test('Compression.decompress() refuses what is too long, damaged or cut short', () => {
  const packed = simCompression.compress(new Uint8Array(10_000).fill(3));
  const stored = simCompression.compress(new SeededRandom(1).bytes(100));
  assert.throws(() => simCompression.decompress(packed, 9999), { code: 'corrupt' });
  assert.throws(() => simCompression.decompress(stored, 99), { code: 'corrupt' });
  for (const whole of [packed, stored]) {
    for (let at = 0; at < whole.length; at++) {
      const damaged = whole.slice();
      damaged[at]! ^= 0x15;
      assert.throws(() => simCompression.decompress(damaged, 20_000), { code: 'corrupt' });
      const cut = whole.slice(0, at);
      assert.throws(() => simCompression.decompress(cut, 20_000), { code: 'corrupt' });
    }
  }
});
