/**
 * Hashing and Compression of the simulated world.
 *
 * Hashes are the real ones. Compression is not: zstd gives other bytes under other runtimes, and
 * lengths on the wire decide what happens in the world. This one packs runs of equal bytes, keeps
 * the contract (a limit on the way back, damage is noticed), and is the same everywhere.
 */
import { ClusterError } from '../../src/base/errors.ts';
import type { Compression, Hashing } from '../../src/ports.ts';
import { createHashing } from '../../src/runtime/hashing.ts';

/** The Hashing port: the real one. */
export const simHashing: Hashing = await createHashing();

/** First byte of everything compressed. */
const MAGIC = 0xc5;
const STORED = 0;
const RUNS = 1;
const HEADER_BYTES = 3;
const RUN_BYTES_MAX = 255;

/** The Compression port: magic byte, checksum, form; then the bytes, or (count, byte) pairs. */
export const simCompression: Compression = {
  compress: (bytes) => {
    const packed = new Uint8Array(HEADER_BYTES + bytes.length);
    packed.set([MAGIC, checksum(bytes), RUNS]);
    let to = HEADER_BYTES;
    for (let at = 0; at < bytes.length;) {
      const byte = bytes[at]!;
      let count = 1;
      while (count < RUN_BYTES_MAX && bytes[at + count] === byte) count++;
      if (to + 2 > packed.length) {
        packed[2] = STORED;
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
    if (bytes.length < HEADER_BYTES || bytes[0] !== MAGIC) throw damaged('it is damaged');
    const body = bytes.subarray(HEADER_BYTES);
    const content = bytes[2] === RUNS ? unpack(body, bytesMax) : body.slice();
    if (content.length > bytesMax) throw damaged(`it is longer than ${bytesMax} bytes`);
    if (checksum(content) !== bytes[1]) throw damaged('its checksum is wrong');
    return content;
  },
};

// ---

function checksum(bytes: Uint8Array): number {
  let sum = 7;
  for (const byte of bytes) sum = (sum * 31 + byte) & 0xff;
  return sum;
}

function unpack(pairs: Uint8Array, bytesMax: number): Uint8Array {
  let size = 0;
  for (let at = 0; at < pairs.length; at += 2) size += pairs[at]!;
  if (pairs.length % 2 !== 0) throw damaged('it is damaged');
  if (size > bytesMax) throw damaged(`it is longer than ${bytesMax} bytes`);
  const content = new Uint8Array(size);
  let to = 0;
  for (let at = 0; at < pairs.length; at += 2) {
    content.fill(pairs[at + 1]!, to, to + pairs[at]!);
    to += pairs[at]!;
  }
  return content;
}

function damaged(why: string): ClusterError {
  return new ClusterError('corrupt', `Cannot decompress a block: ${why}`);
}
