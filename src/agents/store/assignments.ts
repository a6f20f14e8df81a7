/**
 * The assignments of agents to groups: on the master the ones that count, on a worker a copy of them.
 *
 * Nothing here opens a transaction: the caller does, with what belongs together. On the master every
 * change makes a row pending (`snapshot` 0) until it is published. A removed agent leaves a row
 * behind, so that its removal is published too.
 */
import type { Database, SqlValue, Statement } from '../../ports.ts';
import { transactionRowsMax } from '../../base/transaction.ts';
import type { AgentId } from '../agent.ts';
import type { AgentRange } from '../assignment-parts.ts';
import type { Assignment } from '../assignment-rows.ts';

/** An assignment with the number of the snapshot that it was published with. */
export interface PublishedAssignment extends Assignment {
  readonly snapshot: number;
}

/** All statements about assignments. */
export class Assignments {
  readonly #ensure: Statement;
  readonly #remove: Statement;
  readonly #setGroups: Statement;
  readonly #setFirstGroups: Statement;
  readonly #get: Statement;
  readonly #between: Statement;
  readonly #after: Statement;
  readonly #afterOfGroup: Statement;
  readonly #uncalculated: Statement;
  readonly #pending: Statement;
  readonly #publish: Statement;
  readonly #sinceWithin: Statement;
  readonly #since: Statement;
  readonly #orphans: Statement;
  readonly #delete: Statement;
  readonly #mirror: Statement;
  readonly #mirrorMany: Statement;
  readonly #key: Statement;
  readonly #keysBetween: Statement;

  constructor(database: Database) {
    const columns = 'id, name, group_names, is_from_keys';
    const prepare = (sql: string): Statement => database.prepare(sql);
    this.#ensure = prepare(
      `INSERT INTO assignment (id, name, group_names, snapshot, is_from_keys, is_calculated)
       VALUES (?, ?, '', 0, ?, 0)
       ON CONFLICT (id) DO UPDATE SET
         name = excluded.name, is_from_keys = excluded.is_from_keys, snapshot = 0,
         is_calculated = iif(group_names IS NULL, 0, is_calculated),
         group_names = coalesce(group_names, '')
       WHERE name IS NOT excluded.name OR is_from_keys <> excluded.is_from_keys
         OR group_names IS NULL`,
    );
    this.#remove = prepare(
      `UPDATE assignment SET name = NULL, group_names = NULL, snapshot = 0, is_from_keys = 0,
         is_calculated = 0
       WHERE id = ? AND group_names IS NOT NULL`,
    );
    this.#setGroups = prepare(
      `UPDATE assignment SET group_names = ?, snapshot = 0, is_calculated = 1
       WHERE id BETWEEN ? AND ? AND group_names IS NOT NULL`,
    );
    this.#setFirstGroups = prepare(
      `UPDATE assignment SET group_names = ?, snapshot = 0, is_calculated = 1
       WHERE id BETWEEN ? AND ? AND group_names IS NOT NULL AND is_calculated = 0`,
    );
    this.#get = prepare(`SELECT ${columns} FROM assignment WHERE id = ?`);
    this.#between = prepare(
      `SELECT ${columns} FROM assignment
       WHERE id BETWEEN ? AND ? AND group_names IS NOT NULL ORDER BY id`,
    );
    this.#after = prepare(
      `SELECT ${columns} FROM assignment WHERE id > ? AND group_names IS NOT NULL
       ORDER BY id LIMIT ${transactionRowsMax}`,
    );
    this.#afterOfGroup = prepare(
      `SELECT ${columns} FROM assignment
       WHERE id > ? AND instr(',' || group_names || ',', ?) > 0
       ORDER BY id LIMIT ${transactionRowsMax}`,
    );
    this.#uncalculated = prepare(
      `SELECT id FROM assignment
       WHERE id > ? AND is_calculated = 0 AND group_names IS NOT NULL
         AND EXISTS (SELECT 1 FROM agent_record a WHERE a.id = assignment.id)
       ORDER BY id LIMIT ${transactionRowsMax}`,
    );
    this.#pending = prepare('SELECT id FROM assignment WHERE snapshot = 0 ORDER BY id LIMIT ?');
    this.#publish = prepare(
      'UPDATE assignment SET snapshot = ? WHERE snapshot = 0 AND id BETWEEN ? AND ?',
    );
    this.#sinceWithin = prepare(
      `SELECT ${columns}, snapshot FROM assignment WHERE snapshot = ? AND id > ?
       ORDER BY id LIMIT ${transactionRowsMax}`,
    );
    this.#since = prepare(
      `SELECT ${columns}, snapshot FROM assignment WHERE snapshot > ?
       ORDER BY snapshot, id LIMIT ${transactionRowsMax}`,
    );
    this.#orphans = prepare(
      `SELECT ${columns}, snapshot FROM assignment
       WHERE id > ? AND group_names IS NULL AND snapshot > 0
         AND NOT EXISTS (SELECT 1 FROM registration WHERE registration.id = assignment.id)
       ORDER BY id LIMIT ${transactionRowsMax}`,
    );
    this.#delete = prepare('DELETE FROM assignment WHERE id = ?');
    this.#mirror = prepare(mirrorSql(1));
    this.#mirrorMany = prepare(mirrorSql(mirroredAtOnce));
    this.#key = prepare("SELECT 1 FROM registration WHERE id = ? AND source = 'keys'");
    this.#keysBetween = prepare(
      `SELECT id FROM registration WHERE id BETWEEN ? AND ? AND source = 'keys'
       ORDER BY id LIMIT ${transactionRowsMax}`,
    );
  }

  // --- existence, on the master --------------------------------------------------------------

  /** The agent exists: it has an assignment, without groups if it is new. */
  ensure(id: AgentId, name: string | null, isFromKeys: boolean): void {
    this.#ensure.run(id, name, isFromKeys ? 1 : 0);
  }

  /** The agent was removed: what is left of its assignment tells so. */
  remove(id: AgentId): void {
    this.#remove.run(id);
  }

  // --- groups, on the master -----------------------------------------------------------------

  /** Gives agents their groups, separated by commas. Does nothing where one does not exist. */
  setGroups({ first, last }: AgentRange, groups: string): void {
    this.#setGroups.run(groups, first, last);
  }

  /** Gives agents their first groups. Does nothing where one has had some. */
  setFirstGroups({ first, last }: AgentRange, groups: string): void {
    this.#setFirstGroups.run(groups, first, last);
  }

  /** Agents that have reported and have not had any groups, from a number on; a page of them. */
  uncalculatedAfter(id: AgentId): AgentId[] {
    return this.#uncalculated.all(id).map((row) => Number(row['id']));
  }

  // --- publication, on the master ------------------------------------------------------------

  /** Agents whose assignments were not published yet, in order, at most `limit`. */
  pending(limit: number): AgentId[] {
    return this.#pending.all(limit).map((row) => Number(row['id']));
  }

  /** Marks what is pending between two numbers, both included, as published. */
  publish(snapshot: number, first: AgentId, last: AgentId): void {
    this.#publish.run(snapshot, first, last);
  }

  /**
   * What was published after a snapshot, or with it for greater numbers: a page, by snapshot and
   * number. Removed agents are among them.
   */
  since(snapshot: number, id: AgentId): PublishedAssignment[] {
    // Two statements: for a comparison of pairs SQLite goes through the whole snapshot each time.
    const within = this.#sinceWithin.all(snapshot, id);
    const rows = within.length < transactionRowsMax
      ? [...within, ...this.#since.all(snapshot)]
      : within;
    return rows.map(publishedOf);
  }

  /** Published removals of agents of which nothing else is known any more, a page of them. */
  orphansAfter(id: AgentId): PublishedAssignment[] {
    return this.#orphans.all(id).map(publishedOf);
  }

  // --- on both roles -------------------------------------------------------------------------

  /** The assignment of an agent; undefined where it never had one. */
  get(id: AgentId): Assignment | undefined {
    const row = this.#get.get(id);
    return row === undefined ? undefined : assignmentOf(row);
  }

  /** The agents that exist between two numbers, both included. */
  between(first: AgentId, last: AgentId): Assignment[] {
    return this.#between.all(first, last).map(assignmentOf);
  }

  /** The agents that exist after a number, those of a group only where one is named: a page. */
  after(id: AgentId, group?: string): Assignment[] {
    const rows = group === undefined
      ? this.#after.all(id)
      : this.#afterOfGroup.all(id, `,${group},`);
    return rows.map(assignmentOf);
  }

  /** Forgets an assignment altogether. */
  delete(id: AgentId): void {
    this.#delete.run(id);
  }

  // --- the copy of a worker ------------------------------------------------------------------

  /** Stores what the master says of agents that exist; of several rows of one the last counts. */
  mirror(rows: readonly Assignment[]): void {
    let at = 0;
    for (; at + mirroredAtOnce <= rows.length; at += mirroredAtOnce) {
      this.#mirrorMany.run(...rows.slice(at, at + mirroredAtOnce).flatMap(mirrorValues));
    }
    for (const row of rows.slice(at)) this.#mirror.run(...mirrorValues(row));
  }

  /** The first of some numbers, given in order, that the own keys file does not name. */
  firstWithoutKey(ids: readonly AgentId[]): AgentId | undefined {
    const last = ids.at(-1);
    if (last === undefined) return undefined;
    // Reading all keys between the first and the last pays where most of them are asked for.
    if (last - ids[0]! > 8 * ids.length) return ids.find((id) => this.#key.get(id) === undefined);
    for (let at = 0; at < ids.length;) {
      const known = this.#keysBetween.all(ids[at]!, last).map((row) => Number(row['id']));
      const reached = known.length < transactionRowsMax ? last : known.at(-1)!;
      const page = new Set(known);
      for (; at < ids.length && ids[at]! <= reached; at++) {
        if (!page.has(ids[at]!)) return ids[at];
      }
    }
    return undefined;
  }
}

// ---------------------------------------------------------------------------------------------

/** Rows of one statement: each takes two fifths of the time that it takes alone. */
const mirroredAtOnce = 50;

function mirrorSql(rowsCount: number): string {
  const values = Array(rowsCount).fill('(?, ?, ?, ?, 1, 1)').join(', ');
  return `INSERT INTO assignment (id, name, group_names, is_from_keys, snapshot, is_calculated)
    VALUES ${values}
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, group_names = excluded.group_names,
      is_from_keys = excluded.is_from_keys`;
}

function mirrorValues({ id, name, groups, isFromKeys }: Assignment): SqlValue[] {
  return [id, name, groups, isFromKeys ? 1 : 0];
}

type Row = Readonly<Record<string, SqlValue>>;

function assignmentOf(row: Row): Assignment {
  const { id, name, group_names: groups, is_from_keys: isFromKeys } = row;
  return {
    id: Number(id),
    name: typeof name === 'string' ? name : null,
    isFromKeys: Number(isFromKeys) === 1,
    groups: typeof groups === 'string' ? groups : null,
  };
}

function publishedOf(row: Row): PublishedAssignment {
  return { ...assignmentOf(row), snapshot: Number(row['snapshot']) };
}
