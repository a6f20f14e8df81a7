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
import { type BytePath, type ByteString } from '../base/bytes.ts';
import { ByteReader, ByteWriter } from '../base/cursor.ts';
import { invariant } from '../base/errors.ts';
import type { Clock, HashAlgorithm, Hashing } from '../ports.ts';
import { digestBytes, emptyDigest, fanOut, leafOf, leavesCount } from './digest-tree.ts';
import type { Entry, EntryChange } from './entry.ts';
import { emptyRows, findRow, mergeRows, writeDigested } from './packed-leaf.ts';
import { unpackRow } from './rows.ts';

export { differingBranches } from './digest-tree.ts';
export { packRow, readRows } from './rows.ts';

/** What a manifest hashes with. */
export interface ManifestOptions {
  readonly hashing: Hashing;
  /** The cluster's content hash; digests are computed with it too. */
  readonly algorithm: HashAlgorithm;
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

  /** The entry of a path, or undefined. */
  get(path: BytePath): Entry | undefined {
    const { algorithm } = this.#tools;
    const rows = this.leafRows(leafOf(path));
    const at = findRow(rows, path, algorithm);
    return at < 0 ? undefined : unpackRow(new ByteReader(rows, at), algorithm);
  }

  /**
   * The manifest after some changes, in any order; of two of one path the last counts. The same
   * manifest where they change nothing.
   */
  with(changes: readonly EntryChange[]): Manifest {
    const touched = new Map<number, EntryChange[]>();
    for (const change of changes) {
      invariant(
        change.entry === undefined || change.entry.path === change.path,
        'a change and its entry have the same path',
      );
      const leaf = leafOf(change.path);
      const others = touched.get(leaf);
      if (others === undefined) touched.set(leaf, [change]);
      else others.push(change);
    }
    const byBranch = Map.groupBy(touched, ([leaf]) => Math.floor(leaf / fanOut));
    const branches = [...this.#branches];
    let isSame = true;
    for (const [index, leaves] of byBranch) {
      const before = branches[index]!;
      const after = before.with(leaves, this.#tools);
      branches[index] = after;
      isSame &&= after === before;
    }
    return isSame ? this : new Manifest(this.#tools, branches);
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

  /** The entries of a leaf (0 to 4095), sorted by path. */
  leafEntries(leaf: number): Entry[] {
    const entries: Entry[] = [];
    const reader = new ByteReader(this.leafRows(leaf));
    while (reader.remaining > 0) entries.push(unpackRow(reader, this.#tools.algorithm));
    return entries;
  }

  /** All entries, leaf by leaf: not in the order of their paths. */
  *entries(): Generator<Entry> {
    for (let leaf = 0; leaf < leavesCount; leaf++) yield* this.leafEntries(leaf);
  }
}

// ---------------------------------------------------------------------------------------------

/** What all manifests that grew out of one share. */
interface Tools extends ManifestOptions {
  /** Room to assemble rows in; its content means nothing between two calls. */
  readonly scratch: ByteWriter;
}

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

  with(changed: readonly [leaf: number, changes: EntryChange[]][], tools: Tools): Branch {
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
