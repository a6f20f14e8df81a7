/** What group rules look at, from the tables of agents. */
import type { Database, SqlValue, Statement } from '../../ports.ts';
import type { AgentId } from '../agent.ts';
import { unpackData } from '../data-codec.ts';
import type { RuleSubject } from '../group-rules.ts';

/** Reads of an agent what rules look at. */
export class RuleSubjects {
  readonly #select: Statement;

  constructor(database: Database) {
    this.#select = database.prepare(
      `SELECT r.name AS name, r.ip AS ip, a.data AS data
       FROM assignment s
       LEFT JOIN registration r ON r.id = s.id
       LEFT JOIN agent_record a ON a.id = s.id
       WHERE s.id = ?`,
    );
  }

  /** What is known of an agent. */
  get(id: AgentId): RuleSubject {
    const { name, ip, data } = this.#select.get(id) ?? {};
    const reported = typeof data === 'string' ? unpackData(data) : undefined;
    return {
      name: textOf(name) ?? reported?.name ?? '',
      ip: reported?.ip ?? reported?.register_ip ?? textOf(ip),
      osPlatform: reported?.os_platform ?? null,
      labels: reported?.labels ?? [],
    };
  }
}

// ---------------------------------------------------------------------------------------------

function textOf(value: SqlValue | undefined): string | null {
  return typeof value === 'string' ? value : null;
}
