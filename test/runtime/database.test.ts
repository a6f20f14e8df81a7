/** The database on a real disk. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ClusterError } from '../../src/base/errors.ts';
import { migrate } from '../../src/base/migrations.ts';
import { inTransaction } from '../../src/base/transaction.ts';
import type { Database } from '../../src/ports.ts';
import { openDatabase } from '../../src/runtime/database.ts';

const directory = mkdtempSync(join(tmpdir(), 'muster-database-'));
after(() => rmSync(directory, { recursive: true }));
let count = 0;

function databaseFile(): string {
  return join(directory, `${count++}.db`);
}

function failure(code: string, message: RegExp): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof ClusterError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  };
}

test('openDatabase() keeps values of all kinds', () => {
  const file = databaseFile();
  const database = openDatabase(file);
  database.exec('CREATE TABLE things (number INTEGER PRIMARY KEY, value ANY) STRICT');
  const values = [null, 1, 1.5, -(2 ** 52), 'text ü', new Uint8Array([0, 255])];
  const insert = database.prepare('INSERT INTO things (value) VALUES (?)');
  for (const value of values) assert.deepEqual(insert.run(value), { changes: 1 });
  insert.run(7n);
  database.close();

  const again = openDatabase(file);
  const rows = again.prepare('SELECT value FROM things ORDER BY number').all();
  assert.deepEqual(rows.map((row) => row['value']), [...values, 7]);
  const select = again.prepare('SELECT number, value FROM things WHERE number = ?');
  assert.deepEqual({ ...select.get(2) }, { number: 2, value: 1 });
  assert.equal(select.get(99), undefined);
  again.close();
});

test('openDatabase() writes ahead and checks references', () => {
  const database = openDatabase(databaseFile());
  const found = ['journal_mode', 'synchronous', 'foreign_keys', 'busy_timeout'].map((name) =>
    Object.values(database.prepare(`PRAGMA ${name}`).get()!)[0]
  );
  database.close();
  assert.deepEqual(found, ['wal', 1, 1, 2000]);
});

/** Writes so many transactions of 100 KiB, with the loop free after each of them. */
async function writeMuch(database: Database, transactionsCount: number): Promise<void> {
  const insert = database.prepare('INSERT INTO much (content) VALUES (zeroblob(1024))');
  for (let i = 0; i < transactionsCount; i++) {
    inTransaction(database, () => {
      for (let row = 0; row < 100; row++) insert.run();
    });
    await new Promise((resolve) => setImmediate(resolve));
    if (i % 20 === 0) await database.flush();
  }
}

/** Pages of a database's log. */
function logPages(database: Database): number {
  return Number(database.prepare('PRAGMA wal_checkpoint(NOOP)').get()?.['log']);
}

test('the log is carried over into the database while others work, and begun anew', async () => {
  const file = databaseFile();
  const database = openDatabase(file);
  database.exec('CREATE TABLE much (id INTEGER PRIMARY KEY, content BLOB)');
  let written = 0;
  let longest = 0;
  // A log that is never begun anew only grows, however much is written.
  for (; written < 10_000 && logPages(database) >= longest; written += 100) {
    longest = logPages(database);
    await writeMuch(database, 100);
  }
  assert.ok(logPages(database) < longest, `the log has ${logPages(database)} pages`);
  const megabytes = statSync(file).size / 1024 ** 2;
  assert.ok(megabytes > 20, `the database has ${megabytes} MiB`);
  assert.equal(database.prepare('PRAGMA synchronous').get()?.['synchronous'], 1);
  database.close();
  const again = openDatabase(file);
  const { count: rows } = again.prepare('SELECT count(*) AS count FROM much').get()!;
  assert.equal(rows, written * 100);
  assert.equal(again.prepare('PRAGMA integrity_check').get()?.['integrity_check'], 'ok');
  again.close();
});

test('a database can be closed while its log is carried over', async () => {
  const file = databaseFile();
  const database = openDatabase(file);
  database.exec('CREATE TABLE much (id INTEGER PRIMARY KEY, content BLOB)');
  await writeMuch(database, 60);
  const flushing = database.flush();
  database.close();
  await flushing.catch(() => {});
  const again = openDatabase(file);
  assert.equal(again.prepare('SELECT count(*) AS count FROM much').get()?.['count'], 6_000);
  again.close();
});

test('openDatabase() makes files for the owner only', () => {
  const file = databaseFile();
  const database = openDatabase(file);
  database.exec('CREATE TABLE a (b)');
  const names = readdirSync(directory).filter((name) => join(directory, name).startsWith(file));
  assert.equal(names.length, 3, 'the file, its log, its index');
  for (const name of names) {
    assert.equal(statSync(join(directory, name)).mode & 0o777, 0o600, name);
  }
  database.close();
});

test('openDatabase() reports what is wrong by code', () => {
  const broken = databaseFile();
  writeFileSync(broken, 'This is no database. '.repeat(500));
  assert.throws(() => openDatabase(broken), failure('corrupt', /is not a database/));
  const nowhere = join(directory, 'missing', 'a.db');
  assert.throws(
    () => openDatabase(nowhere),
    failure('notFound', /^Cannot open database ".*\/missing\/a\.db": no such file/i),
  );

  const database = openDatabase(databaseFile());
  database.exec('CREATE TABLE a (b); PRAGMA max_page_count = 3');
  const fill = database.prepare('INSERT INTO a VALUES (zeroblob(100000))');
  assert.throws(() => fill.run(), failure('noSpace', /^Cannot use the database: .* full$/));
  assert.throws(() => database.exec('SELEKT'), /syntax error/);
  assert.throws(() => database.prepare('SELECT * FROM missing'), /no such table/);
  database.close();
});

test('openDatabase() waits for another connection, but not for ever', () => {
  const file = databaseFile();
  const database = openDatabase(file);
  const other = openDatabase(file);
  database.exec('CREATE TABLE a (b)');
  database.exec('BEGIN IMMEDIATE');
  other.exec('PRAGMA busy_timeout = 1');
  assert.throws(() => other.exec('BEGIN IMMEDIATE'), failure('busy', /database is locked$/));
  database.exec('COMMIT');
  other.exec('BEGIN IMMEDIATE; COMMIT');
  other.close();
  database.close();
});

const migrations = [
  'CREATE TABLE a (b)',
  'CREATE TABLE c (d); INSERT INTO c VALUES (1)',
  'ALTER TABLE a ADD COLUMN e',
];

test('migrate() runs each migration once, in order', () => {
  const file = databaseFile();
  const first = openDatabase(file);
  migrate(first, migrations.slice(0, 2));
  migrate(first, migrations.slice(0, 2));
  first.close();
  const second = openDatabase(file);
  migrate(second, migrations);
  assert.equal(second.prepare('SELECT count(*) AS count FROM c').get()?.['count'], 1);
  second.exec('INSERT INTO a (b, e) VALUES (1, 2)');
  assert.equal(second.prepare('PRAGMA user_version').get()?.['user_version'], 3);
  second.close();
});

test('migrate() leaves the database as it was where a migration fails', () => {
  const database = openDatabase(databaseFile());
  const failing = [migrations[0]!, 'CREATE TABLE f (g); SELECT nonsense'];
  assert.throws(() => migrate(database, failing), /no such column/);
  assert.throws(() => database.prepare('SELECT * FROM f'), /no such table/);
  assert.equal(database.prepare('PRAGMA user_version').get()?.['user_version'], 1);
  migrate(database, migrations);
  database.close();
});

test('migrate() leaves a database of a newer program alone', () => {
  const database = openDatabase(databaseFile());
  migrate(database, migrations);
  assert.throws(
    () => migrate(database, migrations.slice(0, 1)),
    failure('incompatible', /is of version 3, this program knows 1$/),
  );
  database.close();
});

test('migrate() does not repeat what another process did in the meantime', () => {
  const file = databaseFile();
  const other = openDatabase(file);
  const database = openDatabase(file);
  let isFirst = true;
  // The other one comes in between the look at the version and the beginning of the work.
  migrate({
    exec: (sql) => {
      if (isFirst) migrate(other, migrations);
      isFirst = false;
      database.exec(sql);
    },
    prepare: (sql) => database.prepare(sql),
  }, migrations);
  assert.equal(database.prepare('SELECT count(*) AS count FROM c').get()?.['count'], 1);
  other.close();
  database.close();
});
