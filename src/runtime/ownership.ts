/**
 * Owner, mode and time of the files that muster writes, set through the open file.
 *
 * Names of users and groups are looked up in the system's own files, so that no library of the
 * system is needed; names that come from a directory service have to be given as numbers. Without
 * the privilege to give files away they stay with whoever runs muster, which is said once.
 */
import * as fs from 'node:fs';
import { displayText } from '../base/bytes.ts';
import { ClusterError } from '../base/errors.ts';
import type { FileAttributes } from '../ports.ts';
import { systemCode } from './file-errors.ts';

/** Numbers of a user and a group; -1 leaves what is there. */
export interface OwnerIds {
  readonly uid: number;
  readonly gid: number;
}

/** Where the system lists its users and groups. */
export interface AccountFiles {
  readonly users: string;
  readonly groups: string;
}

const systemAccounts: AccountFiles = { users: '/etc/passwd', groups: '/etc/group' };

/**
 * The numbers of a user and a group, each by name or by number.
 * @throws ClusterError `configuration` where a name is unknown
 */
export function resolveOwner(
  owner: string | undefined,
  group: string | undefined,
  accounts: AccountFiles = systemAccounts,
): OwnerIds {
  return {
    uid: owner === undefined ? -1 : findId('User', owner, accounts.users),
    gid: group === undefined ? -1 : findId('Group', group, accounts.groups),
  };
}

/** Sets the attributes of files. */
export class Ownership {
  readonly #onWarning: (text: string) => void;
  readonly #known = new Map<string, OwnerIds>();
  #hasWarned = false;

  /** @param onWarning told once that files cannot be given to their owner */
  constructor(onWarning: (text: string) => void) {
    this.#onWarning = onWarning;
  }

  /** Gives an open file its owner, mode and time. */
  apply(descriptor: number, attributes: FileAttributes): void {
    const { mode, owner, group } = attributes;
    if (owner !== undefined || group !== undefined) {
      const { uid, gid } = this.#resolve(owner, group);
      this.give(descriptor, uid, gid);
    }
    // After the owner: giving a file away takes the set-user bits off it.
    fs.fchmodSync(descriptor, mode & 0o7777);
    this.setTime(descriptor, attributes);
  }

  /** Gives an open file its time alone. */
  setTime(descriptor: number, { mtimeMs }: FileAttributes): void {
    if (mtimeMs !== undefined) fs.futimesSync(descriptor, mtimeMs / 1000, mtimeMs / 1000);
  }

  /** Gives an open file to a user and a group, where this process may. */
  give(descriptor: number, uid: number, gid: number): void {
    try {
      fs.fchownSync(descriptor, uid, gid);
    } catch (error) {
      if (systemCode(error) !== 'EPERM') throw error;
      if (!this.#hasWarned) {
        this.#onWarning(
          'Files stay with the user that muster runs as: it may not give them to the configured ' +
            'owner without being root or having CAP_CHOWN',
        );
      }
      this.#hasWarned = true;
    }
  }

  #resolve(owner: string | undefined, group: string | undefined): OwnerIds {
    const key = `${owner ?? ''}:${group ?? ''}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const ids = resolveOwner(owner, group);
    this.#known.set(key, ids);
    return ids;
  }
}

// ---

function findId(what: 'User' | 'Group', name: string, file: string): number {
  for (const line of readLines(file)) {
    const [listed, , id] = line.split(':');
    if (listed === name && id !== undefined && /^\d+$/.test(id)) return Number(id);
  }
  if (/^\d{1,10}$/.test(name)) return Number(name);
  throw new ClusterError(
    'configuration',
    `${what} "${displayText(name)}" is unknown: ${file} does not list it`,
    { remedy: `Create it, or give its number` },
  );
}

function readLines(file: string): string[] {
  try {
    return fs.readFileSync(file, 'utf8').split('\n');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}
