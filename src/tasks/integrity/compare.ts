/**
 * Finding out what differs between a worker and its master: both ends of the exchange.
 *
 *     worker                                          master
 *     integrity.check {generation, digests}      -->  same: done, one small frame each way
 *                                                <--  delta: the changed rows, if the worker's
 *                                                     content is one that was published lately
 *     integrity.digests {branches}               -->  otherwise, per differing set: 64 digests,
 *                                                <--  then those of the leaves below that differ,
 *     integrity.rows {leaves}                    -->  then the rows of the leaves that differ
 *
 * All of it speaks of one generation. If the master publishes another in between it answers
 * `stale`, and the worker begins anew.
 */
import type { ByteString } from '../../base/bytes.ts';
import { concatBytes } from '../../base/bytes.ts';
import { ClusterError, codeOf, ProtocolError } from '../../base/errors.ts';
import type { Entry, EntryChange } from '../../files/entry.ts';
import type { SetTable } from '../../files/file-set.ts';
import { type Generation, packDelta, readDelta } from '../../files/generation.ts';
import {
  differingBranches,
  fanOut,
  leafOf,
  leavesCount,
  packLeaves,
  readLeaves,
} from '../../files/digest-tree.ts';
import type { Manifest } from '../../files/manifest.ts';
import { eachRow } from '../../files/rows.ts';
import type { Publication } from '../../files/publication.ts';
import { changesFromLeaves } from '../../files/plan.ts';
import { withChanges } from '../../files/table-difference.ts';
import type { Clock, HashAlgorithm } from '../../ports.ts';
import type { HandlersFor } from '../../session/handlers.ts';
import type { Session } from '../../session/session.ts';
import { digestBytes, type ReplyOf } from '../../wire/messages.ts';
import type { SetDifference } from './judging.ts';

/** The outcome of a comparison. */
export interface Comparison {
  readonly generation: number;
  /** Sets that differ; empty where everything is in step. */
  readonly differences: readonly SetDifference[];
  /** Root digests of the master's tables, for the sets that both know. */
  readonly digests: ReadonlyMap<string, ByteString>;
  /** Sets that cannot be compared, with the reason. */
  readonly excluded: readonly { readonly set: string; readonly reason: string }[];
}

/** What a worker has, as the comparison needs it. */
export interface LocalState {
  /** Generation that was applied last; 0 for none. */
  readonly generation: number;
  readonly sets: SetTable;
  readonly algorithm: HashAlgorithm;
  manifest(set: string): Manifest;
}

/** Times that a comparison begins anew because the master published meanwhile. */
const restartsMax = 5;

/** How long a master that was just started is given for its first scan, ms, and how often asked. */
const firstScanMs = 60_000;
const firstScanPauseMs = 250;

/** Bytes of rows accepted for one set: a million files with the longest names of everyday. */
const rowsBytesMax = 256 * 1024 * 1024;

// --- the worker's end ------------------------------------------------------------------------

/** Compares the local tables with the master's latest generation. */
export async function compareWithMaster(
  ports: { readonly clock: Clock },
  session: Session,
  local: LocalState,
  signal: AbortSignal,
): Promise<Comparison> {
  const { clock } = ports;
  const startedMs = clock.monotonicMs();
  for (let restarts = 0;;) {
    try {
      const comparison = await compareOnce(clock, session, local, signal);
      await truthOf(clock, comparison, local);
      return comparison;
    } catch (error) {
      const code = codeOf(error);
      const isStarting = code === 'busy' && clock.monotonicMs() - startedMs < firstScanMs;
      if (isStarting) await clock.sleep(firstScanPauseMs, signal);
      else if (code !== 'stale' || ++restarts >= restartsMax) throw error;
    }
  }
}

async function compareOnce(
  clock: Clock,
  session: Session,
  local: LocalState,
  signal: AbortSignal,
): Promise<Comparison> {
  const names = local.sets.sets.map((set) => set.name);
  const { data, reply } = session.requestBulk('integrity.check', {
    generation: local.generation,
    sets: local.sets.sets.map((set) => ({
      name: set.name,
      rules: local.sets.rulesDigest(set),
      digest: local.manifest(set.name).rootDigest,
    })),
  }, { signal });
  const delta = await gather(data, rowsBytesMax);
  const check = await reply;
  const answers = readAnswers(check, names);
  const changes = check.state === 'delta'
    ? readDelta(delta, names, local.algorithm)
    : new Map<string, EntryChange[]>();
  const differences: SetDifference[] = [];
  for (const answer of check.sets) {
    if (answer.state !== 'differs' || answer.digest === undefined) continue;
    differences.push({
      set: answer.name,
      digest: answer.digest,
      wantedCount: answer.entriesCount,
      isApproved: answer.isApproved,
      changes: check.state === 'delta'
        ? changes.get(answer.name) ?? []
        : await narrowDown(clock, session, local, {
          generation: check.generation,
          set: answer.name,
        }, signal),
    });
  }
  return { generation: check.generation, differences, ...answers };
}

/**
 * The changes must lead to the very table whose digest the master gave.
 * @throws ProtocolError
 */
export async function truthOf(
  clock: Pick<Clock, 'breathe'>,
  comparison: Comparison,
  local: LocalState,
): Promise<void> {
  for (const { set, digest, changes } of comparison.differences) {
    const wanted = await withChanges(local.manifest(set), changes, clock);
    if (wanted.rootDigest === digest) continue;
    throw new ProtocolError(
      'unexpected',
      `The master's rows of set "${set}" do not fit its digest`,
    );
  }
}

/** Digests and exclusions from the master's answer; every set must have been asked for. */
function readAnswers(check: ReplyOf<'integrity.check'>, names: readonly string[]) {
  const digests = new Map<string, ByteString>();
  const excluded: { set: string; reason: string }[] = [];
  const expected = new Set(names);
  for (const answer of check.sets) {
    // Each set is answered for once at the most.
    if (!expected.delete(answer.name)) {
      throw new ProtocolError('unexpected', `The master answers for set "${answer.name}"`);
    }
    if (answer.digest !== undefined) digests.set(answer.name, answer.digest);
    if (answer.state === 'rules') {
      excluded.push({
        set: answer.name,
        reason: 'the master selects its files by other rules: give path, include, exclude and ' +
          'recursive the same values on both nodes',
      });
    } else if (answer.state === 'unknown') {
      excluded.push({ set: answer.name, reason: 'the master has no set of this name' });
    }
  }
  return { digests, excluded };
}

/** The wanted state of the paths that differ in one set, found through the digest tree. */
async function narrowDown(
  clock: Clock,
  session: Session,
  local: LocalState,
  about: { readonly generation: number; readonly set: string },
  signal: AbortSignal,
): Promise<EntryChange[]> {
  const mine = local.manifest(about.set);
  const leaves = mine.count === 0
    ? Array.from({ length: leavesCount }, (_, leaf) => leaf)
    : await differingLeavesWith(session, mine, about, signal);
  const { data, reply } = session.requestBulk(
    'integrity.rows',
    { ...about, leaves: packLeaves(leaves) },
    { signal },
  );
  const rows = await gather(data, rowsBytesMax);
  await reply;
  const wanted = await readByLeaf(clock, rows, local.algorithm, new Set(leaves));
  const changes: EntryChange[] = [];
  for (const leaf of leaves) {
    changes.push(...changesFromLeaves(mine.leafEntries(leaf), wanted.get(leaf) ?? []));
    await clock.breathe();
  }
  return changes;
}

async function differingLeavesWith(
  session: Session,
  mine: Manifest,
  about: { readonly generation: number; readonly set: string },
  signal: AbortSignal,
): Promise<number[]> {
  const ask = async (branches: readonly number[]) => {
    const reply = await session.request('integrity.digests', { ...about, branches }, { signal });
    const expected = (branches.length === 0 ? fanOut : branches.length * fanOut) *
      digestBytes;
    if (reply.digests.length !== expected) {
      throw new ProtocolError('malformed', `${reply.digests.length} bytes of digests`);
    }
    return reply.digests;
  };
  const branches = differingBranches(mine.branchDigests(), await ask([]));
  if (branches.length === 0) return [];
  const digests = await ask(branches);
  const bytesEach = fanOut * digestBytes;
  return branches.flatMap((branch, i) => {
    const theirs = digests.subarray(i * bytesEach, (i + 1) * bytesEach);
    return differingBranches(mine.leafDigests(branch), theirs)
      .map((leaf) => branch * fanOut + leaf);
  });
}

/** Rows read between two breaths: some 2 ms of work. */
const rowsPerBreath = 1_000;

/** The rows that the master sent, by leaf; only rows of leaves that were asked for are accepted. */
async function readByLeaf(
  clock: Clock,
  rows: Uint8Array,
  algorithm: HashAlgorithm,
  asked: ReadonlySet<number>,
): Promise<Map<number, Entry[]>> {
  const groups = new Map<number, Entry[]>();
  let count = 0;
  for (const entry of eachRow(rows, algorithm, asked)) {
    const leaf = leafOf(entry.path);
    const group = groups.get(leaf);
    if (group === undefined) groups.set(leaf, [entry]);
    else group.push(entry);
    count += 1;
    if (count % rowsPerBreath === 0) await clock.breathe();
  }
  return groups;
}

/** All bulk data in one array. */
async function gather(data: AsyncIterable<Uint8Array>, bytesMax: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of data) {
    length += chunk.length;
    if (length > bytesMax) {
      throw new ProtocolError('frameTooLarge', `More than ${bytesMax} bytes of table rows`);
    }
    chunks.push(chunk);
  }
  return concatBytes(chunks);
}

// --- the master's end ------------------------------------------------------------------------

type CompareMessages = 'integrity.check' | 'integrity.digests' | 'integrity.rows';

/** Answers to comparisons, from what has been published; never triggers a computation. */
export function compareHandlers(
  ports: { readonly clock: Clock },
  publication: Publication,
): Pick<HandlersFor<'worker'>, CompareMessages> {
  return {
    'integrity.check': async (request, context) => {
      const generation = latestOf(publication);
      const answers = request.sets.map((asked) => answerFor(publication, generation, asked));
      const compared = request.sets.filter((_, i) => answers[i]!.digest !== undefined);
      if (answers.every((answer) => answer.state !== 'differs')) {
        return { generation: generation.number, state: 'same', sets: answers };
      }
      const roots = new Map(compared.map((asked) => [asked.name, asked.digest]));
      const delta = publication.history.delta(roots);
      if (delta === undefined) {
        return { generation: generation.number, state: 'differs', sets: answers };
      }
      const names = request.sets.map((asked) => asked.name);
      await context.send(packDelta(delta.changes, names));
      return { generation: generation.number, state: 'delta', sets: answers };
    },
    'integrity.digests': (request) => {
      const manifest = manifestOf(publication, request.generation, request.set);
      if (request.branches.length === 0) return { digests: manifest.branchDigests() };
      const digests = new Uint8Array(request.branches.length * fanOut * digestBytes);
      request.branches.forEach((branch, i) => {
        digests.set(manifest.leafDigests(branch), i * fanOut * digestBytes);
      });
      return { digests };
    },
    'integrity.rows': async (request, context) => {
      // The table is immutable: what is published meanwhile does not disturb this answer.
      const manifest = manifestOf(publication, request.generation, request.set);
      for await (const rows of inLargeChunks(ports.clock, manifest, readLeaves(request.leaves))) {
        await context.send(rows);
      }
      return {};
    },
  };
}

function answerFor(
  publication: Publication,
  generation: Generation,
  asked: { readonly name: string; readonly rules: ByteString; readonly digest: ByteString },
) {
  const { name } = asked;
  const manifest = generation.manifests.get(name);
  const set = publication.sets.sets.find((candidate) => candidate.name === name);
  const nothing = { name, digest: undefined, entriesCount: 0, isApproved: false };
  if (manifest === undefined || set === undefined) return { ...nothing, state: 'unknown' as const };
  if (publication.sets.rulesDigest(set) !== asked.rules) {
    return { ...nothing, state: 'rules' as const };
  }
  const digest = manifest.rootDigest;
  return {
    name,
    state: digest === asked.digest ? 'same' as const : 'differs' as const,
    digest,
    entriesCount: manifest.count,
    isApproved: publication.isApproved(name, digest),
  };
}

function latestOf(publication: Publication): Generation {
  const generation = publication.latest.value;
  if (generation === undefined) {
    throw new ClusterError('busy', 'The master has not finished its first scan yet');
  }
  return generation;
}

function manifestOf(publication: Publication, number: number, set: string): Manifest {
  const generation = latestOf(publication);
  if (generation.number !== number) {
    throw new ClusterError('stale', `Generation ${number} is no longer the latest`);
  }
  const manifest = generation.manifests.get(set);
  if (manifest === undefined) throw new ClusterError('notFound', `There is no set "${set}"`);
  return manifest;
}

/** The rows of the leaves asked for, gathered into chunks that are worth a frame each. */
async function* inLargeChunks(
  clock: Clock,
  manifest: Manifest,
  leaves: readonly number[],
): AsyncGenerator<Uint8Array> {
  const chunkBytes = 128 * 1024;
  let parts: Uint8Array[] = [];
  let length = 0;
  for (const leaf of leaves) {
    const rows = manifest.leafRows(leaf);
    parts.push(rows);
    length += rows.length;
    if (length < chunkBytes) continue;
    yield concatBytes(parts);
    parts = [];
    length = 0;
    await clock.breathe();
  }
  if (length > 0) yield concatBytes(parts);
}
