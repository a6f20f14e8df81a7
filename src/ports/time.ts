/** Time and chance. */

/** Time. */
export interface Clock {
  /** Wall-clock time, milliseconds since 1970; may jump. For records, never for durations. */
  nowMs(): number;
  /** Milliseconds since some fixed moment, with fractions; never goes back. */
  monotonicMs(): number;
  /** Resolves after `ms`; rejects with the signal's reason when that is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /**
   * Gives other tasks a turn if this one has held the loop for long (8 ms on a real machine), and
   * costs next to nothing otherwise. To be awaited inside every loop whose length the data decide.
   */
  breathe(): Promise<void>;
}

/** Chance. */
export interface Random {
  /** Uniform in [0, 1). */
  float(): number;
  /** Unpredictable bytes. */
  bytes(count: number): Uint8Array;
}
