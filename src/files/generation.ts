/**
 * Generations: the states of all sets that the master has published, numbered, and the differences
 * between those of late.
 *
 * The history keeps changes, not tables: of each retained generation the root digests of its sets,
 * and what changed to the next one. A worker that holds the content of any of them, whatever
 * number it believes to hold, gets the difference in one round trip.
 *
 * Packed, a delta is one row for each change, sorted by set and path: u8 kind, u8 index of the set,
 * then for kind 0 the row of the entry (see `rows.ts`), for kind 1 (removed) u16 length and path.
 */
import { type BytePath, type ByteString, compareByteStrings, fromText } from '../base/bytes.ts';
import { ByteReader, ByteWriter } from '../base/cursor.ts';
import { invariant } from '../base/errors.ts';
import type { HashAlgorithm } from '../ports.ts';
import { digestBytes } from './digest-tree.ts';
import type { EntryChange } from './entry.ts';
import type { Manifest, ManifestOptions } from './manifest.ts';
import { malformed, packPath, packRow, readPath, readRow } from './rows.ts';

/** One published state of all sets. */
export interface Generation {
  /** Counts up from 1 with each publication. */
  readonly number: number;
  /** Wall-clock time of publication, milliseconds since 1970. */
  readonly createdMs: number;
  /** The table of each set, by name. */
  readonly manifests: ReadonlyMap<string, Manifest>;
  /** Digest over the names and root digests of all sets. */
  readonly digest: ByteString;
}

/** Changes by set, those of a set sorted by path. */
export type Changes = ReadonlyMap<string, readonly EntryChange[]>;

/** What changed since a retained generation. */
export interface Delta {
  /** The generation that the changes lead away from. */
  readonly fromNumber: number;
  /** The state now of every path that changed; no set without changes. */
  readonly changes: Changes;
}

/** The last publication, as it differs from the one before. */
export interface LastStep {
  readonly toNumber: number;
  /** Root digests of the sets before it, by name. */
  readonly roots: ReadonlyMap<string, ByteString>;
  readonly changes: Changes;
  readonly changesCount: number;
}

/** What the history keeps at most. */
export interface HistoryOptions {
  /**
   * Changes in all retained generations together, and so in the largest delta. Merging and packing
   * so many holds the loop for some 10 ms each, reading them for some 40; a worker that is further
   * behind narrows the difference down instead, which goes in small steps.
   * @default 20,000
   */
  readonly changesMax?: number;
  /**
   * Retained generations: at one a second enough for a worker that was away for minutes.
   * @default 256
   */
  readonly generationsMax?: number;
}

/** Makes a generation, computing its digest. */
export function makeGeneration(
  parts: Omit<Generation, 'digest'> & ManifestOptions,
): Generation {
  const { number, createdMs, manifests, hashing, algorithm } = parts;
  const writer = new ByteWriter();
  for (const name of [...manifests.keys()].sort()) {
    const bytes = fromText(name);
    writer.u16(bytes.length);
    writer.text(bytes);
    writer.text(manifests.get(name)!.rootDigest);
  }
  const digest = hashing.digest(algorithm, writer.view()).slice(0, digestBytes);
  return { number, createdMs, manifests, digest };
}

/** The differences between the latest generation and those before it. */
export class GenerationHistory {
  readonly #changesMax: number;
  readonly #generationsMax: number;
  /** Retained generations before the latest, oldest first. */
  readonly #steps: Step[] = [];
  #latest: Step | undefined;
  #changesCount = 0;
  /** Merged deltas by the number they start from: many workers ask for the same one. */
  readonly #merged = new Map<number, Delta>();

  constructor(options: HistoryOptions = {}) {
    this.#changesMax = options.changesMax ?? 20_000;
    this.#generationsMax = options.generationsMax ?? 256;
  }

  /**
   * Takes up a publication. `changes` lead from the one to the other; sets without changes may be
   * left out. A `previous` that is not the latest one recorded starts the history anew, and so
   * does undefined.
   */
  record(previous: Generation | undefined, next: Generation, changes: Changes): void {
    this.#merged.clear();
    if (previous === undefined || previous.number !== this.#latest?.number) this.#forgetAll();
    if (previous !== undefined) {
      const step = { ...stepOf(previous), changes, changesCount: countChanges(changes) };
      this.#steps.push(step);
      this.#changesCount += step.changesCount;
    }
    this.#latest = stepOf(next);
    while (
      this.#steps.length > this.#generationsMax || this.#changesCount > this.#changesMax
    ) {
      this.#changesCount -= this.#steps.shift()!.changesCount;
    }
  }

  /** What the latest publication changed; undefined where that is not retained. */
  get lastStep(): LastStep | undefined {
    const step = this.#steps.at(-1);
    if (step === undefined || this.#latest === undefined) return undefined;
    const { changes } = this.#mergedFrom(this.#steps.length - 1);
    const { roots, changesCount } = step;
    return { toNumber: this.#latest.number, roots, changes, changesCount };
  }

  /**
   * What changed since the newest retained generation in which each of these sets had this root
   * digest, the latest included; undefined where there is none. Other sets are left out.
   */
  delta(fromRoots: ReadonlyMap<string, ByteString>): Delta | undefined {
    const { steps, latest } = { steps: this.#steps, latest: this.#latest };
    if (latest === undefined) return undefined;
    for (let i = steps.length; i >= 0; i--) {
      const step = steps[i] ?? latest;
      let isMatch = true;
      for (const [name, root] of fromRoots) {
        const known = step.roots.get(name);
        // Changes do not lead across a time in which there was no such set.
        if (known === undefined) return undefined;
        isMatch &&= known === root;
      }
      if (isMatch) return restrict(this.#mergedFrom(i), fromRoots);
    }
    return undefined;
  }

  /** The merged changes of all steps from one on. */
  #mergedFrom(index: number): Delta {
    const fromNumber = (this.#steps[index] ?? this.#latest!).number;
    const known = this.#merged.get(fromNumber);
    if (known !== undefined) return known;
    const merged = { fromNumber, changes: mergeChanges(this.#steps.slice(index)) };
    if (this.#merged.size >= mergedMax) this.#merged.clear();
    this.#merged.set(fromNumber, merged);
    return merged;
  }

  #forgetAll(): void {
    this.#steps.length = 0;
    this.#changesCount = 0;
  }
}

/** Packs changes; the sets are named by their index in `setNames`. */
export function packDelta(changes: Changes, setNames: readonly string[]): Uint8Array {
  const writer = new ByteWriter();
  let setsCount = 0;
  for (const [index, name] of setNames.entries()) {
    const ofSet = changes.get(name);
    if (ofSet === undefined) continue;
    setsCount++;
    let before = '';
    for (const { path, entry } of ofSet) {
      invariant(before < path, 'changes are sorted by path');
      before = path;
      writer.u8(entry === undefined ? REMOVED : PRESENT);
      writer.u8(index);
      if (entry === undefined) packPath(writer, path);
      else packRow(writer, entry);
    }
  }
  invariant(setsCount === changes.size, 'every changed set has an index');
  return writer.finish();
}

/**
 * Reads changes that a peer packed.
 * @throws ProtocolError `malformed`
 */
export function readDelta(
  bytes: Uint8Array,
  setNames: readonly string[],
  algorithm: HashAlgorithm,
): Map<string, EntryChange[]> {
  const reader = new ByteReader(bytes);
  const changes = new Map<string, EntryChange[]>();
  let indexBefore = -1;
  let pathBefore: BytePath = '';
  let ofSet: EntryChange[] = [];
  while (reader.remaining > 0) {
    const kind = reader.u8();
    const index = reader.u8();
    const name = setNames[index];
    if (name === undefined) throw malformed(`A delta names the set ${index} of ${setNames.length}`);
    if (index < indexBefore) throw malformed('The sets of a delta are out of order');
    if (index > indexBefore) {
      ofSet = [];
      changes.set(name, ofSet);
      indexBefore = index;
      pathBefore = '';
    }
    const change = readChange(reader, kind, algorithm);
    if (change.path <= pathBefore) throw malformed('The paths of a delta are out of order');
    pathBefore = change.path;
    ofSet.push(change);
  }
  return changes;
}

// ---------------------------------------------------------------------------------------------

const PRESENT = 0;
const REMOVED = 1;

/** Merged deltas kept: the one since the generation before, and those of some stragglers. */
const mergedMax = 8;

/** A retained generation, and what changed to the next one. */
interface Step {
  readonly number: number;
  readonly roots: ReadonlyMap<string, ByteString>;
  readonly changes: Changes;
  readonly changesCount: number;
}

function stepOf(generation: Generation): Step {
  const roots = new Map<string, ByteString>();
  for (const [name, manifest] of generation.manifests) roots.set(name, manifest.rootDigest);
  return { number: generation.number, roots, changes: new Map(), changesCount: 0 };
}

function countChanges(changes: Changes): number {
  return changes.values().reduce((sum, ofSet) => sum + ofSet.length, 0);
}

/** The changes of several steps as those of one: of two changes of a path the later counts. */
function mergeChanges(steps: readonly Step[]): Changes {
  const byPath = new Map<string, Map<BytePath, EntryChange>>();
  for (const { changes } of steps) {
    for (const [name, ofSet] of changes) {
      const merged = byPath.get(name) ?? new Map<BytePath, EntryChange>();
      byPath.set(name, merged);
      for (const change of ofSet) merged.set(change.path, change);
    }
  }
  const sorted = new Map<string, readonly EntryChange[]>();
  for (const [name, merged] of byPath) {
    if (merged.size === 0) continue;
    sorted.set(
      name,
      [...merged.values()].sort((left, right) => compareByteStrings(left.path, right.path)),
    );
  }
  return sorted;
}

/** A delta without the sets that were not asked for. */
function restrict(delta: Delta, asked: ReadonlyMap<string, unknown>): Delta {
  const changes = [...delta.changes].filter(([name]) => asked.has(name));
  return { fromNumber: delta.fromNumber, changes: new Map(changes) };
}

function readChange(reader: ByteReader, kind: number, algorithm: HashAlgorithm): EntryChange {
  if (kind === PRESENT) {
    const entry = readRow(reader, algorithm);
    return { path: entry.path, entry };
  }
  if (kind === REMOVED) return { path: readPath(reader), entry: undefined };
  throw malformed(`A delta has a row of the unknown kind ${kind}`);
}
