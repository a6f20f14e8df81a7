/**
 * The Database port of a simulated node: real SQLite in memory, one for each machine.
 *
 * The database belongs to the disk: it survives the end of a program, which like a real crash rolls
 * back what was not committed. What was committed stays.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Database, SqlValue, Statement } from '../../src/ports.ts';
import type { Life } from './life.ts';

/** The database file of a machine. */
export class MachineDatabase {
  #database: DatabaseSync | undefined;
  #openedBy: Life | undefined;

  /** Opens the database for one incarnation. */
  port(life: Life): Database {
    this.#openedBy = life;
    life.onEnd(() => this.#rollBack());
    const opened = (): DatabaseSync => {
      life.mustBeAlive();
      if (this.#openedBy !== life) throw new Error(`The database of ${life.owner} is closed`);
      this.#database ??= new DatabaseSync(':memory:');
      return this.#database;
    };
    return {
      exec: (sql) => opened().exec(sql),
      prepare: (sql) => statement(opened().prepare(sql), opened),
      flush: async () => {
        opened();
        await Promise.resolve();
      },
      close: () => {
        this.#openedBy = undefined;
        this.#rollBack();
      },
    };
  }

  /** Gives the real memory back. */
  release(): void {
    this.#database?.close();
    this.#database = undefined;
  }

  #rollBack(): void {
    if (this.#database?.isTransaction) this.#database.exec('ROLLBACK');
  }
}

// ---

function statement(prepared: StatementSync, mustBeOpen: () => unknown): Statement {
  return {
    run: (...values) => {
      mustBeOpen();
      return { changes: prepared.run(...values).changes };
    },
    get: (...values) => {
      mustBeOpen();
      return row(prepared.get(...values));
    },
    all: (...values) => {
      mustBeOpen();
      return prepared.all(...values).map((found) => row(found)!);
    },
  };
}

/** Rows come without a prototype, which deepEqual would tell from an ordinary object. */
function row(found: unknown): Record<string, SqlValue> | undefined {
  return found === undefined ? undefined : { ...found as Record<string, SqlValue> };
}
