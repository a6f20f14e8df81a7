/**
 * Bundles that were built lately, so that many workers who ask for the same contents cost one
 * reading, hashing and compressing. Those who ask while a bundle is being built share the building.
 */
import type { ByteString } from '../base/bytes.ts';
import type { Clock } from '../ports.ts';

/** A built bundle. */
export interface BuiltBundle {
  /** The bulk bytes, in pieces worth a frame each. */
  readonly pieces: readonly Uint8Array[];
  /** Whether every content asked for is in it; others are not kept. */
  readonly isComplete: boolean;
}

/** How much is kept, and for how long. */
export interface BundleCacheOptions {
  /** Most bytes of finished bundles. */
  readonly bytesMax: number;
  /** A bundle that nobody asked for in this time is given up, ms. */
  readonly idleMs: number;
}

interface Slot {
  readonly built: Promise<BuiltBundle>;
  /** 0 as long as it is being built. */
  bytes: number;
  usedMs: number;
}

/** Keeps the most recently used bundles within a bound, as long as somebody may still want them. */
export class BundleCache {
  readonly #clock: Clock;
  readonly #options: BundleCacheOptions;
  readonly #bundles = new Map<ByteString, Slot>();
  readonly #closing = new AbortController();
  #bytes = 0;
  #isExpiring = false;

  constructor(clock: Clock, options: BundleCacheOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  /** Bytes of finished bundles that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The bundle of a key, where it is at hand or being built. */
  find(key: ByteString): Promise<BuiltBundle> | undefined {
    const known = this.#bundles.get(key);
    if (known === undefined) return undefined;
    this.#bundles.delete(key);
    this.#bundles.set(key, known); // most recently used last
    known.usedMs = this.#clock.monotonicMs();
    return known.built;
  }

  /** The bundle of a key, built if it is not at hand. */
  async get(key: ByteString, build: () => Promise<BuiltBundle>): Promise<BuiltBundle> {
    const known = this.find(key);
    if (known !== undefined) return await known;
    const slot: Slot = { built: build(), bytes: 0, usedMs: this.#clock.monotonicMs() };
    this.#bundles.set(key, slot);
    try {
      const bundle = await slot.built;
      if (bundle.isComplete) this.#keep(slot, bundle);
      else this.#forget(key);
      return bundle;
    } catch (error) {
      this.#forget(key);
      throw error;
    }
  }

  #keep(slot: Slot, bundle: BuiltBundle): void {
    slot.bytes = bundle.pieces.reduce((sum, piece) => sum + piece.length, 0);
    slot.usedMs = this.#clock.monotonicMs();
    this.#bytes += slot.bytes;
    for (const [key, { bytes }] of this.#bundles) {
      if (this.#bytes <= this.#options.bytesMax) break;
      if (bytes > 0) this.#forget(key);
    }
    if (!this.#isExpiring) this.#expire().catch(() => {});
  }

  /** Nobody asks any more. */
  close(): void {
    this.#closing.abort();
  }

  /** Runs for as long as there is anything that can grow old. */
  async #expire(): Promise<void> {
    const { idleMs } = this.#options;
    this.#isExpiring = true;
    while (this.#bytes > 0) {
      await this.#clock.sleep(idleMs, this.#closing.signal);
      const limitMs = this.#clock.monotonicMs() - idleMs;
      for (const [key, { bytes, usedMs }] of this.#bundles) {
        if (bytes > 0 && usedMs <= limitMs) this.#forget(key);
      }
    }
    this.#isExpiring = false;
  }

  #forget(key: ByteString): void {
    this.#bytes -= this.#bundles.get(key)?.bytes ?? 0;
    this.#bundles.delete(key);
  }
}
