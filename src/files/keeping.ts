/**
 * Looks at what is at a path before it is changed, and keeps it.
 *
 * The master's content wins over whatever stands at a managed path of a worker, also over a change
 * that was made here a moment ago; but what it replaces is kept. Only what is no regular file at all
 * is left alone: that was put there on purpose.
 */
import { type BytePath, displayPath } from '../base/bytes.ts';
import { ClusterError, codeOf } from '../base/errors.ts';
import type { FileFacts, Logger, TreeReader, TreeWriter } from '../ports.ts';
import type { Entry } from './entry.ts';
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
  readonly files: Pick<TreeReader, 'facts'> & Pick<TreeWriter, 'keepVersion'>;
  readonly log: Logger;
  readonly versions: VersionStore;
  /** Makes up a name that no other version has. */
  readonly freshName: () => string;
}

/**
 * Keeps what is at a path. The kind of the result is `created` where nothing is there, `given-up`
 * where versions are not kept.
 * @throws ClusterError `refused` where something stands there that is no regular file
 */
export async function keepPresent(ports: KeepingPorts, changing: Changing): Promise<NewVersion> {
  const { path } = changing;
  const present = await presentAt(ports, path);
  if (present.kind === 'nothing') return describe(changing, 'created', undefined, undefined);
  if (present.kind === 'file') {
    const { name, facts } = present;
    const version = describe(changing, name === undefined ? 'given-up' : 'replaced', name, facts);
    if (version.hash === undefined) {
      const what = name === undefined ? 'replaced' : 'replaced, and kept as a version';
      ports.log.log('info', `"${displayPath(path)}" was changed on this node: ${what}`);
    }
    return version;
  }
  throw new ClusterError(
    'refused',
    `Cannot place "${displayPath(path)}": ${kindNames[present.kind]} stands in its place`,
    { remedy: 'Move it away' },
  );
}

/**
 * Keeps a file that is about to be removed. Undefined where there is none: nothing, or something
 * that is no regular file and so none of ours.
 */
export async function keepLeaving(
  ports: KeepingPorts,
  changing: Changing,
): Promise<NewVersion | undefined> {
  const present = await presentAt(ports, changing.path);
  if (present.kind !== 'file') return undefined;
  const { name, facts } = present;
  return describe(changing, name === undefined ? 'given-up' : 'removed', name, facts);
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

async function presentAt(ports: KeepingPorts, path: BytePath): Promise<Present> {
  const { files, versions } = ports;
  if (versions.keepCount === 0) {
    const facts = await files.facts(path);
    if (facts === undefined) return { kind: 'nothing' };
    return facts.kind === 'file' ? { kind: 'file', name: undefined, facts } : { kind: facts.kind };
  }
  const name = ports.freshName();
  try {
    const facts = await files.keepVersion(path, name);
    return facts === undefined ? { kind: 'nothing' } : { kind: 'file', name, facts };
  } catch (error) {
    if (codeOf(error) !== 'refused') throw error;
    const kind = (await files.facts(path))?.kind;
    // Refused though it is a file, or not there: something on the way is no directory.
    if (kind === undefined || kind === 'file') throw error;
    return { kind };
  }
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
