/**
 * Hashes of many files: small ones several at a time, large ones piece by piece.
 *
 * A file counts as hashed only where its facts were the same before and after it was read. Never
 * holds the loop longer than a slice of work.
 */
import * as fs from 'node:fs';
import type { BytePath, ByteString } from '../base/bytes.ts';
import { throwIfAborted } from '../base/async.ts';
import type { Clock, FileFacts, HashAlgorithm, Hashing, HashOutcome } from '../ports.ts';
import {
  isStillUnchanged,
  readAtOnce,
  readFlags,
  readPieces,
  regularFacts,
  smallBytesMax,
} from './descriptors.ts';
import {
  BlockedPathError,
  failureReason,
  fileError,
  saysAbsent,
  systemCode,
} from './file-errors.ts';
import { Md5Lanes } from './md5-lanes.ts';
import type { ReadAhead } from './read-ahead.ts';
import type { RootedDirectory, Walk } from './rooted-directory.ts';
import { concurrently, inSlices } from './slices.ts';

/**
 * A file that took longer than this to read made the loop wait for the disk, ms; for a while from
 * then on files are read on other threads, a few at a time, which is slower only on a fast disk.
 * One for which nothing came from a disk was not waited for: the machine ran others meanwhile.
 */
const slowReadMs = 20;
const slowPeriodMs = 1000;

/** Files read on other threads at a time: what the runtimes have threads for. */
const readersCount = 4;

/** Files after which the lanes have saved what making them costs. */
const lanesPayCount = 2_000;

/** What hashing files works with. */
export interface HasherPorts {
  readonly root: RootedDirectory;
  readonly clock: Pick<Clock, 'monotonicMs' | 'breathe'>;
  readonly hashing: Hashing;
  /** A count that grows whenever something is read from a disk, and not from memory. */
  readonly diskReads: () => number;
}

/** Hashes the files of a tree. */
export class FileHasher {
  readonly #ports: HasherPorts;
  readonly #readAhead: ReadAhead;
  readonly #buffer = new Uint8Array(smallBytesMax);
  /** Made when there are many files; null where the engine cannot run it. */
  #lanes: Md5Lanes | null | undefined;
  #filesCount = 0;
  #slowUntilMs = -Infinity;

  constructor(ports: HasherPorts, readAhead: ReadAhead) {
    this.#ports = ports;
    this.#readAhead = readAhead;
  }

  /** As `TreeReader.hash`. */
  async hash(
    paths: readonly BytePath[],
    algorithm: HashAlgorithm,
    signal: AbortSignal,
  ): Promise<HashOutcome[]> {
    this.#filesCount += paths.length;
    const outcomes = Array.from<HashOutcome>({ length: paths.length });
    const deferred: number[] = [];
    const upcoming = this.#readAhead.of(paths);
    const slice = (start: number, mayGoOn: () => boolean): number => {
      const readsBefore = this.#ports.diskReads();
      const batch = this.#batch(algorithm, outcomes);
      const walk = this.#walkInside();
      let index = start;
      try {
        do {
          upcoming.reach(index, walk);
          if (!this.#hashAtOnce(walk, paths[index]!, index, batch, readsBefore)) {
            deferred.push(index);
          }
          index++;
        } while (index < paths.length && mayGoOn());
      } finally {
        walk.close();
        // Before anything else runs: the memory of the lanes is shared.
        batch.flush();
        this.#readAhead.learn(readsBefore);
      }
      return index;
    };
    await inSlices(this.#ports.clock, paths.length, slice, signal);
    await concurrently(readersCount, deferred, async (index) => {
      outcomes[index] = await this.#hashPieces(paths[index]!, algorithm, signal);
    });
    return outcomes;
  }

  /**
   * Hashes a file, or says why not; false where it should not be read at once.
   * @param readsBefore what had come from a disk when the slice began
   */
  #hashAtOnce(
    walk: Walk,
    path: BytePath,
    index: number,
    batch: Batch,
    readsBefore: number,
  ): boolean {
    const startMs = this.#ports.clock.monotonicMs();
    if (startMs < this.#slowUntilMs) return false;
    const isSmall = hashSmall(walk, path, index, batch);
    const endMs = this.#ports.clock.monotonicMs();
    if (endMs - startMs > slowReadMs && this.#ports.diskReads() > readsBefore) {
      this.#slowUntilMs = endMs + slowPeriodMs;
    }
    return isSmall;
  }

  async #hashPieces(
    path: BytePath,
    algorithm: HashAlgorithm,
    signal: AbortSignal,
  ): Promise<HashOutcome> {
    let descriptor: number | undefined;
    try {
      descriptor = this.#open(path);
      const before = regularFacts(descriptor);
      const hasher = this.#ports.hashing.create(algorithm);
      let size = 0;
      for await (const piece of readPieces(this.#ports.clock, descriptor, before.size)) {
        throwIfAborted(signal);
        hasher.update(piece);
        size += piece.length;
      }
      const isWhole = size === before.size && isStillUnchanged(before, descriptor);
      if (!isWhole) return { kind: 'changed' };
      return { kind: 'hashed', hash: hasher.digest(), facts: before };
    } catch (error) {
      throwIfAborted(signal);
      return outcomeOf(error);
    } finally {
      if (descriptor !== undefined) fs.closeSync(descriptor);
    }
  }

  #open(path: BytePath): number {
    const walk = this.#ports.root.walk();
    try {
      return fs.openSync(walk.locate(path), readFlags);
    } finally {
      walk.close();
    }
  }

  #walkInside(): Walk {
    try {
      return this.#ports.root.walkInside();
    } catch (error) {
      throw fileError('read', '', error, 'reader');
    }
  }

  #batch(algorithm: HashAlgorithm, outcomes: HashOutcome[]): Batch {
    const digestOne = (bytes: Uint8Array) => this.#ports.hashing.digest(algorithm, bytes);
    const isWorthLanes = this.#filesCount > lanesPayCount && algorithm === 'md5';
    if (this.#lanes === undefined && isWorthLanes) {
      this.#lanes = Md5Lanes.create(digestOne) ?? null;
    }
    const lanes = algorithm === 'md5' ? this.#lanes ?? undefined : undefined;
    return new Batch(outcomes, this.#buffer, digestOne, lanes);
  }
}

// ---

/** The small files of one slice. */
class Batch {
  readonly outcomes: HashOutcome[];
  readonly #buffer: Uint8Array;
  readonly #digestOne: (bytes: Uint8Array) => ByteString;
  readonly #lanes: Md5Lanes | undefined;
  #waiting: { readonly index: number; readonly facts: FileFacts }[] = [];

  constructor(
    outcomes: HashOutcome[],
    buffer: Uint8Array,
    digestOne: (bytes: Uint8Array) => ByteString,
    lanes: Md5Lanes | undefined,
  ) {
    this.outcomes = outcomes;
    this.#buffer = buffer;
    this.#digestOne = digestOne;
    this.#lanes = lanes;
  }

  /** Reads the next file, of at most `smallBytesMax`; gives the number of bytes that it has. */
  read(descriptor: number, size: number): number {
    const lanes = this.#lanes;
    if (lanes === undefined) return readAtOnce(descriptor, this.#buffer, 0, 0, size);
    if (!lanes.hasRoom(size)) this.flush();
    // Not through a view of the room: that would cost as much as reading.
    return readAtOnce(descriptor, lanes.memory, 0, lanes.end, size);
  }

  /** Takes in the file that was read last. */
  add(index: number, facts: FileFacts): void {
    if (this.#lanes === undefined) {
      const hash = this.#digestOne(this.#buffer.subarray(0, facts.size));
      this.outcomes[index] = { kind: 'hashed', hash, facts };
    } else {
      this.#lanes.add(facts.size);
      this.#waiting.push({ index, facts });
    }
  }

  /** Hashes those that wait for it. */
  flush(): void {
    const hashes = this.#lanes?.digests() ?? [];
    for (const [at, { index, facts }] of this.#waiting.entries()) {
      this.outcomes[index] = { kind: 'hashed', hash: hashes[at]!, facts };
    }
    this.#waiting = [];
  }
}

/** Hashes a file, or says why not; false where it is too large to be read at once. */
function hashSmall(walk: Walk, path: BytePath, index: number, batch: Batch): boolean {
  let descriptor: number | undefined;
  try {
    descriptor = fs.openSync(walk.locate(path), readFlags);
    const before = regularFacts(descriptor);
    if (before.size > smallBytesMax) return false;
    const count = batch.read(descriptor, before.size);
    const isWhole = count === before.size && isStillUnchanged(before, descriptor);
    if (isWhole) batch.add(index, before);
    else batch.outcomes[index] = { kind: 'changed' };
  } catch (error) {
    batch.outcomes[index] = outcomeOf(error);
  } finally {
    if (descriptor !== undefined) fs.closeSync(descriptor);
  }
  return true;
}

function outcomeOf(error: unknown): HashOutcome {
  const code = systemCode(error);
  const isElsewhere = error instanceof BlockedPathError || code === 'ELOOP' || code === 'ENOTDIR';
  if (isElsewhere || saysAbsent(error)) return { kind: 'vanished' };
  return { kind: 'unreadable', reason: failureReason(error) };
}
