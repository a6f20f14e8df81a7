import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { inTransaction, inTransactions, slices } from '../../src/base/transaction.ts';
import type { Database } from '../../src/ports.ts';

function openTable(): Database {
  const database = new DatabaseSync(':memory:') as unknown as Database;
  database.exec('CREATE TABLE numbers (number INTEGER PRIMARY KEY)');
  return database;
}

const count = (database: Database): unknown =>
  database.prepare('SELECT count(*) AS count FROM numbers').get()?.['count'];

test('inTransaction() stores all or nothing', () => {
  const database = openTable();
  const insert = database.prepare('INSERT INTO numbers VALUES (?)');
  const work = (): void => {
    insert.run(1);
    insert.run(1);
  };
  assert.throws(() => inTransaction(database, work), /UNIQUE/);
  assert.equal(count(database), 0);
  assert.equal(inTransaction(database, () => insert.run(1).changes), 1);
  assert.equal(count(database), 1);
  database.close();
});

test('inTransaction() tells of the first error where SQLite has rolled back itself', () => {
  const database = openTable();
  const work = (): void => {
    database.exec('ROLLBACK');
    throw new Error('the real reason');
  };
  assert.throws(() => inTransaction(database, work), /the real reason/);
  database.close();
});

test('inTransactions() leaves the loop free between slices, with no transaction open', async () => {
  const database = openTable();
  const insert = database.prepare('INSERT INTO numbers VALUES (?)');
  const seen: unknown[] = [];
  const clock = {
    breathe: () => {
      seen.push(count(database));
      database.exec('BEGIN; COMMIT');
      return Promise.resolve();
    },
  };
  const numbers = Array.from({ length: 1200 }, (_, number) => number);
  await inTransactions({ database, clock }, numbers, (number) => insert.run(number));
  assert.deepEqual(seen, [500, 1000, 1200]);
  database.close();
});

test('slices() cuts into arrays of at most the length', () => {
  assert.deepEqual([...slices([1, 2, 3, 4, 5], 2)], [[1, 2], [3, 4], [5]]);
  assert.deepEqual([...slices(new Set<number>(), 2)], []);
});
