import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { toHex } from '../../src/base/bytes.ts';
import type { DigestAlgorithm } from '../../src/ports.ts';
import { createHashing, isNative } from '../../src/runtime/hashing.ts';

const algorithms: readonly DigestAlgorithm[] = ['md5', 'sha256', 'blake2b', 'sha1'];
const abc = new TextEncoder().encode('abc');

/** The published test vectors for "abc": RFC 1321, FIPS 180-4, RFC 7693. */
const vectors: Readonly<Record<DigestAlgorithm, string>> = {
  md5: '900150983cd24fb0d6963f7d28e17f72',
  sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  blake2b: 'ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1' +
    '7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923',
  sha1: 'a9993e364706816aba3e25717850c26c9cd0d89d',
};

/** The runtime's own algorithms, and those compiled for runtimes that lack them. */
const kinds = [
  ['native', await createHashing()],
  ['compiled', await createHashing(() => false)],
] as const;

for (const [kind, hashing] of kinds) {
  test(`Hashing.digest() gives the published hashes (${kind})`, () => {
    for (const algorithm of algorithms) {
      const digest = hashing.digest(algorithm, abc);
      assert.equal(toHex(digest), vectors[algorithm]);
      assert.equal(digest.length, vectors[algorithm].length / 2);
    }
  });

  test(`Hashing.create() gives hashers that do not disturb each other (${kind})`, () => {
    for (const algorithm of algorithms) {
      const [left, right] = [hashing.create(algorithm), hashing.create(algorithm)];
      for (let i = 0; i < 50; i++) {
        left.update(abc);
        right.update(new Uint8Array(i * 7).fill(i));
        assert.equal(toHex(hashing.digest(algorithm, abc)), vectors[algorithm]);
      }
      assert.equal(left.digest(), hashing.digest(algorithm, repeat(abc, 50)));
      const rest = Array.from({ length: 50 }, (_, i) => new Uint8Array(i * 7).fill(i));
      assert.equal(right.digest(), hashing.digest(algorithm, join(rest)));
    }
  });

  test(`Hashing.digest() takes views into larger buffers and nothing at all (${kind})`, () => {
    const large = repeat(abc, 1000);
    for (const algorithm of algorithms) {
      assert.equal(
        hashing.digest(algorithm, large.subarray(3, 6)),
        hashing.digest(algorithm, abc),
      );
      const nothing = hashing.create(algorithm).digest();
      assert.equal(nothing, hashing.digest(algorithm, new Uint8Array()));
    }
  });
}

test('isNative() is true of what node:crypto has', () => {
  for (const algorithm of algorithms) assert.equal(isNative(algorithm), true);
  assert.equal(
    toHex(kinds[1][1].digest('md5', repeat(abc, 9999))),
    createHash('md5').update(repeat(abc, 9999)).digest('hex'),
  );
});

function repeat(bytes: Uint8Array, count: number): Uint8Array {
  return join(Array.from({ length: count }, () => bytes));
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

test('Hashing.digestAll() gives the same as one after the other, however many there are', async () => {
  const hashing = await createHashing();
  const lengths = [0, 1, 55, 56, 64, 2560, 128 * 1024, 128 * 1024 + 1, 300_000];
  const contents = Array.from({ length: 1_500 }, (_, i) => {
    return new Uint8Array(lengths[(i * 7) % 11] ?? i % 5000).fill(i);
  });
  for (const algorithm of ['md5', 'sha256'] as const) {
    // Many times, so that it does what it does for many.
    for (let round = 0; round < 3; round++) {
      const expected = contents.map((bytes) => hashing.digest(algorithm, bytes));
      assert.deepEqual(hashing.digestAll(algorithm, contents), expected);
    }
  }
  assert.deepEqual(hashing.digestAll('md5', []), []);
});

test('Hashing.fingerprints() gives XXH64, and hashers that do not disturb each other', async () => {
  const hashing = kinds[0][1];
  const both = [hashing.fingerprints(), hashing.fingerprints()];
  const [fingerprint, again] = await Promise.all(both);
  const [left, right] = [fingerprint!(), again!()];
  left.update(abc.subarray(0, 1));
  right.update(new Uint8Array(1000));
  left.update(abc.subarray(1));
  // The value for "abc" of the reference implementation, and that for nothing.
  assert.equal(toHex(left.digest()), '44bc2cf5ad770999');
  assert.equal(toHex(fingerprint!().digest()), 'ef46db3751d8e999');
});
