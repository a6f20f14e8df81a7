/**
 * The journal of changes to the managed tree, and the list of unfinished downloads.
 *
 * A change is written down before it is made and struck out when the disk has it for good, so that
 * a start after a crash knows what was under way: which staged file belongs where, and which kept
 * version is that of which path. Changes that are made together are one row.
 */
import type { Clock, Database, SqlValue, Statement } from '../ports.ts';
import { inTransaction } from '../base/transaction.ts';
import { type JournalChange, packChanges, unpackChanges } from './packed-changes.ts';

export type { JournalChange } from './packed-changes.ts';

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

/**
 * What came later: a row for many changes (see packed-changes.ts). Changes that a former program
 * left behind in a crash are dropped: each path has its old or its new content, and the next round
 * tells which it should have.
 */
export const packedJournalMigrations: readonly string[] = [
  `DROP TABLE journal;
   CREATE TABLE journal (
     id INTEGER PRIMARY KEY, changes_count INTEGER NOT NULL, is_made INTEGER NOT NULL,
     changes BLOB NOT NULL
   ) STRICT;`,
];

/** Changes that were written down together. */
export interface JournalRow<C extends JournalChange = JournalChange> {
  readonly id: number;
  /** Whether the changes were made, and their versions noted. The disk may yet have lost them. */
  readonly isMade: boolean;
  readonly changes: readonly C[];
}

/** Rows of many changes each that are read between two breaths. */
const rowsPerBreath = 20;

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
  readonly #lastId: Statement;
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
      'INSERT INTO journal (changes_count, is_made, changes) VALUES (?, ?, ?) RETURNING id',
    );
    this.#make = database.prepare('UPDATE journal SET is_made = 1 WHERE id = ?');
    this.#strike = database.prepare('DELETE FROM journal WHERE id = ?');
    this.#strikeUpTo = database.prepare(
      `DELETE FROM journal WHERE id IN (
         SELECT id FROM journal WHERE id <= ? ORDER BY id LIMIT ${rowsPerBreath}
       )`,
    );
    this.#select = database.prepare(
      `SELECT id, is_made, changes FROM journal WHERE id > ? ORDER BY id LIMIT ${rowsPerBreath}`,
    );
    this.#count = database.prepare('SELECT sum(changes_count) AS count FROM journal');
    this.#lastId = database.prepare('SELECT max(id) AS id FROM journal');
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

  /** Writes changes down, all or none. */
  begin<C extends JournalChange>(changes: readonly C[]): JournalRow<C> {
    return { id: this.#write(changes, false), isMade: false, changes };
  }

  /**
   * Notes what has become of the changes of a row, together with what `alongside` does: `made` were
   * made, `left` are yet to be; others are struck out.
   */
  settle<C extends JournalChange>(
    row: JournalRow<C>,
    outcome: { readonly made: readonly C[]; readonly left?: readonly C[] },
    alongside: () => void,
  ): void {
    const { made, left = [] } = outcome;
    inTransaction(this.#database, () => {
      if (made.length === row.changes.length) {
        this.#make.run(row.id);
      } else {
        this.#strike.run(row.id);
        if (left.length > 0) this.#write(left, false);
        if (made.length > 0) this.#write(made, true);
      }
      alongside();
    });
  }

  /** All rows, in the order in which they were written. */
  async rows(): Promise<JournalRow[]> {
    const rows: JournalRow[] = [];
    for (;;) {
      const page = this.#select.all(rows.at(-1)?.id ?? 0);
      for (const row of page) rows.push(readRow(row));
      if (page.length < rowsPerBreath) return rows;
      await this.#clock.breathe();
    }
  }

  /** Id of the row written last. */
  lastId(): number {
    return Number(this.#lastId.get()?.['id'] ?? 0);
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

  #write(changes: readonly JournalChange[], isMade: boolean): number {
    const row = this.#insert.get(changes.length, isMade ? 1 : 0, packChanges(changes));
    return Number(row?.['id']);
  }
}

// ---

function readRow(row: Record<string, SqlValue>): JournalRow {
  const { changes } = row;
  return {
    id: Number(row['id']),
    isMade: Number(row['is_made']) === 1,
    changes: changes instanceof Uint8Array ? unpackChanges(changes) : [],
  };
}
