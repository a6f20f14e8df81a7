/** A real database in memory with the tables of agents. */
import { agentMigrations } from '../../../src/agents/store/schema.ts';
import { migrate } from '../../../src/base/migrations.ts';
import type { Database } from '../../../src/ports.ts';
import { openDatabase } from '../../../src/runtime/database.ts';

/** An empty one. */
export function agentDatabase(): Database {
  const database = openDatabase(':memory:');
  migrate(database, agentMigrations);
  return database;
}
