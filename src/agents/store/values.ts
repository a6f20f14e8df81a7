/**
 * Single values that belong to the agents' tables: epoch, counters, what was confirmed. A value is
 * stored in the transaction of the rows that it speaks of.
 */
import type { Database, Statement } from '../../ports.ts';

/** Values by name; '.' separates the parts of a name. */
export class AgentValues {
  readonly #select: Statement;
  readonly #save: Statement;

  constructor(database: Database) {
    this.#select = database.prepare('SELECT value FROM agent_values WHERE name = ?');
    this.#save = database.prepare('REPLACE INTO agent_values (name, value) VALUES (?, ?)');
  }

  /** A value; undefined where there is none. */
  get(name: string): string | undefined {
    const row = this.#select.get(name);
    return row === undefined ? undefined : String(row['value']);
  }

  /** A value that is a number; 0 where there is none. */
  number(name: string): number {
    return Number(this.get(name) ?? 0);
  }

  set(name: string, value: string | number): void {
    this.#save.run(name, String(value));
  }
}
