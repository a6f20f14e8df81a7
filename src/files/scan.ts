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
import { leafOf, leavesCount } from './digest-tree.ts';
import type {
  Clock,
  DirectoryWatch,
  FileFacts,
  HashAlgorithm,
  Hashing,
  Logger,
  TreeReader,
} from '../ports.ts';
import type { SetTable } from './file-set.ts';
import type { IndexStore } from './index-store.ts';
import type { Manifest } from './manifest.ts';
import { isBelow } from './paths.ts';
import { type FileRecord, hasSameFacts, makeRecord, ScanIndex } from './scan-index.ts';
import { type Itinerary, type PassContext, ScanPass, type ScanProgress } from './scan-pass.ts';
import { type ScanProblem, ScanProblems } from './scan-problems.ts';
import { type KnownFile, ScanTables, type SetChange } from './scan-tables.ts';

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
 * them, and, unless it is urgent, at files that could not be told by their times before. `part`: like
 * `hints`, and then through the tree, directory by directory while `mayGoOn`: from where the last
 * `part` has stopped, or anew.
 */
export type ScanScope =
  | { readonly kind: 'full' }
  | { readonly kind: 'hints'; readonly paths: ReadonlySet<BytePath>; readonly isUrgent?: boolean }
  | {
    readonly kind: 'part';
    readonly paths: ReadonlySet<BytePath>;
    readonly isAnew: boolean;
    readonly mayGoOn: (progress: ScanProgress) => boolean;
  };

/** What a scan found. */
export interface ScanReport extends ScanProgress {
  /** The sets whose contents differ from the manifests before. */
  readonly changes: ReadonlyMap<string, SetChange>;
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

/** Knows what is in the managed tree. */
export class Scanner {
  readonly #ports: ScannerPorts;
  readonly #sets: SetTable;
  readonly #options: ScannerOptions;
  readonly #index = new ScanIndex();
  readonly #tables: ScanTables;
  readonly #turns = new Mutex();
  /** Directories that could not be listed. */
  readonly #unlisted = new Set<BytePath>();
  readonly #problems = new ScanProblems();
  /** Files that are to be read again soon, whatever their facts say. */
  #doubtful = new Set<BytePath>();
  /** What is left of the way through the tree. */
  #itinerary: Itinerary = [];
  /** How many files the present scan may still read just because that was not done for long. */
  #rereadsLeft = 0;

  constructor(
    ports: ScannerPorts,
    sets: SetTable,
    options: ScannerOptions,
    store?: IndexStore,
  ) {
    this.#ports = ports;
    this.#sets = sets;
    this.#options = options;
    this.#tables = new ScanTables(ports, this.#index, sets, options, store);
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
    return this.#tables.manifest(setName);
  }

  /** Whether a path looks as it did when it was taken up last: a look there finds nothing. */
  async isAsKnown(path: BytePath): Promise<boolean> {
    let facts: FileFacts | undefined;
    try {
      facts = await this.#ports.tree.facts(path);
    } catch {
      return false;
    }
    const record = this.#index.get(path);
    if (record === undefined) return facts === undefined && !this.#index.hasDirectory(path);
    return record.isSettled && facts?.kind === 'file' && hasSameFacts(record, facts);
  }

  /** Takes up what the store remembers, so that a restart reads no file that has not changed. */
  load(): Promise<void> {
    return this.#turns.run(() => this.#tables.load());
  }

  /** Looks for changes; `watch` hears of all directories before they are listed. */
  scan(
    scope: ScanScope,
    signal: AbortSignal,
    onProgress?: (progress: ScanProgress) => void,
    watch?: DirectoryWatch,
  ): Promise<ScanReport> {
    const isTrusted = (path: BytePath, record: FileRecord) => !this.#isDue(path, record);
    return this.#run({ isCheck: false, isTrusted, signal, onProgress, watch }, async (pass) => {
      this.#rereadsLeft = Math.ceil(this.#index.filesCount * rehashShareMax);
      if (scope.kind !== 'full') {
        const isUrgent = scope.kind === 'hints' && scope.isUrgent === true;
        const doubtful = isUrgent ? [] : [...this.#doubtful];
        for (const path of doubtful) this.#doubtful.delete(path);
        await pass.lookAt(scope.paths);
        await pass.readAgain(doubtful);
      }
      if (scope.kind === 'hints') return;
      const isAnew = scope.kind === 'full' || scope.isAnew || this.#itinerary.length === 0;
      if (isAnew) this.#itinerary = [...this.#sets.roots];
      const mayGoOn = () => scope.kind === 'full' || scope.mayGoOn(pass.progress);
      await pass.goThrough(this.#itinerary, mayGoOn);
    });
  }

  /** Reads all files: what is reported is what is on the disk, whatever was remembered. */
  verify(
    signal: AbortSignal,
    onProgress?: (progress: ScanProgress) => void,
  ): Promise<ScanReport> {
    const isTrusted = () => false;
    const options = { isCheck: true, isTrusted, signal, onProgress, watch: undefined };
    return this.#run(options, async (pass) => {
      await pass.goThrough([...this.#sets.roots], () => true);
    });
  }

  /** Takes up files that this program has just placed, without reading them. */
  adopt(placed: readonly PlacedFile[]): Promise<void> {
    const checkedMs = this.#ports.clock.nowMs();
    return this.#turns.run(async () => {
      for (const { path, facts, hash } of placed) {
        if (this.#sets.setOf(path) === undefined) continue;
        const record = makeRecord(facts, checkedMs, true);
        const entry = { path, size: record.size, mtimeMs: record.mtimeMs, hash };
        this.#record(path, { entry, record });
      }
      await this.#tables.takeUpKnown();
    });
  }

  /** Takes up that this program has just removed files. */
  forget(paths: readonly BytePath[]): Promise<void> {
    return this.#turns.run(async () => {
      for (const path of paths) this.#record(path, undefined);
      await this.#tables.takeUpKnown();
    });
  }

  /** Stores what was taken up since the last scan; what is not stored is read again after a restart. */
  flush(): Promise<void> {
    return this.#turns.run(() => this.#tables.store(true));
  }

  // ---

  #run(
    options: Pick<PassContext, 'isCheck' | 'isTrusted' | 'signal' | 'onProgress' | 'watch'>,
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
        note: (path, found) => this.#record(path, found),
        doubt: (path, known) => {
          if (known !== undefined) this.#index.set(path, { ...known, isSettled: false });
          this.#doubtful.add(path);
        },
        hasHash: (path, hash) => this.#tables.hasHash(path, hash),
        onBatch: () => this.#tables.store(false),
      });
      try {
        await work(pass);
      } catch (error) {
        // Of the directories that it has listed some files may not have been read yet.
        this.#itinerary = [];
        throw error;
      } finally {
        await this.#tables.store(true);
      }
      const changes = await this.#tables.takeUpFound();
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

  /**
   * Whether it is time to read a file that looks unchanged: after the whole period at the latest, and
   * depending on the path after half of it, or files that came together would be due together for ever.
   */
  #isDue(path: BytePath, { checkedMs }: FileRecord): boolean {
    const ageMs = Math.abs(this.#ports.clock.nowMs() - checkedMs);
    const { rehashEveryMs } = this.#options;
    if (ageMs < rehashEveryMs / 2 || this.#rereadsLeft <= 0) return false;
    if (ageMs < rehashEveryMs * (1 + leafOf(path) / leavesCount) / 2) return false;
    this.#rereadsLeft--;
    return true;
  }

  #missingRoots(): string[] {
    const unlisted = [...this.#unlisted];
    return this.#sets.sets.filter((set) => {
      const directory = this.#sets.directoryOf(set);
      return !this.#index.hasDirectory(directory) &&
        !unlisted.some((path) => path === directory || isBelow(directory, path));
    }).map((set) => set.name);
  }

  /** Takes up what is known of one file now. */
  #record(path: BytePath, known: KnownFile | undefined): void {
    if (known?.record.isSettled === false) this.#doubtful.add(path);
    else this.#doubtful.delete(path);
    this.#tables.record(path, known);
  }
}
