/**
 * Numbered migrations of a database: each is run once, in order, in a transaction of its own.
 *
 * The number of those already run is SQLite's `user_version`, so that an older program recognises a
 * database that a newer one has migrated, and leaves it alone.
 */
import { ClusterError } from './errors.ts';

/** The part of a database connection that migrating needs. */
export interface MigrationDatabase {
  exec(sql: string): void;
  prepare(sql: string): { get(): Record<string, unknown> | undefined };
}

/**
 * Brings a database to the latest version.
 * @param migrations all there ever were, oldest first; only ever append
 * @throws ClusterError('incompatible') where the database is of a newer program
 */
export function migrate(database: MigrationDatabase, migrations: readonly string[]): void {
  const done = versionOf(database);
  if (done > migrations.length) {
    throw new ClusterError(
      'incompatible',
      `Cannot use the database: it is of version ${done}, this program knows ${migrations.length}`,
      { remedy: 'Use the version of muster that wrote it, or a newer one' },
    );
  }
  for (let number = done; number < migrations.length; number++) {
    runOne(database, number, migrations[number]!);
  }
}

function runOne(database: MigrationDatabase, number: number, migration: string): void {
  database.exec('BEGIN IMMEDIATE');
  try {
    // Another process may have run it while this one waited for its turn.
    if (versionOf(database) === number) {
      database.exec(migration);
      database.exec(`PRAGMA user_version = ${number + 1}`);
    }
    database.exec('COMMIT');
  } catch (error) {
    try {
      database.exec('ROLLBACK');
    } catch {
      // SQLite has done it already, as it does on a full disk.
    }
    throw error;
  }
}

function versionOf(database: MigrationDatabase): number {
  return Number(database.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
}
