/**
 * agent-info of a worker in a Wazuh cluster: tells the master what its agents report.
 *
 *     syn_a_w_m_p        -->  may I
 *     new_str, str_upd   -->  the lists
 *     syn_a_w_m id       -->
 *                        <--  syn_m_a_e result, or syn_m_a_err text
 *
 * Started by the worker at intervals (10 s unless configured). What a master has not said to have
 * taken is told again in the next round: to tell it twice changes nothing there.
 */
import { type Deferred, deferred, untilAborted } from '../../base/async.ts';
import { displayText } from '../../base/bytes.ts';
import { ClusterError } from '../../base/errors.ts';
import type { Clock } from '../../ports.ts';
import type { RoundReport, Task, Turn } from '../../tasks/task.ts';
import { type AgentInfo, chunksOf, writeAgentMessage } from '../agent-info.ts';
import type { ReplyOf, RequestOf } from '../commands.ts';
import { type Answer, answering, type Connection } from '../connection.ts';
import { replyTexts } from '../replies.ts';
import { sendString } from '../string-transfer.ts';

/** What is to be told of agents. */
export interface AgentNews {
  readonly info: AgentInfo;
  /** Whether there is more than fits one round. */
  readonly isMore: boolean;
  /** The master has taken all of it. */
  settle(): Promise<void>;
}

/** Where the news of a worker's agents come from. */
export interface AgentNewsSource {
  /** What the master has not taken yet; undefined where there is nothing. */
  next(): Promise<AgentNews | undefined>;
}

/** What is told of rounds. */
export interface AgentInfoEvents {
  /** Whether this tells all there is to tell of a round, so that nobody else has to. */
  readonly tellsRounds: boolean;
  nothingToTell(): void;
  informing(): void;
  informed(durationMs: number, chunksCount: number): void;
}

/** What a round needs. */
export interface AgentInfoPorts {
  readonly clock: Clock;
  readonly source: AgentNewsSource;
  /** The connection with the master, undefined while there is none. */
  readonly connection: () => Connection | undefined;
  readonly tell: AgentInfoEvents;
}

/** Longest time of a round, ms: real masters give their database 40 s. */
const deadlineMs = 120_000;

type Result = RequestOf<'syn_m_a_e'>;

/** Tells the master of agents. */
export class WazuhAgentInfo implements Task {
  readonly name = 'agent-info';
  readonly title = 'Agent-info sync';
  readonly schedule;
  readonly #ports: AgentInfoPorts;
  #waiting: Deferred<Result> | undefined;

  constructor(ports: AgentInfoPorts, options: { readonly intervalMs: number }) {
    this.#ports = ports;
    this.schedule = { intervalMs: options.intervalMs, deadlineMs, isStaggered: false };
  }

  /** Answers to the master. */
  answers(): readonly (readonly [string, Answer])[] {
    return [
      answering('syn_m_a_e', (result): ReplyOf<'syn_m_a_e'> => {
        this.#waiting?.resolve(result);
        return replyTexts.result;
      }),
      answering('syn_m_a_err', (text) => {
        this.#waiting?.reject(
          new ClusterError('failed', `The master cannot take agents: ${displayText(text)}`),
        );
        return replyTexts.result;
      }),
    ];
  }

  async round(turn: Turn): Promise<RoundReport> {
    const { clock, source, tell } = this.#ports;
    const connection = this.#ports.connection();
    const { signal } = turn;
    if (connection === undefined) return nothingDone;
    if (!await connection.request('syn_a_w_m_p', undefined, { signal })) return nothingDone;
    const news = await source.next();
    if (news === undefined) {
      tell.nothingToTell();
      return nothingDone;
    }
    const startedMs = clock.monotonicMs();
    tell.informing();
    if (!tell.tellsRounds) turn.starting();
    const { updated_chunks: takenCount, error_messages: problems } = await this.#send(
      connection,
      news.info,
      signal,
    );
    if (takenCount < chunksOf(news.info)) {
      const [first = 'it does not say why'] = problems;
      throw new ClusterError('failed', `The master did not take all agents: ${displayText(first)}`);
    }
    await news.settle();
    tell.informed(clock.monotonicMs() - startedMs, takenCount);
    const { isMore } = news;
    if (tell.tellsRounds) return { ...nothingDone, isMore };
    return { summary: `Agents sent: ${agentsCount(news.info)}.`, isMore };
  }

  async #send(connection: Connection, info: AgentInfo, signal: AbortSignal): Promise<Result> {
    const waiting = deferred<Result>();
    // Where the question cannot even be sent nobody waits for its answer.
    waiting.promise.catch(() => {});
    this.#waiting = waiting;
    try {
      const id = await sendString(connection, writeAgentMessage(info), signal);
      await connection.request('syn_a_w_m', id, { signal });
      return await untilAborted(waiting.promise, AbortSignal.any([signal, connection.signal]));
    } finally {
      if (this.#waiting === waiting) this.#waiting = undefined;
    }
  }
}

// ---

const nothingDone: RoundReport = { summary: undefined };

function agentsCount({ syncreq, syncreq_keepalive: heard, syncreq_status: changed }: AgentInfo) {
  return syncreq.length + heard.length + changed.length;
}
