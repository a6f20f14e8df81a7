/**
 * What a start makes of a crash: finishes or gives up every change that was under way, then clears
 * staging and versions of what belongs to nothing.
 *
 * For each journalled change the disk itself is asked. The path has the new content: the change was
 * made. It has not, but the new content is staged, whole: the change is made now. Neither: the path
 * still has what it had, and the next round will tell what it should have. The disk may have lost
 * steps that were not flushed, in any order, so nothing is inferred from one step about another.
 */
import type { Clock, Files, HashAlgorithm, Hashing } from '../ports.ts';
import type { SetTable } from './file-set.ts';
import type { Journal, JournalChange, JournalRow } from './journal.ts';
import type { JournalledChanges } from './journalled-changes.ts';
import { parentOf } from './paths.ts';
import type { PlacingFiles } from './placing-files.ts';
import type { PlacedFile } from './scan.ts';
import { type ApplyFailure, failureOf, type Staged, type Staging } from './staging.ts';
import { slices } from '../base/transaction.ts';
import type { NewVersion, VersionStore } from './version-store.ts';

/** What was found and done at a start. */
export interface RecoveryReport {
  /** Changes that had been made, but not been noted as such. */
  readonly madeCount: number;
  /** Changes made now, from what was staged. */
  readonly redone: readonly PlacedFile[];
  /** Changes that were not made and will not be. */
  readonly droppedCount: number;
  readonly failures: readonly ApplyFailure[];
  /** Staged files that belonged to nothing. */
  readonly discardedCount: number;
  /** Kept contents that nothing referred to. */
  readonly versionsDiscardedCount: number;
  /** Versions whose content is gone. */
  readonly versionsLostCount: number;
}

/** What recovery works with. */
export interface RecoveryPorts {
  readonly files: Files;
  readonly clock: Clock;
  readonly hashing: Hashing;
  readonly journal: Journal;
  readonly staging: Staging;
  readonly versions: VersionStore;
  readonly changes: JournalledChanges;
  readonly placing: PlacingFiles;
}

/** Files placed together. */
const sliceCount = 500;

/** Finishes or gives up what was under way. */
export async function recoverTree(
  ports: RecoveryPorts,
  sets: SetTable,
  algorithm: HashAlgorithm,
): Promise<RecoveryReport> {
  const { journal, files, staging, versions, changes } = ports;
  const rows = await journal.rows();
  const state = {
    staged: await files.staged(),
    versionNames: new Set(await files.versions()),
  };
  const failures = await removeTemporaries(ports, rows);
  const redo: Redo[] = [];
  let madeCount = 0;
  let droppedCount = 0;
  for (const row of rows) {
    const made: JournalChange[] = [];
    const left: JournalChange[] = [];
    const outcomes = await outcomesOf(ports, row.changes, state.staged, algorithm);
    for (const [at, change] of row.changes.entries()) {
      const outcome = outcomes[at]!;
      const staged = outcome === 'staged' ? stagedOf(change, sets) : undefined;
      changes.touch(parentOf(change.version.path));
      if (staged !== undefined) {
        left.push(change);
        redo.push({ change, staged });
      } else if (outcome === 'made') made.push(change);
    }
    const unnoted = row.isMade ? [] : made;
    journal.settle(
      row,
      { made, left },
      () => versions.record(unnoted.map(({ version }) => asFound(version, state.versionNames))),
    );
    madeCount += unnoted.length;
    if (!row.isMade) droppedCount += row.changes.length - made.length - left.length;
  }
  const { redone, failures: makeFailures } = await makeNow(ports, redo);
  await changes.flush();
  const discardedCount = await staging.clean();
  const { discardedCount: versionsDiscardedCount, lostCount: versionsLostCount } = await versions
    .clean();
  return {
    madeCount,
    redone,
    droppedCount,
    failures: [...failures, ...makeFailures],
    discardedCount,
    versionsDiscardedCount,
    versionsLostCount,
  };
}

// ---

/** Clears the directories in which something was being placed, before the journal forgets them. */
async function removeTemporaries(
  { files, clock }: RecoveryPorts,
  rows: readonly JournalRow[],
): Promise<ApplyFailure[]> {
  const failures: ApplyFailure[] = [];
  const placing = rows.flatMap((row) =>
    row.changes.filter(({ placement }) => placement !== undefined)
  );
  for (const directory of new Set(placing.map(({ version }) => parentOf(version.path)))) {
    try {
      await files.removeTemporaries(directory);
    } catch (error) {
      failures.push(failureOf(directory, error));
    }
    await clock.breathe();
  }
  return failures;
}

/** What became of a change. `staged`: not made, but the content is there for it. */
type Outcome = 'made' | 'staged' | 'none';

interface Redo {
  readonly change: JournalChange;
  readonly staged: Staged;
}

async function outcomesOf(
  ports: RecoveryPorts,
  changes: readonly JournalChange[],
  staged: ReadonlyMap<string, number>,
  algorithm: HashAlgorithm,
): Promise<Outcome[]> {
  const never = new AbortController().signal;
  const paths = changes.map(({ version }) => version.path);
  const found = await ports.files.hash(paths, algorithm, never);
  const outcomes: Outcome[] = [];
  for (const [at, { placement, version }] of changes.entries()) {
    const present = found[at]!;
    if (placement === undefined) {
      outcomes.push(present.kind === 'vanished' ? 'made' : 'none');
      continue;
    }
    const { stagedName, entry } = placement;
    if (present.kind === 'hashed' && present.hash === entry.hash) {
      outcomes.push('made');
    } else if (!staged.has(stagedName)) {
      // Moved, and changed by somebody since; or the disk has lost a directory with the file in it.
      const isLost = version.kind === 'created' && present.kind === 'vanished';
      outcomes.push(isLost ? 'none' : 'made');
    } else {
      const isWhole = staged.get(stagedName) === entry.size &&
        await stagedHash(ports, stagedName, entry.size, algorithm) === entry.hash;
      outcomes.push(isWhole ? 'staged' : 'none');
    }
    await ports.clock.breathe();
  }
  return outcomes;
}

async function stagedHash(
  ports: RecoveryPorts,
  stagedName: string,
  size: number,
  algorithm: HashAlgorithm,
): Promise<string> {
  const hasher = ports.hashing.create(algorithm);
  await ports.files.hashStaged(stagedName, size, hasher);
  return hasher.digest();
}

/** The staged file of a change; undefined where the path no longer belongs to the set. */
function stagedOf({ placement, version }: JournalChange, sets: SetTable): Staged | undefined {
  const set = sets.setOf(version.path);
  if (placement === undefined || set === undefined || set.name !== version.set) return undefined;
  const { path, size, mtimeMs, hash } = version;
  const previous = hash === undefined ? undefined : { path, size, mtimeMs, hash };
  return { ...placement, set, previous };
}

/** A version as it can be noted after a crash: its content may not have survived. */
function asFound(version: NewVersion, names: ReadonlySet<string>): NewVersion {
  if (version.name === undefined || names.has(version.name)) return version;
  return { ...version, kind: 'given-up', name: undefined, hash: undefined };
}

async function makeNow(
  ports: RecoveryPorts,
  redo: readonly Redo[],
): Promise<{ redone: PlacedFile[]; failures: ApplyFailure[] }> {
  const redone: PlacedFile[] = [];
  const failures: ApplyFailure[] = [];
  const byGeneration = Map.groupBy(redo, ({ change }) => change.version.generation);
  for (const [generation, group] of byGeneration) {
    for (const slice of slices(group, sliceCount)) {
      const batch = slice.map(({ staged }) => staged);
      try {
        const report = await ports.placing.place(batch, generation);
        for (const placed of report.placed) redone.push(placed);
        for (const failure of report.failures) failures.push(failure);
      } catch (error) {
        // A disk that is full, say. Nothing was placed, and a node must start nevertheless.
        for (const { entry } of batch) failures.push(failureOf(entry.path, error));
      }
    }
  }
  return { redone, failures };
}
