/**
 * One instance for each state directory.
 *
 * The lock is SQLite's on an empty database beside the lock file: the kernel drops it when the
 * process ends, however that happens, so that no crash leaves it behind; it holds between
 * containers that share the directory, and nobody without access to the directory can take it.
 * The lock file itself only says who holds it, for people.
 */
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import process from 'node:process';
import { DatabaseSync } from 'node:sqlite';
import { fromText } from '../base/bytes.ts';
import { ClusterError, describeError } from '../base/errors.ts';
import { failureReason, fileError } from './file-errors.ts';

/** The lock of a state directory, held by this process. */
export interface InstanceLock {
  /** Lets others in; the end of the process does that as well. */
  release(): void;
}

/**
 * Takes the lock of a state directory.
 * @param lockFile path of the lock file in it, which will name this process
 * @throws ClusterError('locked') where another process holds it, and which
 */
export function acquireLock(lockFile: string): InstanceLock {
  const database = tryLock(lockFile);
  if (database === undefined) throw lockedError(lockFile);
  try {
    writeFileSync(lockFile, `${process.pid}\n`, { mode: 0o600 });
  } catch (error) {
    database.close();
    throw fileError('write', fromText(lockFile), error, 'writer');
  }
  let isHeld = true;
  return {
    release: () => {
      if (!isHeld) return;
      isHeld = false;
      rmSync(lockFile, { force: true });
      database.close();
    },
  };
}

/** Whether some process, this one or another, holds the lock of a state directory. */
export function isLocked(lockFile: string): boolean {
  const database = tryLock(lockFile);
  database?.close();
  return database === undefined;
}

// --- internals -------------------------------------------------------------------------------

/** The database that holds the lock for as long as it is open; undefined where another one does. */
function tryLock(lockFile: string): DatabaseSync | undefined {
  const path = `${lockFile}.db`;
  let database: DatabaseSync | undefined;
  try {
    mkdirSync(dirname(lockFile), { recursive: true, mode: 0o700 });
    database = new DatabaseSync(path, { timeout: 0 });
    chmodSync(path, 0o600);
    // Nothing is ever written: a journal would only be left lying about.
    database.exec('PRAGMA journal_mode = OFF; BEGIN EXCLUSIVE');
    return database;
  } catch (error) {
    database?.close();
    if (describeError(error).includes('locked')) return undefined;
    const reason = failureReason(error);
    throw new ClusterError('permission', `Cannot lock "${dirname(lockFile)}": ${reason}`, {
      source: error,
      remedy: 'Run this as root or as the user who runs muster',
    });
  }
}

function lockedError(lockFile: string): ClusterError {
  const pid = holderPid(lockFile);
  const who = pid === undefined ? 'Another muster' : `Another muster (pid ${pid})`;
  return new ClusterError('locked', `${who} is using "${dirname(lockFile)}"`, {
    remedy: 'Stop it, or use another state directory',
  });
}

/** Who wrote the lock file: the holder, unless it has only just begun. */
function holderPid(lockFile: string): number | undefined {
  try {
    const pid = Number(readFileSync(lockFile, 'utf8'));
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}
