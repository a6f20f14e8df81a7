/**
 * Taking in what a Wazuh worker tells about its agents: only of agents that exist.
 *
 * Such a worker gives its records no numbers: they count in the order in which they come. A record of
 * another node is replaced by one that was heard later; that an agent left is believed only of the
 * node that it was with.
 */
import {
  type AgentData,
  type AgentId,
  type AgentStatus,
  connectionStatuses,
  textColumnNames,
} from '../../agents/agent.ts';
import { packData } from '../../agents/data-codec.ts';
import { mergeData } from '../../agents/merge.ts';
import { nextOrderMs, type RecordOrder } from '../../agents/record-order.ts';
import { readReport } from '../../agents/report.ts';
import type { FactsStore, Look, StatusRow } from '../../agents/store/facts.ts';
import { inTransaction, slices, transactionRowsMax } from '../../base/transaction.ts';
import type { Clock, Database } from '../../ports.ts';
import type { AgentInfo, AgentRecord } from '../agent-info.ts';

/** What taking in needs. */
export interface AgentIntakePorts {
  readonly clock: Clock;
  readonly database: Database;
  readonly facts: FactsStore;
}

/** What came of it. */
export interface AgentIntakeOutcome {
  /** Agents of which nothing had been stored before. */
  readonly firstContacts: readonly AgentId[];
  /** How many agents do not exist. */
  readonly unknownCount: number;
  /** What was wrong with records that were left out. */
  readonly problems: readonly string[];
}

/** One piece of news about an agent. */
interface News {
  readonly id: AgentId;
  /** What is reported of its data, all of it where `isWhole`. */
  readonly data: Partial<AgentData>;
  readonly isWhole: boolean;
  readonly status: Partial<AgentStatus>;
}

/** Problems that are kept to be told. */
const problemsMax = 10;

/** Takes in what one worker tells over one connection. */
export class AgentIntake {
  readonly #ports: AgentIntakePorts;
  readonly #node: string;
  readonly #epoch: string;
  /** The versions of agents as they are stored, to spare a look at their data. */
  readonly #versions = new Map<AgentId, string>();

  /** @param epoch names the connection */
  constructor(ports: AgentIntakePorts, source: { readonly node: string; readonly epoch: string }) {
    this.#ports = ports;
    this.#node = source.node;
    this.#epoch = source.epoch;
  }

  /** Stores what is news; when this resolves, it is on the disk. */
  async take(info: AgentInfo): Promise<AgentIntakeOutcome> {
    const { clock, database } = this.#ports;
    const outcome = { firstContacts: [] as AgentId[], unknownCount: 0, problems: [] as string[] };
    for (const slice of slices(this.#news(info, outcome.problems), transactionRowsMax)) {
      inTransaction(database, () => {
        for (const news of slice) {
          const taken = this.#takeOne(news);
          if (taken === 'first') outcome.firstContacts.push(news.id);
          else if (taken === 'unknown') outcome.unknownCount++;
        }
      });
      await clock.breathe();
    }
    await database.flush();
    return outcome;
  }

  // ---

  *#news(info: AgentInfo, problems: string[]): Generator<News, void, undefined> {
    const nowSeconds = Math.floor(this.#ports.clock.nowMs() / 1000);
    for (const record of info.syncreq) {
      const news = wholeNews(record);
      if (typeof news !== 'string') yield news;
      else if (problems.length < problemsMax) problems.push(`Agent ${record.id}: ${news}`);
    }
    for (const { id, version } of info.syncreq_keepalive) {
      const status: AgentStatus = {
        last_keepalive: nowSeconds,
        connection_status: 'active',
        disconnection_time: 0,
        status_code: 0,
      };
      yield { id, isWhole: false, status, data: versionOf(version) };
    }
    for (const { id, version, ...given } of info.syncreq_status) {
      const connection = connectionStatuses.find((known) => known === given.connection_status);
      if (connection === undefined) continue;
      const status = {
        connection_status: connection,
        disconnection_time: wholeSeconds(given.disconnection_time),
        status_code: wholeSeconds(given.status_code),
      };
      yield { id, isWhole: false, status, data: versionOf(version) };
    }
  }

  #takeOne(news: News): 'unknown' | 'first' | 'done' {
    const { facts } = this.#ports;
    const look = facts.look(news.id);
    if (look.existence !== 'registered') return 'unknown';
    const order = this.#orderOf(news, look);
    if (order === undefined) return 'done';
    const status: AgentStatus = { ...(look.known?.status ?? unheard), ...news.status };
    const row = { id: news.id, status, order, pending: 0, refusal: 0 } as const;
    const data = this.#newData(news, look.known);
    if (data !== undefined) facts.save({ ...row, data: packData(data) });
    else if (look.known !== undefined) facts.saveStatus(row, look.known);
    return look.known === undefined ? 'first' : 'done';
  }

  /** The number of the record; undefined where it is no news. */
  #orderOf({ isWhole, status }: News, { known }: Look): RecordOrder | undefined {
    const nowMs = this.#ports.clock.nowMs();
    const [node, epoch] = [this.#node, this.#epoch];
    const isOwn = known?.order.node === node;
    const previousMs = isOwn ? known?.order.nodeOrderMs : undefined;
    const heard = isWhole ? status.last_keepalive ?? null : null;
    const nodeOrderMs = nextOrderMs(heard, previousMs, nowMs);
    const orderMs = Math.min(nodeOrderMs, nowMs);
    if (known !== undefined && !isOwn) {
      const isOlder = isWhole
        ? orderMs <= known.order.orderMs
        : status.connection_status !== 'active';
      if (isOlder) return undefined;
    }
    return { node, epoch, nodeOrderMs, orderMs };
  }

  /** The data after the news; undefined where they stay as they are. */
  #newData({ id, isWhole, data }: News, known: StatusRow | undefined): AgentData | undefined {
    const { version } = data;
    const isSame = !isWhole && known !== undefined &&
      (version === undefined || this.#versions.get(id) === version);
    if (isSame) return undefined;
    if (typeof version === 'string') this.#versions.set(id, version);
    const stored = known === undefined ? undefined : this.#ports.facts.data(id);
    if (!isWhole && stored !== undefined && stored.version === version) return undefined;
    return mergeData(data, stored);
  }
}

// ---

/** Of an agent that nothing was heard of. */
const unheard: AgentStatus = {
  last_keepalive: null,
  connection_status: 'never_connected',
  disconnection_time: 0,
  status_code: 0,
};

/** What a worker tells of no agent: where it is registered, which the keys file says. */
const notTold = 'register_ip';

/** All of an agent; what is missing in the record is empty. A text tells what is wrong with it. */
function wholeNews(record: AgentRecord): News | string {
  const { id, labels = [], last_keepalive: heard, node_name: _, ...given } = record;
  const texts = Object.fromEntries(
    textColumnNames.flatMap((name) => {
      if (name === notTold) return [];
      return [[name, given[name] === '' ? null : given[name] ?? null]];
    }),
  );
  const { report, problem } = readReport({
    ...texts,
    id,
    labels: Object.fromEntries(labels.map(({ key, value }) => [key, value])),
    last_keepalive: wholeSeconds(heard) === 0 ? null : wholeSeconds(heard),
    connection_status: given.connection_status ?? unheard.connection_status,
    disconnection_time: wholeSeconds(given.disconnection_time),
    status_code: wholeSeconds(given.status_code),
  });
  if (report === undefined) return problem;
  const { last_keepalive, connection_status, disconnection_time, status_code, ...data } =
    report.facts;
  const status = { last_keepalive, connection_status, disconnection_time, status_code };
  return { id, isWhole: true, data, status: status as Partial<AgentStatus> };
}

function versionOf(version: string | undefined): Partial<AgentData> {
  return version === undefined || version === '' || version.length > 64 ? {} : { version };
}

/** A number of a record as whole seconds; 0 where it has none. */
function wholeSeconds(value: number | undefined): number {
  return value === undefined || value < 0 ? 0 : Math.floor(value);
}
