/**
 * Bundles that were built lately, so that many workers who ask for the same contents cost one
 * reading, hashing and compressing. Those who ask while a bundle is being built share the building.
 */
import type { ByteString } from '../base/bytes.ts';

/** A built bundle. */
export interface BuiltBundle {
  /** The bulk bytes, in pieces worth a frame each. */
  readonly pieces: readonly Uint8Array[];
  /** Whether every content asked for is in it; others are not kept. */
  readonly isComplete: boolean;
}

/** Keeps the most recently used bundles within a bound. */
export class BundleCache {
  readonly #bytesMax: number;
  readonly #bundles = new Map<ByteString, { built: Promise<BuiltBundle>; bytes: number }>();
  #bytes = 0;

  /** @param bytesMax most bytes of finished bundles kept */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** The bundle of a key, built if it is not at hand. */
  async get(key: ByteString, build: () => Promise<BuiltBundle>): Promise<BuiltBundle> {
    const known = this.#bundles.get(key);
    if (known !== undefined) {
      this.#bundles.delete(key);
      this.#bundles.set(key, known); // most recently used last
      return await known.built;
    }
    const slot = { built: build(), bytes: 0 };
    this.#bundles.set(key, slot);
    try {
      const bundle = await slot.built;
      if (bundle.isComplete) {
        slot.bytes = bundle.pieces.reduce((sum, piece) => sum + piece.length, 0);
        this.#bytes += slot.bytes;
        this.#evict();
      } else {
        this.#forget(key);
      }
      return bundle;
    } catch (error) {
      this.#forget(key);
      throw error;
    }
  }

  #forget(key: ByteString): void {
    this.#bytes -= this.#bundles.get(key)?.bytes ?? 0;
    this.#bundles.delete(key);
  }

  #evict(): void {
    for (const [key, slot] of this.#bundles) {
      if (this.#bytes <= this.#bytesMax) return;
      if (slot.bytes > 0) this.#forget(key);
    }
  }
}
