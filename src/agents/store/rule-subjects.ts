/** What group rules look at, from the tables of agents. */
import type { Database, SqlValue, Statement } from '../../ports.ts';
import type { AgentId, Label } from '../agent.ts';
import type { RuleSubject } from '../group-rules.ts';

/** Reads of an agent what rules look at. */
export class RuleSubjects {
  readonly #select: Statement;

  constructor(database: Database) {
    this.#select = database.prepare(
      `SELECT coalesce(r.name, a.name, '') AS name, coalesce(a.ip, a.register_ip, r.ip) AS ip,
         a.os_platform AS os_platform, a.labels AS labels
       FROM assignment s
       LEFT JOIN registration r ON r.id = s.id
       LEFT JOIN agent a ON a.id = s.id
       WHERE s.id = ?`,
    );
  }

  /** What is known of an agent. */
  get(id: AgentId): RuleSubject {
    const row = this.#select.get(id) ?? {};
    return {
      name: textOf(row['name']) ?? '',
      ip: textOf(row['ip']),
      osPlatform: textOf(row['os_platform']),
      labels: labelsOf(row['labels']),
    };
  }
}

// ---------------------------------------------------------------------------------------------

function textOf(value: SqlValue | undefined): string | null {
  return typeof value === 'string' ? value : null;
}

/** Labels are stored as JSON: a list of pairs. */
function labelsOf(value: SqlValue | undefined): readonly Label[] {
  const list: unknown = JSON.parse(textOf(value) ?? '[]');
  if (!Array.isArray(list)) return [];
  return list.map((pair: unknown): Label =>
    Array.isArray(pair) ? [String(pair[0]), String(pair[1])] : ['', '']
  );
}
