/**
 * Staged files to their paths. A path changes in one step from one whole content to another: what is
 * replaced is kept, then the change is journalled, then it is made.
 */
import { type BytePath, displayPath } from '../base/bytes.ts';
import { ClusterError, codeOf, OccupiedError } from '../base/errors.ts';
import { removeEmptyDirectories } from './empty-directories.ts';
import type { SetTable } from './file-set.ts';
import {
  type Change,
  type ChangePorts,
  fixedDirectories,
  type JournalledChanges,
  namesOf,
  sliceCount,
} from './journalled-changes.ts';
import { type KeepingPorts, keepPresent } from './keeping.ts';
import { parentOf } from './paths.ts';
import type { PlacedFile } from './scan.ts';
import type { ApplyFailure, Staged } from './staging.ts';

/** What became of a batch. */
export interface CommitReport {
  /** For `Scanner.adopt`. */
  readonly placed: readonly PlacedFile[];
  readonly createdCount: number;
  readonly replacedCount: number;
  /** Where the disk ran full, all files of later parts are among these. */
  readonly failures: readonly ApplyFailure[];
}

/** Puts staged files in their places. */
export class PlacingFiles {
  readonly #ports: ChangePorts;
  readonly #keeping: KeepingPorts;
  readonly #changes: JournalledChanges;
  readonly #sets: SetTable;
  readonly #isFlushing: boolean;

  /** @param options.flush whether contents have to be on the disk before they are in their places */
  constructor(
    ports: ChangePorts,
    changes: JournalledChanges,
    sets: SetTable,
    options: { readonly flush: boolean },
  ) {
    this.#ports = ports;
    this.#keeping = { ...ports, freshName: () => ports.staging.freshName() };
    this.#changes = changes;
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
    await this.#changes.flushIfMuch();
    return report;
  }

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
    const fixed = fixedDirectories(this.#sets);
    try {
      if ((await files.facts(path))?.kind !== 'directory') return;
      await removeEmptyDirectories(files, path, (directory) => fixed.has(directory));
    } catch {
      // What stands there still tells why.
    }
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
    const rows = await this.#changes.begin(changes);
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
      this.#changes.touch(parentOf(path));
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
    await this.#changes.settle(rows, made);
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
}

// ---

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

function isNoSpace(failure: ApplyFailure): boolean {
  return codeOf(failure.error) === 'noSpace';
}
