/**
 * The checks that a simulated world runs between its events.
 *
 * Most run after every event, so a breach is reported at the very event that caused it; dear ones
 * run at intervals of virtual time.
 */

/** A check, and when it is due again. */
interface Check {
  readonly name: string;
  readonly everyMs: number;
  readonly run: () => void;
  dueMs: number;
}

/** Checks that run after every event, or every so often. */
export class Checks {
  readonly #checks: Check[] = [];

  add(name: string, run: () => void, everyMs: number): void {
    this.#checks.push({ name, run, everyMs, dueMs: 0 });
  }

  /** Runs those that are due; what they throw says which it was. */
  runDue(nowMs: number): void {
    for (const check of this.#checks) {
      if (nowMs < check.dueMs) continue;
      check.dueMs = nowMs + check.everyMs;
      try {
        check.run();
      } catch (error) {
        throw new Error(`Check "${check.name}": ${String(error)}`, { cause: error });
      }
    }
  }
}
