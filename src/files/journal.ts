/**
 * The journal of changes to the managed tree, and the list of unfinished downloads.
 *
 * A change is written down before it is made and struck out when the disk has it for good, so that
 * a start after a crash knows what was under way: which staged file belongs where, and which kept
 * version is that of which path.
 */
import { type BytePath, fromBytes, toBytes } from '../base/bytes.ts';
import type { Clock, Database, SqlValue, Statement } from '../ports.ts';
import type { Entry } from './entry.ts';
import { inTransaction, transactionRowsMax } from '../base/transaction.ts';
import type { NewVersion, VersionKind } from './version-store.ts';

/** Tables of this module; see base/migrations.ts, and index-store.ts for the types of columns. */
export const journalMigrations: readonly string[] = [
  `CREATE TABLE journal (
     id INTEGER PRIMARY KEY, path TEXT NOT NULL, set_name TEXT NOT NULL,
     generation INTEGER NOT NULL, is_made INTEGER NOT NULL,
     staged_name TEXT, size INTEGER NOT NULL, mtime_ms REAL NOT NULL, hash BLOB,
     version_kind TEXT NOT NULL, version_name TEXT, version_hash BLOB,
     version_size INTEGER NOT NULL, version_mtime_ms REAL NOT NULL
   ) STRICT;
   CREATE TABLE partial_files (name TEXT PRIMARY KEY, since_ms REAL NOT NULL) STRICT;`,
];

/** A change that is about to be made to one path. */
export interface JournalChange {
  /** What is to be placed, and under which name it is staged; undefined for a removal. */
  readonly placement: { readonly stagedName: string; readonly entry: Entry } | undefined;
  /** What is there now, as it will be noted among the versions. */
  readonly version: NewVersion;
}

/** A change as it was written down. */
export interface JournalRow extends JournalChange {
  readonly id: number;
  /** Whether the change was made, and its version noted. The disk may yet have lost it. */
  readonly isMade: boolean;
}

/** Changes under way. */
export class Journal {
  readonly #clock: Pick<Clock, 'nowMs' | 'breathe'>;
  readonly #database: Database;
  readonly #insert: Statement;
  readonly #make: Statement;
  readonly #strike: Statement;
  readonly #strikeUpTo: Statement;
  readonly #select: Statement;
  readonly #count: Statement;
  readonly #addPartial: Statement;
  readonly #deletePartial: Statement;
  readonly #selectPartials: Statement;

  constructor(ports: {
    readonly clock: Pick<Clock, 'nowMs' | 'breathe'>;
    readonly database: Database;
  }) {
    this.#clock = ports.clock;
    const database = ports.database;
    this.#database = database;
    this.#insert = database.prepare(
      `INSERT INTO journal
         (path, set_name, generation, is_made, staged_name, size, mtime_ms, hash, version_kind,
          version_name, version_hash, version_size, version_mtime_ms)
       VALUES (?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
    );
    this.#make = database.prepare('UPDATE journal SET is_made = 1 WHERE id = ?');
    this.#strike = database.prepare('DELETE FROM journal WHERE id = ?');
    this.#strikeUpTo = database.prepare(
      `DELETE FROM journal WHERE id IN (
         SELECT id FROM journal WHERE id <= ? ORDER BY id LIMIT ${transactionRowsMax}
       )`,
    );
    this.#select = database.prepare(
      `SELECT * FROM journal WHERE id > ? ORDER BY id LIMIT ${transactionRowsMax}`,
    );
    this.#count = database.prepare('SELECT count(*) AS count FROM journal');
    this.#addPartial = database.prepare(
      'INSERT OR IGNORE INTO partial_files (name, since_ms) VALUES (?, ?)',
    );
    this.#deletePartial = database.prepare('DELETE FROM partial_files WHERE name = ?');
    this.#selectPartials = database.prepare('SELECT name, since_ms FROM partial_files');
  }

  /** Changes written down and not struck out. */
  get count(): number {
    return Number(this.#count.get()?.['count'] ?? 0);
  }

  /** Writes changes down, all or none. Gives the ids of their rows. */
  begin(changes: readonly JournalChange[]): number[] {
    return inTransaction(this.#database, () => changes.map((change) => this.#write(change)));
  }

  /** Marks changes as made and strikes others out, together with what `alongside` does. */
  settle(madeIds: readonly number[], struckIds: readonly number[], alongside: () => void): void {
    inTransaction(this.#database, () => {
      for (const id of madeIds) this.#make.run(id);
      for (const id of struckIds) this.#strike.run(id);
      alongside();
    });
  }

  /** All rows, in the order in which they were written. */
  async rows(): Promise<JournalRow[]> {
    const rows: JournalRow[] = [];
    for (;;) {
      const page = this.#select.all(rows.at(-1)?.id ?? 0);
      for (const row of page) rows.push(readRow(row));
      if (page.length < transactionRowsMax) return rows;
      await this.#clock.breathe();
    }
  }

  /** Id of the row written last. */
  lastId(): number {
    return Number(
      this.#database.prepare('SELECT max(id) AS id FROM journal').get()?.['id'] ?? 0,
    );
  }

  /** Strikes out all rows up to one: what they tell of is on the disk for good. */
  async strikeUpTo(lastId: number): Promise<void> {
    while (Number(this.#strikeUpTo.run(lastId).changes) > 0) await this.#clock.breathe();
  }

  // --- unfinished downloads ------------------------------------------------------------------

  /** Notes that a staged file is worth keeping over a restart. */
  addPartial(name: string): void {
    this.#addPartial.run(name, this.#clock.nowMs());
  }

  deletePartial(name: string): void {
    this.#deletePartial.run(name);
  }

  /** Unfinished downloads with the time of their beginning. */
  partials(): Map<string, number> {
    const rows = this.#selectPartials.all();
    return new Map(rows.map((row) => [String(row['name']), Number(row['since_ms'])]));
  }

  #write({ placement, version }: JournalChange): number {
    const { path, set, generation, kind, name, size, mtimeMs } = version;
    const entry = placement?.entry;
    const row = this.#insert.get(
      path,
      set,
      generation,
      placement?.stagedName ?? null,
      entry?.size ?? 0,
      entry?.mtimeMs ?? 0,
      blob(entry?.hash),
      kind,
      name ?? null,
      blob(version.hash),
      size,
      mtimeMs,
    );
    return Number(row?.['id']);
  }
}

// ---

function blob(hash: string | undefined): Uint8Array | null {
  return hash === undefined ? null : toBytes(hash);
}

function hashOf(value: SqlValue | undefined): string | undefined {
  return value instanceof Uint8Array ? fromBytes(value) : undefined;
}

function readRow(row: Record<string, SqlValue>): JournalRow {
  const path: BytePath = String(row['path']);
  const stagedName = row['staged_name'];
  const versionName = row['version_name'];
  return {
    id: Number(row['id']),
    isMade: Number(row['is_made']) === 1,
    placement: typeof stagedName !== 'string' ? undefined : {
      stagedName,
      entry: {
        path,
        size: Number(row['size']),
        mtimeMs: Number(row['mtime_ms']),
        hash: hashOf(row['hash']) ?? '',
      },
    },
    version: {
      path,
      set: String(row['set_name']),
      generation: Number(row['generation']),
      kind: String(row['version_kind']) as VersionKind,
      name: typeof versionName === 'string' ? versionName : undefined,
      hash: hashOf(row['version_hash']),
      size: Number(row['version_size']),
      mtimeMs: Number(row['version_mtime_ms']),
    },
  };
}
