/**
 * A worker's copy of the master's assignments.
 *
 * What the master sends is stored only when this node has all that it refers to: a finished round
 * of integrity against the generation that it was published with, the directory of every group, the
 * key of every agent that is from the keys file. Until then it waits, as a whole part of it does. A
 * part is stored in one transaction, and which snapshot this node has in that of the last part.
 *
 * Digests are computed from the stored rows: of the leaves that changed when all parts have come,
 * of all when the node starts and now and then after that, so that a damaged table is found.
 */
import { Mutex } from '../base/async.ts';
import type { ByteString } from '../base/bytes.ts';
import { inTransaction, inTransactions } from '../base/transaction.ts';
import type { Clock, Database, Hashing } from '../ports.ts';
import { type AgentId, agentIdText } from './agent.ts';
import {
  agentsOfLeaf,
  AssignmentDigests,
  bitOf,
  type LeafList,
  leafOf,
} from './assignment-digests.ts';
import { type AgentRange, type AssignmentsPart, readRanges } from './assignment-parts.ts';
import { type Assignment, groupList } from './assignment-rows.ts';
import { digestAll, type GroupSnapshot } from './group-publication.ts';
import type { GroupCatalogue } from './groups.ts';
import { readIncoming, type Run } from './incoming-rows.ts';
import type { Assignments } from './store/assignments.ts';
import type { AgentValues } from './store/values.ts';

/** Confirmations that change nothing else are stored this seldom, ms. */
const confirmedEveryMs = 60_000;

/** What the copy needs of its node. */
export interface MirrorPorts {
  readonly clock: Clock;
  readonly hashing: Hashing;
  readonly database: Database;
  readonly assignments: Assignments;
  readonly values: AgentValues;
  /** The generation of the last round of integrity that was finished; 0 before the first. */
  readonly finishedGeneration: () => number;
  /** The groups whose directories this node has. */
  readonly catalogue: () => Promise<GroupCatalogue>;
  readonly existence: MirroredExistence;
}

/** What follows from assignments for the existence of agents. Called within a transaction. */
export interface MirroredExistence {
  /** An operator made an agent exist. */
  added(id: AgentId, name: string | null): void;
  /** An agent no longer exists on the master. */
  removed(id: AgentId): void;
}

/** What this node has. */
export interface MirrorState {
  /** Epoch and number of the snapshot that it has stored whole; '' and 0 for none. */
  readonly epoch: string;
  readonly snapshot: number;
  readonly digest: ByteString;
}

/** What became of an offer: whether the copy is as it, has to be changed, or cannot be yet. */
export type OfferAnswer =
  & MirrorState
  & (
    | { readonly state: 'same' | 'differs' }
    | { readonly state: 'waiting'; readonly reason: string }
  );

/** A part as it comes from the master. */
export interface IncomingPart extends AssignmentsPart {
  /** What this node has when it has stored the last part. */
  readonly target: Omit<GroupSnapshot, 'digest'>;
  readonly isLast: boolean;
}

/** What became of a part. */
export type PartAnswer =
  | {
    readonly state: 'stored';
    /** The digest of what is stored now; after the last part only. */
    readonly digest: ByteString | undefined;
    /** The first agent within the ranges of the part that was not as it should be. */
    readonly firstDifferent: AgentId | undefined;
  }
  | { readonly state: 'waiting'; readonly reason: string };

/** The assignments of a worker. */
export class GroupMirror {
  readonly #ports: MirrorPorts;
  readonly #digests: AssignmentDigests;
  readonly #mutex = new Mutex();
  /** Leaves that were changed since their digests were computed. */
  readonly #stale = new Set<number>();
  #digestedMs = -Infinity;
  readonly #digestEveryMs: number;
  #storedConfirmedMs = -Infinity;
  #confirmedMs: number | undefined;
  #waitingFor: string | undefined;

  /** @param options.digestEveryMs how often all digests are computed from the rows again, ms */
  constructor(ports: MirrorPorts, options: { readonly digestEveryMs: number }) {
    this.#ports = ports;
    this.#digestEveryMs = options.digestEveryMs;
    this.#digests = new AssignmentDigests(ports.hashing);
    const confirmed = ports.values.get(CONFIRMED_MS);
    this.#confirmedMs = confirmed === undefined ? undefined : Number(confirmed);
  }

  /** When the master last confirmed that this copy is as its own; ms since 1970. */
  get confirmedMs(): number | undefined {
    return this.#confirmedMs;
  }

  /** Why nothing is stored at the moment; undefined where nothing stands in the way. */
  get waitingFor(): string | undefined {
    return this.#waitingFor;
  }

  /** Looks at what the master has. */
  offered(snapshot: GroupSnapshot): Promise<OfferAnswer> {
    return this.#mutex.run(async () => {
      await this.#digest();
      const isSame = snapshot.digest === this.#digests.root;
      if (isSame) this.#confirm(snapshot);
      const state = this.#state();
      const reason = isSame ? undefined : this.#generationProblem(snapshot.generation);
      this.#waitingFor = reason;
      if (reason !== undefined) return { ...state, state: 'waiting', reason };
      return { ...state, state: isSame ? 'same' : 'differs' };
    });
  }

  /**
   * Stores a part, if this node has all that it refers to.
   * @throws ProtocolError `malformed`
   */
  store(part: IncomingPart): Promise<PartAnswer> {
    return this.#mutex.run(async () => {
      const ranges = readRanges(part.ranges);
      const { rows, runs } = readIncoming(part.rows);
      if (this.#digestedMs === -Infinity) await this.#digest();
      const reason = this.#generationProblem(part.target.generation) ??
        this.#keyProblem(rows) ?? groupProblem(rows, await this.#ports.catalogue());
      this.#waitingFor = reason;
      if (reason !== undefined) return { state: 'waiting', reason };
      const firstDifferent = await this.#clear(ranges, rows);
      await this.#ports.clock.breathe();
      const whole = runs.filter((run) => this.#isWhole(run));
      for (const { id } of rows) this.#stale.add(leafOf(id));
      inTransaction(this.#ports.database, () => {
        this.#storeRows(rows);
        if (part.isLast) this.#save(part.target);
      });
      for (const { leaf, bytes, mask } of whole) {
        this.#digests.updatePacked(leaf, bytes, mask);
        this.#stale.delete(leaf);
      }
      if (!part.isLast) return { state: 'stored', digest: undefined, firstDifferent };
      await this.#digest();
      this.#noteConfirmed();
      return { state: 'stored', digest: this.#digests.root, firstDifferent };
    });
  }

  /**
   * The leaves that differ from the master's.
   * @throws ProtocolError `malformed`
   */
  differing(list: LeafList): Promise<number[]> {
    return this.#mutex.run(async () => {
      await this.#digest();
      return this.#digests.differing(list);
    });
  }

  // --- what has to be there ------------------------------------------------------------------

  #generationProblem(generation: number): string | undefined {
    const finished = this.#ports.finishedGeneration();
    return finished >= generation
      ? undefined
      : `they belong to generation ${generation} of the files, this node has ${finished}`;
  }

  #keyProblem(rows: readonly Assignment[]): string | undefined {
    const ids: AgentId[] = [];
    for (const { id, isFromKeys, groups } of rows) {
      // Of those that are here already the key was.
      if (isFromKeys && groups !== null && !this.#has(id)) ids.push(id);
    }
    const id = this.#ports.assignments.firstWithoutKey(ids.sort((left, right) => left - right));
    return id === undefined
      ? undefined
      : `agent ${agentIdText(id)} is not in the keys file of this node yet`;
  }

  // --- storing -------------------------------------------------------------------------------

  /** Removes what is in the ranges and not among the rows; gives the first agent that differs. */
  async #clear(
    ranges: readonly AgentRange[],
    rows: readonly Assignment[],
  ): Promise<AgentId | undefined> {
    if (ranges.length === 0) return undefined;
    const { assignments, clock, database } = this.#ports;
    const wanted = new Map(rows.map((row) => [row.id, row]));
    const present = new Set<AgentId>();
    const surplus: AgentId[] = [];
    let firstDifferent = Infinity;
    for (const { first, last } of ranges) {
      for (let rows = assignments.after(first - 1); rows.length > 0;) {
        for (const row of rows) {
          if (row.id > last) break;
          present.add(row.id);
          const isGone = !wanted.has(row.id);
          if (isGone) surplus.push(row.id);
          if (isGone || !isEqual(row, wanted.get(row.id)!)) {
            firstDifferent = Math.min(firstDifferent, row.id);
          }
        }
        await clock.breathe();
        const reached = rows.at(-1)!.id;
        rows = reached < last ? assignments.after(reached) : [];
      }
      for (const { id, groups } of rows) {
        if (groups === null || id < first || id > last || present.has(id)) continue;
        firstDifferent = Math.min(firstDifferent, id);
      }
    }
    for (const id of surplus) this.#stale.add(leafOf(id));
    await inTransactions({ database, clock }, surplus, (id) => this.#drop(id));
    return Number.isFinite(firstDifferent) ? firstDifferent : undefined;
  }

  /** Stores rows, of which the last one of an agent counts. */
  #storeRows(rows: readonly Assignment[]): void {
    const { assignments, existence } = this.#ports;
    let kept: Assignment[] = [];
    for (const row of rows) {
      if (row.groups !== null) {
        kept.push(row);
        if (!row.isFromKeys) existence.added(row.id, row.name);
        continue;
      }
      assignments.mirror(kept);
      kept = [];
      this.#drop(row.id);
    }
    assignments.mirror(kept);
  }

  #drop(id: AgentId): void {
    this.#ports.assignments.delete(id);
    this.#ports.existence.removed(id);
  }

  // --- state ---------------------------------------------------------------------------------

  #state(): MirrorState {
    const { values } = this.#ports;
    return {
      epoch: values.get(EPOCH) ?? '',
      snapshot: values.number(SNAPSHOT),
      digest: this.#digests.root,
    };
  }

  /** The copy is as the master's snapshot, however it came to be. */
  #confirm(snapshot: GroupSnapshot): void {
    const { values, database } = this.#ports;
    const isKnown = values.get(EPOCH) === snapshot.epoch &&
      values.number(SNAPSHOT) === snapshot.number;
    if (!isKnown) inTransaction(database, () => this.#save(snapshot));
    this.#noteConfirmed();
  }

  #save(snapshot: Omit<GroupSnapshot, 'digest'>): void {
    this.#ports.values.set(EPOCH, snapshot.epoch);
    this.#ports.values.set(SNAPSHOT, snapshot.number);
  }

  #noteConfirmed(): void {
    const nowMs = this.#ports.clock.nowMs();
    this.#confirmedMs = nowMs;
    const monotonicMs = this.#ports.clock.monotonicMs();
    if (monotonicMs - this.#storedConfirmedMs < confirmedEveryMs) return;
    this.#storedConfirmedMs = monotonicMs;
    this.#ports.values.set(CONFIRMED_MS, nowMs);
  }

  /** Whether an agent is surely among those of this copy. */
  #has(id: AgentId): boolean {
    const leaf = leafOf(id);
    return !this.#stale.has(leaf) && (this.#digests.mask(leaf) & bitOf(id)) !== 0;
  }

  /** Whether a run is all that its leaf will hold, so that the table needs not be read for it. */
  #isWhole({ leaf, mask }: Run): boolean {
    return !this.#stale.has(leaf) && (this.#digests.mask(leaf) & ~mask) === 0;
  }

  /** Brings the digests up to date. */
  async #digest(): Promise<void> {
    const { assignments, clock } = this.#ports;
    if (clock.monotonicMs() - this.#digestedMs >= this.#digestEveryMs) {
      await digestAll(this.#ports, this.#digests);
      this.#stale.clear();
      this.#digestedMs = clock.monotonicMs();
      return;
    }
    for (const leaf of this.#stale) {
      this.#digests.update(leaf, assignments.between(...agentsOfLeaf(leaf)));
      this.#stale.delete(leaf);
      await clock.breathe();
    }
  }
}

// ---------------------------------------------------------------------------------------------

/** Names of the values that this module keeps. */
const EPOCH = 'groups.stored_epoch';
const SNAPSHOT = 'groups.stored_snapshot';
const CONFIRMED_MS = 'groups.confirmed_ms';

function groupProblem(
  rows: readonly Assignment[],
  catalogue: GroupCatalogue,
): string | undefined {
  const known = new Set<string>();
  for (const { groups } of rows) {
    if (groups === null || known.has(groups)) continue;
    known.add(groups);
    const missing = groupList(groups).find((group) => !catalogue.has(group));
    if (missing !== undefined) return `this node has no directory of group "${missing}" yet`;
  }
  return undefined;
}

function isEqual(left: Assignment, right: Assignment): boolean {
  return left.groups === right.groups && left.name === right.name &&
    left.isFromKeys === right.isFromKeys;
}
