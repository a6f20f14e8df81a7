/** Bytes with a few things wrong, from a seed. */
import { concatBytes } from '../../src/base/bytes.ts';
import type { SeededRandom } from '../sim/random.ts';

/**
 * A copy with a few things wrong.
 * @param telling bytes that mean something in the format
 * @param from what is before stays as it is
 */
export function mutated(
  bytes: Uint8Array,
  random: SeededRandom,
  telling: readonly number[],
  from = 0,
): Uint8Array {
  let copy: Uint8Array = bytes.slice();
  for (let i = random.integer(1, 3); i > 0 && copy.length > from; i--) {
    const at = random.integer(from, copy.length - 1);
    switch (random.integer(0, 4)) {
      case 0: // one bit
        copy[at]! ^= 1 << random.integer(0, 7);
        break;
      case 1: // one byte that means something
        copy[at] = random.pick(telling);
        break;
      case 2: // cut short
        copy = copy.slice(0, at);
        break;
      case 3: // a piece twice
        copy = concatBytes([copy.slice(0, at), copy.subarray(Math.max(from, at - 9))]);
        break;
      default: // a piece left out
        copy = concatBytes([copy.slice(0, at), copy.subarray(at + random.integer(1, 5))]);
    }
  }
  return copy;
}
