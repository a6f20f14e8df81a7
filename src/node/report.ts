/** From what the parts of a node know to the documents that people and programs read. */
import { displayPath } from '../base/bytes.ts';
import { isoTime, isoTimeOrNull } from '../base/time-text.ts';
import type { EntryChange } from '../files/entry.ts';
import type { FileSet } from '../files/file-set.ts';
import type { Halt } from '../files/halts.ts';
import type { Manifest } from '../files/manifest.ts';
import type { ScanProblem } from '../files/scan.ts';
import type { TaskState } from '../tasks/scheduler.ts';
import type {
  DifferenceDocument,
  HaltDocument,
  ProblemDocument,
  SetDocument,
  TaskDocument,
} from './documents.ts';

/** How the tasks are doing. */
export function taskDocuments(states: readonly TaskState[]): TaskDocument[] {
  return states.map((state) => ({
    name: state.name,
    running: state.isRunning,
    rounds: state.roundsCount,
    failures_in_a_row: state.failuresInARow,
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

/** What a scan could not look at. */
export function problemDocuments(problems: readonly ScanProblem[]): ProblemDocument[] {
  return problems.map(({ path, reason }) => ({ path: displayPath(path), reason }));
}

/** Changes of a table as differences for people. */
export function differencesOf(
  set: string,
  before: Manifest,
  changes: readonly EntryChange[],
): DifferenceDocument[] {
  return changes.map(({ path, entry }) => ({
    set,
    path: displayPath(path),
    action: entry === undefined
      ? 'remove'
      : before.get(path) === undefined
      ? 'create'
      : 'replace',
    size: entry?.size ?? null,
  }));
}
