/**
 * The Zlib port of the simulated world.
 *
 * Real zlib packs differently under different runtimes, and works in threads of its own; lengths
 * and moments decide what happens in the world. This one stores contents as they are (real zlib
 * streams all the same) and unpacks with the real one, all within the call.
 */
import { concatBytes } from '../../src/base/bytes.ts';
import { ClusterError } from '../../src/base/errors.ts';
import type { Deflater, Inflater, Zlib } from '../../src/ports.ts';
import { createZlib } from '../../src/runtime/zlib.ts';

const real = createZlib();

/** Nothing in a simulated world is longer. */
const CONTENT_BYTES_MAX = 64 * 1024 * 1024;
const STORED_BYTES_MAX = 65_535;

/** The port. */
export const simZlib: Zlib = {
  deflate: stored,
  inflate: (bytes, contentBytesMax) => real.inflate(bytes, contentBytesMax),
  deflater: () => new StoringDeflater(),
  inflater: () => new GatheringInflater(),
};

// ---

/** A zlib stream of blocks that are not packed. */
function stored(content: Uint8Array): Uint8Array {
  const pieces: Uint8Array[] = [Uint8Array.of(0x78, 0x01)];
  let at = 0;
  do {
    const block = content.subarray(at, at + STORED_BYTES_MAX);
    at += block.length;
    const header = new DataView(new ArrayBuffer(5));
    header.setUint8(0, at === content.length ? 1 : 0);
    header.setUint16(1, block.length, true);
    header.setUint16(3, ~block.length & 0xffff, true);
    pieces.push(new Uint8Array(header.buffer), block);
  } while (at < content.length);
  const end = new DataView(new ArrayBuffer(4));
  end.setUint32(0, adler32(content));
  pieces.push(new Uint8Array(end.buffer));
  return concatBytes(pieces);
}

function adler32(bytes: Uint8Array): number {
  let low = 1;
  let high = 0;
  for (const byte of bytes) {
    low = (low + byte) % 65_521;
    high = (high + low) % 65_521;
  }
  return high * 65_536 + low;
}

/** Gives everything at the end. */
class StoringDeflater implements Deflater {
  readonly #pieces: Uint8Array[] = [];

  write(bytes: Uint8Array): Promise<readonly Uint8Array[]> {
    this.#pieces.push(bytes.slice());
    return Promise.resolve([]);
  }

  flush(): Promise<readonly Uint8Array[]> {
    return Promise.resolve([]);
  }

  end(): Promise<readonly Uint8Array[]> {
    return Promise.resolve([stored(concatBytes(this.#pieces))]);
  }

  close(): void {}
}

/** Gives everything when the stream is whole. */
class GatheringInflater implements Inflater {
  #gathered = new Uint8Array(0);
  #hasEnded = false;

  write(bytes: Uint8Array) {
    const before = this.#gathered.length;
    this.#gathered = concatBytes([this.#gathered, bytes]).slice();
    const inflated = real.inflate(this.#gathered, CONTENT_BYTES_MAX);
    if (inflated === 'long') throw new Error('Too long for the simulated world');
    if (inflated === 'cut') return Promise.resolve({ pieces: [], used: undefined });
    this.#hasEnded = true;
    return Promise.resolve({ pieces: [inflated.content], used: inflated.used - before });
  }

  end(): Promise<readonly Uint8Array[]> {
    if (this.#hasEnded) return Promise.resolve([]);
    return Promise.reject(new ClusterError('corrupt', 'A zlib stream is damaged'));
  }

  close(): void {}
}
