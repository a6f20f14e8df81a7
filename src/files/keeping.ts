/**
 * Looks at what is at paths before they are changed, and keeps it.
 *
 * The master's content wins over whatever stands at a managed path of a worker, also over a change
 * that was made here a moment ago; but what it replaces is kept. Only what is no regular file at all
 * is left alone: that was put there on purpose. Directories without anything in them make room
 * before (`empty-directories.ts`).
 */
import { type BytePath, displayPath } from '../base/bytes.ts';
import { ClusterError, codeOf } from '../base/errors.ts';
import type { FileFacts, Logger, TreeReader, TreeWriter } from '../ports.ts';
import type { Entry } from './entry.ts';
import { failureOf } from './staging.ts';
import type { NewVersion, VersionStore } from './version-store.ts';

/** A path that is about to be changed, with what is thought to be there. */
export interface Changing {
  readonly path: BytePath;
  /** Name of the set. */
  readonly set: string;
  /** The generation that brings the change. */
  readonly generation: number;
  readonly previous: Partial<Entry> | undefined;
}

/** What keeping needs. */
export interface KeepingPorts {
  readonly files: Pick<TreeReader, 'facts'> & Pick<TreeWriter, 'keepVersions'>;
  readonly log: Logger;
  readonly versions: VersionStore;
  /** Makes up a name that no other version has. */
  readonly freshName: () => string;
}

/**
 * Keeps what is at paths. The kind of a result is `created` where nothing is there, `given-up` where
 * versions are not kept. In place of one there is an error where the path must not be changed:
 * ClusterError `refused` where something stands there that is no regular file.
 */
export async function keepPresent(
  ports: KeepingPorts,
  changing: readonly Changing[],
): Promise<(NewVersion | Error)[]> {
  const present = await presentAt(ports, changing);
  return changing.map((each, at) => versionOf(ports, each, present[at]!));
}

/**
 * Keeps files that are about to be removed. Undefined where there is none: nothing, or something
 * that is no regular file and so none of ours.
 */
export async function keepLeaving(
  ports: KeepingPorts,
  changing: readonly Changing[],
): Promise<(NewVersion | Error | undefined)[]> {
  const present = await presentAt(ports, changing);
  return changing.map((each, at) => {
    const found = present[at]!;
    if (found instanceof Error) return found;
    if (found.kind !== 'file') return undefined;
    const { name, facts } = found;
    return describe(each, name === undefined ? 'given-up' : 'removed', name, facts);
  });
}

// ---

/** What is at a path. A file has been kept under `name` where versions are kept. */
type Present =
  | { readonly kind: 'nothing' | 'directory' | 'symlink' | 'other' }
  | {
    readonly kind: 'file';
    readonly name: string | undefined;
    readonly facts: FileFacts;
  };

const kindNames = {
  directory: 'a directory',
  symlink: 'a symbolic link',
  other: 'a special file',
} as const;

async function presentAt(
  { files, versions, freshName }: KeepingPorts,
  changing: readonly Changing[],
): Promise<(Present | Error)[]> {
  if (versions.keepCount === 0) {
    const present: (Present | Error)[] = [];
    for (const { path } of changing) present.push(await lookAt(files, path));
    return present;
  }
  const kept = changing.map(({ path }) => ({ path, versionName: freshName() }));
  const outcomes = await files.keepVersions(kept);
  const present: (Present | Error)[] = [];
  for (const [at, { path, versionName }] of kept.entries()) {
    const outcome = outcomes[at];
    if (outcome === undefined) present.push({ kind: 'nothing' });
    else if (!(outcome instanceof Error)) {
      present.push({ kind: 'file', name: versionName, facts: outcome });
    } else present.push(await blockedAt(files, path, outcome));
  }
  return present;
}

/** What stands at a path and cannot be kept; the error where that is not for what it is. */
async function blockedAt(
  files: Pick<TreeReader, 'facts'>,
  path: BytePath,
  error: Error,
): Promise<Present | Error> {
  if (codeOf(error) !== 'refused') return error;
  const present = await lookAt(files, path);
  // Refused though it is a file, or not there: something on the way is no directory.
  const isOnTheWay = !(present instanceof Error) && ['nothing', 'file'].includes(present.kind);
  return isOnTheWay ? error : present;
}

async function lookAt(
  files: Pick<TreeReader, 'facts'>,
  path: BytePath,
): Promise<Present | Error> {
  try {
    const facts = await files.facts(path);
    if (facts === undefined) return { kind: 'nothing' };
    return facts.kind === 'file' ? { kind: 'file', name: undefined, facts } : { kind: facts.kind };
  } catch (error) {
    return failureOf(path, error).error;
  }
}

/** The version of a path that is to be placed at, or why nothing may be placed there. */
function versionOf(
  { log }: KeepingPorts,
  changing: Changing,
  present: Present | Error,
): NewVersion | Error {
  const { path } = changing;
  if (present instanceof Error) return present;
  if (present.kind === 'nothing') return describe(changing, 'created', undefined, undefined);
  if (present.kind === 'file') {
    const { name, facts } = present;
    const version = describe(changing, name === undefined ? 'given-up' : 'replaced', name, facts);
    if (version.hash === undefined) {
      const what = name === undefined ? 'replaced' : 'replaced, and kept as a version';
      log.log('info', `"${displayPath(path)}" was changed on this node: ${what}`);
    }
    return version;
  }
  return new ClusterError(
    'refused',
    `Cannot place "${displayPath(path)}": ${kindNames[present.kind]} stands in its place`,
    { remedy: 'Move it away' },
  );
}

/** The version; its hash is known where the file still looks as it did. */
function describe(
  changing: Changing,
  kind: NewVersion['kind'],
  name: string | undefined,
  facts: FileFacts | undefined,
): NewVersion {
  const { path, set, generation, previous } = changing;
  const size = facts?.size ?? 0;
  const mtimeMs = Math.floor(facts?.mtimeMs ?? 0);
  const isKnown = previous?.size === size && previous.mtimeMs === mtimeMs;
  const hash = isKnown && facts !== undefined ? previous.hash : undefined;
  return { path, set, generation, kind, name, hash, size, mtimeMs };
}
