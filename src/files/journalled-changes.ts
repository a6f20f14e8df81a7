/**
 * What every change of the managed tree goes through, whichever way it goes: into the journal before
 * it is made, settled there together with its version after it, and struck out of it by `flush`, only
 * once the directories are on the disk for good.
 */
import type { BytePath } from '../base/bytes.ts';
import { codeOf } from '../base/errors.ts';
import { slices } from '../base/transaction.ts';
import type { Clock, Files, Logger } from '../ports.ts';
import type { SetTable } from './file-set.ts';
import type { Journal, JournalRow } from './journal.ts';
import { parentOf } from './paths.ts';
import type { Staged, Staging } from './staging.ts';
import type { NewVersion, VersionStore } from './version-store.ts';

/** A change of one path. */
export interface Change {
  /** What goes there; undefined where the file goes away. */
  readonly placement: Staged | undefined;
  /** What was there. */
  readonly version: NewVersion;
}

/** What changing the tree needs. */
export interface ChangePorts {
  readonly files: Files;
  readonly clock: Clock;
  readonly log: Logger;
  readonly journal: Journal;
  readonly staging: Staging;
  readonly versions: VersionStore;
}

/** Changes journalled together: so many that transactions pay, and stay short. */
export const sliceCount = 250;

/** Changes after which the journal is struck out in the middle of a round, so that it stays small. */
const journalCountMax = 20_000;

/** The changes that are under way in a tree. */
export class JournalledChanges {
  readonly #ports: ChangePorts;
  readonly #isFlushing: boolean;
  /** Directories whose names are not yet on the disk for good. */
  readonly #touched = new Set<BytePath>();

  /** @param options.flush whether to wait until the disk has what was changed */
  constructor(ports: ChangePorts, options: { readonly flush: boolean }) {
    this.#ports = ports;
    this.#isFlushing = options.flush;
  }

  /** Writes changes into the journal, before they are made. */
  async begin<C extends Change>(changes: readonly C[]): Promise<JournalRow<C>[]> {
    const rows: JournalRow<C>[] = [];
    for (const slice of slices(changes, sliceCount)) {
      rows.push(this.#ports.journal.begin(slice));
      await this.#ports.clock.breathe();
    }
    return rows;
  }

  /** Notes versions of what was made and marks it in the journal; strikes out the rest. */
  async settle<C extends Change>(
    rows: readonly JournalRow<C>[],
    allMade: ReadonlySet<C>,
  ): Promise<void> {
    const { journal, versions, clock } = this.#ports;
    for (const row of rows) {
      const made = row.changes.filter((change) => allMade.has(change));
      journal.settle(row, { made }, () => versions.record(made.map(({ version }) => version)));
      await clock.breathe();
    }
  }

  /** Notes that names in a directory have changed, and maybe in those above. */
  touch(directory: BytePath): void {
    for (let path = directory; !this.#touched.has(path); path = parentOf(path)) {
      this.#touched.add(path);
    }
  }

  /** Notes that a directory has been removed from the one that it was in. */
  removed(directory: BytePath): void {
    this.#touched.delete(directory);
    this.touch(parentOf(directory));
  }

  /** Waits until all changes are on the disk for good, then strikes out the journal. */
  async flush(): Promise<void> {
    const { files, journal } = this.#ports;
    const lastId = journal.lastId();
    const directories = [...this.#touched];
    if (this.#isFlushing && directories.length > 0) {
      try {
        await files.flushDirectories(directories);
      } catch (error) {
        if (codeOf(error) !== 'refused') throw error;
        // Something else was put in the place of a directory: what was in there is gone anyway.
        await files.flushDirectories(await this.#directoriesAmong(directories));
      }
    }
    for (const directory of directories) this.#touched.delete(directory);
    await journal.strikeUpTo(lastId);
  }

  /** Does so where much is in the journal. */
  async flushIfMuch(): Promise<void> {
    if (this.#ports.journal.count > journalCountMax) await this.flush();
  }

  // ---

  async #directoriesAmong(paths: readonly BytePath[]): Promise<BytePath[]> {
    const found: BytePath[] = [];
    for (const path of paths) {
      const facts = await this.#ports.files.facts(path);
      if (facts?.kind === 'directory') found.push(path);
    }
    return found;
  }
}

/** Directories of sets, which stay whatever is in them. */
export function fixedDirectories(sets: SetTable): ReadonlySet<BytePath> {
  return new Set(sets.sets.map((each) => sets.directoryOf(each)));
}

/** The names under which changes have kept what was there. */
export function namesOf(changes: readonly Change[]): string[] {
  return changes.flatMap(({ version }) => version.name ?? []);
}
