/**
 * Tables of packed leaves in the database: the rows of each leaf of some manifests as they are in
 * memory, so that tens of thousands of entries are read and written at the cost of a few thousand
 * rows, and their digests need not be computed again.
 */
import type { ByteString } from '../base/bytes.ts';
import { fromBytes, toBytes } from '../base/bytes.ts';
import { inTransaction, slices } from '../base/transaction.ts';
import type { Clock, Database, Statement } from '../ports.ts';
import type { Leaf } from './manifest.ts';

/** A leaf of the manifest of a set. */
export interface SetLeaf extends Leaf {
  readonly set: string;
}

/** SQL that makes a table of leaves; see base/migrations.ts. */
export function leafTableSql(name: string): string {
  return `CREATE TABLE ${name} (
    set_name TEXT NOT NULL, leaf INTEGER NOT NULL, rows BLOB NOT NULL, digest BLOB,
    UNIQUE (set_name, leaf)
  ) STRICT;`;
}

/** Leaves of one transaction, and of one page when they are read: some 5 ms of work. */
export const leavesMax = 256;

const nothing = new Uint8Array(0);

/** A table of leaves. */
export class LeafTable {
  readonly #ports: { readonly clock: Pick<Clock, 'breathe'>; readonly database: Database };
  readonly #save: Statement;
  readonly #delete: Statement;
  readonly #select: Statement;
  readonly #clear: Statement;

  /** @param name of a table that `leafTableSql` has made */
  constructor(
    ports: { readonly clock: Pick<Clock, 'breathe'>; readonly database: Database },
    name: string,
  ) {
    this.#ports = ports;
    const { database } = ports;
    this.#save = database.prepare(
      `REPLACE INTO ${name} (set_name, leaf, rows, digest) VALUES (?, ?, ?, ?)`,
    );
    this.#delete = database.prepare(`DELETE FROM ${name} WHERE set_name = ? AND leaf = ?`);
    this.#select = database.prepare(
      `SELECT rowid AS id, set_name, leaf, rows, digest FROM ${name}
       WHERE rowid > ? ORDER BY rowid LIMIT ${leavesMax}`,
    );
    this.#clear = database.prepare(
      `DELETE FROM ${name} WHERE rowid IN (SELECT rowid FROM ${name} LIMIT ${leavesMax})`,
    );
  }

  /** Gives all leaves, in no order. */
  async load(onLeaf: (leaf: SetLeaf) => void): Promise<void> {
    for (let last = -1;;) {
      const found = this.#select.all(last);
      for (const row of found) {
        last = Number(row['id']);
        const { rows, digest } = row;
        onLeaf({
          set: String(row['set_name']),
          leaf: Number(row['leaf']),
          rows: rows instanceof Uint8Array ? rows : nothing,
          digest: digest instanceof Uint8Array ? fromBytes(digest) : undefined,
        });
        await this.#ports.clock.breathe();
      }
      if (found.length < leavesMax) return;
    }
  }

  /**
   * Stores leaves in place of what is stored of them, in transactions of bounded size; those without
   * rows are removed.
   */
  async save(leaves: Iterable<SetLeaf>): Promise<void> {
    for (const slice of slices(leaves, leavesMax)) {
      inTransaction(this.#ports.database, () => this.put(slice));
      await this.#ports.clock.breathe();
    }
  }

  /** Like `save`, as a part of the caller's transaction. */
  put(leaves: readonly SetLeaf[]): void {
    for (const { set, leaf, rows, digest } of leaves) {
      if (rows.length === 0) this.#delete.run(set, leaf);
      else this.#save.run(set, leaf, rows, bytesOrNull(digest));
    }
  }

  /** Removes all leaves. */
  async clear(): Promise<void> {
    while (Number(this.#clear.run().changes) > 0) await this.#ports.clock.breathe();
  }
}

// ---

function bytesOrNull(digest: ByteString | undefined): Uint8Array | null {
  return digest === undefined ? null : toBytes(digest);
}
