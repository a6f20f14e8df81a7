/**
 * The master's list of nodes: who was let in, with which certificate, and who was expelled.
 *
 * Revocation is by name and by serial number: a revoked node stays out with every certificate it
 * ever had, until a new token lets a node of that name join again with a new one.
 */
import type { Database, Statement } from '../ports.ts';
import type { Revocations } from './checks.ts';

/** Tables of this module and of `sql-token-store.ts`; see base/migrations.ts. */
export const identityMigrations: readonly string[] = [
  `CREATE TABLE nodes (
     name TEXT PRIMARY KEY, role TEXT NOT NULL, serial TEXT NOT NULL, joined_ms REAL NOT NULL,
     renewed_ms REAL NOT NULL, not_after_ms REAL NOT NULL, revoked_ms REAL
   ) STRICT;
   CREATE TABLE revoked_serials (
     serial TEXT PRIMARY KEY, node TEXT NOT NULL, revoked_ms REAL NOT NULL
   ) STRICT;
   CREATE TABLE tokens (
     id TEXT PRIMARY KEY, secret_hash BLOB NOT NULL, uses_left INTEGER NOT NULL,
     expires_ms REAL NOT NULL, node TEXT, last_node TEXT, last_key TEXT
   ) STRICT;`,
];

/** A node that has joined. */
export interface RegisteredNode {
  readonly name: string;
  readonly role: 'master' | 'worker';
  /** Serial number of its current certificate, lower-case hexadecimal. */
  readonly serial: string;
  readonly joinedMs: number;
  readonly renewedMs: number;
  readonly notAfterMs: number;
  /** When it was expelled; undefined while it is welcome. */
  readonly revokedMs: number | undefined;
}

/** The nodes of a cluster, as its master knows them. */
export class NodeRegistry {
  readonly #upsert: Statement;
  readonly #renew: Statement;
  readonly #select: Statement;
  readonly #selectOne: Statement;
  readonly #revoke: Statement;
  readonly #insertSerial: Statement;
  readonly #selectSerials: Statement;

  constructor(database: Database) {
    this.#upsert = database.prepare(
      `INSERT INTO nodes (name, role, serial, joined_ms, renewed_ms, not_after_ms)
       VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (name) DO UPDATE SET role = excluded.role, serial = excluded.serial,
         joined_ms = excluded.joined_ms, renewed_ms = excluded.renewed_ms,
         not_after_ms = excluded.not_after_ms, revoked_ms = NULL`,
    );
    this.#renew = database.prepare(
      'UPDATE nodes SET serial = ?, renewed_ms = ?, not_after_ms = ? WHERE name = ?',
    );
    const columns = 'name, role, serial, joined_ms, renewed_ms, not_after_ms, revoked_ms';
    this.#select = database.prepare(`SELECT ${columns} FROM nodes ORDER BY name`);
    this.#selectOne = database.prepare(`SELECT ${columns} FROM nodes WHERE name = ?`);
    this.#revoke = database.prepare('UPDATE nodes SET revoked_ms = ? WHERE name = ?');
    this.#insertSerial = database.prepare(
      'INSERT OR IGNORE INTO revoked_serials (serial, node, revoked_ms) VALUES (?, ?, ?)',
    );
    this.#selectSerials = database.prepare('SELECT serial FROM revoked_serials');
  }

  /** A node joined; one of that name that was revoked is welcome again, by its new certificate. */
  joined(
    node: { name: string; role: 'master' | 'worker'; serial: string; notAfterMs: number },
    nowMs: number,
  ): void {
    this.#upsert.run(node.name, node.role, node.serial, nowMs, nowMs, node.notAfterMs);
  }

  /** A node got a new certificate in place of its old one. */
  renewed(name: string, serial: string, notAfterMs: number, nowMs: number): void {
    this.#renew.run(serial, nowMs, notAfterMs, name);
  }

  /** All nodes, by name. */
  list(): RegisteredNode[] {
    return this.#select.all().map(readNode);
  }

  find(name: string): RegisteredNode | undefined {
    const row = this.#selectOne.get(name);
    return row === undefined ? undefined : readNode(row);
  }

  /** Expels a node; false where none of that name has joined. */
  revoke(name: string, nowMs: number): boolean {
    const node = this.find(name);
    if (node === undefined) return false;
    this.#insertSerial.run(node.serial, name, nowMs);
    this.#revoke.run(nowMs, name);
    return true;
  }

  /** What is revoked at present. */
  revocations(): Revocations {
    return {
      serials: new Set(this.#selectSerials.all().map((row) => String(row['serial']))),
      nodes: new Set(
        this.list().filter((node) => node.revokedMs !== undefined).map((node) => node.name),
      ),
    };
  }
}

function readNode(row: Record<string, unknown>): RegisteredNode {
  const revoked = row['revoked_ms'];
  return {
    name: String(row['name']),
    role: row['role'] === 'master' ? 'master' : 'worker',
    serial: String(row['serial']),
    joinedMs: Number(row['joined_ms']),
    renewedMs: Number(row['renewed_ms']),
    notAfterMs: Number(row['not_after_ms']),
    revokedMs: revoked === null ? undefined : Number(revoked),
  };
}
