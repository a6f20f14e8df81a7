/**
 * The port `Hashing` on a real machine: the runtime's own hashes, and `hash-wasm` for those that
 * the runtime lacks.
 *
 * Synchronous, as the port wants it: what has to be loaded or compiled is so in `createHashing`.
 */
import { createHash, hash as hashAtOnce } from 'node:crypto';
import type { IHasher } from 'hash-wasm';
import { type ByteString, fromBytes } from '../base/bytes.ts';
import type { DigestAlgorithm, Hasher, Hashing } from '../ports.ts';
import { ManyDigests } from './many-digests.ts';

/** What each algorithm is called by `node:crypto`. */
const nativeNames: Readonly<Record<DigestAlgorithm, string>> = {
  md5: 'md5',
  sha256: 'sha256',
  blake2b: 'blake2b512',
  sha1: 'sha1',
};

const algorithms = Object.keys(nativeNames) as DigestAlgorithm[];

/** Whether the runtime has an algorithm; one that is switched off (FIPS) counts as lacking. */
export function isNative(algorithm: DigestAlgorithm): boolean {
  try {
    createHash(nativeNames[algorithm]).update('').digest();
    return true;
  } catch {
    return false;
  }
}

/**
 * Makes ready all algorithms.
 * @param hasNative which algorithms to take from the runtime; all that it has, but for tests
 */
export async function createHashing(
  hasNative: (algorithm: DigestAlgorithm) => boolean = isNative,
): Promise<Hashing> {
  const compiled = new Map<DigestAlgorithm, IHasher>();
  for (const algorithm of algorithms) {
    if (!hasNative(algorithm)) compiled.set(algorithm, await compile(algorithm));
  }
  let fingerprinting: Promise<IHasher> | undefined;
  const create = (algorithm: DigestAlgorithm): Hasher => {
    const engine = compiled.get(algorithm);
    return engine === undefined ? new NativeHasher(algorithm) : new CompiledHasher(engine);
  };
  const digest = (algorithm: DigestAlgorithm, bytes: Uint8Array): ByteString => {
    if (!compiled.has(algorithm)) return hashAtOnce(nativeNames[algorithm], bytes, 'binary');
    const hasher = create(algorithm);
    hasher.update(bytes);
    return hasher.digest();
  };
  const many = new ManyDigests(digest);
  return {
    create,
    digest,
    digestAll: (algorithm, contents) => many.digests(algorithm, contents),
    fingerprints: async () => {
      fingerprinting ??= import('hash-wasm').then((library) => library.createXXHash64());
      const engine = await fingerprinting;
      return () => new CompiledHasher(engine);
    },
  };
}

async function compile(algorithm: DigestAlgorithm): Promise<IHasher> {
  const library = await import('hash-wasm');
  switch (algorithm) {
    case 'md5':
      return library.createMD5();
    case 'sha256':
      return library.createSHA256();
    case 'blake2b':
      return library.createBLAKE2b(512);
    case 'sha1':
      return library.createSHA1();
  }
}

class NativeHasher implements Hasher {
  readonly #hash;

  constructor(algorithm: DigestAlgorithm) {
    this.#hash = createHash(nativeNames[algorithm]);
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  digest(): ByteString {
    return this.#hash.digest('binary');
  }
}

/**
 * One of any number of hashers that share a compiled engine: making an engine is asynchronous,
 * making a hasher must not be. Each brings its own state to the engine whenever it works.
 */
class CompiledHasher implements Hasher {
  readonly #engine: IHasher;
  #state: Uint8Array;

  constructor(engine: IHasher) {
    this.#engine = engine;
    engine.init();
    this.#state = engine.save();
  }

  update(bytes: Uint8Array): void {
    this.#engine.load(this.#state);
    this.#engine.update(bytes);
    this.#state = this.#engine.save();
  }

  digest(): ByteString {
    this.#engine.load(this.#state);
    return fromBytes(this.#engine.digest('binary'));
  }
}
