/**
 * What the sets have lost of late: files that were deleted, and how large key files were before
 * they shrank.
 *
 * A guard that looked at one step at a time would let a tree vanish file by file, and a key file line
 * by line: what counts is what goes within some minutes. The losses are kept in the database, so
 * that neither a restart nor one-shot rounds from cron forget them. Not a loss is what comes back,
 * or goes within the minutes in which it came; the latter is not remembered over a restart, which
 * can only make a guard stop sooner.
 */
import type { BytePath } from '../base/bytes.ts';
import { inTransactions } from '../base/transaction.ts';
import type { Clock, Database, Statement } from '../ports.ts';
import type { LostOfLate } from './guard.ts';
import type { Plan } from './plan.ts';

/** Tables of this module; see base/migrations.ts, and index-store.ts for the types of columns. */
export const lossMigrations: readonly string[] = [
  `CREATE TABLE recent_losses (
     set_name TEXT NOT NULL, path TEXT NOT NULL, kind TEXT NOT NULL, size INTEGER NOT NULL,
     lost_ms REAL NOT NULL
   ) STRICT;
   CREATE INDEX recent_losses_by_path ON recent_losses (set_name, path);`,
];

/** Losses within this time are counted together, ms: longer than it takes to delete any tree. */
const windowMs = 10 * 60 * 1000;

/** Newly created paths remembered for each set: more come and go only in a tree that is no guard's. */
const createdMax = 10_000;

/** A size that a key file had before it shrank. */
interface Shrinkage {
  readonly path: BytePath;
  readonly size: number;
  readonly atMs: number;
}

/** Moments by the monotonic clock, oldest first. */
interface Recent {
  readonly deleted: Map<BytePath, number>;
  readonly created: Map<BytePath, number>;
  shrunk: readonly Shrinkage[];
}

interface LossRow {
  readonly kind: 'deleted' | 'shrunk';
  readonly path: BytePath;
  readonly size: number;
}

/** The recent losses of all sets of a node. */
export class RecentLosses {
  readonly #ports: { readonly clock: Clock; readonly database: Database };
  readonly #sets = new Map<string, Recent>();
  readonly #insert: Statement;
  readonly #deletePath: Statement;
  readonly #deleteSet: Statement;
  readonly #deleteOld: Statement;

  /** Takes up what the database remembers. */
  constructor(ports: { readonly clock: Clock; readonly database: Database }) {
    this.#ports = ports;
    const { database } = ports;
    this.#insert = database.prepare(
      'INSERT INTO recent_losses (set_name, path, kind, size, lost_ms) VALUES (?, ?, ?, ?, ?)',
    );
    this.#deletePath = database.prepare(
      `DELETE FROM recent_losses WHERE set_name = ? AND path = ? AND kind = 'deleted'`,
    );
    this.#deleteSet = database.prepare('DELETE FROM recent_losses WHERE set_name = ?');
    this.#deleteOld = database.prepare('DELETE FROM recent_losses WHERE lost_ms < ?');
    this.#load();
  }

  /** What a set has lost within the window, but for what a plan would delete again. */
  before(plan: Plan): LostOfLate {
    const { deleted, shrunk } = this.#recent(plan.set.name);
    const again = plan.remove.filter(({ path }) => deleted.has(path)).length;
    const sizes = new Map<BytePath, number>();
    for (const { path, size } of shrunk) sizes.set(path, Math.max(size, sizes.get(path) ?? 0));
    return { count: deleted.size - again, sizeOf: (path) => sizes.get(path) };
  }

  /** A change of a set that was not empty was let through. Noted twice it counts once. */
  async note(plan: Plan): Promise<void> {
    const { clock } = this.#ports;
    const set = plan.set.name;
    const recent = this.#recent(set);
    const atMs = clock.monotonicMs();
    const rows: LossRow[] = [];
    const back = plan.create.filter(({ path }) => recent.deleted.delete(path));
    for (const { path, size } of plan.remove) {
      if (recent.created.delete(path)) continue;
      rows.push({ kind: 'deleted', path, size });
      // Put at the end: the map is in the order of time.
      recent.deleted.delete(path);
      recent.deleted.set(path, atMs);
    }
    for (const { entry, previous: { path, size } } of plan.set.keyFile ? plan.replace : []) {
      if (entry.size >= size) continue;
      rows.push({ kind: 'shrunk', path, size });
      recent.shrunk = [...recent.shrunk, { path, size, atMs }];
    }
    for (const { path } of plan.create) recent.created.set(path, atMs);
    dropOldest(recent.created, createdMax);
    await this.#store(set, rows, back.map(({ path }) => path));
  }

  /** What was lost so far was meant: an operator approved it. */
  forget(set: string): void {
    if (this.#sets.delete(set)) this.#deleteSet.run(set);
  }

  // ---

  #load(): void {
    const { clock, database } = this.#ports;
    const rows = database.prepare(
      'SELECT set_name, path, kind, size, lost_ms FROM recent_losses ORDER BY lost_ms',
    ).all();
    for (const row of rows) {
      // The wall clock may have been set back since.
      const ageMs = Math.max(0, clock.nowMs() - Number(row['lost_ms']));
      const atMs = clock.monotonicMs() - ageMs;
      const recent = this.#recent(String(row['set_name']));
      const path = String(row['path']);
      if (row['kind'] === 'deleted') recent.deleted.set(path, atMs);
      else recent.shrunk = [...recent.shrunk, { path, size: Number(row['size']), atMs }];
    }
  }

  async #store(set: string, rows: readonly LossRow[], back: readonly BytePath[]): Promise<void> {
    if (rows.length === 0 && back.length === 0) return;
    const nowMs = this.#ports.clock.nowMs();
    this.#deleteOld.run(nowMs - windowMs);
    await inTransactions(this.#ports, back, (path) => this.#deletePath.run(set, path));
    await inTransactions(this.#ports, rows, ({ path, kind, size }) => {
      if (kind === 'deleted') this.#deletePath.run(set, path);
      this.#insert.run(set, path, kind, size, nowMs);
    });
  }

  #recent(set: string): Recent {
    const recent = this.#sets.get(set) ?? { deleted: new Map(), created: new Map(), shrunk: [] };
    this.#sets.set(set, recent);
    const fromMs = this.#ports.clock.monotonicMs() - windowMs;
    dropBefore(recent.deleted, fromMs);
    dropBefore(recent.created, fromMs);
    recent.shrunk = recent.shrunk.filter(({ atMs }) => atMs >= fromMs);
    return recent;
  }
}

// ---

function dropBefore(moments: Map<BytePath, number>, fromMs: number): void {
  for (const [path, atMs] of moments) {
    if (atMs >= fromMs) return;
    moments.delete(path);
  }
}

function dropOldest(moments: Map<BytePath, number>, countMax: number): void {
  for (const path of moments.keys()) {
    if (moments.size <= countMax) return;
    moments.delete(path);
  }
}
