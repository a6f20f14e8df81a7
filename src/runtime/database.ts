/**
 * The Database port: a file, by way of the SQLite that comes with the runtime.
 *
 * Its failures arrive as ClusterErrors whose code says what is to be done. The file is for its
 * owner only; so are the two that SQLite keeps beside it.
 */
import { chmodSync, closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { StatementSync } from 'node:sqlite';
import { fromText } from '../base/bytes.ts';
import { ClusterError } from '../base/errors.ts';
import type { ErrorCode } from '../base/errors.ts';
import type { Database, SqlValue, Statement } from '../ports.ts';
import { fileError } from './file-errors.ts';
import { leftBehind } from './memory.ts';
import { WriteAheadLog } from './write-ahead-log.ts';

/** How long another connection to the same file may be waited for, ms; the loop stands still. */
const BUSY_MS = 2000;

/**
 * Opens a database, which is created where there is none. `:memory:` is one without a file. A loss
 * of power may undo the last transactions, unless they were flushed, and does nothing worse.
 */
export function openDatabase(file: string): Database {
  if (file !== ':memory:') makePrivate(file);
  const database = attempt(`open database "${file}"`, () =>
    new DatabaseSync(file, {
      timeout: BUSY_MS,
      enableForeignKeyConstraints: true,
    }));
  let log: WriteAheadLog;
  try {
    log = attempt(`open database "${file}"`, () => new WriteAheadLog(file, database));
  } catch (error) {
    database.close();
    throw error;
  }
  return {
    exec: (sql) => {
      attempt('use the database', () => database.exec(sql));
      log.executed();
    },
    prepare: (sql) => statementOf(attempt('use the database', () => database.prepare(sql)), log),
    flush: () => log.flush(),
    close: () => log.close(),
  };
}

// --- internals -------------------------------------------------------------------------------

/**
 * What a value that goes in leaves behind, together with what it comes from, and what a row that comes
 * out does, bytes: measured with agents.
 */
const leftByValue = 384;
const leftByRow = 1_024;

type Row = Record<string, SqlValue>;

function statementOf(prepared: StatementSync, log: WriteAheadLog): Statement {
  return {
    run: (...values) => {
      const { changes } = attempt('use the database', () => prepared.run(...values));
      log.executed();
      leftBehind(values.length * leftByValue);
      return { changes };
    },
    get: (...values) =>
      attempt('use the database', () => prepared.get(...values) as Row | undefined),
    all: (...values) => {
      const rows = attempt('use the database', () => prepared.all(...values) as Row[]);
      leftBehind(rows.length * leftByRow);
      return rows;
    },
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
