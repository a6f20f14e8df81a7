/**
 * The manifest: the entries of one file set as an immutable table with a digest tree over it.
 *
 * A change makes a new manifest that shares with the old one all leaves it did not touch, so that
 * it costs what changed. A leaf is one packed array of rows (see `rows.ts`) that may be sent as it
 * is; no object is kept for an entry. Digests are computed when they are asked for, once for each
 * leaf, and shared by all manifests that share the leaf: asking for `leafDigests` of one branch
 * after the other does in 64 small steps what `rootDigest` otherwise does in one.
 *
 * Arrays that a manifest hands out are its own: they must not be changed.
 */
import { type BytePath, type ByteString, equalBytes, fromBytes } from '../base/bytes.ts';
import { ByteReader, ByteWriter } from '../base/cursor.ts';
import { invariant } from '../base/errors.ts';
import type { Clock, HashAlgorithm, Hashing } from '../ports.ts';
import { digestBytes, emptyDigest, fanOut, leafOf, leavesCount } from './digest-tree.ts';
import type { Entry, EntryChange } from './entry.ts';
import { LeafChanges } from './leaf-changes.ts';
import {
  emptyRows,
  findRow,
  hasHash,
  measureRows,
  mergeRows,
  rowsWithPrefix,
  writeDigested,
} from './packed-leaf.ts';
import { unpackRow, unpackRows } from './rows.ts';

export { differingBranches } from './digest-tree.ts';
export { packRow, readRows } from './rows.ts';

/** What a manifest hashes with. */
export interface ManifestOptions {
  readonly hashing: Hashing;
  /** The cluster's content hash; digests are computed with it too. */
  readonly algorithm: HashAlgorithm;
}

/** A leaf of a manifest, as it can be stored. */
export interface Leaf {
  /** 0 to 4095. */
  readonly leaf: number;
  /** Packed rows, sorted by path. */
  readonly rows: Uint8Array;
  /** Undefined where it has not been computed. */
  readonly digest: ByteString | undefined;
}

/** An immutable table of entries. */
export class Manifest {
  /** Number of entries. */
  readonly count: number;
  /** Sum of the sizes of all entries. */
  readonly bytes: number;
  readonly #tools: Tools;
  readonly #branches: readonly Branch[];
  #branchDigests: Uint8Array | undefined;
  #rootDigest: ByteString | undefined;

  private constructor(tools: Tools, branches: readonly Branch[]) {
    this.#tools = tools;
    this.#branches = branches;
    this.count = branches.reduce((sum, branch) => sum + branch.count, 0);
    this.bytes = branches.reduce((sum, branch) => sum + branch.bytes, 0);
  }

  /** A manifest without entries. */
  static empty(options: ManifestOptions): Manifest {
    const { hashing, algorithm } = options;
    const branch = new Branch(Array.from({ length: fanOut }, () => emptyRows), 0, 0);
    return new Manifest(
      { hashing, algorithm, scratch: new ByteWriter(4096) },
      Array.from({ length: fanOut }, () => branch),
    );
  }

  /** A manifest of these entries; of two of one path the last counts. */
  static fromEntries(options: ManifestOptions, entries: Iterable<Entry>): Manifest {
    return Manifest.empty(options).with(
      Array.from(entries, (entry) => ({ path: entry.path, entry })),
    );
  }

  /** A manifest of leaves that one of the same algorithm had; those not given are empty. */
  static fromLeaves(options: ManifestOptions, leaves: Iterable<Leaf>): Manifest {
    const empty = Manifest.empty(options);
    const byBranch = Map.groupBy(leaves, ({ leaf }) => Math.floor(leaf / fanOut));
    return empty.#withBranches(
      Array.from(byBranch, ([at, given]) => [at, Branch.fromLeaves(given, empty.#tools)]),
    );
  }

  /** The entry of a path, or undefined. */
  get(path: BytePath): Entry | undefined {
    const { algorithm } = this.#tools;
    const rows = this.leafRows(leafOf(path));
    const at = findRow(rows, path, algorithm);
    return at < 0 ? undefined : unpackRow(new ByteReader(rows, at), algorithm);
  }

  /** The entry of a path, where it has this hash: for less than `get`, which makes texts of both. */
  getWithHash(path: BytePath, hash: ByteString): Entry | undefined {
    const { algorithm } = this.#tools;
    const rows = this.leafRows(leafOf(path));
    const at = findRow(rows, path, algorithm);
    if (at < 0 || !hasHash(rows, at, hash, algorithm)) return undefined;
    const reader = new ByteReader(rows, at);
    reader.skip(reader.u16());
    return { path, size: reader.u48(), mtimeMs: reader.f64(), hash };
  }

  /** Whether a path has an entry, and that this hash. */
  hasHash(path: BytePath, hash: ByteString): boolean {
    const { algorithm } = this.#tools;
    const rows = this.leafRows(leafOf(path));
    const at = findRow(rows, path, algorithm);
    return at >= 0 && hasHash(rows, at, hash, algorithm);
  }

  /**
   * The manifest after some changes, in any order; of two of one path the last counts. The same
   * manifest where they change nothing.
   */
  with(changes: readonly EntryChange[]): Manifest {
    const byLeaf = new LeafChanges();
    for (const change of changes) byLeaf.add(change);
    return this.#withBranches(
      Array.from(byLeaf.branches(), ([at, leaves]) => this.#branchWith(at, leaves)),
    );
  }

  /**
   * The same for any number of changes, without holding the loop. The more at once the better: few
   * changes cost a leaf each, many share the leaves.
   */
  async withMany(changes: LeafChanges, clock: Pick<Clock, 'breathe'>): Promise<Manifest> {
    const branches: ChangedBranch[] = [];
    for (const [at, leaves] of changes.branches()) {
      branches.push(this.#branchWith(at, leaves));
      await clock.breathe();
    }
    return this.#withBranches(branches);
  }

  /** Digest of all entries: equal for equal paths, sizes and hashes, whatever the history. */
  get rootDigest(): ByteString {
    this.#rootDigest ??= this.count === 0
      ? emptyDigest
      : digestOf(this.branchDigests(), this.#tools);
    return this.#rootDigest;
  }

  /**
   * Computes all digests that are not known yet, without holding the loop: whoever asks for one then
   * has it at once.
   */
  async prepareDigests(clock: Pick<Clock, 'breathe'>): Promise<void> {
    for (const branch of this.#branches) {
      if (branch.hasDigest) continue;
      branch.digest(this.#tools);
      await clock.breathe();
    }
  }

  /** The digests of the 64 branches, one after the other. */
  branchDigests(): Uint8Array {
    if (this.#branchDigests === undefined) {
      const digests = new Uint8Array(fanOut * digestBytes);
      for (const [i, branch] of this.#branches.entries()) {
        writeDigest(digests, i, branch.digest(this.#tools));
      }
      this.#branchDigests = digests;
    }
    return this.#branchDigests;
  }

  /** The digests of the 64 leaves of a branch, one after the other. */
  leafDigests(branch: number): Uint8Array {
    invariant(branch >= 0 && branch < fanOut, 'a branch is one of 64');
    return this.#branches[branch]!.leafDigests(this.#tools);
  }

  /** The packed rows of a leaf (0 to 4095), sorted by path. */
  leafRows(leaf: number): Uint8Array {
    invariant(leaf >= 0 && leaf < leavesCount, 'a leaf is one of 4096');
    return this.#branches[Math.floor(leaf / fanOut)]!.leaves[leaf % fanOut]!;
  }

  /** The leaves with other rows than in another manifest, also those that have none any more. */
  *leavesUnlike(other: Manifest): Generator<Leaf> {
    for (const [at, branch] of this.#branches.entries()) {
      const others = other.#branches[at]!;
      if (branch === others) continue;
      for (const [i, rows] of branch.leaves.entries()) {
        // Of two tables that did not grow out of one all rows have to be compared.
        if (rows !== others.leaves[i] && !equalBytes(rows, others.leaves[i]!)) {
          yield this.leaf(at * fanOut + i);
        }
      }
    }
  }

  /** The leaves that have rows. */
  *usedLeaves(): Generator<number> {
    for (let leaf = 0; leaf < leavesCount; leaf++) if (this.leafRows(leaf).length > 0) yield leaf;
  }

  /** A leaf (0 to 4095), as it can be stored. */
  leaf(leaf: number): Leaf {
    const branch = this.#branches[Math.floor(leaf / fanOut)]!;
    const index = leaf % fanOut;
    return { leaf, rows: branch.leaves[index]!, digest: branch.knownLeafDigest(index) };
  }

  /** The entries of a leaf (0 to 4095), sorted by path. */
  leafEntries(leaf: number): Entry[] {
    return unpackRows(this.leafRows(leaf), this.#tools.algorithm);
  }

  /**
   * The entries whose paths begin with a prefix, leaf by leaf, those without any as well: others
   * cost next to nothing.
   */
  *entriesWithPrefix(prefix: ByteString): Generator<Entry[]> {
    const { algorithm } = this.#tools;
    for (let leaf = 0; leaf < leavesCount; leaf++) {
      const rows = this.leafRows(leaf);
      const starts = rowsWithPrefix(rows, prefix, algorithm);
      yield starts.map((start) => unpackRow(new ByteReader(rows, start), algorithm));
    }
  }

  /** All entries, leaf by leaf: not in the order of their paths. */
  *entries(): Generator<Entry> {
    for (let leaf = 0; leaf < leavesCount; leaf++) yield* this.leafEntries(leaf);
  }

  #branchWith(at: number, leaves: ReadonlyMap<number, readonly EntryChange[]>): ChangedBranch {
    return [at, this.#branches[at]!.with(leaves, this.#tools)];
  }

  #withBranches(changed: readonly ChangedBranch[]): Manifest {
    if (changed.every(([at, branch]) => branch === this.#branches[at])) return this;
    const branches = [...this.#branches];
    for (const [at, branch] of changed) branches[at] = branch;
    return new Manifest(this.#tools, branches);
  }
}

// ---------------------------------------------------------------------------------------------

/** What all manifests that grew out of one share. */
interface Tools extends ManifestOptions {
  /** Room to assemble rows in; its content means nothing between two calls. */
  readonly scratch: ByteWriter;
}

/** A branch in the place of the one that was there. */
type ChangedBranch = readonly [at: number, branch: Branch];

/** 64 leaves, and their digests as far as somebody asked for them. */
class Branch {
  readonly leaves: readonly Uint8Array[];
  readonly count: number;
  readonly bytes: number;
  readonly #leafDigests: Uint8Array;
  /** Leaves whose digest is not that of their rows. */
  #staleLeaves: readonly number[];
  #digest: ByteString | undefined;

  constructor(
    leaves: readonly Uint8Array[],
    count: number,
    bytes: number,
    leafDigests = new Uint8Array(fanOut * digestBytes),
    staleLeaves: readonly number[] = [],
  ) {
    this.leaves = leaves;
    this.count = count;
    this.bytes = bytes;
    this.#leafDigests = leafDigests;
    this.#staleLeaves = staleLeaves;
  }

  static fromLeaves(given: readonly Leaf[], tools: Tools): Branch {
    const leaves = Array.from<Uint8Array>({ length: fanOut }).fill(emptyRows);
    const digests = new Uint8Array(fanOut * digestBytes);
    const stale: number[] = [];
    let count = 0;
    let bytes = 0;
    for (const { leaf, rows, digest } of given) {
      const index = leaf % fanOut;
      leaves[index] = rows;
      const measure = measureRows(rows, tools.algorithm);
      count += measure.count;
      bytes += measure.bytes;
      if (digest === undefined) stale.push(index);
      else writeDigest(digests, index, digest);
    }
    return new Branch(leaves, count, bytes, digests, stale);
  }

  with(changed: ReadonlyMap<number, readonly EntryChange[]>, tools: Tools): Branch {
    const leaves = [...this.leaves];
    const stale = new Set(this.#staleLeaves);
    let { count, bytes } = this;
    for (const [leaf, changes] of changed) {
      const index = leaf % fanOut;
      const merged = mergeRows(leaves[index]!, changes, tools.algorithm, tools.scratch);
      if (merged.rows === leaves[index]) continue;
      leaves[index] = merged.rows;
      count += merged.count;
      bytes += merged.bytes;
      stale.add(index);
    }
    if (leaves.every((rows, i) => rows === this.leaves[i])) return this;
    return new Branch(leaves, count, bytes, this.#leafDigests.slice(), [...stale]);
  }

  leafDigests(tools: Tools): Uint8Array {
    for (const index of this.#staleLeaves) {
      writeDigest(this.#leafDigests, index, leafDigest(this.leaves[index]!, tools));
    }
    this.#staleLeaves = [];
    return this.#leafDigests;
  }

  /** Digest of a leaf, if it has been computed. */
  knownLeafDigest(index: number): ByteString | undefined {
    if (this.#staleLeaves.includes(index)) return undefined;
    return fromBytes(this.#leafDigests, index * digestBytes, (index + 1) * digestBytes);
  }

  get hasDigest(): boolean {
    return this.#digest !== undefined || this.count === 0;
  }

  digest(tools: Tools): ByteString {
    this.#digest ??= this.count === 0 ? emptyDigest : digestOf(this.leafDigests(tools), tools);
    return this.#digest;
  }
}

function leafDigest(rows: Uint8Array, tools: Tools): ByteString {
  if (rows.length === 0) return emptyDigest;
  tools.scratch.reset();
  writeDigested(rows, tools.algorithm, tools.scratch);
  return digestOf(tools.scratch.view(), tools);
}

function digestOf(bytes: Uint8Array, tools: Tools): ByteString {
  return tools.hashing.digest(tools.algorithm, bytes).slice(0, digestBytes);
}

function writeDigest(digests: Uint8Array, index: number, digest: ByteString): void {
  for (let i = 0; i < digestBytes; i++) digests[index * digestBytes + i] = digest.charCodeAt(i);
}
