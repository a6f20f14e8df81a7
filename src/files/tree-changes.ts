/**
 * Changing the managed tree: staged files to their paths, files away, emptied directories after
 * them. What is replaced is kept, then the change is journalled, then it is made.
 *
 * A path changes in one step from one whole content to another. The journal is struck out only by
 * `flush`, once the directories are on the disk for good.
 */
import { type BytePath, displayPath } from '../base/bytes.ts';
import { ClusterError, codeOf, OccupiedError } from '../base/errors.ts';
import type { Clock, Files, Logger } from '../ports.ts';
import { removeEmptyDirectories } from './empty-directories.ts';
import type { Entry } from './entry.ts';
import type { FileSet, SetTable } from './file-set.ts';
import type { Journal, JournalRow } from './journal.ts';
import { type Changing, type KeepingPorts, keepLeaving, keepPresent } from './keeping.ts';
import { isBelow, parentOf } from './paths.ts';
import type { PlacedFile } from './scan.ts';
import { type ApplyFailure, failureOf, type Staged, type Staging } from './staging.ts';
import { slices } from '../base/transaction.ts';
import type { NewVersion, VersionStore } from './version-store.ts';

/** What became of a batch. */
export interface CommitReport {
  /** For `Scanner.adopt`. */
  readonly placed: readonly PlacedFile[];
  readonly createdCount: number;
  readonly replacedCount: number;
  /** Where the disk ran full, all files of later parts are among these. */
  readonly failures: readonly ApplyFailure[];
}

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

/** What changing the tree needs. */
export interface TreeChangesPorts {
  readonly files: Files;
  readonly clock: Clock;
  readonly log: Logger;
  readonly journal: Journal;
  readonly staging: Staging;
  readonly versions: VersionStore;
}

/** Changes journalled together: so many that transactions pay, and stay short. */
const sliceCount = 250;

/** Changes after which the journal is struck out in the middle of a round, so that it stays small. */
const journalCountMax = 20_000;

/** Changes the managed tree. */
export class TreeChanges {
  readonly #ports: TreeChangesPorts;
  readonly #keeping: KeepingPorts;
  readonly #sets: SetTable;
  readonly #isFlushing: boolean;
  /** Directories whose names are not yet on the disk for good. */
  readonly #touched = new Set<BytePath>();

  /** @param options.flush whether to wait until the disk has what was changed */
  constructor(ports: TreeChangesPorts, sets: SetTable, options: { readonly flush: boolean }) {
    this.#ports = ports;
    this.#keeping = { ...ports, freshName: () => ports.staging.freshName() };
    this.#sets = sets;
    this.#isFlushing = options.flush;
  }

  /** Makes the contents of staged files durable. */
  async flushContents(batch: readonly Staged[]): Promise<void> {
    if (!this.#isFlushing || batch.length === 0) return;
    await this.#ports.files.flushStaged(batch.map((item) => item.stagedName));
  }

  /**
   * Moves staged files to their paths.
   * @param flushed the flush of their contents, where that was begun before
   * @throws ClusterError where the contents could not be flushed; then none was moved
   */
  async place(
    batch: readonly Staged[],
    generation: number,
    flushed: Promise<void> = this.flushContents(batch),
  ): Promise<CommitReport> {
    const { staging } = this.#ports;
    const report: Placing = { placed: [], createdCount: 0, replacedCount: 0, failures: [] };
    try {
      await flushed;
    } catch (error) {
      await staging.discardNames(batch.map((item) => item.stagedName));
      throw error;
    }
    for (const slice of placedTogether(batch)) {
      // Where nothing was when the plan was made, nothing is looked for: the placing itself tells.
      const isNew = (item: Staged): boolean => item.previous === undefined;
      const known = await this.#keepAll(slice.filter((item) => !isNew(item)), generation, report);
      const created = slice.filter(isNew).map((item) => creation(item, generation));
      const occupied = await this.#make([...created, ...known], report);
      for (const { entry } of occupied) await this.#clear(entry.path);
      const restless = await this.#make(await this.#keepAll(occupied, generation, report), report);
      await this.#giveUp(restless, report);
    }
    await this.#flushIfMuch();
    return report;
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
    await this.#flushIfMuch();
    return { removed, failures, directoriesCount };
  }

  /** Notes that names in a directory have changed, and maybe in those above. */
  touch(directory: BytePath): void {
    for (let path = directory; !this.#touched.has(path); path = parentOf(path)) {
      this.#touched.add(path);
    }
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

  // --- placing -------------------------------------------------------------------------------

  /** Keeps what is at the paths of these. Those that cannot be placed are dropped. */
  async #keepAll(
    slice: readonly Staged[],
    generation: number,
    report: Placing,
  ): Promise<PlaceChange[]> {
    if (slice.length === 0) return [];
    const { staging } = this.#ports;
    const full = report.failures.find(isNoSpace)?.error;
    const changing = slice.map(({ set, previous, entry: { path } }) => (
      { path, set: set.name, generation, previous }
    ));
    const outcomes = full ?? await keepPresent(this.#keeping, changing);
    const kept: PlaceChange[] = [];
    const dropped: string[] = [];
    for (const [at, placement] of slice.entries()) {
      const version = outcomes instanceof Error ? outcomes : outcomes[at]!;
      if (version instanceof Error) {
        report.failures.push({ path: placement.entry.path, error: version });
        dropped.push(placement.stagedName);
      } else {
        kept.push({ placement, version });
      }
    }
    await staging.discardNames(dropped);
    return kept;
  }

  /** Makes room for a file where a tree is left that has no files any more. */
  async #clear(path: BytePath): Promise<void> {
    const { files } = this.#ports;
    const fixed = this.#fixedDirectories();
    try {
      if ((await files.facts(path))?.kind !== 'directory') return;
      await removeEmptyDirectories(files, path, (directory) => fixed.has(directory));
    } catch {
      // What stands there still tells why.
    }
  }

  /** Directories of sets, which stay whatever is in them. */
  #fixedDirectories(): ReadonlySet<BytePath> {
    return new Set(this.#sets.sets.map((each) => this.#sets.directoryOf(each)));
  }

  /** Files at whose paths others come and go: the next round tries again. */
  async #giveUp(items: readonly Staged[], report: Placing): Promise<void> {
    for (const { entry: { path } } of items) {
      const text = `Cannot place "${displayPath(path)}": somebody else changes it right now`;
      report.failures.push({ path, error: new ClusterError('changed', text) });
    }
    await this.#ports.staging.discardNames(items.map((item) => item.stagedName));
  }

  /** Places; gives those at whose paths something stands after all. Nothing of them is changed. */
  async #make(changes: readonly PlaceChange[], report: Placing): Promise<Staged[]> {
    if (changes.length === 0) return [];
    const { files, staging, versions } = this.#ports;
    const rows = await this.#begin(changes);
    const outcomes = await files.place(changes.map(({ placement, version }) => ({
      name: placement.stagedName,
      path: placement.entry.path,
      directoryMode: placement.set.directoryMode,
      isNew: version.kind === 'created',
    })));
    const made = new Set<PlaceChange>();
    const failed: PlaceChange[] = [];
    const occupied: Staged[] = [];
    for (const [at, change] of changes.entries()) {
      const outcome = outcomes[at]!;
      const { path, hash } = change.placement.entry;
      this.touch(parentOf(path));
      if (outcome instanceof OccupiedError) {
        occupied.push(change.placement);
      } else if (outcome instanceof Error) {
        failed.push(change);
        report.failures.push({ path, error: outcome });
      } else {
        made.add(change);
        report.placed.push({ path, hash, facts: outcome });
        if (change.version.kind === 'created') report.createdCount++;
        else report.replacedCount++;
      }
    }
    await this.#settle(rows, made);
    const staged = failed.map(({ placement }) => placement.stagedName);
    await staging.discardNames(staged);
    await files.discardVersions(namesOf(failed));
    staging.forgetPartials(Array.from(made, ({ placement }) => placement.stagedName));
    // A creation gives up no older version: it is the one for which nothing was kept.
    const replaced = changes.filter((change) =>
      made.has(change) && change.version.kind !== 'created'
    );
    await versions.prune(replaced.map(({ version }) => version.path));
    return occupied;
  }

  // --- removing ------------------------------------------------------------------------------

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
    const rows = await this.#begin(changes);
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
      this.touch(parentOf(path));
    }
    await this.#settle(rows, made);
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
    const fixed = this.#fixedDirectories();
    let removedCount = 0;
    for (const parent of new Set(removed.map(parentOf))) {
      let path = parent;
      try {
        while (isBelow(path, top) && !fixed.has(path)) {
          if (!await this.#ports.files.removeDirectory(path)) break;
          removedCount++;
          this.#touched.delete(path);
          path = parentOf(path);
          this.touch(path);
        }
      } catch (error) {
        failures.push(failureOf(path, error));
      }
    }
    return removedCount;
  }

  // ---

  /** Writes changes into the journal. */
  async #begin<C extends Change>(changes: readonly C[]): Promise<JournalRow<C>[]> {
    const rows: JournalRow<C>[] = [];
    for (const slice of slices(changes, sliceCount)) {
      rows.push(this.#ports.journal.begin(slice));
      await this.#ports.clock.breathe();
    }
    return rows;
  }

  /** Notes versions of what was made and marks it in the journal; strikes out the rest. */
  async #settle<C extends Change>(
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

  async #directoriesAmong(paths: readonly BytePath[]): Promise<BytePath[]> {
    const found: BytePath[] = [];
    for (const path of paths) {
      const facts = await this.#ports.files.facts(path);
      if (facts?.kind === 'directory') found.push(path);
    }
    return found;
  }

  async #flushIfMuch(): Promise<void> {
    if (this.#ports.journal.count > journalCountMax) await this.flush();
  }
}

// ---

interface Change {
  readonly placement: Staged | undefined;
  readonly version: NewVersion;
}

interface PlaceChange extends Change {
  readonly placement: Staged;
}

/** The change that brings a file to where nothing is. */
function creation(placement: Staged, generation: number): PlaceChange {
  const { set, entry: { path } } = placement;
  const nothing = { name: undefined, hash: undefined, size: 0, mtimeMs: 0 };
  return {
    placement,
    version: { path, set: set.name, generation, kind: 'created', ...nothing },
  };
}

/**
 * Cuts a batch into parts that are placed one after the other. Files of one directory of staging
 * stand together, in whatever order they came and however many: only so can they be placed by one
 * move. They go before all others, one of which may make the very directory that is to be moved.
 */
function* placedTogether(unordered: readonly Staged[]): Generator<readonly Staged[]> {
  const groups = Map.groupBy(unordered, stagedDirectory);
  const others = groups.get(undefined) ?? [];
  groups.delete(undefined);
  const batch = [...groups.values(), others].flat();
  let start = 0;
  for (let end = 1; end <= batch.length; end++) {
    const isMuch = end === batch.length || end - start >= sliceCount;
    const next = stagedDirectory(batch[end]);
    if (!isMuch || (next !== undefined && next === stagedDirectory(batch[end - 1]))) continue;
    yield batch.slice(start, end);
    start = end;
  }
}

/** The directory of staging that a file is in, where it is in one. */
function stagedDirectory(item: Staged | undefined): string | undefined {
  const end = item?.stagedName.indexOf('/') ?? -1;
  return end < 0 ? undefined : item?.stagedName.slice(0, end);
}

/** A `CommitReport` in the making. */
interface Placing {
  readonly placed: PlacedFile[];
  createdCount: number;
  replacedCount: number;
  readonly failures: ApplyFailure[];
}

function namesOf(changes: readonly Change[]): string[] {
  return changes.flatMap(({ version }) => version.name ?? []);
}

function isNoSpace(failure: ApplyFailure): boolean {
  return codeOf(failure.error) === 'noSpace';
}
