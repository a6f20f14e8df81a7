/**
 * Files away, and after them the directories that this emptied. What is removed is kept, then the
 * change is journalled, then it is made.
 */
import type { BytePath } from '../base/bytes.ts';
import { slices } from '../base/transaction.ts';
import { removeLeftDirectory } from './empty-directories.ts';
import type { Entry } from './entry.ts';
import type { FileSet, SetTable } from './file-set.ts';
import {
  type Change,
  type ChangePorts,
  fixedDirectories,
  type JournalledChanges,
  namesOf,
  sliceCount,
} from './journalled-changes.ts';
import { type Changing, type KeepingPorts, keepLeaving } from './keeping.ts';
import { isBelow, parentOf } from './paths.ts';
import { type ApplyFailure, failureOf } from './staging.ts';

/** What became of a removal. */
export interface RemovalReport {
  /** For `Scanner.forget`; with those that were gone already. */
  readonly removed: readonly BytePath[];
  readonly failures: readonly ApplyFailure[];
  /** Emptied directories that were removed too. */
  readonly directoriesCount: number;
}

/** A file to be removed, with what is known of it. */
export interface Leaving extends Partial<Entry> {
  readonly path: BytePath;
}

/** Removes files of the managed tree. */
export class RemovingFiles {
  readonly #ports: ChangePorts;
  readonly #keeping: KeepingPorts;
  readonly #changes: JournalledChanges;
  readonly #sets: SetTable;

  constructor(ports: ChangePorts, changes: JournalledChanges, sets: SetTable) {
    this.#ports = ports;
    this.#keeping = { ...ports, freshName: () => ports.staging.freshName() };
    this.#changes = changes;
    this.#sets = sets;
  }

  /** Removes files of one set, then the directories that this emptied where the set wants that. */
  async remove(
    set: FileSet,
    leaving: readonly Leaving[],
    generation: number,
  ): Promise<RemovalReport> {
    const removed: BytePath[] = [];
    const failures: ApplyFailure[] = [];
    for (const slice of slices(leaving, sliceCount)) {
      await this.#removeSlice(set, slice, generation, { removed, failures });
    }
    const directoriesCount = set.prune ? await this.#prune(set, removed, failures) : 0;
    await this.#changes.flushIfMuch();
    return { removed, failures, directoriesCount };
  }

  // ---

  async #removeSlice(
    set: FileSet,
    slice: readonly Leaving[],
    generation: number,
    report: { readonly removed: BytePath[]; readonly failures: ApplyFailure[] },
  ): Promise<void> {
    const { files, staging, versions } = this.#ports;
    const admitted: Changing[] = [];
    for (const previous of slice) {
      const { path } = previous;
      try {
        staging.admit(path, set.name);
        admitted.push({ path, set: set.name, generation, previous });
      } catch (error) {
        report.failures.push(failureOf(path, error));
      }
    }
    const changes: Change[] = [];
    for (const [at, version] of (await keepLeaving(this.#keeping, admitted)).entries()) {
      const { path } = admitted[at]!;
      if (version === undefined) report.removed.push(path);
      else if (version instanceof Error) report.failures.push({ path, error: version });
      else changes.push({ placement: undefined, version });
    }
    if (changes.length === 0) return;
    const rows = await this.#changes.begin(changes);
    const made = new Set<Change>();
    const failed: Change[] = [];
    for (const change of changes) {
      const { path } = change.version;
      try {
        await files.remove(path);
        made.add(change);
        report.removed.push(path);
      } catch (error) {
        failed.push(change);
        report.failures.push(failureOf(path, error));
      }
      this.#changes.touch(parentOf(path));
    }
    await this.#changes.settle(rows, made);
    await files.discardVersions(namesOf(failed));
    await versions.prune(Array.from(made, ({ version }) => version.path));
  }

  /** Removes directories that removals have emptied, but never the directory of a set. */
  async #prune(
    set: FileSet,
    removed: readonly BytePath[],
    failures: ApplyFailure[],
  ): Promise<number> {
    const top = this.#sets.directoryOf(set);
    const fixed = fixedDirectories(this.#sets);
    let removedCount = 0;
    for (const parent of new Set(removed.map(parentOf))) {
      let path = parent;
      try {
        while (isBelow(path, top) && !fixed.has(path)) {
          if (!await removeLeftDirectory(this.#ports.files, path, set, this.#sets)) break;
          removedCount++;
          this.#changes.removed(path);
          path = parentOf(path);
        }
      } catch (error) {
        failures.push(failureOf(path, error));
      }
    }
    return removedCount;
  }
}
