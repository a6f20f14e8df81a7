/**
 * Rolling a worker back: kept versions return to their paths, and the sets they belong to are held
 * there, so that the next round does not bring the rolled-back content again. A set is held against
 * one exact content of the master's: anything newer is applied as usual, and an approval lets even
 * that content in.
 */
import { type BytePath, type ByteString, displayPath, fromText } from '../base/bytes.ts';
import { ClusterError } from '../base/errors.ts';
import { isoTime } from '../base/time-text.ts';
import type { Applier, ApplyFailure } from '../files/apply.ts';
import type { Entry } from '../files/entry.ts';
import type { SetTable } from '../files/file-set.ts';
import type { Halts } from '../files/halts.ts';
import type { Scanner } from '../files/scan.ts';
import type { RestorePlan, VersionStore } from '../files/version-store.ts';
import type { AppliedState } from '../tasks/integrity/applied-state.ts';
import { type RollbackDocument, schemaVersion, type VersionsDocument } from './documents.ts';
import type { OperationRequests } from './operations.ts';
import { failureDocument } from './report.ts';

/** What rolling back works with. */
export interface RollbackParts {
  readonly node: string;
  readonly versions: VersionStore;
  readonly applier: Applier;
  readonly applied: AppliedState;
  readonly scanner: Scanner;
  readonly halts: Halts;
  readonly sets: SetTable;
}

/** What is to be undone: a generation and all since, or one change by its id. */
export type RollbackRequest = OperationRequests['rollback'];

/** The noted changes of one path or of all, newest first, with what can be put back. */
export function versionsDocument(parts: RollbackParts, path: string | undefined): VersionsDocument {
  const versions = parts.versions.list(path === undefined ? undefined : fromText(path));
  return {
    schema_version: schemaVersion,
    versions: versions.map((version) => ({
      id: version.id,
      set: version.set,
      path: displayPath(version.path),
      generation: version.generation,
      kind: version.kind,
      size: version.size,
      replaced: isoTime(version.replacedMs),
    })),
  };
}

/** Puts older versions back. */
export async function rollbackTo(
  parts: RollbackParts,
  request: RollbackRequest,
): Promise<RollbackDocument> {
  const plan = await planOf(parts, request);
  const digests = digestsOf(parts, plan);
  const presentAt = (path: BytePath): Entry | undefined => {
    const set = parts.sets.setOf(path);
    return set === undefined ? undefined : parts.scanner.manifest(set.name).get(path);
  };
  const failures: ApplyFailure[] = [];
  failures.push(...await parts.applier.stageVersions(plan.restore, presentAt));
  const generation = Math.max(parts.versions.lastGeneration(), parts.applied.generation);
  const commit = await parts.applier.commitBatch(generation);
  await parts.scanner.adopt(commit.placed);
  failures.push(...commit.failures);
  let removed = 0;
  for (const set of parts.sets.sets) {
    const leaving = plan.remove.filter((file) => file.set === set.name)
      .map(({ path }) => presentAt(path) ?? { path });
    if (leaving.length === 0) continue;
    const removal = await parts.applier.remove(set, leaving, generation);
    await parts.scanner.forget(removal.removed);
    removed += removal.removed.length;
    failures.push(...removal.failures);
  }
  await parts.applier.finish();
  await parts.scanner.flush();
  for (const [set, digest] of digests) {
    // An approval of this very content from before would end the hold at once.
    parts.halts.withdraw(set);
    parts.applied.hold(set, digest);
  }
  return {
    schema_version: schemaVersion,
    restored: commit.placed.length,
    removed,
    held: [...digests.keys()],
    problems: [
      ...failures.map(failureDocument),
      ...plan.lost.map((path) => ({
        path: displayPath(path),
        reason: 'its former content has not been kept',
      })),
    ],
  };
}

async function planOf(
  parts: RollbackParts,
  request: RollbackRequest,
): Promise<RestorePlan> {
  if (request.generation !== undefined) {
    const plan = await parts.versions.restorePlan(request.generation);
    if (plan.restore.length + plan.remove.length + plan.lost.length > 0) return plan;
    throw new ClusterError(
      'notFound',
      `Nothing is kept of generation ${request.generation} or later`,
      { remedy: 'See "muster versions" for what is' },
    );
  }
  const { version: id } = request;
  const plan = id === undefined ? undefined : parts.versions.restoreOne(id);
  if (plan !== undefined && plan.lost.length === 0) return plan;
  const message = plan === undefined
    ? `There is no version ${id}`
    : `What version ${id} of "${displayPath(plan.lost[0]!)}" held has not been kept`;
  throw new ClusterError('notFound', message, {
    remedy: 'See "muster versions" for those that are kept',
  });
}

/** The present digests of the sets that a plan touches: what they are to be held against. */
function digestsOf(parts: RollbackParts, plan: RestorePlan): Map<string, ByteString> {
  const paths: BytePath[] = [
    ...plan.restore.map((version) => version.path),
    ...plan.remove.map((file) => file.path),
  ];
  const digests = new Map<string, ByteString>();
  for (const path of paths) {
    const set = parts.sets.setOf(path);
    if (set !== undefined) digests.set(set.name, parts.scanner.manifest(set.name).rootDigest);
  }
  return digests;
}
