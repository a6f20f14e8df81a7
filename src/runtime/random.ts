/**
 * Chance on a real machine: the Random port.
 *
 * `bytes` is fit for secrets; `float` only spreads things in time and must decide nothing else.
 */
import type { Random } from '../ports.ts';

/** The randomness of this machine. */
export const systemRandom: Random = {
  float: () => Math.random(),
  // Not by node:crypto, which takes longer to load than the shortest commands to run.
  bytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
};
