/**
 * The scanner: knows what is in the managed tree, at the cost of what changed in it.
 *
 * It keeps an index of all files in memory and in the store, reads a file only where its facts
 * leave a doubt, and keeps one manifest for each set. Besides, each scan that goes
 * through the tree reads some of the files that were not read for the longest time, so that every
 * file is read once in `rehashEveryMs` and content changed behind unchanged times is found.
 *
 * One scan runs at a time. A stopped or failed scan keeps what it found; the next one reports it.
 */
import { Mutex } from '../base/async.ts';
import type { BytePath, ByteString } from '../base/bytes.ts';
import { invariant } from '../base/errors.ts';
import type {
  Clock,
  DirectoryWatch,
  FileFacts,
  HashAlgorithm,
  Hashing,
  Logger,
  TreeReader,
} from '../ports.ts';
import type { EntryChange } from './entry.ts';
import type { SetTable } from './file-set.ts';
import type { IndexStore } from './index-store.ts';
import { Manifest } from './manifest.ts';
import { isBelow } from './paths.ts';
import { type FileRecord, makeRecord, ScanIndex } from './scan-index.ts';
import { type Itinerary, type PassContext, ScanPass, type ScanProgress } from './scan-pass.ts';
import { type ScanProblem, ScanProblems } from './scan-problems.ts';
import { slices, transactionRowsMax } from '../base/transaction.ts';

export type { ScanProgress } from './scan-pass.ts';
export type { ScanProblem } from './scan-problems.ts';

/** How to scan. */
export interface ScannerOptions {
  /** The cluster's content hash. */
  readonly algorithm: HashAlgorithm;
  /** A file changed so shortly before it was read is read again, ms. */
  readonly racyWindowMs: number;
  /** How often every file is read, whatever its facts say, ms. */
  readonly rehashEveryMs: number;
}

/** What the scanner needs from outside. */
export interface ScannerPorts {
  readonly tree: TreeReader;
  readonly clock: Clock;
  readonly hashing: Hashing;
  readonly log: Logger;
}

/**
 * Where to look. `full`: everywhere. `hints`: at the directories of these paths and what is new in
 * them, and at files that could not be told by their times before. `part`: like `hints`, and then
 * through the tree, directory by directory while `mayGoOn`: from where the last `part` has stopped,
 * or anew.
 */
export type ScanScope =
  | { readonly kind: 'full' }
  | { readonly kind: 'hints'; readonly paths: ReadonlySet<BytePath> }
  | {
    readonly kind: 'part';
    readonly paths: ReadonlySet<BytePath>;
    readonly isAnew: boolean;
    readonly mayGoOn: (progress: ScanProgress) => boolean;
  };

/** What a scan found. */
export interface ScanReport extends ScanProgress {
  /** What differs from the manifests before, by set; sets without changes are not in it. */
  readonly changes: ReadonlyMap<string, readonly EntryChange[]>;
  /** What cannot be taken into account, as of the last look at each place. */
  readonly problems: readonly ScanProblem[];
  /** Names of the sets whose directory does not exist; they have no entries. */
  readonly missingRoots: readonly string[];
  /** Whether nothing is left of the way through the tree: the next `part` begins anew. */
  readonly isThrough: boolean;
  readonly durationMs: number;
}

/** A file that was put into the tree by this program, which so knows its content. */
export interface PlacedFile {
  readonly path: BytePath;
  readonly facts: FileFacts;
  readonly hash: ByteString;
}

/**
 * Share of all files that one scan reads at most because they were not read for long: after a long
 * standstill all are due, and the scan is to end soon nevertheless.
 */
const rehashShareMax = 1 / 8;

/** Name of the value in the store that tells when the last full scan was, by the wall clock. */
const FULL_SCAN = 'scan.full_ms';

/** Knows what is in the managed tree. */
export class Scanner {
  readonly #ports: ScannerPorts;
  readonly #sets: SetTable;
  readonly #options: ScannerOptions;
  readonly #store: IndexStore | undefined;
  readonly #index = new ScanIndex();
  readonly #manifests = new Map<string, Manifest>();
  /** Found, but not in the manifests yet: all of it is at the end of a scan. */
  readonly #found = new Map<string, Map<BytePath, EntryChange>>();
  /** Records to be stored, in the order in which the files were read. */
  readonly #unsaved = new Map<BytePath, FileRecord | undefined>();
  readonly #turns = new Mutex();
  /** Directories that could not be listed. */
  readonly #unlisted = new Set<BytePath>();
  readonly #problems = new ScanProblems();
  /** Files that are to be read again soon, whatever their facts say. */
  #doubtful = new Set<BytePath>();
  /** What is left of the way through the tree. */
  #itinerary: Itinerary = [];
  /** Files that should have been read again by now, with the fraction of one. */
  #rehashDueCount = 0;
  /** When the longest unread files were last counted, by the monotonic clock. */
  #rehashMs: number | undefined;

  constructor(
    ports: ScannerPorts,
    sets: SetTable,
    options: ScannerOptions,
    store?: IndexStore,
  ) {
    this.#ports = ports;
    this.#sets = sets;
    this.#options = options;
    this.#store = store;
    const { hashing } = ports;
    const empty = Manifest.empty({ hashing, algorithm: options.algorithm });
    for (const set of sets.sets) this.#manifests.set(set.name, empty);
  }

  /** Number of files in all manifests. */
  get filesCount(): number {
    return this.#index.filesCount;
  }

  /** Number of files and directories that are known. */
  get knownCount(): number {
    return this.#index.filesCount + this.#index.directoriesCount;
  }

  /** What is in a set, as of the last scan that was finished. */
  manifest(setName: string): Manifest {
    const manifest = this.#manifests.get(setName);
    invariant(manifest !== undefined, `"${setName}" is a set of this node`);
    return manifest;
  }

  /** Takes up what the store remembers, so that a restart reads no file that has not changed. */
  load(): Promise<void> {
    return this.#turns.run(async () => {
      const store = this.#store;
      if (store === undefined) return;
      const changes: EntryChange[] = [];
      await store.loadRecords((record) => {
        const { path } = record.entry;
        // The configuration may have changed since.
        if (this.#sets.setOf(path) === undefined) this.#unsaved.set(path, undefined);
        else {
          this.#index.set(record);
          changes.push({ path, entry: record.entry });
        }
      });
      await this.#putIntoManifests(changes);
      for (const table of this.#manifests.values()) await table.prepareDigests(this.#ports.clock);
      await this.#save();
      const lastMs = Number(store.value(FULL_SCAN));
      const sinceMs = Number.isFinite(lastMs) ? this.#ports.clock.nowMs() - lastMs : 0;
      this.#rehashMs = this.#ports.clock.monotonicMs() - Math.max(0, sinceMs);
    });
  }

  /** Looks for changes; `watch` hears of all directories before they are listed. */
  scan(
    scope: ScanScope,
    signal: AbortSignal,
    onProgress?: (progress: ScanProgress) => void,
    watch?: DirectoryWatch,
  ): Promise<ScanReport> {
    return this.#run({ isTrusting: true, signal, onProgress, watch }, async (pass) => {
      if (scope.kind !== 'full') {
        const doubtful = [...this.#doubtful];
        this.#doubtful.clear();
        await pass.lookAt(scope.paths);
        await pass.readAgain(doubtful);
      }
      if (scope.kind === 'hints') return;
      const isAnew = scope.kind === 'full' || scope.isAnew || this.#itinerary.length === 0;
      if (isAnew) this.#itinerary = [...this.#sets.roots];
      const mayGoOn = () => scope.kind === 'full' || scope.mayGoOn(pass.progress);
      await pass.goThrough(this.#itinerary, mayGoOn);
      await pass.readAgain(this.#index.longestUnchecked(this.#rehashCount(pass)));
      if (this.#itinerary.length > 0) return;
      this.#store?.setValue(FULL_SCAN, String(this.#ports.clock.nowMs()));
    });
  }

  /** Reads all files: what is reported is what is on the disk, whatever was remembered. */
  verify(
    signal: AbortSignal,
    onProgress?: (progress: ScanProgress) => void,
  ): Promise<ScanReport> {
    const watch = undefined;
    return this.#run({ isTrusting: false, signal, onProgress, watch }, async (pass) => {
      await pass.goThrough([...this.#sets.roots], () => true);
      this.#rehashDueCount = 0;
    });
  }

  /** Takes up files that this program has just placed, without reading them. */
  adopt(placed: readonly PlacedFile[]): Promise<void> {
    const checkedMs = this.#ports.clock.nowMs();
    return this.#turns.run(async () => {
      const changes: EntryChange[] = [];
      for (const { path, facts, hash } of placed) {
        if (this.#sets.setOf(path) === undefined) continue;
        const record = makeRecord(path, facts, hash, checkedMs, true);
        this.#record(path, record);
        changes.push({ path, entry: record.entry });
      }
      await this.#putIntoManifests(changes);
      await this.#save();
    });
  }

  /** Takes up that this program has just removed files. */
  forget(paths: readonly BytePath[]): Promise<void> {
    return this.#turns.run(async () => {
      for (const path of paths) this.#record(path, undefined);
      await this.#putIntoManifests(paths.map((path) => ({ path, entry: undefined })));
      await this.#save();
    });
  }

  // ---

  #run(
    options: Pick<PassContext, 'isTrusting' | 'signal' | 'onProgress' | 'watch'>,
    work: (pass: ScanPass) => Promise<void>,
  ): Promise<ScanReport> {
    return this.#turns.run(async () => {
      const { clock, tree, log } = this.#ports;
      const startedMs = clock.monotonicMs();
      const pass = new ScanPass({
        ...options,
        tree,
        clock,
        log,
        sets: this.#sets,
        index: this.#index,
        problems: this.#problems,
        unlisted: this.#unlisted,
        algorithm: this.#options.algorithm,
        racyWindowMs: this.#options.racyWindowMs,
        note: (path, record) => this.#note(path, record),
        doubt: (path) => void this.#doubtful.add(path),
        onBatch: () => this.#saveMuch(),
      });
      try {
        await work(pass);
      } catch (error) {
        // Of the directories that it has listed some files may not have been read yet.
        this.#itinerary = [];
        throw error;
      } finally {
        await this.#save();
      }
      const changes = await this.#takeUpFound();
      return {
        ...pass.progress,
        changes,
        problems: this.#problems.all(),
        missingRoots: this.#missingRoots(),
        isThrough: this.#itinerary.length === 0,
        durationMs: clock.monotonicMs() - startedMs,
      };
    });
  }

  /** How many of the longest unread files a scan is to read now. */
  #rehashCount(pass: ScanPass): number {
    const nowMs = this.#ports.clock.monotonicMs();
    const elapsedMs = nowMs - (this.#rehashMs ?? nowMs);
    this.#rehashMs = nowMs;
    const { filesCount } = this.#index;
    const dueCount = this.#rehashDueCount + filesCount * elapsedMs / this.#options.rehashEveryMs;
    this.#rehashDueCount = Math.min(dueCount, filesCount);
    const unreadCount = Math.max(0, filesCount - pass.progress.hashedCount);
    const most = Math.min(unreadCount, Math.ceil(filesCount * rehashShareMax));
    const count = Math.min(Math.floor(this.#rehashDueCount), most);
    this.#rehashDueCount -= count;
    return count;
  }

  #missingRoots(): string[] {
    const unlisted = [...this.#unlisted];
    return this.#sets.sets.filter((set) => {
      const directory = this.#sets.directoryOf(set);
      return !this.#index.hasDirectory(directory) &&
        !unlisted.some((path) => path === directory || isBelow(directory, path));
    }).map((set) => set.name);
  }

  /** Takes up what a scan found about one file. */
  #note(path: BytePath, record: FileRecord | undefined): void {
    this.#record(path, record);
    const set = this.#sets.setOf(path);
    if (set === undefined) return;
    const found = this.#found.get(set.name) ?? new Map<BytePath, EntryChange>();
    this.#found.set(set.name, found.set(path, { path, entry: record?.entry }));
  }

  #record(path: BytePath, record: FileRecord | undefined): void {
    if (record === undefined) this.#index.delete(path);
    else this.#index.set(record);
    if (record?.isSettled === false) this.#doubtful.add(path);
    else this.#doubtful.delete(path);
    this.#unsaved.delete(path);
    this.#unsaved.set(path, record);
  }

  /** Puts what was found into the manifests, and tells what really differs. */
  async #takeUpFound(): Promise<Map<string, EntryChange[]>> {
    const report = new Map<string, EntryChange[]>();
    for (const [set, found] of this.#found) {
      const before = this.manifest(set);
      let after = before;
      const changes: EntryChange[] = [];
      for (const slice of slices(found.values(), transactionRowsMax)) {
        after = after.with(slice);
        changes.push(...slice.filter((change) => isDifferent(before, change)));
        await this.#ports.clock.breathe();
      }
      await after.prepareDigests(this.#ports.clock);
      this.#manifests.set(set, after);
      if (changes.length > 0) report.set(set, changes);
    }
    this.#found.clear();
    return report;
  }

  /** Puts changes into the manifests that nobody has to be told about. */
  async #putIntoManifests(changes: readonly EntryChange[]): Promise<void> {
    for (const slice of slices(changes, transactionRowsMax)) {
      const bySet = Map.groupBy(slice, ({ path }) => this.#sets.setOf(path)?.name);
      for (const [set, changes] of bySet) {
        if (set === undefined) continue;
        this.#manifests.set(set, this.manifest(set).with(changes));
        for (const { path } of changes) this.#found.get(set)?.delete(path);
      }
      await this.#ports.clock.breathe();
    }
  }

  async #saveMuch(): Promise<void> {
    if (this.#unsaved.size >= transactionRowsMax) await this.#save();
  }

  async #save(): Promise<void> {
    const changes = Array.from(this.#unsaved, ([path, record]) => ({ path, record }));
    this.#unsaved.clear();
    await this.#store?.saveRecords(changes);
  }
}

// ---

/** Whether a change is one of content; a new time alone is nothing to tell anybody. */
function isDifferent(before: Manifest, change: EntryChange): boolean {
  const known = before.get(change.path);
  return known?.hash !== change.entry?.hash || known?.size !== change.entry?.size;
}
