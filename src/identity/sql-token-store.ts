/** The token book's records in the database; the table is made by `identityMigrations`. */
import type { Database, Statement } from '../ports.ts';
import type { TokenRecord, TokenStore, TokenUse } from './token-book.ts';

/** Keeps join tokens in SQLite. */
export class SqlTokenStore implements TokenStore {
  readonly #insert: Statement;
  readonly #find: Statement;
  readonly #takeUse: Statement;
  readonly #removeExpired: Statement;

  constructor(database: Database) {
    this.#insert = database.prepare(
      'INSERT INTO tokens (id, secret_hash, uses_left, expires_ms, node) VALUES (?, ?, ?, ?, ?)',
    );
    this.#find = database.prepare(
      'SELECT secret_hash, uses_left, expires_ms, node, last_node, last_key FROM tokens WHERE id = ?',
    );
    this.#takeUse = database.prepare(
      `UPDATE tokens SET uses_left = uses_left - 1, last_node = ?, last_key = ?
       WHERE id = ? AND uses_left > 0`,
    );
    this.#removeExpired = database.prepare('DELETE FROM tokens WHERE expires_ms < ?');
  }

  insert(record: TokenRecord): void {
    const { id, secretHash, usesLeft, expiresAtMs, node } = record;
    this.#insert.run(id, secretHash, usesLeft, expiresAtMs, node ?? null);
  }

  find(id: string): TokenRecord | undefined {
    const row = this.#find.get(id);
    if (row === undefined) return undefined;
    const node = row['node'];
    const lastNode = row['last_node'];
    return {
      id,
      secretHash: row['secret_hash'] as Uint8Array,
      usesLeft: Number(row['uses_left']),
      expiresAtMs: Number(row['expires_ms']),
      node: typeof node === 'string' ? node : undefined,
      lastUse: typeof lastNode === 'string'
        ? { node: lastNode, keyFingerprint: String(row['last_key']) }
        : undefined,
    };
  }

  takeUse(id: string, use: TokenUse): boolean {
    return Number(this.#takeUse.run(use.node, use.keyFingerprint, id).changes) > 0;
  }

  removeExpired(beforeMs: number): number {
    return Number(this.#removeExpired.run(beforeMs).changes);
  }
}
