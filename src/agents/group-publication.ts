/**
 * What the master has published of its assignments: a numbered snapshot with its digest, and enough
 * to answer a worker that holds an older one with the difference alone.
 *
 * A change of an assignment leaves it pending. Publishing gives all that is pending the number of
 * the next snapshot, leaf by leaf in short transactions; the table goes on changing meanwhile, so a
 * snapshot is never looked up again: what is sent are the rows as they are now, with all that was
 * published up to the moment when the last of them was packed. Numbers are persisted and belong to
 * an epoch, the mark of this database: another database is another epoch.
 */
import { type ByteString, fromBytes, toHex } from '../base/bytes.ts';
import { Latest, Mutex } from '../base/async.ts';
import { inTransaction } from '../base/transaction.ts';
import type { Clock, Database, Hashing, Random } from '../ports.ts';
import { type AgentId, agentIdMax } from './agent.ts';
import {
  agentsOfLeaf,
  AssignmentDigests,
  leafAgentsMax,
  type LeafList,
  leafOf,
} from './assignment-digests.ts';
import { type AssignmentsPart, PartPacker } from './assignment-parts.ts';
import type { Assignment } from './assignment-rows.ts';
import type { Assignments } from './store/assignments.ts';
import type { AgentValues } from './store/values.ts';

/** Leaves that are published in one transaction: some 2,000 rows to read. */
const leavesMax = 64;

/** Differences kept for other workers that hold the same snapshot. */
const keptMax = 4;

/** A published state of all assignments. */
export interface GroupSnapshot {
  /** Mark of the database in which snapshots are counted. */
  readonly epoch: string;
  /** Counts up; 0 before the first. */
  readonly number: number;
  /** Digest of all assignments. */
  readonly digest: ByteString;
  /** The generation of files that was published last at that time: it has all groups and keys. */
  readonly generation: number;
}

/** What turns a worker's assignments into those of a snapshot. */
export interface GroupDifference {
  readonly target: GroupSnapshot;
  /** To be applied in order. At least one. */
  readonly parts: readonly AssignmentsPart[];
  readonly rowsCount: number;
}

/** What publishing needs. */
export interface PublicationPorts {
  readonly clock: Pick<Clock, 'breathe'>;
  readonly random: Random;
  readonly hashing: Hashing;
  readonly database: Database;
  readonly assignments: Assignments;
  readonly values: AgentValues;
  /** Number of the generation of files that was published last. */
  readonly generation: () => number;
}

/** The published assignments of a master. */
export class GroupPublication {
  /** The latest snapshot; undefined until `load` has ended. */
  readonly latest = new Latest<GroupSnapshot | undefined>(undefined);
  /** The digest of no assignments at all. */
  readonly emptyDigest: ByteString;
  readonly #ports: PublicationPorts;
  readonly #digests: AssignmentDigests;
  /** Publishing and packing: one at a time. */
  readonly #mutex = new Mutex();
  /** Differences from a snapshot to the latest one. */
  readonly #kept = new Map<number, GroupDifference>();

  constructor(ports: PublicationPorts) {
    this.#ports = ports;
    this.#digests = new AssignmentDigests(ports.hashing);
    this.emptyDigest = this.#digests.root;
  }

  /** Takes up what was published before a restart, computing the digests anew. */
  load(): Promise<void> {
    return this.#mutex.run(async () => {
      const { values, random } = this.#ports;
      if (values.get(EPOCH) === undefined) values.set(EPOCH, toHex(fromBytes(random.bytes(8))));
      await digestAll(this.#ports, this.#digests);
      this.#announce(values.number(NUMBER), values.number(GENERATION));
    });
  }

  /** Publishes what is pending; false where nothing was. */
  publish(): Promise<boolean> {
    return this.#mutex.run(() => this.#publish());
  }

  /** The digests of some leaves, as they are now. */
  leaves(from: number, countMax: number): LeafList {
    return this.#digests.list(from, countMax);
  }

  /**
   * What was published after a snapshot; undefined where removals of that time are not known any
   * more. Packed once for all workers that ask for the same.
   */
  since(number: number): Promise<GroupDifference | undefined> {
    return this.#mutex.run(async () => {
      // Whoever has nothing needs no removals.
      if (number > 0 && number < this.#ports.values.number(PRUNED)) return undefined;
      await this.#publish();
      const kept = this.#kept.get(number);
      if (kept !== undefined) return kept;
      const packer = new PartPacker();
      await this.#packSince(packer, number);
      const difference = this.#differenceOf(packer);
      if (this.#kept.size >= keptMax) this.#kept.clear();
      this.#kept.set(number, difference);
      return difference;
    });
  }

  /** All of some leaves, and what is published while they are packed. */
  leavesWhole(leaves: readonly number[]): Promise<GroupDifference> {
    return this.#mutex.run(async () => {
      await this.#publish();
      const { number } = this.#now();
      const packer = new PartPacker();
      for (const leaf of leaves) {
        const [first, last] = agentsOfLeaf(leaf);
        packer.addRange({ first, last }, this.#ports.assignments.between(first, last));
        await this.#ports.clock.breathe();
      }
      await this.#packSince(packer, number);
      return this.#differenceOf(packer);
    });
  }

  /** Everything, in place of whatever a worker has. */
  whole(): Promise<GroupDifference> {
    return this.#mutex.run(async () => {
      await this.#publish();
      const { number } = this.#now();
      const packer = new PartPacker();
      let first = 0;
      for (let rows = this.#ports.assignments.after(0); rows.length > 0;) {
        const last = rows.at(-1)!.id;
        packer.addRange({ first, last }, rows);
        first = last + 1;
        await this.#ports.clock.breathe();
        rows = this.#ports.assignments.after(last);
      }
      packer.addRange({ first, last: agentIdMax }, []);
      await this.#packSince(packer, number);
      return this.#differenceOf(packer);
    });
  }

  /** Forgets the removals of agents that nobody remembers any more. */
  prune(): Promise<void> {
    return this.#mutex.run(async () => {
      const { assignments, database, values, clock } = this.#ports;
      for (let id = 0;;) {
        const rows = assignments.orphansAfter(id);
        if (rows.length === 0) return;
        inTransaction(database, () => {
          const newest = Math.max(values.number(PRUNED), ...rows.map((row) => row.snapshot));
          values.set(PRUNED, newest);
          for (const row of rows) assignments.delete(row.id);
        });
        this.#kept.clear();
        id = rows.at(-1)!.id;
        await clock.breathe();
      }
    });
  }

  // ---

  #now(): GroupSnapshot {
    if (this.latest.value === undefined) throw new Error('The assignments were not loaded');
    return this.latest.value;
  }

  async #publish(): Promise<boolean> {
    const { assignments, database, values, clock } = this.#ports;
    if (assignments.pending(1).length === 0) return false;
    const number = this.#now().number + 1;
    let generation = 0;
    for (;;) {
      const ranges = firstLeaves(assignments.pending(leavesMax * leafAgentsMax));
      if (ranges.length === 0) break;
      // What is pending now may depend on what is published now.
      generation = this.#ports.generation();
      inTransaction(database, () => {
        // With the first rows: a number is never used for two contents.
        values.set(NUMBER, number);
        values.set(GENERATION, generation);
        for (const { first, last } of ranges) {
          assignments.publish(number, agentsOfLeaf(first)[0], agentsOfLeaf(last)[1]);
        }
      });
      for (const range of ranges) this.#digestLeaves(range);
      await clock.breathe();
    }
    this.#announce(number, generation);
    return true;
  }

  /** Computes the digests of leaves from what they hold. */
  #digestLeaves({ first, last }: LeafRange): void {
    const rows = this.#ports.assignments.between(agentsOfLeaf(first)[0], agentsOfLeaf(last)[1]);
    const byLeaf = Map.groupBy(rows, ({ id }) => leafOf(id));
    for (let leaf = first; leaf <= last; leaf++) {
      this.#digests.update(leaf, byLeaf.get(leaf) ?? []);
    }
  }

  #announce(number: number, generation: number): void {
    this.#kept.clear();
    const epoch = this.#ports.values.get(EPOCH)!;
    this.latest.publish({ epoch, number, digest: this.#digests.root, generation });
  }

  /** Packs all that was published after a snapshot, until nothing is pending any more. */
  async #packSince(packer: PartPacker, number: number): Promise<void> {
    const { assignments, clock } = this.#ports;
    const before = this.#now().number;
    let [snapshot, id]: [number, AgentId] = [number, agentIdMax];
    for (;;) {
      const rows = assignments.since(snapshot, id);
      if (rows.length === 0 && !await this.#publish()) return;
      for (const row of rows) {
        // A worker that has nothing needs not hear of what was gone before.
        const isNews = number > 0 || row.groups !== null || row.snapshot > before;
        if (isNews) packer.add(row);
        [snapshot, id] = [row.snapshot, row.id];
      }
      await clock.breathe();
    }
  }

  #differenceOf(packer: PartPacker): GroupDifference {
    const parts = packer.finish();
    const target = this.#now();
    const { rowsCount } = packer;
    return { target, parts: parts.length > 0 ? parts : [emptyPart], rowsCount };
  }
}

/** What computing all digests needs. */
interface DigestPorts {
  readonly clock: Pick<Clock, 'breathe'>;
  readonly assignments: Assignments;
}

/** Computes the digests of all assignments from their rows. */
export async function digestAll(
  { assignments, clock }: DigestPorts,
  digests: AssignmentDigests,
): Promise<void> {
  digests.clear();
  let held: Assignment[] = [];
  for (let id = 0;;) {
    const rows = assignments.after(id);
    const byLeaf = Map.groupBy([...held, ...rows], (row) => leafOf(row.id));
    // The last leaf may go on with the next page; if it does not, this page was the last one.
    const leaves = [...byLeaf];
    held = rows.length === 0 ? [] : leaves.pop()![1];
    for (const [leaf, ofLeaf] of leaves) digests.update(leaf, ofLeaf);
    if (rows.length === 0) return;
    id = rows.at(-1)!.id;
    await clock.breathe();
  }
}

// ---------------------------------------------------------------------------------------------

/** Names of the values that this module keeps. */
const EPOCH = 'groups.epoch';
const NUMBER = 'groups.snapshot';
const GENERATION = 'groups.generation';
const PRUNED = 'groups.pruned';

const nothing = new Uint8Array(0);
const emptyPart: AssignmentsPart = { rows: nothing, ranges: nothing };

/** Leaves that follow one another. */
interface LeafRange {
  readonly first: number;
  readonly last: number;
}

/** The first leaves of some agents, which are in order. */
function firstLeaves(ids: readonly AgentId[]): LeafRange[] {
  const leaves = new Set<number>();
  for (const id of ids) {
    leaves.add(leafOf(id));
    if (leaves.size >= leavesMax) break;
  }
  const ranges: LeafRange[] = [];
  for (const leaf of leaves) {
    const before = ranges.at(-1);
    if (before?.last === leaf - 1) ranges.splice(-1, 1, { first: before.first, last: leaf });
    else ranges.push({ first: leaf, last: leaf });
  }
  return ranges;
}
