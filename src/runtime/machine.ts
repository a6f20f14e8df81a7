/**
 * Facts about the machine for `muster doctor`: what can be measured without changing anything.
 * What a platform does not tell is null.
 */
import { accessSync, constants, readFileSync, statfsSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import process from 'node:process';
import { parseAddress } from '../base/address.ts';
import { systemReason } from './net-errors.ts';

/** Why a path cannot be used, and its mode. */
export interface Place {
  readonly problem: string | null;
  readonly mode: number | null;
}

/** Looks at a path; `canCreate` accepts one that does not exist if it could be made. */
export function examinePlace(path: string, needs: 'read' | 'write', canCreate: boolean): Place {
  let mode: number | null = null;
  try {
    mode = statSync(path).mode & 0o7777;
    accessSync(path, needs === 'read' ? constants.R_OK : constants.R_OK | constants.W_OK);
    return { problem: null, mode };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && canCreate && isCreatable(dirname(path))) {
      return { problem: null, mode };
    }
    const reason = code === 'ENOENT'
      ? 'does not exist'
      : code === 'EACCES'
      ? `may not be used to ${needs} by this user`
      : `cannot be used (${code ?? 'unknown reason'})`;
    return { problem: reason, mode };
  }
}

function isCreatable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK);
    return true;
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return isMissing && dirname(directory) !== directory && isCreatable(dirname(directory));
  }
}

/** Whether two paths are on one file system; null where one cannot be looked at. */
export function isSameFileSystem(left: string, right: string): boolean | null {
  try {
    return statSync(left).dev === statSync(right).dev;
  } catch {
    return null;
  }
}

/** Free bytes for this user in the file system of a path. */
export function freeBytesAt(path: string): number | null {
  try {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  } catch {
    return null;
  }
}

/** Files that this process may hold open. */
export function openFilesMax(): number | null {
  const line = /^Max open files\s+(\d+)/m.exec(readOr('/proc/self/limits'));
  return line === null ? null : Number(line[1]);
}

/** Limits of watching on Linux. */
export function inotifyLimits(): { watchesMax: number; instancesMax: number } | null {
  const base = '/proc/sys/fs/inotify/max_user_';
  const watchesMax = Number(readOr(`${base}watches`));
  const instancesMax = Number(readOr(`${base}instances`));
  return watchesMax > 0 && instancesMax > 0 ? { watchesMax, instancesMax } : null;
}

/** Whether a command can be run: by its path, or found in PATH. */
export function commandExists(command: string): boolean {
  const candidates = isAbsolute(command) || command.includes('/')
    ? [command]
    : (process.env['PATH'] ?? '').split(delimiter).map((directory) => join(directory, command));
  return candidates.some((candidate) => {
    try {
      accessSync(candidate, constants.X_OK);
      return statSync(candidate).isFile();
    } catch {
      return false;
    }
  });
}

/** Tries to connect; why it failed, or null. */
export function probe(address: string, timeoutMs: number): Promise<string | null> {
  const target = parseAddress(address);
  if (target === undefined) return Promise.resolve('is not HOST:PORT');
  return new Promise((resolve) => {
    const socket = connect({ host: target.host, port: target.port });
    const finish = (problem: string | null) => {
      socket.destroy();
      resolve(problem);
    };
    socket.setTimeout(timeoutMs, () => finish('no answer'));
    socket.once('connect', () => finish(null));
    socket.once('error', (error) => finish(systemReason(error)));
  });
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
