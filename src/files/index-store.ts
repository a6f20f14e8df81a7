/**
 * What a node remembers of its files over a restart, in the database: the scan index, the tables of
 * the generation that was published (on a master) or applied (on a worker) last, and a few values
 * beside them.
 *
 * Both are leaves of manifests, beside which the scan index has what is known of the files of each
 * directory. They are written in many short transactions. The scan index may be torn by a crash: its
 * leaves are never older than its directories, so that costs reading some files again; a mark tells
 * that one may have files which the other has not. The published tables may not be torn: while they
 * are written in more than one transaction they are marked incomplete. A save that fails in the
 * middle is made good by the next one; tables found with the mark at start are not used.
 */
import { toHex } from '../base/bytes.ts';
import { Mutex } from '../base/async.ts';
import { inTransaction, slices } from '../base/transaction.ts';
import type { Clock, Database, HashAlgorithm, Hashing, Statement } from '../ports.ts';
import { DirectoryTable, directoryTableSql } from './directory-table.ts';
import type { SetTable } from './file-set.ts';
import { LeafTable, leafTableSql, leavesMax, type SetLeaf } from './leaf-table.ts';
import { Manifest } from './manifest.ts';
import type { PackedDirectory } from './scan-index.ts';

/** Tables of this module as they were at first; see base/migrations.ts. */
export const indexMigrations: readonly string[] = [
  `CREATE TABLE scan_records (
     id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, size INTEGER NOT NULL,
     mtime_ms REAL NOT NULL, ctime_ms REAL NOT NULL, inode REAL NOT NULL, hash BLOB NOT NULL,
     checked_ms REAL NOT NULL, is_settled INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE published (
     path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ms REAL NOT NULL, hash BLOB NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE index_values (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;`,
];

/**
 * Leaves in place of rows. What was stored is dropped: every file is read once more, and nothing is
 * published until that is done.
 */
export const leafMigrations: readonly string[] = [
  `DROP TABLE scan_records;
   DROP TABLE published;
   DELETE FROM index_values WHERE name = 'published.state';
   ${leafTableSql('scan_leaves')}
   ${leafTableSql('published_leaves')}`,
];

/** What is known of files by directory, beside the tables. Every file is read once more. */
export const directoryMigrations: readonly string[] = [
  `DROP TABLE scan_leaves;
   ${leafTableSql('scan_leaves')}
   ${directoryTableSql}`,
];

/** The tables of manifests as they were stored. */
export interface StoredLeaves {
  readonly leaves: readonly SetLeaf[];
  /** Whether the sets chose the same files then: every row still belongs to the set of its leaf. */
  readonly isSameRules: boolean;
}

/** The scan index as it was stored. */
export interface StoredScan extends StoredLeaves {
  readonly directories: readonly PackedDirectory[];
  /** Whether every file of the leaves is in a directory and the other way round. */
  readonly isWhole: boolean;
}

/** What is to be stored of the scan index. */
export interface ChangedScan {
  /** How many leaves and directories there are. */
  readonly count: number;
  readonly leaves: Iterable<SetLeaf>;
  readonly directories: Iterable<PackedDirectory>;
}

/** Leaves and directories that are stored in one transaction. */
const atOnceMax = 64;

/** The published tables as they were stored. */
export interface Published extends StoredLeaves {
  readonly generation: number;
}

/** Names of the values that this module keeps for itself. */
const GENERATION = 'published.generation';
const KIND = 'published.kind';
const STATE = 'published.state';
const SCAN_KIND = 'scan.kind';
const SCAN_STATE = 'scan.state';
const INCOMPLETE = 'incomplete';
const COMPLETE = 'complete';

/** The tables of some sets. */
export type Tables = ReadonlyMap<string, Manifest>;

/** What the index is kept with. */
export interface IndexPorts {
  readonly clock: Pick<Clock, 'breathe'>;
  readonly database: Database;
  readonly hashing: Hashing;
}

/** The remembered index of a node. */
export class IndexStore {
  readonly #ports: IndexPorts;
  readonly #algorithm: HashAlgorithm;
  /** What the sets choose; stored tables of other rules have to be sorted anew. */
  readonly #rules: string;
  readonly #empty: Manifest;
  readonly #scanned: LeafTable;
  readonly #directories: DirectoryTable;
  readonly #published: LeafTable;
  /** Writers of the published table: one at a time, since each breathes between transactions. */
  readonly #publishing = new Mutex();
  /** The published tables as they are stored; undefined where that is not known. */
  #stored: Tables | undefined;
  readonly #saveValue: Statement;
  readonly #deleteValue: Statement;
  readonly #selectValue: Statement;

  constructor(ports: IndexPorts, sets: SetTable, options: { readonly algorithm: HashAlgorithm }) {
    const { hashing } = ports;
    const { algorithm } = options;
    this.#ports = ports;
    this.#algorithm = algorithm;
    this.#empty = Manifest.empty({ hashing, algorithm });
    this.#rules = sets.sets.map((set) => `${set.name}=${toHex(sets.rulesDigest(set))}`).join(' ');
    this.#scanned = new LeafTable(ports, 'scan_leaves');
    this.#directories = new DirectoryTable(ports);
    this.#published = new LeafTable(ports, 'published_leaves');
    const { database } = ports;
    this.#saveValue = database.prepare('REPLACE INTO index_values (name, value) VALUES (?, ?)');
    this.#deleteValue = database.prepare('DELETE FROM index_values WHERE name = ?');
    this.#selectValue = database.prepare('SELECT value FROM index_values WHERE name = ?');
  }

  // --- the scan index ------------------------------------------------------------------------

  /**
   * The stored scan index. It is dropped where it is of another algorithm (every file has to be read
   * anyway) or of other rules; then what is given has to be saved again.
   */
  async loadScan(): Promise<StoredScan> {
    const [algorithm, ...rules] = this.value(SCAN_KIND)?.split(' ') ?? [];
    const leaves: SetLeaf[] = [];
    const directories: PackedDirectory[] = [];
    const isSameRules = rules.join(' ') === this.#rules;
    const isWhole = this.value(SCAN_STATE) !== INCOMPLETE;
    if (algorithm === this.#algorithm) {
      await this.#scanned.load((leaf) => leaves.push(leaf));
      await this.#directories.load((directory) => directories.push(directory));
    }
    if (algorithm !== this.#algorithm || !isSameRules) {
      this.setValue(SCAN_STATE, INCOMPLETE);
      await this.#directories.clear();
      await this.#scanned.clear();
      this.setValue(SCAN_KIND, this.#kind);
    }
    return { leaves, directories, isSameRules, isWhole };
  }

  /**
   * Stores what has changed of the scan index in place of what is stored of it. To be all that has
   * changed, with what a call that failed was to store. Leaves come first: a file whose facts are
   * stored has its content stored as well.
   */
  async saveScan({ count, leaves, directories }: ChangedScan): Promise<void> {
    if (count <= atOnceMax) {
      inTransaction(this.#ports.database, () => {
        this.#scanned.put([...leaves]);
        this.#directories.put([...directories]);
        if (this.value(SCAN_STATE) === INCOMPLETE) this.setValue(SCAN_STATE, COMPLETE);
      });
      return;
    }
    this.setValue(SCAN_STATE, INCOMPLETE);
    await this.#scanned.save(leaves);
    await this.#directories.save(directories);
    this.setValue(SCAN_STATE, COMPLETE);
  }

  // --- the published generation --------------------------------------------------------------

  /** Whether the stored tables are whole: not after a crash while they were written. */
  get isPublishedWhole(): boolean {
    return this.value(STATE) === COMPLETE && this.value(KIND) === this.#kind;
  }

  /** Highest generation number ever stored, complete or not; 0 for none. */
  lastGeneration(): number {
    return Number(this.value(GENERATION) ?? 0);
  }

  /** The tables stored last; undefined where there are none, or none that are whole. */
  async loadPublished(): Promise<Published | undefined> {
    return await this.#publishing.run(async () => {
      const [algorithm, ...rules] = this.value(KIND)?.split(' ') ?? [];
      if (this.value(STATE) !== COMPLETE || algorithm !== this.#algorithm) return undefined;
      const leaves: SetLeaf[] = [];
      await this.#published.load((leaf) => leaves.push(leaf));
      const isSameRules = rules.join(' ') === this.#rules;
      return { generation: this.lastGeneration(), leaves, isSameRules };
    });
  }

  /** Tells that the stored tables are these, so that the next save costs no more than what differs. */
  recognisePublished(tables: Tables): void {
    this.#stored = new Map(tables);
  }

  /**
   * Turns the stored tables into those of this generation, at the cost of what differs; of all where
   * it is not known what is stored. `values` are stored together with the end of it; while the
   * tables are not whole they are not there.
   */
  savePublished(
    generation: number,
    tables: Tables,
    values: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    return this.#publishing.run(async () => {
      const before = this.#stored ?? new Map<string, Manifest>();
      const isKnown = this.#stored !== undefined;
      // Where this fails it is not known any more what is stored, and the next save writes all.
      this.#stored = undefined;
      const names = Object.keys(values);
      if (!isKnown) {
        this.#markIncomplete(generation, names);
        await this.#published.clear();
      }
      // One slice is held back, so that the last one and the end mark share a transaction: a small
      // change is never incomplete, not even for a moment.
      let held: SetLeaf[] = [];
      for (const slice of slices(changedLeaves(before, tables, this.#empty), leavesMax)) {
        if (held.length > 0) {
          this.#markIncomplete(generation, names);
          await this.#published.save(held);
        }
        held = slice;
      }
      inTransaction(this.#ports.database, () => {
        this.#published.put(held);
        for (const [name, value] of Object.entries(values)) this.setValue(name, value);
        this.setValue(STATE, COMPLETE);
        this.setValue(GENERATION, String(generation));
        this.setValue(KIND, this.#kind);
      });
      this.#stored = new Map(tables);
    });
  }

  // --- values --------------------------------------------------------------------------------

  /** A value stored under a name. */
  value(name: string): string | undefined {
    const row = this.#selectValue.get(name);
    return row === undefined ? undefined : String(row['value']);
  }

  /** Stores a value under a name; '.' separates the parts of a name. */
  setValue(name: string, value: string): void {
    this.#saveValue.run(name, value);
  }

  // ---

  /** What rows depend on besides the files. */
  get #kind(): string {
    return `${this.#algorithm} ${this.#rules}`;
  }

  #markIncomplete(generation: number, valueNames: readonly string[]): void {
    inTransaction(this.#ports.database, () => {
      this.setValue(STATE, INCOMPLETE);
      this.setValue(GENERATION, String(generation));
      for (const name of valueNames) this.#deleteValue.run(name);
    });
  }
}

// ---

/** The leaves that differ between what is stored and what is to be, those of lost sets included. */
function* changedLeaves(before: Tables, after: Tables, empty: Manifest): Generator<SetLeaf> {
  for (const set of new Set([...before.keys(), ...after.keys()])) {
    const table = after.get(set) ?? empty;
    for (const leaf of table.leavesUnlike(before.get(set) ?? empty)) yield { ...leaf, set };
  }
}
