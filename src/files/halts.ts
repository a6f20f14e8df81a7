/**
 * Halted sets and what an operator has approved.
 *
 * A guard halts a set at one exact content (the digest of its wanted table). An approval is for
 * that very content: if the master changes again, the guard judges again. Both are kept in the
 * database, so that a restart neither forgets a halt nor lets it through.
 */
import type { ByteString } from '../base/bytes.ts';
import { fromHex, toHex } from '../base/bytes.ts';
import type { Clock, Database, Statement } from '../ports.ts';

/** Tables of this module; see base/migrations.ts. */
export const haltMigrations: readonly string[] = [
  `CREATE TABLE halts (
     set_name TEXT PRIMARY KEY, digest TEXT NOT NULL, reason TEXT NOT NULL, since_ms REAL NOT NULL
   ) STRICT;
   CREATE TABLE approvals (
     set_name TEXT PRIMARY KEY, digest TEXT NOT NULL, approved_ms REAL NOT NULL
   ) STRICT;`,
];

/** A set that a guard has stopped. */
export interface Halt {
  readonly set: string;
  /** Root digest of the content that was not let through. */
  readonly digest: ByteString;
  /** What would have happened, for people. */
  readonly reason: string;
  /** Wall clock, ms since 1970. */
  readonly sinceMs: number;
}

/** The halted sets of this node. */
export class Halts {
  readonly #clock: Pick<Clock, 'nowMs'>;
  readonly #insertHalt: Statement;
  readonly #deleteHalt: Statement;
  readonly #selectHalts: Statement;
  readonly #insertApproval: Statement;
  readonly #deleteApproval: Statement;
  readonly #selectApproval: Statement;
  #haltedCount = 0;

  constructor(ports: { readonly clock: Pick<Clock, 'nowMs'>; readonly database: Database }) {
    const { clock, database } = ports;
    this.#clock = clock;
    this.#insertHalt = database.prepare(
      'INSERT OR REPLACE INTO halts (set_name, digest, reason, since_ms) VALUES (?, ?, ?, ?)',
    );
    this.#deleteHalt = database.prepare('DELETE FROM halts WHERE set_name = ?');
    this.#selectHalts = database.prepare(
      'SELECT set_name, digest, reason, since_ms FROM halts ORDER BY set_name',
    );
    this.#insertApproval = database.prepare(
      'INSERT OR REPLACE INTO approvals (set_name, digest, approved_ms) VALUES (?, ?, ?)',
    );
    this.#deleteApproval = database.prepare('DELETE FROM approvals WHERE set_name = ?');
    this.#selectApproval = database.prepare('SELECT digest FROM approvals WHERE set_name = ?');
  }

  /** Sets that were halted since the start; one that is halted at another content counts once. */
  get haltedCount(): number {
    return this.#haltedCount;
  }

  /** All halted sets. */
  list(): Halt[] {
    return this.#selectHalts.all().map((row) => ({
      set: String(row['set_name']),
      digest: fromHex(String(row['digest'])) ?? '',
      reason: String(row['reason']),
      sinceMs: Number(row['since_ms']),
    }));
  }

  /** Halts a set at this content; true where that was not known yet. */
  halt(set: string, digest: ByteString, reason: string): boolean {
    const known = this.list().find((halt) => halt.set === set);
    if (known?.digest === digest && known.reason === reason) return false;
    if (known === undefined) this.#haltedCount += 1;
    this.#insertHalt.run(set, toHex(digest), reason, known?.sinceMs ?? this.#clock.nowMs());
    return true;
  }

  /** The set is no longer halted. An approval for it stays. */
  release(set: string): void {
    this.#deleteHalt.run(set);
  }

  /** Whether this very content of the set has been approved. */
  isApproved(set: string, digest: ByteString): boolean {
    return this.#selectApproval.get(set)?.['digest'] === toHex(digest);
  }

  /** Approves the content at which a set is halted; all halted sets where none is named. */
  approve(set?: string): Halt[] {
    const approved = this.list().filter((halt) => set === undefined || halt.set === set);
    for (const halt of approved) {
      this.#insertApproval.run(halt.set, toHex(halt.digest), this.#clock.nowMs());
      this.#deleteHalt.run(halt.set);
    }
    return approved;
  }

  /** Forgets what was approved for a set. */
  withdraw(set: string): void {
    this.#deleteApproval.run(set);
  }
}
