/**
 * What was replaced or deleted, and how to get it back.
 *
 * The disk holds the kept contents under made-up names; the database knows what each of them is. Of
 * every path the newest `keepCount` contents are kept. Creations are noted too, without a content,
 * so that undoing a generation can remove what it created. What has been given up leaves a mark
 * behind: then it is known that an older state cannot be restored, instead of restoring a wrong one.
 */
import { type BytePath, type ByteString, fromBytes, toBytes } from '../base/bytes.ts';
import type { Clock, Database, SqlValue, Statement, TreeWriter } from '../ports.ts';
import { inTransaction, inTransactions, slices, transactionRowsMax } from '../base/transaction.ts';

/** Tables of this module; see base/migrations.ts, and index-store.ts for the types of columns. */
export const versionMigrations: readonly string[] = [
  `CREATE TABLE versions (
     id INTEGER PRIMARY KEY, path TEXT NOT NULL, set_name TEXT NOT NULL,
     generation INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT UNIQUE, hash BLOB,
     size INTEGER NOT NULL, mtime_ms REAL NOT NULL, replaced_ms REAL NOT NULL
   ) STRICT;
   CREATE INDEX versions_by_path ON versions (path, id);`,
];

/**
 * What was done to a path. `created`: there was nothing. `given-up`: there was something, but it
 * has not been kept.
 */
export type VersionKind = 'replaced' | 'removed' | 'created' | 'given-up';

/** What was at a path before it was changed. */
export interface NewVersion {
  readonly path: BytePath;
  /** Name of the set. */
  readonly set: string;
  /** The generation that brought the change. */
  readonly generation: number;
  readonly kind: VersionKind;
  /** Name of the kept content on the disk; undefined for `created` and `given-up`. */
  readonly name: string | undefined;
  /** Hash of the content where it is known: not after a change by somebody else. */
  readonly hash: ByteString | undefined;
  /** Bytes. */
  readonly size: number;
  readonly mtimeMs: number;
}

/** A noted change, with what was there before. */
export interface Version extends NewVersion {
  readonly id: number;
  /** When it was replaced, by the wall clock, ms. */
  readonly replacedMs: number;
}

/** A version with its content. */
export interface KeptVersion extends Version {
  readonly name: string;
}

/** Which version of a path: the newest, or what was there before a generation came. */
export type VersionSelector = { readonly beforeGeneration: number } | 'newest';

/** How to undo generations. */
export interface RestorePlan {
  /** Contents to be put back. */
  readonly restore: readonly KeptVersion[];
  /** Files to be removed: there was nothing before. */
  readonly remove: readonly { readonly path: BytePath; readonly set: string }[];
  /** Files whose former content has not been kept. */
  readonly lost: readonly BytePath[];
}

/** The disk as far as versions go. */
type VersionFiles = Pick<TreeWriter, 'versions' | 'discardVersions'>;

/** What versions need from outside. */
export interface VersionPorts {
  readonly clock: Pick<Clock, 'nowMs' | 'breathe'>;
  readonly database: Database;
  readonly files: VersionFiles;
}

/** The kept versions of a node. */
export class VersionStore {
  /** Contents kept of each path; with 0 nothing is kept, nor noted. */
  readonly keepCount: number;
  readonly #ports: VersionPorts;
  readonly #insert: Statement;
  readonly #selectByPath: Statement;
  readonly #countByPath: Statement;
  readonly #selectNewest: Statement;
  readonly #selectLastBefore: Statement;
  readonly #selectOldest: Statement;
  readonly #selectById: Statement;
  readonly #selectNames: Statement;
  readonly #giveUp: Statement;
  readonly #delete: Statement;

  /** @param options.keepCount contents kept of each path @default 3 */
  constructor(ports: VersionPorts, options: { readonly keepCount: number }) {
    this.#ports = ports;
    this.keepCount = options.keepCount;
    const { database } = ports;
    const columns = 'id, path, set_name, generation, kind, name, hash, size, mtime_ms, replaced_ms';
    this.#insert = database.prepare(
      `INSERT INTO versions
         (path, set_name, generation, kind, name, hash, size, mtime_ms, replaced_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#selectByPath = database.prepare(
      `SELECT ${columns} FROM versions WHERE path = ? ORDER BY id DESC`,
    );
    this.#countByPath = database.prepare(
      'SELECT count(*) AS count FROM versions WHERE path = ?',
    );
    this.#selectNewest = database.prepare(
      `SELECT ${columns} FROM versions ORDER BY id DESC LIMIT ?`,
    );
    // Numbers start over where a master was set up anew: what counts is what came last.
    this.#selectLastBefore = database.prepare(
      'SELECT id FROM versions WHERE generation < ? ORDER BY id DESC LIMIT 1',
    );
    // The oldest of the noted changes of each path tells what was there before all of them.
    this.#selectOldest = database.prepare(
      `SELECT ${columns} FROM versions WHERE id IN (
         SELECT min(id) FROM versions WHERE path > ? AND id > ?
         GROUP BY path ORDER BY path LIMIT ${transactionRowsMax}
       ) ORDER BY path`,
    );
    this.#selectById = database.prepare(`SELECT ${columns} FROM versions WHERE id = ?`);
    this.#selectNames = database.prepare(
      `SELECT id, name FROM versions WHERE name IS NOT NULL AND id > ?
       ORDER BY id LIMIT ${transactionRowsMax}`,
    );
    this.#giveUp = database.prepare(
      `UPDATE versions SET kind = 'given-up', name = NULL, hash = NULL WHERE id = ?`,
    );
    this.#delete = database.prepare('DELETE FROM versions WHERE id = ?');
  }

  /** Notes changes, as part of the caller's transaction; `prune` is to follow. */
  record(versions: readonly NewVersion[]): void {
    if (this.keepCount === 0) return;
    const nowMs = this.#ports.clock.nowMs();
    for (const { path, set, generation, kind, name, hash, size, mtimeMs } of versions) {
      const bytes = hash === undefined ? null : toBytes(hash);
      this.#insert.run(path, set, generation, kind, name ?? null, bytes, size, mtimeMs, nowMs);
    }
  }

  /**
   * Generation of the change noted last; 0 for none. A change that no generation brings, such as
   * putting versions back, is to be noted with this one: a lower number means a new numbering.
   */
  lastGeneration(): number {
    return Number(this.#selectNewest.get(1)?.['generation'] ?? 0);
  }

  /** The versions of a path, or of all, newest first. @param countMax @default 1000 */
  list(path?: BytePath, countMax = 1000): Version[] {
    const rows = path === undefined
      ? this.#selectNewest.all(countMax)
      : this.#selectByPath.all(path).slice(0, countMax);
    return rows.map(readVersion);
  }

  /** How to undo the one change of this id; undefined where none such is noted. */
  restoreOne(id: number): RestorePlan | undefined {
    const row = this.#selectById.get(id);
    return row === undefined ? undefined : planOf([readVersion(row)]);
  }

  /** One kept content of a path; undefined where there is none such. */
  find(path: BytePath, selector: VersionSelector): KeptVersion | undefined {
    const versions = this.list(path, Infinity);
    if (selector === 'newest') return versions.find(isKept);
    const last = this.#lastBefore(selector.beforeGeneration);
    const oldest = versions.findLast(({ id }) => id > last);
    return oldest !== undefined && isKept(oldest) ? oldest : undefined;
  }

  /**
   * What would undo all changes since a generation, that one included. All that was noted before
   * the last change of a lower generation stays: a master that was set up anew counts from 1 again.
   */
  async restorePlan(sinceGeneration: number): Promise<RestorePlan> {
    const undone: Version[] = [];
    const lastBefore = this.#lastBefore(sinceGeneration);
    for (;;) {
      const rows = this.#selectOldest.all(undone.at(-1)?.path ?? '', lastBefore);
      for (const row of rows) undone.push(readVersion(row));
      if (rows.length < transactionRowsMax) return planOf(undone);
      await this.#ports.clock.breathe();
    }
  }

  /** Gives up what is beyond the number of contents to keep, in the database and on the disk. */
  async prune(paths: Iterable<BytePath>): Promise<void> {
    const { database, clock, files } = this.#ports;
    for (const slice of slices(paths, pruneCount)) {
      const givenUp = inTransaction(database, () => slice.flatMap((path) => this.#pruneOne(path)));
      // After the database: a content that nothing refers to is cleaned up at the next start.
      if (givenUp.length > 0) await files.discardVersions(givenUp);
      await clock.breathe();
    }
  }

  /**
   * Makes disk and database agree, at start: contents that nothing refers to are discarded,
   * references to contents that are gone become marks.
   */
  async clean(): Promise<{ readonly discardedCount: number; readonly lostCount: number }> {
    const { files, clock } = this.#ports;
    const unknown = new Set(await files.versions());
    const lost: number[] = [];
    for (let last = 0;;) {
      const rows = this.#selectNames.all(last);
      for (const row of rows) {
        last = Number(row['id']);
        if (!unknown.delete(String(row['name']))) lost.push(last);
      }
      if (rows.length < transactionRowsMax) break;
      await clock.breathe();
    }
    await inTransactions(this.#ports, lost, (id) => this.#giveUp.run(id));
    for (const names of slices(unknown, transactionRowsMax)) await files.discardVersions(names);
    return { discardedCount: unknown.size, lostCount: lost.length };
  }

  // ---

  /** Id of the last change that was made before a generation came; 0 for none. */
  #lastBefore(generation: number): number {
    return Number(this.#selectLastBefore.get(generation)?.['id'] ?? 0);
  }

  /** Gives up versions of a path; the names of their contents, to be discarded. */
  #pruneOne(path: BytePath): string[] {
    // Most paths have few: to count them takes a fraction of reading them.
    if (Number(this.#countByPath.get(path)?.['count']) <= this.keepCount) return [];
    const versions = this.list(path, Infinity);
    const rowsMax = 2 * this.keepCount + 1;
    let keptCount = 0;
    const first = versions.findIndex((version, at) => {
      if (isKept(version)) keptCount++;
      return keptCount > this.keepCount || at >= rowsMax;
    });
    if (first < 0) return [];
    // The newest of those given up stays as a mark for all of them.
    const [mark, ...older] = versions.slice(first);
    if (mark!.kind !== 'created' || older.length > 0) this.#giveUp.run(mark!.id);
    for (const version of older) this.#delete.run(version.id);
    return [mark!, ...older].flatMap((version) => version.name ?? []);
  }
}

// ---

/** Paths whose versions are looked through between two breaths. */
const pruneCount = 200;

/** How to get back what was there before each of these changes, one for a path. */
function planOf(versions: readonly Version[]): RestorePlan {
  const others = versions.filter((version) => !isKept(version));
  return {
    restore: versions.filter(isKept),
    remove: others.filter(({ kind }) => kind === 'created').map(({ path, set }) => ({ path, set })),
    lost: others.filter(({ kind }) => kind !== 'created').map(({ path }) => path),
  };
}

function isKept(version: Version): version is KeptVersion {
  return version.name !== undefined;
}

function readVersion(row: Record<string, SqlValue>): Version {
  const { name, hash } = row;
  return {
    id: Number(row['id']),
    path: String(row['path']),
    set: String(row['set_name']),
    generation: Number(row['generation']),
    kind: String(row['kind']) as VersionKind,
    name: typeof name === 'string' ? name : undefined,
    hash: hash instanceof Uint8Array ? fromBytes(hash) : undefined,
    size: Number(row['size']),
    mtimeMs: Number(row['mtime_ms']),
    replacedMs: Number(row['replaced_ms']),
  };
}
