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
  const done = Number(database.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
  if (done > migrations.length) {
    throw new ClusterError(
      'incompatible',
      `Cannot use the database: it is of version ${done}, this program knows ${migrations.length}`,
      { remedy: 'Use the version of muster that wrote it, or a newer one' },
    );
  }
  for (let number = done; number < migrations.length; number++) {
    database.exec('BEGIN IMMEDIATE');
    try {
      database.exec(migrations[number]!);
      database.exec(`PRAGMA user_version = ${number + 1}`);
      database.exec('COMMIT');
    } catch (error) {
      database.exec('ROLLBACK');
      throw error;
    }
  }
}
