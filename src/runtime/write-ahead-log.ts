/**
 * The write-ahead log of a database: made durable, and carried over into the database file, without
 * the loop standing still for a disk.
 *
 * SQLite by itself carries the log over within a commit now and then, and flushes both files while
 * everything waits: on a busy disk for seconds. Here its three steps are taken apart. The log is
 * flushed by another thread; then SQLite copies the pages without flushing, some milliseconds; then
 * the database file is flushed by another thread. A power failure must not find pages in the database
 * that the log does not have, nor pages in neither: so nothing may be copied that came after the flush,
 * and until the end the log must not be begun anew. SQLite does neither beyond what somebody reads:
 * a second connection reads from before the first step until after the last.
 */
import { closeSync, existsSync, fdatasync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { fromText } from '../base/bytes.ts';
import { fileError } from './file-errors.ts';

/** Commits between two looks at the length of the log. */
const lookCommits = 16;

/** Pages of the log that are not in the database yet, at which they are carried over: 4 MiB. */
const carriedPages = 1_024;

/** Under writing without a pause a log is begun anew by force at this length: 64 MiB. */
const logPagesMax = 16_384;

/** The log of one open database. */
export class WriteAheadLog {
  readonly #file: string;
  readonly #database: DatabaseSync;
  #reader: DatabaseSync | undefined;
  #logDescriptor: number | undefined;
  #fileDescriptor: number | undefined;
  /** The flush that has not begun yet; all who come before that share it. */
  #next: Promise<void> | undefined;
  #last: Promise<void> = Promise.resolve();
  #commitsCount = 0;
  #isCarrying = false;
  #isClosed = false;

  constructor(file: string, database: DatabaseSync) {
    this.#file = file;
    this.#database = database;
    database.exec('PRAGMA journal_mode = WAL');
    database.exec('PRAGMA synchronous = NORMAL');
    database.exec('PRAGMA wal_autocheckpoint = 0');
  }

  /** What was committed before this call is on the disk when this resolves. */
  flush(): Promise<void> {
    this.#next ??= this.#last.catch(() => {}).then(() => {
      this.#next = undefined;
      this.#last = this.#flushLog();
      return this.#last;
    });
    return this.#next;
  }

  /** To be told of everything that may have been a commit. */
  executed(): void {
    if (this.#database.isTransaction) return;
    this.#commitsCount += 1;
    if (this.#commitsCount % lookCommits !== 0 || this.#isCarrying) return;
    const { log, carried } = this.#length();
    if (log - carried < carriedPages) return;
    this.#isCarrying = true;
    // What could not be carried over stays in the log: nothing is lost, and the next try comes.
    this.#carryOver().catch(() => {}).finally(() => {
      this.#isCarrying = false;
    });
  }

  /** Closes everything, the database too. */
  close(): void {
    this.#isClosed = true;
    this.#reader?.close();
    this.#database.close();
    // Not before: closing any descriptor of a file gives back all locks of the process on it.
    for (const descriptor of [this.#logDescriptor, this.#fileDescriptor]) {
      if (descriptor !== undefined) closeSync(descriptor);
    }
  }

  // ---

  async #carryOver(): Promise<void> {
    const reader = this.#reader ??= new DatabaseSync(this.#file, { readOnly: true });
    reader.exec('BEGIN');
    try {
      // From here on nothing is copied that is committed later, and so perhaps not flushed.
      reader.prepare('SELECT count(*) FROM sqlite_schema').get();
      await this.flush();
      if (this.#isClosed) return;
      this.#copyPages();
      await this.#flushFile();
    } finally {
      if (!this.#isClosed) reader.exec('COMMIT');
    }
    if (this.#isClosed) return;
    // Of what came meanwhile there is little to flush.
    if (this.#length().log > logPagesMax) this.#database.exec('PRAGMA wal_checkpoint(PASSIVE)');
  }

  /** Pages of the log, and how many of them are in the database. */
  #length(): { readonly log: number; readonly carried: number } {
    const row = this.#database.prepare('PRAGMA wal_checkpoint(NOOP)').get();
    return { log: Number(row?.['log'] ?? 0), carried: Number(row?.['checkpointed'] ?? 0) };
  }

  #copyPages(): void {
    this.#database.exec('PRAGMA synchronous = OFF');
    try {
      this.#database.exec('PRAGMA wal_checkpoint(PASSIVE)');
    } finally {
      this.#database.exec('PRAGMA synchronous = NORMAL');
    }
  }

  async #flushLog(): Promise<void> {
    const path = `${this.#file}-wal`;
    // A database in memory has none, and one without any change does not have it yet.
    if (this.#isClosed || (this.#logDescriptor === undefined && !existsSync(path))) return;
    this.#logDescriptor ??= openSync(path, 'r+');
    await flushed(this.#logDescriptor, path);
  }

  async #flushFile(): Promise<void> {
    this.#fileDescriptor ??= openSync(this.#file, 'r+');
    await flushed(this.#fileDescriptor, this.#file);
  }
}

function flushed(descriptor: number, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    fdatasync(descriptor, (error) => {
      if (error === null || error === undefined) resolve();
      else reject(fileError('flush database', fromText(path), error, 'writer'));
    });
  });
}
