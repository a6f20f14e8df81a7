/** How long to wait before trying again. */

/**
 * The pause before attempt number `attempt` (1 for the first repetition): doubling from the
 * minimum up to the maximum, of which a random half to whole is taken.
 */
export function retryPauseMs(
  attempt: number,
  minMs: number,
  maxMs: number,
  chance: number,
): number {
  const whole = Math.min(maxMs, minMs * 2 ** Math.min(attempt - 1, 30));
  return whole * (0.5 + chance / 2);
}
