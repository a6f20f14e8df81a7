/**
 * News of agents out of the database of a Wazuh installation.
 *
 * The database takes what it has told for delivered. So what it told is kept by this node until the
 * master has taken it, over a restart too, and told again together with what comes later.
 */
import { fromBytes, toBytes } from '../../base/bytes.ts';
import type { Clock } from '../../ports.ts';
import { type AgentInfo, readAgentInfo, writeAgentInfo } from '../agent-info.ts';
import type { AgentNews, AgentNewsSource } from './agent-info.ts';

/** Asks the database for its news; JSON. */
export type AskForNews = () => Promise<Uint8Array>;

/** Where news are kept that the master has not taken: one text. */
export interface KeptNews {
  get(): string | undefined;
  set(text: string): void;
}

const nothing: AgentInfo = { syncreq: [], syncreq_keepalive: [], syncreq_status: [] };

/** Reads news out of the database. */
export class WdbAgents implements AgentNewsSource {
  readonly #clock: Pick<Clock, 'breathe'>;
  readonly #ask: AskForNews;
  readonly #kept: KeptNews;

  constructor(clock: Pick<Clock, 'breathe'>, ask: AskForNews, kept: KeptNews) {
    this.#clock = clock;
    this.#ask = ask;
    this.#kept = kept;
  }

  async next(): Promise<AgentNews | undefined> {
    const kept = this.#kept.get() ?? '';
    const older = kept === '' ? nothing : await readAgentInfo(toBytes(kept), this.#clock);
    const newer = await readAgentInfo(await this.#ask(), this.#clock);
    const info = joined(older, newer);
    if (isEmpty(info)) return undefined;
    if (!isEmpty(newer)) this.#kept.set(fromBytes(writeAgentInfo(info)));
    const settle = (): Promise<void> => {
      this.#kept.set('');
      return Promise.resolve();
    };
    return { info, isMore: false, settle };
  }
}

// ---

function isEmpty(info: AgentInfo): boolean {
  return Object.values(info).every((list) => list.length === 0);
}

/** Older news and what came after them: of an agent the last word counts, beside all that is known. */
function joined(older: AgentInfo, newer: AgentInfo): AgentInfo {
  const whole = new Set(newer.syncreq.map(({ id }) => id));
  const told = new Set(
    [...newer.syncreq, ...newer.syncreq_keepalive, ...newer.syncreq_status].map(({ id }) => id),
  );
  const untold = ({ id }: { readonly id: number }): boolean => !told.has(id);
  return {
    syncreq: [...older.syncreq.filter(({ id }) => !whole.has(id)), ...newer.syncreq],
    syncreq_keepalive: [...older.syncreq_keepalive.filter(untold), ...newer.syncreq_keepalive],
    syncreq_status: [...older.syncreq_status.filter(untold), ...newer.syncreq_status],
  };
}
