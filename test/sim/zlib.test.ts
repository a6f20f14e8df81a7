import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createZlib } from '../../src/runtime/zlib.ts';
import { simZlib } from './zlib.ts';

test('what is stored is a zlib stream of the same content', async () => {
  const real = createZlib();
  for (const size of [0, 1, 65_535, 65_536, 200_000]) {
    const content = new Uint8Array(size).map((_, i) => i % 253);
    const packed = simZlib.deflate(content);
    assert.deepEqual(real.inflate(packed, size), { content, used: packed.length });

    const inflater = simZlib.inflater();
    const first = await inflater.write(packed.subarray(0, 5));
    const rest = await inflater.write(new Uint8Array([...packed.subarray(5), 1, 2, 3]));
    assert.deepEqual(first, { pieces: [], used: undefined });
    assert.deepEqual(rest, { pieces: [content], used: packed.length - 5 });
    assert.deepEqual(await inflater.end(), []);
  }
});
