/** From what the parts of a node know to the documents that people and programs read. */
import { displayPath } from '../base/bytes.ts';
import { reasonFor } from '../base/errors.ts';
import { isoTime, isoTimeOrNull } from '../base/time-text.ts';
import type { ApplyFailure } from '../files/apply.ts';
import type { EntryChange } from '../files/entry.ts';
import type { FileSet } from '../files/file-set.ts';
import type { Halt } from '../files/halts.ts';
import type { Manifest } from '../files/manifest.ts';
import type { ScanProblem } from '../files/scan.ts';
import type { RoundResult } from '../tasks/integrity/round-result.ts';
import type { TaskState } from '../tasks/scheduler.ts';
import type { Plan } from '../files/plan.ts';
import {
  type DifferenceDocument,
  type HaltDocument,
  type ProblemDocument,
  schemaVersion,
  type SetDocument,
  type SyncDocument,
  type TaskDocument,
} from './documents.ts';

/** How the tasks are doing. */
export function taskDocuments(states: readonly TaskState[]): TaskDocument[] {
  return states.map((state) => ({
    name: state.name,
    worker: state.instance ?? null,
    running: state.isRunning,
    rounds: state.roundsCount,
    failures: state.failuresCount,
    failures_in_a_row: state.failuresInARow,
    duration_total_ms: Math.round(state.durationTotalMs),
    last_success: isoTimeOrNull(state.lastSuccessMs),
    last_duration_ms: state.lastDurationMs ?? null,
    last_summary: state.lastSummary ?? null,
    last_error: state.lastError ?? null,
  }));
}

/** The file sets with their sizes. */
export function setDocuments(
  sets: readonly FileSet[],
  manifest: (set: string) => Manifest | undefined,
  halts: readonly Halt[],
): SetDocument[] {
  return sets.map((set) => ({
    name: set.name,
    path: set.path,
    files: manifest(set.name)?.count ?? 0,
    bytes: manifest(set.name)?.bytes ?? 0,
    halted: halts.find((halt) => halt.set === set.name)?.reason ?? null,
  }));
}

/** The halted sets. */
export function haltDocuments(halts: readonly Halt[]): HaltDocument[] {
  return halts.map(({ set, reason, sinceMs }) => ({ set, reason, since: isoTime(sinceMs) }));
}

/**
 * What a scan could not look at, which may differ or not; and what it leaves alone, which never
 * counts: where the master has a file there, that file is missing here, and found so.
 */
export function scanDocuments(
  problems: readonly ScanProblem[],
): { readonly problems: ProblemDocument[]; readonly unmanaged: ProblemDocument[] } {
  const isUnmanaged = ({ kind }: ScanProblem): boolean =>
    kind !== 'unreadable' && kind !== 'changed';
  const document = ({ path, reason }: ScanProblem) => ({ path: displayPath(path), reason });
  return {
    problems: problems.filter((problem) => !isUnmanaged(problem)).map(document),
    unmanaged: problems.filter(isUnmanaged).map(document),
  };
}

/** What could not be done at a path. */
export function failureDocument({ path, error }: ApplyFailure): ProblemDocument {
  const shown = displayPath(path);
  return { path: shown, reason: reasonFor(shown, error) };
}

/** Changes of a table as differences for people. */
export function differencesOf(
  set: string,
  before: Manifest,
  changes: readonly EntryChange[],
): DifferenceDocument[] {
  return changes.map(({ path, entry }) => {
    if (entry === undefined) return difference(set, path, 'remove', null);
    const action = before.get(path) === undefined ? 'create' : 'replace';
    return difference(set, path, action, entry.size);
  });
}

/** What a plan would do, for people. */
export function planDifferences(plan: Plan): DifferenceDocument[] {
  const set = plan.set.name;
  return [
    ...plan.create.map(({ path, size }) => difference(set, path, 'create', size)),
    ...plan.replace.map(({ entry }) => difference(set, entry.path, 'replace', entry.size)),
    ...plan.remove.map(({ path }) => difference(set, path, 'remove', null)),
  ];
}

/** What a round found and did. */
export function syncDocument(
  node: string,
  result: RoundResult,
  round: { readonly isDryRun: boolean; readonly durationMs: number },
): SyncDocument {
  const problems = result.failures.map(failureDocument);
  const excluded = result.excluded.map(({ set, reason }) => ({ path: `set "${set}"`, reason }));
  return {
    schema_version: schemaVersion,
    node,
    generation: result.generation,
    in_sync: result.isInSync || (round.isDryRun && result.plans.length === 0 &&
      result.halted.length === 0 && excluded.length === 0),
    dry_run: round.isDryRun,
    created: result.createdCount,
    replaced: result.replacedCount,
    removed: result.removedCount,
    bytes: result.bytes,
    duration_ms: Math.round(round.durationMs),
    differences: [...result.plans, ...result.haltedPlans].flatMap(planDifferences),
    problems: [...problems, ...excluded],
    halted: result.halted,
  };
}

function difference(
  set: string,
  path: string,
  action: DifferenceDocument['action'],
  size: number | null,
): DifferenceDocument {
  return { set, path: displayPath(path), action, size };
}
