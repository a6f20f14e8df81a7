/** The table of what is known of the files of each directory, in the database. */
import { fromBytes, toBytes } from '../base/bytes.ts';
import { inTransaction } from '../base/transaction.ts';
import type { Clock, Database, Statement } from '../ports.ts';
import type { PackedDirectory } from './scan-index.ts';

/** SQL that makes the table; see base/migrations.ts. */
export const directoryTableSql = `CREATE TABLE scan_directories (
  id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE, files BLOB NOT NULL
) STRICT;`;

/** Directories of one transaction at the most, and of one page when they are read. */
const directoriesMax = 256;

/** A transaction ends with this many bytes: thousands of files, some 5 ms of work. */
const bytesMax = 512 * 1024;

/** Packed directories. */
export class DirectoryTable {
  readonly #ports: { readonly clock: Pick<Clock, 'breathe'>; readonly database: Database };
  readonly #save: Statement;
  readonly #delete: Statement;
  readonly #select: Statement;
  readonly #clear: Statement;

  constructor(ports: { readonly clock: Pick<Clock, 'breathe'>; readonly database: Database }) {
    this.#ports = ports;
    const { database } = ports;
    this.#save = database.prepare('REPLACE INTO scan_directories (path, files) VALUES (?, ?)');
    this.#delete = database.prepare('DELETE FROM scan_directories WHERE path = ?');
    this.#select = database.prepare(
      `SELECT id, path, files FROM scan_directories WHERE id > ? ORDER BY id LIMIT ${directoriesMax}`,
    );
    this.#clear = database.prepare(
      `DELETE FROM scan_directories
       WHERE id IN (SELECT id FROM scan_directories LIMIT ${directoriesMax})`,
    );
  }

  /** Gives all directories, in no order. */
  async load(onDirectory: (directory: PackedDirectory) => void): Promise<void> {
    for (let last = -1;;) {
      const found = this.#select.all(last);
      for (const { id, path, files } of found) {
        last = Number(id);
        if (path instanceof Uint8Array && files instanceof Uint8Array) {
          onDirectory({ path: fromBytes(path), files });
        }
        await this.#ports.clock.breathe();
      }
      if (found.length < directoriesMax) return;
    }
  }

  /**
   * Stores directories in place of what is stored of them, in transactions of bounded size; those
   * without files are removed.
   */
  async save(directories: Iterable<PackedDirectory>): Promise<void> {
    for (const slice of boundedSlices(directories)) {
      inTransaction(this.#ports.database, () => this.put(slice));
      await this.#ports.clock.breathe();
    }
  }

  /** Like `save`, as a part of the caller's transaction. */
  put(directories: readonly PackedDirectory[]): void {
    for (const { path, files } of directories) {
      if (files.length === 0) this.#delete.run(toBytes(path));
      else this.#save.run(toBytes(path), files);
    }
  }

  /** Removes all directories. */
  async clear(): Promise<void> {
    while (Number(this.#clear.run().changes) > 0) await this.#ports.clock.breathe();
  }
}

// ---

function* boundedSlices(directories: Iterable<PackedDirectory>): Generator<PackedDirectory[]> {
  let slice: PackedDirectory[] = [];
  let bytes = 0;
  for (const directory of directories) {
    slice.push(directory);
    bytes += directory.files.length;
    if (slice.length < directoriesMax && bytes < bytesMax) continue;
    yield slice;
    slice = [];
    bytes = 0;
  }
  if (slice.length > 0) yield slice;
}
