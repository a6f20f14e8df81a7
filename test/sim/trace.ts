/**
 * The identity of a run: everything that happens is folded into one running hash.
 *
 * Two runs with equal hashes did the same things in the same order. The full text can be kept as
 * well, to find the first line in which two runs differ.
 */

/** A running hash of 64 bits over texts and numbers, with their full text on request. */
export class Trace {
  #high = 0x811c9dc5 | 0;
  #low = 0x9747b28c | 0;
  readonly #lines: string[] | undefined;
  readonly #double = new Float64Array(1);
  readonly #words = new Uint32Array(this.#double.buffer);

  constructor(keepLines: boolean) {
    this.#lines = keepLines ? [] : undefined;
  }

  /** Folds in what happened at this moment. */
  add(atMs: number, text: string): void {
    this.#double[0] = atMs;
    this.#fold(this.#words[0]!);
    this.#fold(this.#words[1]!);
    for (let i = 0; i < text.length; i++) this.#fold(text.charCodeAt(i));
    // The length keeps 'ab' + 'c' apart from 'a' + 'bc'.
    this.#fold(text.length);
    this.#lines?.push(`${atMs.toFixed(3)} ${text}`);
  }

  /** 16 hexadecimal digits that identify all that was added so far. */
  get hash(): string {
    return [this.#high, this.#low]
      .map((word) => (finished(word) >>> 0).toString(16).padStart(8, '0'))
      .join('');
  }

  /** What was added, one line each; empty unless the lines are kept. */
  get lines(): readonly string[] {
    return this.#lines ?? [];
  }

  #fold(value: number): void {
    this.#high = Math.imul(this.#high ^ value, 0x01000193);
    const low = Math.imul(this.#low ^ value, 0x5bd1e995);
    this.#low = (low << 13) | (low >>> 19);
  }
}

// ---

function finished(word: number): number {
  let h = word ^ (word >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}
