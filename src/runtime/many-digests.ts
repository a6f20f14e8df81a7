/**
 * Hashes of many contents that are in memory: small ones several at a time where the algorithm is
 * MD5 and the engine can (`md5-lanes.ts`), others one after the other.
 */
import type { ByteString } from '../base/bytes.ts';
import type { DigestAlgorithm } from '../ports.ts';
import { contentBytesMax, Md5Lanes } from './md5-lanes.ts';

/** Contents after which the lanes have saved what making them costs. */
const lanesPayCount = 2_000;

/** Hashes many contents at a time. */
export class ManyDigests {
  readonly #digestOne: (algorithm: DigestAlgorithm, bytes: Uint8Array) => ByteString;
  /** Made when there are many contents; null where the engine cannot run it. */
  #lanes: Md5Lanes | null | undefined;
  #contentsCount = 0;

  constructor(digestOne: (algorithm: DigestAlgorithm, bytes: Uint8Array) => ByteString) {
    this.#digestOne = digestOne;
  }

  /** As `Hashing.digestAll`. */
  digests(algorithm: DigestAlgorithm, contents: readonly Uint8Array[]): ByteString[] {
    this.#contentsCount += contents.length;
    const lanes = algorithm === 'md5' ? this.#lanesWhereTheyPay() : undefined;
    if (lanes === undefined) return contents.map((bytes) => this.#digestOne(algorithm, bytes));
    const digests = Array.from<ByteString>({ length: contents.length });
    let waiting: number[] = [];
    const flush = (): void => {
      for (const [at, digest] of lanes.digests().entries()) digests[waiting[at]!] = digest;
      waiting = [];
    };
    for (const [index, bytes] of contents.entries()) {
      if (bytes.length > contentBytesMax) {
        digests[index] = this.#digestOne(algorithm, bytes);
        continue;
      }
      if (!lanes.put(bytes)) {
        flush();
        lanes.put(bytes);
      }
      waiting.push(index);
    }
    flush();
    return digests;
  }

  #lanesWhereTheyPay(): Md5Lanes | undefined {
    if (this.#lanes === undefined && this.#contentsCount > lanesPayCount) {
      this.#lanes = Md5Lanes.create((bytes) => this.#digestOne('md5', bytes)) ?? null;
    }
    return this.#lanes ?? undefined;
  }
}
