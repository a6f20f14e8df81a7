/**
 * What the master has published: the latest generation, and enough history to answer a worker that
 * holds an older one with the difference alone.
 *
 * A scan is offered; what differs from the published tables, and passes the guard, becomes the next
 * generation. A set that the guard stops stays published as it was until an operator approves. The
 * published tables are kept in the store, so that a restarted master knows what it had told.
 */
import type { ByteString } from '../base/bytes.ts';
import { Latest } from '../base/async.ts';
import type { Clock, HashAlgorithm, Hashing } from '../ports.ts';
import type { EntryChange } from './entry.ts';
import type { SetTable } from './file-set.ts';
import { type Generation, GenerationHistory, makeGeneration } from './generation.ts';
import { type GuardConfig, judge } from './guard.ts';
import type { Halts } from './halts.ts';
import type { IndexStore } from './index-store.ts';
import { Manifest } from './manifest.ts';
import { makePlan, type Plan } from './plan.ts';
import type { RecentLosses } from './recent-losses.ts';
import { digestsOf, tablesFromStore } from './stored-tables.ts';
import { changesBetween } from './table-difference.ts';

/** Name of the value in the store that says what the published tables are. */
const contentName = 'published.content';

/** What became of an offered scan. */
export interface Offer {
  /** The generation that is published now. */
  readonly generation: Generation;
  /** Whether it is a new one. */
  readonly isNew: boolean;
  readonly createdCount: number;
  readonly replacedCount: number;
  readonly removedCount: number;
  /** Sets that the guard stopped in this offer, which were not stopped before. */
  readonly newlyHalted: readonly { readonly set: string; readonly reason: string }[];
}

/** What a publication is made of. */
export interface PublicationPorts {
  readonly clock: Clock;
  readonly hashing: Hashing;
  readonly store: IndexStore;
  readonly halts: Halts;
  readonly losses: RecentLosses;
}

/** The published generations of a master. */
export class Publication {
  /** The latest generation; undefined until the first scan has been offered. */
  readonly latest = new Latest<Generation | undefined>(undefined);
  readonly history = new GenerationHistory({});
  readonly sets: SetTable;
  readonly #ports: PublicationPorts;
  readonly #algorithm: HashAlgorithm;
  readonly #guard: GuardConfig;

  constructor(
    ports: PublicationPorts,
    options: {
      readonly sets: SetTable;
      readonly algorithm: HashAlgorithm;
      readonly guard: GuardConfig;
    },
  ) {
    this.#ports = ports;
    this.sets = options.sets;
    this.#algorithm = options.algorithm;
    this.#guard = options.guard;
  }

  /**
   * Takes up what was published before a restart. Mostly that is what was scanned last: where the
   * digests that were stored with it say so, the same tables serve, and it need not be read.
   */
  async load(scanned: (set: string) => Manifest): Promise<void> {
    const { store, clock, hashing } = this.#ports;
    const known = this.#tables(scanned);
    const lastNumber = store.lastGeneration();
    if (store.isPublishedWhole && store.value(contentName) === contentOf(lastNumber, known)) {
      store.recognisePublished(known);
      this.latest.publish(this.#generation(lastNumber, known));
      return;
    }
    const published = await store.loadPublished();
    if (published === undefined) return;
    const options = { hashing, algorithm: this.#algorithm };
    const tables = await tablesFromStore(published, this.sets, options, clock);
    if (published.isSameRules) store.recognisePublished(tables);
    this.latest.publish(this.#generation(published.generation, tables));
  }

  /** Whether the operator has approved this content of a set. */
  isApproved(set: string, digest: ByteString): boolean {
    return this.#ports.halts.isApproved(set, digest);
  }

  /** Publishes what a scan found, as far as it is new and passes the guard. */
  async offer(scanned: (set: string) => Manifest): Promise<Offer> {
    const previous = this.latest.value;
    if (previous === undefined) return await this.#offerFirst(scanned);
    const manifests = new Map<string, Manifest>();
    const changes = new Map<string, readonly EntryChange[]>();
    const counts = { createdCount: 0, replacedCount: 0, removedCount: 0 };
    const newlyHalted: { set: string; reason: string }[] = [];
    for (const set of this.sets.sets) {
      const before = previous.manifests.get(set.name) ?? this.#empty();
      const after = scanned(set.name);
      const differences = await changesBetween(before, after, this.#ports.clock);
      const plan = await makePlan(this.#ports.clock, set, before, differences);
      const reason = this.#guarded(plan, before, after);
      manifests.set(set.name, reason === undefined ? after : before);
      if (reason !== undefined) {
        const isNew = this.#ports.halts.halt(set.name, after.rootDigest, reason);
        if (isNew) newlyHalted.push({ set: set.name, reason });
        continue;
      }
      this.#ports.halts.release(set.name);
      if (differences.length === 0) continue;
      if (before.count > 0) await this.#ports.losses.note(plan);
      changes.set(set.name, differences);
      counts.createdCount += plan.create.length;
      counts.replacedCount += plan.replace.length;
      counts.removedCount += plan.remove.length;
    }
    if (changes.size === 0) return { generation: previous, isNew: false, ...counts, newlyHalted };
    const generation = await this.#stored(manifests);
    this.history.record(previous, generation, changes);
    this.latest.publish(generation);
    return { generation, isNew: true, ...counts, newlyHalted };
  }

  /** There is nothing yet that could be lost by it, and no change that anybody could want to know. */
  async #offerFirst(scanned: (set: string) => Manifest): Promise<Offer> {
    const manifests = this.#tables(scanned);
    for (const name of manifests.keys()) this.#ports.halts.release(name);
    const createdCount = manifests.values().reduce((count, table) => count + table.count, 0);
    const generation = await this.#stored(manifests);
    this.latest.publish(generation);
    const counts = { createdCount, replacedCount: 0, removedCount: 0 };
    return { generation, isNew: true, ...counts, newlyHalted: [] };
  }

  /** The next generation, after it has been stored. */
  async #stored(manifests: ReadonlyMap<string, Manifest>): Promise<Generation> {
    const { store } = this.#ports;
    // Numbers never go back, not even after a stored table that had to be dropped.
    const lastNumber = Math.max(this.latest.value?.number ?? 0, store.lastGeneration());
    const generation = this.#generation(lastNumber + 1, manifests);
    await store.savePublished(generation.number, manifests, {
      [contentName]: contentOf(generation.number, manifests),
    });
    return generation;
  }

  /** Why the guard does not let a set's new content through; undefined where it does. */
  #guarded(plan: Plan, before: Manifest, after: Manifest): string | undefined {
    const { losses } = this.#ports;
    const { name } = plan.set;
    if (before.count === 0) return undefined;
    if (this.isApproved(name, after.rootDigest)) {
      losses.forget(name);
      return undefined;
    }
    const counts = { actual: before.count, wanted: after.count };
    const verdict = judge(plan, counts, losses.before(plan), this.#guard);
    return verdict.kind === 'halt' ? verdict.reason : undefined;
  }

  #generation(number: number, manifests: ReadonlyMap<string, Manifest>): Generation {
    const { clock, hashing } = this.#ports;
    return makeGeneration({
      number,
      createdMs: clock.nowMs(),
      manifests,
      hashing,
      algorithm: this.#algorithm,
    });
  }

  #tables(scanned: (set: string) => Manifest): Map<string, Manifest> {
    return new Map(this.sets.sets.map(({ name }) => [name, scanned(name)]));
  }

  #empty(): Manifest {
    return Manifest.empty({ hashing: this.#ports.hashing, algorithm: this.#algorithm });
  }
}

// ---

/** A text that is the same for the same tables of the same generation. */
function contentOf(number: number, tables: ReadonlyMap<string, Manifest>): string {
  return `${number} ${digestsOf(tables)}`;
}
