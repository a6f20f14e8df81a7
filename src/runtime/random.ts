/**
 * Chance on a real machine: the Random port.
 *
 * `bytes` is fit for secrets; `float` only spreads things in time and must decide nothing else.
 */
import { randomBytes } from 'node:crypto';
import type { Random } from '../ports.ts';

/** The randomness of this machine. */
export const systemRandom: Random = {
  float: () => Math.random(),
  bytes: (count) => new Uint8Array(randomBytes(count)),
};
