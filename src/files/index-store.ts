/**
 * What a node remembers of its files over a restart, in the database: the scan index, the entries
 * of the generation that was published (on a master) or applied (on a worker) last, and a few
 * values beside them.
 *
 * Long lists are written in many short transactions. The scan index may be torn by a crash: each of
 * its rows is true by itself, and a missing one only costs reading a file again. The published
 * table may not: while it is written in more than one transaction it is marked incomplete. A save
 * that fails in the middle is taken back by the next one; a table found with the mark at start is
 * dropped as a whole.
 */
import { type BytePath, type ByteString, fromBytes, toBytes } from '../base/bytes.ts';
import { invariant } from '../base/errors.ts';
import { Mutex } from '../base/async.ts';
import {
  type Clock,
  type Database,
  type HashAlgorithm,
  hashBytes,
  type SqlValue,
  type Statement,
} from '../ports.ts';
import type { Entry, EntryChange } from './entry.ts';
import type { FileRecord } from './scan-index.ts';
import { inTransaction, inTransactions, slices, transactionRowsMax } from '../base/transaction.ts';

/**
 * Tables of this module; see base/migrations.ts. Paths are TEXT with one character per byte, which
 * SQLite keeps exactly since no file name contains a NUL; hashes may contain one and are BLOBs.
 * Replacing a record gives it a new id, so that ids are in the order of the last reading. Inodes
 * and times are REAL: an INTEGER above 2^53 could not be read back.
 */
export const indexMigrations: readonly string[] = [
  `CREATE TABLE scan_records (
     id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, size INTEGER NOT NULL,
     mtime_ms REAL NOT NULL, ctime_ms REAL NOT NULL, inode REAL NOT NULL, hash BLOB NOT NULL,
     checked_ms REAL NOT NULL, is_settled INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE published (
     path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ms REAL NOT NULL, hash BLOB NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE index_values (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;`,
];

/** A change of one scan record: undefined where the file is gone. */
export interface RecordChange {
  readonly path: BytePath;
  readonly record: FileRecord | undefined;
}

/** The published table as it was stored. */
export interface Published {
  readonly generation: number;
  readonly entries: readonly Entry[];
}

/** Names of the values that this module keeps for itself. */
const GENERATION = 'published.generation';
const ALGORITHM = 'published.algorithm';
const STATE = 'published.state';
const INCOMPLETE = 'incomplete';
const COMPLETE = 'complete';

/** The remembered index of a node. */
export class IndexStore {
  readonly #ports: { readonly clock: Pick<Clock, 'breathe'>; readonly database: Database };
  readonly #algorithm: HashAlgorithm;
  /** Writers of the published table: one at a time, since each breathes between transactions. */
  readonly #publishing = new Mutex();
  /** Takes back what a save has written that is not whole yet. */
  #undo: EntryChange[] = [];
  readonly #saveRecord: Statement;
  readonly #deleteRecord: Statement;
  readonly #selectRecords: Statement;
  readonly #saveEntry: Statement;
  readonly #deleteEntry: Statement;
  readonly #selectEntry: Statement;
  readonly #selectEntries: Statement;
  readonly #clearEntries: Statement;
  readonly #saveValue: Statement;
  readonly #deleteValue: Statement;
  readonly #selectValue: Statement;

  constructor(
    ports: { readonly clock: Pick<Clock, 'breathe'>; readonly database: Database },
    options: { readonly algorithm: HashAlgorithm },
  ) {
    this.#ports = ports;
    this.#algorithm = options.algorithm;
    const { database } = ports;
    this.#saveRecord = database.prepare(
      `REPLACE INTO scan_records
         (path, size, mtime_ms, ctime_ms, inode, hash, checked_ms, is_settled)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#deleteRecord = database.prepare('DELETE FROM scan_records WHERE path = ?');
    this.#selectRecords = database.prepare(
      `SELECT id, path, size, mtime_ms, ctime_ms, inode, hash, checked_ms, is_settled
       FROM scan_records WHERE id > ? ORDER BY id LIMIT ${transactionRowsMax}`,
    );
    this.#saveEntry = database.prepare(
      'REPLACE INTO published (path, size, mtime_ms, hash) VALUES (?, ?, ?, ?)',
    );
    this.#deleteEntry = database.prepare('DELETE FROM published WHERE path = ?');
    this.#selectEntry = database.prepare(
      'SELECT path, size, mtime_ms, hash FROM published WHERE path = ?',
    );
    this.#selectEntries = database.prepare(
      `SELECT path, size, mtime_ms, hash FROM published
       WHERE path > ? ORDER BY path LIMIT ${transactionRowsMax}`,
    );
    this.#clearEntries = database.prepare(
      `DELETE FROM published
       WHERE path IN (SELECT path FROM published ORDER BY path LIMIT ${transactionRowsMax})`,
    );
    this.#saveValue = database.prepare('REPLACE INTO index_values (name, value) VALUES (?, ?)');
    this.#deleteValue = database.prepare('DELETE FROM index_values WHERE name = ?');
    this.#selectValue = database.prepare('SELECT value FROM index_values WHERE name = ?');
  }

  // --- the scan index ------------------------------------------------------------------------

  /**
   * Gives all records, those read longest ago first. Records of another hash algorithm are left
   * out: the file has to be read anyway.
   */
  async loadRecords(onRecord: (record: FileRecord) => void): Promise<void> {
    for (let last = 0;;) {
      const rows = this.#selectRecords.all(last);
      for (const row of rows) {
        const entry = readEntry(row);
        last = Number(row['id']);
        if (entry.hash.length !== hashBytes[this.#algorithm]) continue;
        onRecord({
          entry,
          ctimeMs: Number(row['ctime_ms']),
          inode: Number(row['inode']),
          checkedMs: Number(row['checked_ms']),
          isSettled: Number(row['is_settled']) === 1,
        });
      }
      if (rows.length < transactionRowsMax) return;
      await this.#ports.clock.breathe();
    }
  }

  /** Stores changed records, in the order in which the files were read. */
  saveRecords(changes: Iterable<RecordChange>): Promise<void> {
    return inTransactions(this.#ports, changes, ({ path, record }) => {
      if (record === undefined) {
        this.#deleteRecord.run(path);
        return;
      }
      const { size, mtimeMs, hash } = record.entry;
      const { ctimeMs, inode, checkedMs } = record;
      const isSettled = record.isSettled ? 1 : 0;
      const bytes = toBytes(hash);
      this.#saveRecord.run(path, size, mtimeMs, ctimeMs, inode, bytes, checkedMs, isSettled);
    });
  }

  // --- the published generation --------------------------------------------------------------

  /** Whether the stored table is whole: not after a crash while it was written. */
  get isPublishedWhole(): boolean {
    return this.value(STATE) === COMPLETE && this.value(ALGORITHM) === this.#algorithm;
  }

  /** Highest generation number ever stored, complete or not; 0 for none. */
  lastGeneration(): number {
    return Number(this.value(GENERATION) ?? 0);
  }

  /**
   * The table stored last. Undefined where there is none, or none that is whole: then what is left
   * of it has been dropped, and the next `savePublished` starts from an empty table.
   */
  async loadPublished(): Promise<Published | undefined> {
    return await this.#publishing.run(async () => {
      const state = this.value(STATE);
      if (state === undefined) return undefined;
      if (state !== COMPLETE || this.value(ALGORITHM) !== this.#algorithm) {
        await this.#clear();
        return undefined;
      }
      const entries: Entry[] = [];
      for (let last = '';;) {
        const rows = this.#selectEntries.all(last);
        for (const row of rows) entries.push(readEntry(row));
        if (rows.length < transactionRowsMax) break;
        last = entries.at(-1)!.path;
        await this.#ports.clock.breathe();
      }
      return { generation: this.lastGeneration(), entries };
    });
  }

  /**
   * Turns the stored table into the one of this generation. `changes` start from the table that was
   * stored last, also after a call that failed. `values` are stored together with the end of it;
   * while the table is not whole they are not there.
   */
  savePublished(
    generation: number,
    changes: readonly EntryChange[],
    values: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    return this.#publishing.run(async () => {
      const isWhole = this.value(STATE) !== INCOMPLETE;
      invariant(
        isWhole || this.#undo.length > 0,
        'the published table is whole when it is changed',
      );
      await this.#savePublished(generation, [...this.#undo, ...changes], values);
    });
  }

  /** Stores a whole table in place of what is stored. */
  replacePublished(
    generation: number,
    entries: Iterable<Entry>,
    values: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    return this.#publishing.run(async () => {
      await this.#clear(Object.keys(values));
      await this.#savePublished(generation, creations(entries), values);
    });
  }

  // --- values --------------------------------------------------------------------------------

  /** A value stored under a name. */
  value(name: string): string | undefined {
    const row = this.#selectValue.get(name);
    return row === undefined ? undefined : String(row['value']);
  }

  /** Stores a value under a name; '.' separates the parts of a name. */
  setValue(name: string, value: string): void {
    this.#saveValue.run(name, value);
  }

  // ---

  async #savePublished(
    generation: number,
    changes: Iterable<EntryChange>,
    values: Readonly<Record<string, string>>,
  ): Promise<void> {
    // One slice is held back, so that the last one and the end mark share a transaction: a small
    // change is never incomplete, not even for a moment.
    let held: EntryChange[] = [];
    for (const slice of slices(changes, transactionRowsMax)) {
      if (held.length > 0) {
        this.#saveFirst(generation, held, Object.keys(values));
        await this.#ports.clock.breathe();
      }
      held = slice;
    }
    inTransaction(this.#ports.database, () => {
      this.#saveEntries(held);
      for (const [name, value] of Object.entries(values)) this.setValue(name, value);
      this.setValue(STATE, COMPLETE);
      this.setValue(GENERATION, String(generation));
      this.setValue(ALGORITHM, this.#algorithm);
    });
    this.#undo = [];
  }

  /** Saves changes that more will follow. */
  #saveFirst(
    generation: number,
    changes: readonly EntryChange[],
    valueNames: readonly string[],
  ): void {
    const before = inTransaction(this.#ports.database, () => {
      const entries = changes.map(({ path }) => {
        const row = this.#selectEntry.get(path);
        return { path, entry: row === undefined ? undefined : readEntry(row) };
      });
      this.#saveEntries(changes);
      this.setValue(STATE, INCOMPLETE);
      this.setValue(GENERATION, String(generation));
      for (const name of valueNames) this.#deleteValue.run(name);
      return entries;
    });
    // Oldest state last: applied in this order, it is what remains.
    this.#undo.unshift(...before);
  }

  #saveEntries(changes: readonly EntryChange[]): void {
    for (const { path, entry } of changes) {
      if (entry === undefined) this.#deleteEntry.run(path);
      else this.#saveEntry.run(path, entry.size, entry.mtimeMs, toBytes(entry.hash));
    }
  }

  /** Drops the table. Until that is done it is marked incomplete. */
  async #clear(valueNames: readonly string[] = []): Promise<void> {
    this.#undo = [];
    inTransaction(this.#ports.database, () => {
      this.setValue(STATE, INCOMPLETE);
      for (const name of valueNames) this.#deleteValue.run(name);
    });
    while (Number(this.#clearEntries.run().changes) > 0) await this.#ports.clock.breathe();
    // An empty table is a whole one, of no generation that anybody could ask for.
    this.#deleteValue.run(STATE);
  }
}

// ---

function readEntry(row: Record<string, SqlValue>): Entry {
  return {
    path: String(row['path']),
    size: Number(row['size']),
    mtimeMs: Number(row['mtime_ms']),
    hash: readHash(row['hash']),
  };
}

function readHash(value: SqlValue | undefined): ByteString {
  return value instanceof Uint8Array ? fromBytes(value) : '';
}

function* creations(entries: Iterable<Entry>): Generator<EntryChange> {
  for (const entry of entries) yield { path: entry.path, entry };
}
