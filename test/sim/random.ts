/**
 * Chance of the simulated world: a small fast generator (sfc32) with a seed.
 *
 * Every part of the world draws from a generator of its own, forked by name from the world's. So a
 * part that draws once more than before changes its own fate only, not that of all others.
 *
 * Only + - * / and integer operations are used: Math.log, Math.pow and their like may differ in the
 * last bit between JavaScript engines, and with it the whole run.
 */
import type { Random } from '../../src/ports.ts';

/** A range of durations: mostly `minMs` to `typicalMs`, now and then up to `maxMs`. */
export interface DelayRange {
  readonly minMs: number;
  readonly typicalMs: number;
  readonly maxMs: number;
}

/** One delay in fifty is an exceptional one. */
const EXCEPTIONAL_SHARE = 0.02;

/** A seeded generator of numbers; also the Random port. */
export class SeededRandom implements Random {
  readonly #seed: string;
  readonly #state: Uint32Array;

  constructor(seed: number | string) {
    this.#seed = String(seed);
    this.#state = stateOf(this.#seed);
    for (let i = 0; i < 12; i++) this.next32();
  }

  /** A generator that depends on the seed and the label only, not on what was drawn before. */
  fork(label: string): SeededRandom {
    return new SeededRandom(`${this.#seed}/${label}`);
  }

  /** A uniform whole number from 0 to 2^32 - 1. */
  next32(): number {
    const state = this.#state;
    const a = state[0]!;
    const b = state[1]!;
    const c = state[2]!;
    const sum = (a + b + state[3]!) >>> 0;
    state[3] = state[3]! + 1;
    state[0] = b ^ (b >>> 9);
    state[1] = c + (c << 3);
    state[2] = ((c << 21) | (c >>> 11)) + sum;
    return sum;
  }

  float(): number {
    return this.next32() / 2 ** 32;
  }

  bytes(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    for (let i = 0; i < count; i++) bytes[i] = this.next32() >>> 24;
    return bytes;
  }

  /** Uniform in [min, max). */
  between(min: number, max: number): number {
    return min + (max - min) * this.float();
  }

  /** A whole number from min to max, both included. */
  integer(min: number, max: number): number {
    return min + Math.floor(this.float() * (max - min + 1));
  }

  /** True for this share of the calls. */
  chance(share: number): boolean {
    return share > 0 && this.float() < share;
  }

  /** One of the items. */
  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new Error('Cannot pick from an empty list');
    return items[this.integer(0, items.length - 1)]!;
  }

  /** The same items in another order. */
  shuffled<T>(items: readonly T[]): T[] {
    const mixed = [...items];
    for (let i = mixed.length - 1; i > 0; i--) {
      const j = this.integer(0, i);
      [mixed[i], mixed[j]] = [mixed[j]!, mixed[i]!];
    }
    return mixed;
  }

  /** A duration from the range. */
  delayMs(range: DelayRange): number {
    if (!this.chance(EXCEPTIONAL_SHARE)) return this.between(range.minMs, range.typicalMs);
    const u = this.float();
    return range.typicalMs + (range.maxMs - range.typicalMs) * u * u;
  }
}

// ---

/** Four well-mixed words from any text (the xmur3 construction). */
function stateOf(seed: string): Uint32Array {
  let h = 1779033703 ^ seed.length;
  for (let i = 0; i < seed.length; i++) {
    h = Math.imul(h ^ seed.charCodeAt(i), 3432918353);
    h = (h << 13) | (h >>> 19);
  }
  const state = new Uint32Array(4);
  for (let i = 0; i < 4; i++) {
    h = Math.imul(h ^ (h >>> 16), 2246822507);
    h = Math.imul(h ^ (h >>> 13), 3266489909);
    h ^= h >>> 16;
    state[i] = h;
  }
  return state;
}
