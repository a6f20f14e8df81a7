/**
 * The reading half of the Files port of a simulated node.
 *
 * Every verb takes its time, and sees the disk as it is at one moment. A hash takes two: facts and
 * content are those of the first, and where the facts differ at the second, the file `changed`. On
 * a disk with coarse times a change in between can go unseen, as on a real one.
 */
import { throwIfAborted } from '../../src/base/async.ts';
import { type BytePath, displayPath } from '../../src/base/bytes.ts';
import { ClusterError, describeError } from '../../src/base/errors.ts';
import type {
  DirectoryItem,
  DirectoryListing,
  HashAlgorithm,
  HashOutcome,
  OpenFile,
  TreeReader,
} from '../../src/ports.ts';
import type { SimDisk } from './disk.ts';
import { simHashing } from './hashing.ts';
import { factsOf, type Inode, sameFacts, walk } from './inode.ts';
import type { Life } from './life.ts';

/** So many files are hashed at the same time. */
const HASHED_AT_ONCE = 16;
/** What a disk reads in a millisecond. */
const READ_BYTES_PER_MS = 1_000_000;

/** Reads the managed tree of a disk for one incarnation. */
export function treeReader(life: Life, disk: SimDisk): TreeReader {
  return {
    list: (directory, needsFacts) =>
      disk.perform(life, 'list', directory, () => list(disk, directory, needsFacts)),

    facts: (path) =>
      disk.perform(life, 'facts', path, () => {
        disk.mustAllow(path, 'facts', 'look at');
        const found = walk(disk.root, path);
        return found.kind === 'found' ? factsOf(found.inode) : undefined;
      }),

    hash: async (paths, algorithm, signal) => {
      const outcomes: HashOutcome[] = [];
      for (let at = 0; at < paths.length; at += HASHED_AT_ONCE) {
        throwIfAborted(signal);
        const batch = paths.slice(at, at + HASHED_AT_ONCE);
        outcomes.push(...await hashBatch(life, disk, batch, algorithm));
      }
      return outcomes;
    },

    readAll: async (paths, bytesMax) => {
      const contents: (Uint8Array | Error)[] = [];
      for (const path of paths) {
        contents.push(
          await disk.perform(life, 'read', path, () => readWhole(disk, path, bytesMax)),
        );
      }
      return contents;
    },

    open: (path) =>
      disk.perform(life, 'open', path, () => {
        disk.mustAllow(path, 'read', 'open');
        const found = walk(disk.root, path);
        if (found.kind !== 'found' || found.inode.kind !== 'file') throw notThere('open', path);
        return openFile(life, disk, path, found.inode);
      }),
  };
}

// ---

function list(disk: SimDisk, directory: BytePath, needsFacts = true): DirectoryListing {
  disk.mustAllow(directory, 'read', 'list');
  const found = walk(disk.root, directory);
  if (found.kind !== 'found' || found.inode.kind !== 'directory') throw notThere('list', directory);
  const items: DirectoryItem[] = [];
  const unreadable = (disk.unreadableNames.get(directory) ?? [])
    .map((shownName) => ({ shownName, reason: 'the name cannot be represented' }));
  // No file system promises an order.
  for (const [name, inode] of disk.random.shuffled([...found.inode.children])) {
    const path = directory === '' ? name : `${directory}/${name}`;
    if (inode.kind === 'file' && !needsFacts) {
      items.push({ name, kind: 'file', facts: undefined });
    } else if (disk.isDenied(path, 'facts')) {
      unreadable.push({ shownName: displayPath(name), reason: 'not permitted' });
    } else {
      const facts = factsOf(inode);
      items.push({ name, kind: facts.kind, facts });
    }
  }
  return { items, unreadable };
}

function readWhole(disk: SimDisk, path: BytePath, bytesMax: number): Uint8Array | Error {
  try {
    disk.mustAllow(path, 'read', 'read');
    const found = walk(disk.root, path);
    if (found.kind !== 'found' || found.inode.kind !== 'file') throw notThere('read', path);
    const bytes = found.inode.body.view();
    if (bytes.length <= bytesMax) return bytes.slice();
    throw new ClusterError('changed', `"${displayPath(path)}" has grown`);
  } catch (error) {
    if (error instanceof ClusterError) return error;
    throw error;
  }
}

async function hashBatch(
  life: Life,
  disk: SimDisk,
  paths: readonly BytePath[],
  algorithm: HashAlgorithm,
): Promise<HashOutcome[]> {
  const first = paths[0] ?? '';
  const starts = await disk.perform(life, 'hash', first, () => {
    return paths.map((path) => startHash(disk, path));
  });
  const bytesCount = starts.reduce(
    (sum, start) => sum + ('copy' in start ? start.copy.length : 0),
    0,
  );
  return life.operation(`has hashed ${first}`, bytesCount / READ_BYTES_PER_MS, () => {
    return starts.map((start): HashOutcome => {
      if (!('copy' in start)) return start;
      if (!sameFacts(factsOf(start.inode), start.facts)) return { kind: 'changed' };
      const hash = simHashing.digest(algorithm, start.copy);
      return { kind: 'hashed', hash, facts: start.facts };
    });
  });
}

interface HashStart {
  readonly inode: Inode;
  readonly facts: ReturnType<typeof factsOf>;
  readonly copy: Uint8Array;
}

function startHash(disk: SimDisk, path: BytePath): HashStart | HashOutcome {
  try {
    disk.fault({ verb: 'hash one', path });
    disk.mustAllow(path, 'read', 'read');
  } catch (error) {
    return { kind: 'unreadable', reason: describeError(error) };
  }
  const found = walk(disk.root, path);
  if (found.kind !== 'found' || found.inode.kind !== 'file') return { kind: 'vanished' };
  const { inode } = found;
  return { inode, facts: factsOf(inode), copy: inode.body.view().slice() };
}

function openFile(life: Life, disk: SimDisk, path: BytePath, inode: Inode): OpenFile {
  const handle = life.open('file', path);
  let isOpen = true;
  const mustBeOpen = (): void => {
    if (!isOpen) throw new Error(`File "${displayPath(path)}" was closed`);
  };
  return {
    facts: factsOf(inode),
    read: (offset, length, memory) =>
      disk.perform(life, 'read', path, () => {
        mustBeOpen();
        const bytes = inode.body.view().slice(offset, offset + length);
        if (memory === undefined) return bytes;
        memory.set(bytes);
        return memory.subarray(0, bytes.length);
      }),
    currentFacts: () =>
      disk.perform(life, 'facts', path, () => {
        mustBeOpen();
        return factsOf(inode);
      }),
    close: async () => {
      isOpen = false;
      life.close(handle);
    },
  };
}

function notThere(verb: string, path: BytePath): ClusterError {
  return new ClusterError('notFound', `Cannot ${verb} "${displayPath(path)}": it is not there`);
}
