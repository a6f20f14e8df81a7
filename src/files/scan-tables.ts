/**
 * The tables of a scanner: what is known of each file, the manifests made of it, and what is stored.
 *
 * Manifests are brought up to date for many files at once and not for each: a few thousand changes
 * share most of their leaves. That comes in two steps, since a scan that was stopped keeps what it
 * has found for the next one to tell: the tables that are stored are ahead of the manifests then.
 */
import type { BytePath, ByteString } from '../base/bytes.ts';
import { invariant } from '../base/errors.ts';
import type { Clock, HashAlgorithm, Hashing } from '../ports.ts';
import type { Entry } from './entry.ts';
import type { SetTable } from './file-set.ts';
import type { IndexStore } from './index-store.ts';
import { LeafChanges } from './leaf-changes.ts';
import type { SetLeaf } from './leaf-table.ts';
import { Manifest } from './manifest.ts';
import { joinPath } from './paths.ts';
import type { FileRecord, ScanIndex } from './scan-index.ts';
import { tablesFromStore } from './stored-tables.ts';

/**
 * After this long what was found is stored although a scan goes on, ms. Seldom: files that come one
 * after the other are of leaves all over the tables, each of which is written as a whole.
 */
const unstoredMs = 10_000;

/** What was found of a file that was read, or put into its place. */
export interface KnownFile {
  readonly entry: Entry;
  readonly record: FileRecord;
}

/** What has become of a set. */
export interface SetChange {
  readonly before: Manifest;
  readonly after: Manifest;
}

/** What is known of the files of all sets. */
export class ScanTables {
  readonly #ports: { readonly clock: Clock; readonly hashing: Hashing };
  readonly #index: ScanIndex;
  readonly #sets: SetTable;
  readonly #algorithm: HashAlgorithm;
  readonly #saved: IndexStore | undefined;
  readonly #manifests = new Map<string, Manifest>();
  /**
   * The manifests with what has been found since, and is told at the end of a scan that is not
   * stopped: what is stored, or about to be.
   */
  readonly #ahead = new Map<string, Manifest>();
  /** What became known since, by set: not in the tables that are ahead yet. */
  readonly #fresh = new Map<string, LeafChanges>();
  /** Leaves to be stored, by set; and when that was done last. */
  readonly #unstored = new Map<string, Set<number>>();
  #storedMs: number;

  constructor(
    ports: { readonly clock: Clock; readonly hashing: Hashing },
    index: ScanIndex,
    sets: SetTable,
    { algorithm }: { readonly algorithm: HashAlgorithm },
    saved: IndexStore | undefined,
  ) {
    this.#ports = ports;
    this.#index = index;
    this.#sets = sets;
    this.#algorithm = algorithm;
    this.#saved = saved;
    const empty = Manifest.empty({ hashing: ports.hashing, algorithm });
    for (const set of sets.sets) {
      this.#manifests.set(set.name, empty);
      this.#ahead.set(set.name, empty);
    }
    this.#storedMs = ports.clock.monotonicMs();
  }

  /** What is in a set, as of the last scan that was finished. */
  manifest(setName: string): Manifest {
    const manifest = this.#manifests.get(setName);
    invariant(manifest !== undefined, `"${setName}" is a set of this node`);
    return manifest;
  }

  /** Takes up what the store remembers. */
  async load(): Promise<void> {
    if (this.#saved === undefined) return;
    const { hashing, clock } = this.#ports;
    const stored = await this.#saved.loadScan();
    for (const directory of stored.directories) {
      this.#index.load(directory);
      await clock.breathe();
    }
    const options = { hashing, algorithm: this.#algorithm };
    const tables = await tablesFromStore(stored, this.#sets, options, clock);
    for (const [set, table] of tables) {
      this.#manifests.set(set, table);
      this.#ahead.set(set, table);
    }
    if (!stored.isSameRules || !stored.isWhole) await this.#matchLoaded();
    if (!stored.isSameRules) this.#storeAll();
    await this.takeUpKnown();
    await this.store(true);
  }

  /** Whether a file was last found to contain what has this hash. */
  hasHash(path: BytePath, hash: ByteString): boolean {
    const set = this.#sets.setOf(path)?.name;
    if (set === undefined) return false;
    const fresh = this.#fresh.get(set)?.find(path);
    if (fresh !== undefined) return fresh.entry?.hash === hash;
    return this.#ahead.get(set)!.hasHash(path, hash);
  }

  /** Takes up what is known of a file now; undefined where it is gone. */
  record(path: BytePath, known: KnownFile | undefined): void {
    if (known === undefined) this.#index.delete(path);
    else this.#index.set(path, known.record);
    const set = this.#sets.setOf(path)?.name;
    if (set === undefined) return;
    let fresh = this.#fresh.get(set);
    if (fresh === undefined) this.#fresh.set(set, fresh = new LeafChanges());
    fresh.add({ path, entry: known?.entry });
  }

  /** Puts what was found, and stored, into the manifests; tells which contents really differ. */
  async takeUpFound(): Promise<Map<string, SetChange>> {
    const report = new Map<string, SetChange>();
    for (const [set, after] of this.#ahead) {
      const before = this.manifest(set);
      await before.prepareDigests(this.#ports.clock);
      this.#manifests.set(set, after);
      // A new time alone is nothing to tell anybody, and in no digest.
      if (before.rootDigest !== after.rootDigest) report.set(set, { before, after });
    }
    return report;
  }

  /** Puts into the manifests what nobody has to be told about. */
  async takeUpKnown(): Promise<void> {
    const { clock } = this.#ports;
    const fresh = new Map(this.#fresh);
    const before = new Map(this.#ahead);
    await this.#goAhead();
    for (const [set, changes] of fresh) {
      const manifest = this.manifest(set);
      // What a stopped scan has found is still to be told, and so not in the manifests.
      const isAll = manifest === before.get(set);
      const after = isAll ? this.#ahead.get(set)! : await manifest.withMany(changes, clock);
      this.#manifests.set(set, after);
    }
    await this.store(false);
  }

  /** Brings the tables that are ahead up to date. */
  async #goAhead(): Promise<void> {
    const fresh = new Map(this.#fresh);
    this.#fresh.clear();
    for (const [set, changes] of fresh) {
      this.#ahead.set(set, await this.#ahead.get(set)!.withMany(changes, this.#ports.clock));
      this.#unstore(set, changes.leaves());
    }
  }

  /** Stores what is new: at the end of a scan, or where that was long ago. */
  async store(isEnd: boolean): Promise<void> {
    const { clock } = this.#ports;
    if (!isEnd && clock.monotonicMs() - this.#storedMs < unstoredMs) return;
    await this.#goAhead();
    if (isEnd) {
      for (const table of this.#ahead.values()) await table.prepareDigests(clock);
    }
    this.#storedMs = clock.monotonicMs();
    await this.#save();
  }

  async #save(): Promise<void> {
    const unstored = new Map(this.#unstored);
    this.#unstored.clear();
    const index = this.#index;
    const directories = index.takeChanged();
    let count = directories.size;
    for (const leaves of unstored.values()) count += leaves.size;
    if (count === 0) return;
    const packed = directories.values().map((path) => index.pack(path));
    try {
      await this.#saved?.saveScan({ count, leaves: this.#leavesOf(unstored), directories: packed });
    } catch (error) {
      for (const [set, leaves] of unstored) this.#unstore(set, leaves);
      index.giveBackChanged(directories);
      throw error;
    }
  }

  /** Notes leaves that are to be stored. */
  #unstore(set: string, leaves: Iterable<number>): void {
    const unstored = this.#unstored.get(set) ?? new Set<number>();
    this.#unstored.set(set, unstored);
    for (const leaf of leaves) unstored.add(leaf);
  }

  #storeAll(): void {
    this.#index.changeAll();
    for (const [set, table] of this.#ahead) this.#unstore(set, table.usedLeaves());
  }

  /** Forgets files of which the store does not know both the content and the facts. */
  async #matchLoaded(): Promise<void> {
    const { clock } = this.#ports;
    for (const table of this.#ahead.values()) {
      for (const { path } of table.entries()) {
        if (this.#index.get(path) === undefined) this.record(path, undefined);
        await clock.breathe();
      }
    }
    for (const directory of this.#index.directories()) {
      for (const name of this.#index.filesIn(directory).keys()) {
        const path = joinPath(directory, name);
        const set = this.#sets.setOf(path)?.name;
        const entry = set === undefined ? undefined : this.#ahead.get(set)!.get(path);
        if (entry === undefined) this.#index.delete(path);
      }
      await clock.breathe();
    }
  }

  *#leavesOf(unstored: ReadonlyMap<string, Iterable<number>>): Generator<SetLeaf> {
    for (const [set, leaves] of unstored) {
      const table = this.#ahead.get(set)!;
      for (const at of leaves) yield { ...table.leaf(at), set };
    }
  }
}
