/**
 * Transactions of bounded size.
 *
 * SQLite is called synchronously and one connection serves the whole program, so a transaction
 * never spans an `await`: a long list of rows is written in many short ones, with the loop free in
 * between. What must be seen whole or not at all needs a mark of its own (see files/index-store.ts).
 */
/** The part of a database connection that a transaction needs. */
export interface TransactionDatabase {
  exec(sql: string): void;
}

/** The part of the clock that long work needs. */
interface Breather {
  breathe(): Promise<void>;
}

/** Rows of one transaction: 2 to 5 ms of work, so that the loop is never held. */
export const transactionRowsMax = 500;

/** Runs `work` in one transaction: all of it is stored, or nothing where it throws. */
export function inTransaction<T>(database: TransactionDatabase, work: () => T): T {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    rollBack(database);
    throw error;
  }
}

/** Runs `work` for every row, in transactions of at most `transactionRowsMax` rows. */
export async function inTransactions<T>(
  ports: { readonly database: TransactionDatabase; readonly clock: Breather },
  rows: Iterable<T>,
  work: (row: T) => void,
): Promise<void> {
  for (const slice of slices(rows, transactionRowsMax)) {
    inTransaction(ports.database, () => slice.forEach(work));
    await ports.clock.breathe();
  }
}

/** The values in arrays of at most `length`. */
export function* slices<T>(values: Iterable<T>, length: number): Generator<T[]> {
  let slice: T[] = [];
  for (const value of values) {
    slice.push(value);
    if (slice.length < length) continue;
    yield slice;
    slice = [];
  }
  if (slice.length > 0) yield slice;
}

// ---

function rollBack(database: TransactionDatabase): void {
  try {
    database.exec('ROLLBACK');
  } catch {
    // SQLite has rolled back itself (a full disk does that); the first error is the one that tells.
  }
}
