/**
 * Hashing, crypto and Compression of the simulated world.
 *
 * Hashes and crypto are the real ones. Compression is not: zstd gives other bytes under other runtimes, and
 * lengths on the wire decide what happens in the world. This one packs runs of equal bytes, keeps
 * the contract (a limit on the way back, damage is noticed), and is the same everywhere.
 */
import { ClusterError } from '../../src/base/errors.ts';
import type { Compression, Hashing, SymmetricCrypto } from '../../src/ports.ts';
import { createHashing } from '../../src/runtime/hashing.ts';
import { createSymmetricCrypto } from '../../src/runtime/symmetric-crypto.ts';

/** The Hashing port: the real one. */
export const simHashing: Hashing = await createHashing();

// Loaded and compiled before any world begins: neither takes the same time twice.
await simHashing.fingerprints();

/** The SymmetricCrypto port: the real one. */
export const simCrypto: SymmetricCrypto = createSymmetricCrypto();

/** First byte of everything compressed. */
const MAGIC = 0xc5;
const STORED = 0;
const RUNS = 1;
const HEADER_BYTES = 10;
const RUN_BYTES_MAX = 255;

/**
 * The Compression port: magic byte, form, u32 length and u32 checksum of the content; then the
 * bytes, or (count, byte) pairs.
 */
export const simCompression: Compression = {
  compress: (bytes) => {
    const packed = new Uint8Array(HEADER_BYTES + bytes.length);
    packed.set([MAGIC, RUNS]);
    const header = new DataView(packed.buffer);
    header.setUint32(2, bytes.length);
    header.setUint32(6, checksum(bytes));
    let to = HEADER_BYTES;
    for (let at = 0; at < bytes.length;) {
      const byte = bytes[at]!;
      let count = 1;
      while (count < RUN_BYTES_MAX && bytes[at + count] === byte) count++;
      if (to + 2 > packed.length) {
        packed[1] = STORED;
        packed.set(bytes, HEADER_BYTES);
        return packed;
      }
      packed[to++] = count;
      packed[to++] = byte;
      at += count;
    }
    return packed.subarray(0, to);
  },

  decompress: (bytes, bytesMax) => {
    const isOurs = bytes[0] === MAGIC && (bytes[1] === STORED || bytes[1] === RUNS);
    if (bytes.length < HEADER_BYTES || !isOurs) throw damaged('it is damaged');
    const header = new DataView(bytes.buffer, bytes.byteOffset);
    const size = header.getUint32(2);
    if (size > bytesMax) throw damaged(`it is longer than ${bytesMax} bytes`);
    const body = bytes.subarray(HEADER_BYTES);
    const content = bytes[1] === RUNS ? unpack(body, size) : body.slice();
    if (content.length !== size) throw damaged(`it has not ${size} bytes`);
    if (checksum(content) !== header.getUint32(6)) throw damaged('its checksum is wrong');
    return content;
  },
};

// ---

function checksum(bytes: Uint8Array): number {
  let sum = 0x811c9dc5;
  for (const byte of bytes) sum = Math.imul(sum ^ byte, 0x01000193);
  return sum >>> 0;
}

function unpack(pairs: Uint8Array, size: number): Uint8Array {
  const content = new Uint8Array(size);
  let to = 0;
  for (let at = 0; at + 1 < pairs.length; at += 2) {
    const end = to + pairs[at]!;
    if (end > size) throw damaged(`it is longer than ${size} bytes`);
    content.fill(pairs[at + 1]!, to, end);
    to = end;
  }
  return content.subarray(0, to);
}

function damaged(why: string): ClusterError {
  return new ClusterError('corrupt', `Cannot decompress a block: ${why}`);
}
