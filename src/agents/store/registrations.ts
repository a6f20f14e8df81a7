/**
 * Which agents exist: the table `registration`.
 *
 * Those of the keys file follow it line for line; others were added by a command on the master. What
 * was removed is remembered for a while, so that a late report does not bring an agent back. Who has
 * to know that an agent appears or vanishes is told within the same transaction.
 */
import { inTransaction, slices, transactionRowsMax } from '../../base/transaction.ts';
import type { Clock, Database, SqlValue, Statement } from '../../ports.ts';
import type { AgentId } from '../agent.ts';
import { agentAt, keysLines } from '../keys-file.ts';

/** Who says that an agent exists. */
export type RegistrationSource = 'keys' | 'command';

/** An agent that exists. */
export interface Registration {
  readonly id: AgentId;
  readonly name: string;
  readonly ip: string | null;
  /** Unix seconds. */
  readonly dateAdded: number;
  readonly source: RegistrationSource;
}

/** Whether an agent exists, did until lately, or was never heard of. */
export type Existence = 'registered' | 'removed' | 'unknown';

/** What is told of agents that come and go, within the transaction that makes it so. */
export interface RegistrationListener {
  appeared(registration: Registration): void;
  vanished(id: AgentId): void;
}

/** What reading the keys file has changed. */
export interface KeysChange {
  readonly addedCount: number;
  readonly removedCount: number;
  /** Agents in the file. */
  readonly count: number;
  /** Lines that could not be read; the first of them with its number. */
  readonly unreadable: { readonly count: number; readonly first: string } | undefined;
}

/** For how long a removal is remembered, seconds. */
const removalKeptSeconds = 30 * 24 * 60 * 60;

/** The agents that exist. */
export class Registrations {
  readonly #clock: Clock;
  readonly #database: Database;
  readonly #listener: RegistrationListener;
  readonly #select: Statement;
  readonly #selectKeys: Statement;
  readonly #save: Statement;
  readonly #count: Statement;
  readonly #highest: Statement;
  readonly #forget: Statement;

  constructor(
    ports: { readonly clock: Clock; readonly database: Database },
    listener: RegistrationListener,
  ) {
    const { clock, database } = ports;
    this.#clock = clock;
    this.#database = database;
    this.#listener = listener;
    const columns = 'id, name, ip, date_add, source';
    this.#select = database.prepare(`SELECT ${columns} FROM registration WHERE id = ?`);
    this.#selectKeys = database.prepare(
      `SELECT ${columns} FROM registration WHERE id > ? AND source = 'keys'
       ORDER BY id LIMIT ${transactionRowsMax}`,
    );
    this.#save = database.prepare(`REPLACE INTO registration (${columns}) VALUES (?, ?, ?, ?, ?)`);
    this.#count = database.prepare(
      `SELECT count(*) AS count FROM registration WHERE source IN ('keys', 'command')`,
    );
    this.#highest = database.prepare('SELECT max(id) AS id FROM registration');
    this.#forget = database.prepare(
      `DELETE FROM registration WHERE id IN (
         SELECT id FROM registration WHERE source = 'removed' AND date_add < ?
         LIMIT ${transactionRowsMax})`,
    );
  }

  /** Whether an agent exists. */
  existence(id: AgentId): Existence {
    const source = this.#select.get(id)?.['source'];
    if (source === undefined) return 'unknown';
    return source === 'removed' ? 'removed' : 'registered';
  }

  /** An agent that exists; undefined where it does not. */
  get(id: AgentId): Registration | undefined {
    const row = this.#select.get(id);
    return row === undefined || row['source'] === 'removed' ? undefined : readRegistration(row);
  }

  /** How many agents exist. */
  count(): number {
    return Number(this.#count.get()?.['count'] ?? 0);
  }

  /** A number that no agent has or had. */
  nextId(): AgentId {
    return Number(this.#highest.get()?.['id'] ?? 0) + 1;
  }

  /** An agent exists, because somebody said so. To be called within a transaction. */
  add(agent: Omit<Registration, 'dateAdded'>): Registration {
    const known = this.get(agent.id);
    const registration = { ...agent, dateAdded: known?.dateAdded ?? this.#nowSeconds() };
    const { id, name, ip, dateAdded, source } = registration;
    this.#save.run(id, name, ip, dateAdded, source);
    this.#listener.appeared(registration);
    return registration;
  }

  /** An agent exists no longer, whoever said that it does. To be called within a transaction. */
  remove(id: AgentId): void {
    if (this.existence(id) !== 'removed') {
      this.#save.run(id, '', null, this.#nowSeconds(), 'removed');
    }
    this.#listener.vanished(id);
  }

  /** The agents of a keys file exist, and no others; what commands added stays. */
  async replaceKeys(content: Uint8Array): Promise<KeysChange> {
    const { starts, unreadable } = await this.#gather(content);
    const count = starts.size;
    const removedCount = await this.#compareKnown(content, starts);
    const addedCount = starts.size;
    for (const slice of slices(starts.values(), transactionRowsMax)) {
      inTransaction(this.#database, () => {
        for (const start of slice) {
          const { id, name, ip } = agentAt(content, start);
          this.add({ id, name, ip, source: 'keys' });
        }
      });
      await this.#clock.breathe();
    }
    return { addedCount, removedCount, count, unreadable };
  }

  /** Forgets removals of long ago. */
  forgetRemovals(): void {
    this.#forget.run(this.#nowSeconds() - removalKeptSeconds);
  }

  // ---

  /** Where the line of each agent starts: a hundred thousand lines themselves would take much room. */
  async #gather(content: Uint8Array) {
    const starts = new Map<AgentId, number>();
    let unreadableCount = 0;
    let first = '';
    for (const slice of slices(keysLines(content), transactionRowsMax)) {
      for (const { start, line } of slice) {
        if (line.kind === 'agent') starts.set(line.id, start);
        else if (line.kind === 'unreadable') {
          if (unreadableCount === 0) first = `line ${line.lineNumber} ${line.problem}`;
          unreadableCount += 1;
        }
      }
      await this.#clock.breathe();
    }
    const unreadable = unreadableCount === 0 ? undefined : { count: unreadableCount, first };
    return { starts, unreadable };
  }

  /**
   * Removes known agents that are not in the file, and takes those out of `starts` that are known as
   * they are. Gives the number of those removed.
   */
  async #compareKnown(content: Uint8Array, starts: Map<AgentId, number>): Promise<number> {
    let removedCount = 0;
    for (let last = 0;;) {
      const rows = this.#selectKeys.all(last).map(readRegistration);
      const gone = rows.filter(({ id }) => !starts.has(id));
      inTransaction(this.#database, () => gone.forEach(({ id }) => this.remove(id)));
      removedCount += gone.length;
      for (const { id, name, ip } of rows) {
        const start = starts.get(id);
        if (start === undefined) continue;
        const wanted = agentAt(content, start);
        if (wanted.name === name && wanted.ip === ip) starts.delete(id);
      }
      if (rows.length < transactionRowsMax) return removedCount;
      last = rows.at(-1)!.id;
      await this.#clock.breathe();
    }
  }

  #nowSeconds(): number {
    return Math.floor(this.#clock.nowMs() / 1000);
  }
}

function readRegistration(row: Record<string, SqlValue>): Registration {
  return {
    id: Number(row['id']),
    name: String(row['name']),
    ip: row['ip'] === null ? null : String(row['ip']),
    dateAdded: Number(row['date_add']),
    source: row['source'] === 'command' ? 'command' : 'keys',
  };
}
