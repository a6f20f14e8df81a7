/**
 * Digests over all assignments, by which two nodes find out whether, and where, theirs differ.
 *
 * A leaf is 32 agents: those whose numbers have all but the last five bits in common. Its digest is
 * the MD5 of the packed rows (see `assignment-rows.ts`) of those that exist, in the order of their
 * numbers; a leaf without any has none. The digest of all is the MD5 of the number of each leaf
 * (u32) and its digest, in order; so that no assignments at all have a digest too.
 */
import { type ByteString, fromBytes } from '../base/bytes.ts';
import { ByteReader, ByteWriter } from '../base/cursor.ts';
import { ProtocolError } from '../base/errors.ts';
import type { Hashing } from '../ports.ts';
import { type AgentId, agentIdMax } from './agent.ts';
import { type Assignment, packAssignment } from './assignment-rows.ts';

/** Agents of a leaf. */
export const leafAgentsMax = 32;

/** The last leaf that there can be. */
export const leafMax = Math.floor(agentIdMax / leafAgentsMax);

/** Bytes of a leaf in a packed list: its number and its digest. */
const leafBytes = 4 + 16;

/** The leaf of an agent. */
export function leafOf(id: AgentId): number {
  return Math.floor(id / leafAgentsMax);
}

/** The bit of an agent in the mask of its leaf. */
export function bitOf(id: AgentId): number {
  return 1 << (id % leafAgentsMax);
}

/** The least and the greatest number that an agent of a leaf can have. */
export function agentsOfLeaf(leaf: number): readonly [first: AgentId, last: AgentId] {
  return [leaf * leafAgentsMax, leaf * leafAgentsMax + leafAgentsMax - 1];
}

/** Some leaves, one after the other, with all between them. */
export interface LeafList {
  /** The first and the last leaf that the list speaks of; those that it leaves out are empty. */
  readonly from: number;
  readonly to: number;
  /** u32 number and digest of each. */
  readonly leaves: Uint8Array;
}

/** What is known of a leaf. */
interface Leaf {
  readonly digest: ByteString;
  /** The agents that it holds: one bit for each. */
  readonly mask: number;
}

/** The digests of one node's assignments. */
export class AssignmentDigests {
  readonly #hashing: Hashing;
  /** Those that hold something. */
  readonly #leaves = new Map<number, Leaf>();
  readonly #writer = new ByteWriter(4096);
  #sorted: number[] | undefined;
  #root: ByteString | undefined;

  constructor(hashing: Hashing) {
    this.#hashing = hashing;
  }

  /** The digest of all assignments. */
  get root(): ByteString {
    if (this.#root === undefined) {
      const { leaves } = this.list(0, Infinity);
      this.#root = this.#hashing.digest('md5', leaves);
    }
    return this.#root;
  }

  /** The agents that a leaf holds, one bit for each. */
  mask(leaf: number): number {
    return this.#leaves.get(leaf)?.mask ?? 0;
  }

  /** Takes note of what a leaf holds now: all rows of agents that exist, by number. */
  update(leaf: number, rows: readonly Assignment[]): void {
    this.#writer.reset();
    let mask = 0;
    for (const row of rows) {
      packAssignment(this.#writer, row);
      mask |= bitOf(row.id);
    }
    this.updatePacked(leaf, this.#writer.view(), mask);
  }

  /** The same for rows that are packed already, of the agents of a mask. */
  updatePacked(leaf: number, rows: Uint8Array, mask: number): void {
    this.#set(
      leaf,
      mask === 0 ? undefined : {
        digest: this.#hashing.digest('md5', rows),
        mask,
      },
    );
  }

  /** Forgets all. */
  clear(): void {
    this.#leaves.clear();
    this.#sorted = undefined;
    this.#root = undefined;
  }

  /** The leaves from one on, at most `countMax` that are not empty. */
  list(from: number, countMax: number): LeafList {
    this.#sorted ??= [...this.#leaves.keys()].sort((left, right) => left - right);
    const start = firstAtLeast(this.#sorted, from);
    const end = Math.min(this.#sorted.length, start + countMax);
    const writer = new ByteWriter((end - start) * leafBytes);
    for (let i = start; i < end; i++) {
      const leaf = this.#sorted[i]!;
      writer.u32(leaf);
      writer.text(this.#leaves.get(leaf)!.digest);
    }
    const isLast = end === this.#sorted.length;
    return { from, to: isLast ? leafMax : this.#sorted[end]! - 1, leaves: writer.finish() };
  }

  /**
   * The leaves that differ from a peer's, in order.
   * @throws ProtocolError `malformed`
   */
  differing(peer: LeafList): number[] {
    const { from, to } = peer;
    const differing: number[] = [];
    const theirs = readLeaves(peer);
    for (const [leaf, digest] of theirs) {
      if (this.#leaves.get(leaf)?.digest !== digest) differing.push(leaf);
    }
    for (const leaf of this.#leaves.keys()) {
      if (leaf >= from && leaf <= to && !theirs.has(leaf)) differing.push(leaf);
    }
    return differing.sort((left, right) => left - right);
  }

  #set(leaf: number, content: Leaf | undefined): void {
    const before = this.#leaves.get(leaf);
    if (before?.digest === content?.digest) return;
    this.#root = undefined;
    if (before === undefined || content === undefined) this.#sorted = undefined;
    if (content === undefined) this.#leaves.delete(leaf);
    else this.#leaves.set(leaf, content);
  }
}

/** Packs the numbers of leaves. */
export function packLeafNumbers(leaves: readonly number[]): Uint8Array {
  const writer = new ByteWriter(leaves.length * 4);
  for (const leaf of leaves) writer.u32(leaf);
  return writer.finish();
}

/**
 * Reads the numbers of leaves, in order.
 * @throws ProtocolError `malformed`
 */
export function readLeafNumbers(bytes: Uint8Array): number[] {
  const reader = new ByteReader(bytes);
  const leaves: number[] = [];
  while (reader.remaining > 0) leaves.push(readLeaf(reader, leaves.at(-1) ?? -1));
  return leaves;
}

// ---------------------------------------------------------------------------------------------

function readLeaves({ from, to, leaves: bytes }: LeafList): Map<number, ByteString> {
  const reader = new ByteReader(bytes);
  const leaves = new Map<number, ByteString>();
  let last = from - 1;
  while (reader.remaining > 0) {
    last = readLeaf(reader, last);
    leaves.set(last, fromBytes(reader.bytes(16)));
  }
  if (last > to) throw new ProtocolError('malformed', 'A leaf is beyond the end of its list');
  return leaves;
}

function readLeaf(reader: ByteReader, before: number): number {
  const leaf = reader.u32();
  if (leaf > before && leaf <= leafMax) return leaf;
  throw new ProtocolError('malformed', 'Leaves of assignments are out of order');
}

/** Index of the first number that is not less than a bound. */
function firstAtLeast(sorted: readonly number[], bound: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}
