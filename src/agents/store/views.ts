/**
 * Agents as they are looked at: what the three tables know of one, lists by what is asked for, and
 * counts. Nothing here writes.
 *
 * What may go through all agents goes through them in slices of their numbers, with the loop free
 * in between; a list is therefore no snapshot of one moment.
 */
import type { Clock, Database, SqlValue, Statement } from '../../ports.ts';
import { type AgentFacts, type AgentId, type ConnectionStatus, textColumnNames } from '../agent.ts';
import { unpackData } from '../data-codec.ts';
import { readStatus } from './facts.ts';
import type { RegistrationSource } from './registrations.ts';

/** An agent that exists, and what is known of it. */
export interface AgentView {
  readonly id: AgentId;
  readonly name: string;
  /** As registered; null where no address is. */
  readonly ip: string | null;
  /** Unix seconds. */
  readonly dateAdded: number;
  readonly source: RegistrationSource;
  /** Undefined where nothing was reported yet. */
  readonly reported: { readonly facts: AgentFacts; readonly node: string } | undefined;
  /** In their order. */
  readonly groups: readonly string[];
}

/** Which agents are asked for; what is left out does not matter. */
export interface AgentFilter {
  readonly status?: ConnectionStatus | undefined;
  /** The node that they report to. */
  readonly node?: string | undefined;
  readonly group?: string | undefined;
  /** `os_platform`, in upper or lower case. */
  readonly platform?: string | undefined;
}

/** A part of a list of agents. */
export interface AgentPage {
  /** All that the filter lets through, also beyond this page. */
  readonly total: number;
  /** In the order of their numbers. */
  readonly agents: readonly AgentView[];
}

/** Agents by their connection. */
export type StatusCounts = Readonly<Record<ConnectionStatus, number>>;

/** How many agents there are. */
export interface AgentCounts {
  /** Agents that exist. */
  readonly total: number;
  readonly byStatus: StatusCounts;
  /** By the node that they report to, in the order of the names. */
  readonly byNode: readonly { readonly node: string; readonly byStatus: StatusCounts }[];
  /** Reported agents that the master has not confirmed. */
  readonly unconfirmed: number;
  /** Reported agents that the master does not know. */
  readonly refused: number;
}

/** Numbers of agents that one statement goes through: some milliseconds. */
const sliceLength = 5_000;

const none: StatusCounts = { never_connected: 0, pending: 0, active: 0, disconnected: 0 };

const reportedColumns = [
  'data',
  'last_keepalive',
  'connection_status',
  'disconnection_time',
  'status_code',
  'node_name',
];

const selected = [
  'r.id AS id',
  'r.name AS registered_name',
  'r.ip AS registered_ip',
  'r.date_add AS date_add',
  'r.source AS source',
  ...reportedColumns.map((name) => `a.${name} AS ${name}`),
  'g.group_names AS group_names',
].join(', ');

/** Where the packed data have it. */
const platformAt = textColumnNames.indexOf('os_platform');

const joined = `FROM registration r
  LEFT JOIN agent_record a ON a.id = r.id
  LEFT JOIN assignment g ON g.id = r.id`;

const matching = `r.id > ? AND r.id <= ? AND r.source <> 'removed'
  AND (? IS NULL OR coalesce(a.connection_status, 'never_connected') = ?)
  AND (? IS NULL OR a.node_name = ?)
  AND (? IS NULL OR instr(',' || g.group_names || ',', ?) > 0)
  AND (? IS NULL OR a.data ->> ${platformAt} = ? COLLATE NOCASE)`;

/** Looking at the agents. */
export class AgentViews {
  readonly #clock: Pick<Clock, 'breathe'>;
  readonly #sliceEnd: Statement;
  readonly #count: Statement;
  readonly #page: Statement;
  readonly #one: Statement;
  readonly #total: Statement;
  readonly #byStatus: Statement;
  readonly #unconfirmed: Statement;
  readonly #refused: Statement;
  readonly #groups: Statement;
  /** The total of the list that was begun last, for the pages that follow. */
  #begun: { readonly key: string; readonly total: number } | undefined;

  constructor(ports: { readonly clock: Pick<Clock, 'breathe'>; readonly database: Database }) {
    const { clock, database } = ports;
    this.#clock = clock;
    this.#sliceEnd = database.prepare(
      `SELECT max(id) AS id FROM
         (SELECT id FROM registration WHERE id > ? ORDER BY id LIMIT ${sliceLength})`,
    );
    this.#count = database.prepare(`SELECT count(*) AS count ${joined} WHERE ${matching}`);
    this.#page = database.prepare(
      `SELECT ${selected} ${joined} WHERE ${matching} ORDER BY r.id LIMIT ?`,
    );
    this.#one = database.prepare(
      `SELECT ${selected} ${joined} WHERE r.id = ? AND r.source <> 'removed'`,
    );
    this.#total = database.prepare(
      `SELECT (SELECT count(*) FROM registration) -
         (SELECT count(*) FROM registration WHERE source = 'removed') AS count`,
    );
    this.#byStatus = database.prepare(
      `SELECT node_name AS node, connection_status AS status, count(*) AS count FROM agent_record
       GROUP BY connection_status, node_name`,
    );
    this.#unconfirmed = database.prepare(
      'SELECT count(*) AS count FROM agent_record WHERE pending > 0 AND refusal <> 1',
    );
    this.#refused = database.prepare(
      `SELECT node_name AS node, connection_status AS status, count(*) AS count FROM agent_record
       WHERE refusal > 0 GROUP BY connection_status, node_name`,
    );
    this.#groups = database.prepare(
      `SELECT group_names, count(*) AS count FROM assignment
       WHERE id > ? AND id <= ? AND group_names <> '' GROUP BY group_names`,
    );
  }

  /** An agent that exists; undefined where it does not. */
  get(id: AgentId): AgentView | undefined {
    const row = this.#one.get(id);
    return row === undefined ? undefined : readView(row);
  }

  /** The agents with higher numbers than `after` that the filter lets through, at most `limit`. */
  async page(filter: AgentFilter, after: AgentId, limit: number): Promise<AgentPage> {
    const values = filterValues(filter);
    const key = JSON.stringify(values);
    const isEverything = values.every((value) => value === null);
    const known = isEverything ? countOf(this.#total) : this.#totalOfBegun(key, after);
    const agents: AgentView[] = [];
    let counted = 0;
    for await (const [from, to] of this.#slices(known === undefined ? 0 : after)) {
      if (known === undefined) counted += countOf(this.#count, from, to, ...values);
      const start = Math.max(from, after);
      if (agents.length < limit && start < to) {
        const rows = this.#page.all(start, to, ...values, limit - agents.length);
        for (const row of rows) agents.push(readView(row));
      }
      if (known !== undefined && agents.length >= limit) break;
    }
    const total = known ?? counted;
    if (!isEverything) this.#begun = { key, total };
    return { total, agents };
  }

  /** How many agents there are; from indexes alone, whatever their number. */
  counts(): AgentCounts {
    const total = countOf(this.#total);
    const byStatus = { ...none };
    const byNode = new Map<string, Record<ConnectionStatus, number>>();
    let reported = 0;
    const add = (row: Record<string, SqlValue>, count: number) => {
      const node = String(row['node']);
      const status = row['status'] as ConnectionStatus;
      const ofNode = byNode.get(node) ?? { ...none };
      byNode.set(node, ofNode);
      ofNode[status] += count;
      byStatus[status] += count;
      reported += count;
    };
    for (const row of this.#byStatus.all()) add(row, Number(row['count']));
    // The index that the statement goes by has those too that the master does not know.
    let refused = 0;
    for (const row of this.#refused.all()) {
      const count = Number(row['count']);
      add(row, -count);
      refused += count;
    }
    byStatus.never_connected += Math.max(0, total - reported);
    return {
      total,
      byStatus,
      byNode: [...byNode].map(([node, counts]) => ({ node, byStatus: counts }))
        .sort((left, right) => left.node < right.node ? -1 : 1),
      unconfirmed: countOf(this.#unconfirmed),
      refused,
    };
  }

  /** How many agents have each group. */
  async groupCounts(): Promise<ReadonlyMap<string, number>> {
    const counts = new Map<string, number>();
    for await (const [from, to] of this.#slices(0)) {
      for (const row of this.#groups.all(from, to)) {
        for (const group of readGroups(row['group_names'])) {
          counts.set(group, (counts.get(group) ?? 0) + Number(row['count']));
        }
      }
    }
    return counts;
  }

  // ---

  #totalOfBegun(key: string, after: AgentId): number | undefined {
    return after > 0 && this.#begun?.key === key ? this.#begun.total : undefined;
  }

  /** The numbers of registered agents above `after`, in slices: above `from`, up to `to`. */
  async *#slices(after: AgentId): AsyncGenerator<readonly [from: AgentId, to: AgentId]> {
    for (let from = after;;) {
      const end = this.#sliceEnd.get(from)?.['id'];
      if (typeof end !== 'number') return;
      yield [from, end];
      from = end;
      await this.#clock.breathe();
    }
  }
}

// ---------------------------------------------------------------------------------------------

function filterValues({ status, node, group, platform }: AgentFilter): (string | null)[] {
  const searched = group === undefined ? undefined : `,${group},`;
  return [status, node, searched, platform].flatMap((value) => [value ?? null, value ?? null]);
}

function countOf(statement: Statement, ...values: SqlValue[]): number {
  return Number(statement.get(...values)?.['count'] ?? 0);
}

function readView(row: Record<string, SqlValue>): AgentView {
  const { node_name: node, data } = row;
  const ip = row['registered_ip'];
  return {
    id: Number(row['id']),
    name: String(row['registered_name']),
    ip: typeof ip === 'string' ? ip : null,
    dateAdded: Number(row['date_add']),
    source: row['source'] === 'command' ? 'command' : 'keys',
    reported: typeof node === 'string' && typeof data === 'string'
      ? { facts: { ...unpackData(data), ...readStatus(row) }, node }
      : undefined,
    groups: readGroups(row['group_names']),
  };
}

/** The groups that a column holds, in their order. */
function readGroups(value: SqlValue | undefined): readonly string[] {
  return typeof value === 'string' && value !== '' ? value.split(',') : [];
}
