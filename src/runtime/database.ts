/**
 * The Database port: a file, by way of the SQLite that comes with the runtime.
 *
 * Its failures arrive as ClusterErrors whose code says what is to be done. The file is for its
 * owner only; so are the two that SQLite keeps beside it.
 */
import { chmodSync, closeSync, existsSync, fdatasync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { StatementSync } from 'node:sqlite';
import { fromText } from '../base/bytes.ts';
import { ClusterError } from '../base/errors.ts';
import type { ErrorCode } from '../base/errors.ts';
import type { Database, SqlValue, Statement } from '../ports.ts';
import { fileError } from './file-errors.ts';

/** How long another connection to the same file may be waited for, ms; the loop stands still. */
const BUSY_MS = 2000;

/** How a database is opened. */
export interface DatabaseOptions {
  /**
   * `normal`: a loss of power may undo the last transactions, and nothing worse; `full`: never.
   * @default normal
   */
  readonly durability?: 'normal' | 'full';
}

/** Opens a database, which is created where there is none. `:memory:` is one without a file. */
export function openDatabase(file: string, options: DatabaseOptions = {}): Database {
  if (file !== ':memory:') makePrivate(file);
  const database = attempt(`open database "${file}"`, () =>
    new DatabaseSync(file, {
      timeout: BUSY_MS,
      enableForeignKeyConstraints: true,
    }));
  try {
    attempt(`open database "${file}"`, () => {
      database.exec('PRAGMA journal_mode = WAL');
      database.exec(`PRAGMA synchronous = ${options.durability === 'full' ? 'FULL' : 'NORMAL'}`);
    });
  } catch (error) {
    database.close();
    throw error;
  }
  const log = new WriteAheadLog(`${file}-wal`);
  return {
    exec: (sql) => attempt('use the database', () => database.exec(sql)),
    prepare: (sql) => statementOf(attempt('use the database', () => database.prepare(sql))),
    flush: () => log.flush(),
    close: () => {
      log.close();
      database.close();
    },
  };
}

// --- internals -------------------------------------------------------------------------------

/**
 * The file into which SQLite writes what is committed. Once that is on the disk, so is the commit:
 * what `synchronous = FULL` does within each commit, where the loop would stand still meanwhile.
 * SQLite itself flushes it before it carries anything over into the database.
 */
class WriteAheadLog {
  readonly #path: string;
  #descriptor: number | undefined;
  /** The flush that has not begun yet; all who come before that share it. */
  #next: Promise<void> | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  flush(): Promise<void> {
    this.#next ??= this.#last.catch(() => {}).then(() => {
      this.#next = undefined;
      this.#last = this.#flushNow();
      return this.#last;
    });
    return this.#next;
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  #flushNow(): Promise<void> {
    // A database in memory has none, and one without any change does not have it yet.
    if (this.#descriptor === undefined && !existsSync(this.#path)) return Promise.resolve();
    this.#descriptor ??= openSync(this.#path, 'r+');
    const descriptor = this.#descriptor;
    return new Promise((resolve, reject) => {
      fdatasync(descriptor, (error) => {
        if (error === null) resolve();
        else reject(fileError('flush database', fromText(this.#path), error, 'writer'));
      });
    });
  }
}

type Row = Record<string, SqlValue>;

function statementOf(prepared: StatementSync): Statement {
  return {
    run: (...values) => {
      const { changes } = attempt('use the database', () => prepared.run(...values));
      return { changes };
    },
    get: (...values) =>
      attempt('use the database', () => prepared.get(...values) as Row | undefined),
    all: (...values) => attempt('use the database', () => prepared.all(...values) as Row[]),
  };
}

/** SQLite gives the files beside the database the mode that the database has. */
function makePrivate(file: string): void {
  try {
    closeSync(openSync(file, 'a', 0o600));
    chmodSync(file, 0o600);
  } catch (error) {
    throw fileError('open database', fromText(file), error, 'writer');
  }
}

// By their texts: deno leaves the number out. The rest are mistakes in a statement.
const codes: readonly (readonly [text: string, code: ErrorCode])[] = [
  ['database or disk is full', 'noSpace'],
  ['is locked', 'busy'],
  ['not a database', 'corrupt'],
  ['malformed', 'corrupt'],
  ['disk I/O error', 'io'],
  ['readonly database', 'permission'],
  ['unable to open', 'permission'],
];

function attempt<T>(action: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const code = codes.find(([text]) => (error as Error).message.includes(text))?.[1];
    if (code === undefined) throw error;
    throw new ClusterError(code, `Cannot ${action}: ${(error as Error).message}`, {
      cause: error,
      ...(code === 'corrupt' ? { remedy: 'Stop muster and put the file back from a backup' } : {}),
    });
  }
}
