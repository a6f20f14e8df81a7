import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constants, zstdCompressSync } from 'node:zlib';
import { codeOf } from '../../src/base/errors.ts';
import { createCompression } from '../../src/runtime/compression.ts';
import { SeededRandom } from '../sim/random.ts';

const compression = createCompression();
const text = new TextEncoder().encode('<rule id="1001"><match>sshd</match></rule>\n'.repeat(500));
const isCorrupt = { code: 'corrupt' };

function noise(length: number): Uint8Array {
  const random = new SeededRandom(length);
  return Uint8Array.from({ length }, () => random.integer(0, 255));
}

/** The content; undefined where it is refused as damaged. */
function unpackOrRefuse(packed: Uint8Array): Uint8Array | undefined {
  try {
    return new Uint8Array(compression.decompress(packed, 1 << 20));
  } catch (error) {
    assert.equal(codeOf(error), 'corrupt');
    return undefined;
  }
}

test('Compression gives back what it was given, at every size', () => {
  for (const length of [0, 1, 2, 255, 256, 257, 65_535, 65_536, 65_791, 65_792, 1 << 20]) {
    for (const content of [new Uint8Array(length).fill(7), noise(length)]) {
      const unpacked = compression.decompress(compression.compress(content), length);
      assert.deepEqual(new Uint8Array(unpacked), content);
    }
  }
  assert.ok(compression.compress(text).length < text.length / 20);
});

test('Compression.decompress() refuses a content that is longer than expected', () => {
  const packed = compression.compress(text);
  assert.equal(compression.decompress(packed, text.length).length, text.length);
  for (const bytesMax of [0, 1, text.length - 1]) {
    assert.throws(() => compression.decompress(packed, bytesMax), isCorrupt);
  }
});

test('Compression.decompress() refuses a frame that states less than it holds', () => {
  const packed = Uint8Array.from(compression.compress(new Uint8Array(200_000)));
  const view = new DataView(packed.buffer);
  // The four bytes after magic number and descriptor state the length of the content.
  const at = [5, 6].find((offset) => view.getUint32(offset, true) === 200_000)!;
  view.setUint32(at, 100, true);
  assert.throws(() => compression.decompress(packed, 1000), isCorrupt);
});

test('Compression.decompress() refuses what was cut off, changed or never packed', () => {
  const packed = compression.compress(text);
  // The last four bytes are the checksum, which nobody needs where all of the content is there.
  for (let length = 0; length < packed.length - 4; length++) {
    assert.throws(() => compression.decompress(packed.subarray(0, length), 1 << 20), isCorrupt);
  }
  for (let at = 0; at < packed.length; at++) {
    const changed = Uint8Array.from(packed);
    changed[at]! ^= 0x55;
    // A few bits of a frame mean nothing: what comes out then must be what went in.
    const content = unpackOrRefuse(changed);
    if (content !== undefined) assert.deepEqual(content, text);
  }
  for (const junk of [noise(0), noise(3), noise(1000), text]) {
    assert.throws(() => compression.decompress(junk, 1 << 20), isCorrupt);
  }
});

test('Compression.decompress() refuses a frame that does not state its length', () => {
  const params = { [constants.ZSTD_c_contentSizeFlag]: 0 };
  const packed = zstdCompressSync(text, { params });
  assert.throws(() => compression.decompress(packed, 1 << 20), isCorrupt);
});
