/**
 * agent-info: brings to the master what the agents of a worker report.
 *
 * Started by the worker at intervals (10 s unless configured), and sooner where much is waiting. What
 * the master has not confirmed is sent in chunks, a few of them at a time; a chunk is confirmed when
 * the master has it on its disk. What is not confirmed, for whatever reason, is sent again by the
 * next round, and changes nothing where it had arrived. Agents that the master does not know are kept
 * until it does, or until they are known to be removed.
 *
 * The master looks at intervals for agents that have fallen silent.
 */
import { Mutex, Pipeline } from '../base/async.ts';
import { ByteReader, ByteWriter } from '../base/cursor.ts';
import { codeOf } from '../base/errors.ts';
import { inTransaction, slices, transactionRowsMax } from '../base/transaction.ts';
import { type AgentId, agentIdText, agentsText } from '../agents/agent.ts';
import { Backlog, type Chunk, type ChunkAnswer } from '../agents/backlog.ts';
import type { RecordIntake } from '../agents/record-intake.ts';
import type { FactsStore } from '../agents/store/facts.ts';
import type { Registrations } from '../agents/store/registrations.ts';
import type { AgentValues } from '../agents/store/values.ts';
import type { Clock, Database, Logger } from '../ports.ts';
import type { HandlersFor } from '../session/handlers.ts';
import type { Session } from '../session/session.ts';
import type { ReplyOf } from '../wire/messages.ts';
import type { RoundReport, Task, Turn } from './task.ts';

/** Settings of agent-info on a worker. */
export interface AgentInfoOptions {
  /** Pause between rounds, ms. @default 10,000 */
  readonly intervalMs: number;
  /** Names this node's database. */
  readonly epoch: string;
}

/** Settings of the master's look for silent agents. */
export interface SilenceOptions {
  /** An agent without a keep-alive for so long counts as disconnected, ms. @default 600,000 */
  readonly silenceMaxMs: number;
}

/** Longest time of a round, ms: a hundred thousand agents over a slow line. */
const deadlineMs = 10 * 60 * 1000;

/** Chunks on their way at the same time: enough to keep both ends busy. */
const chunksAtOnce = 8;

/** Name of the value that holds the epoch of the master that confirmed what is confirmed. */
const masterEpochName = 'reports.master_epoch';

/** Rounds that ask about refused agents after a change of the registrations. */
const questionsAfterChange = 2;

/** How often they are asked about without any change, ms: what the master tells may be lost. */
const askAgainMs = 60 * 60 * 1000;

/** Pause between two looks for removals of long ago, ms. */
const forgetEveryMs = 60 * 60 * 1000;

/** Reports after which a round is not put off until the interval is over. */
export const manyAgents = 1_000;

/** Pause between rounds while so many report, ms. */
export const busyPauseMs = 200;

/** Agents named in one log line. */
const namedMax = 10;

// --- the worker's end ------------------------------------------------------------------------

/** What the worker's end works with. */
export interface AgentInfoPorts {
  readonly clock: Clock;
  readonly backlog: Backlog;
  readonly registrations: Registrations;
  readonly values: AgentValues;
  /** The session with the master, undefined while there is none. */
  readonly session: () => Session | undefined;
}

/** Sends the backlog. */
export class AgentInfo implements Task {
  readonly name = 'agent-info';
  readonly title = 'Agent-info sync';
  readonly schedule;
  readonly #ports: AgentInfoPorts;
  readonly #epoch: string;
  readonly #meeting = new Mutex();
  /** The session in which it was told that the master takes no records as they are now. */
  #unlike: Session | undefined;
  #questionsLeft = questionsAfterChange;
  #lastAskedMs: number;

  constructor(ports: AgentInfoPorts, options: AgentInfoOptions) {
    this.#ports = ports;
    this.#epoch = options.epoch;
    this.#lastAskedMs = ports.clock.monotonicMs();
    this.schedule = { intervalMs: options.intervalMs, deadlineMs, isStaggered: true };
  }

  async round(turn: Turn): Promise<RoundReport> {
    const session = this.#ports.session();
    if (session === undefined) return { summary: undefined };
    this.#askAgainWhereDue();
    let sent = 0;
    const refused: AgentId[] = [];
    const sending = new Pipeline(chunksAtOnce);
    try {
      for await (const chunk of this.#ports.backlog.chunks()) {
        if (sent === 0) turn.starting();
        sent += chunk.sent.length;
        await sending.add(this.#send(session, chunk, refused, turn.signal));
      }
      await sending.finish();
    } catch (error) {
      if (codeOf(error) !== 'unknownMessage') throw error;
      this.#tellUnlike(session, turn.log);
      return { summary: undefined };
    } finally {
      await sending.settle();
    }
    if (refused.length > 0) tellRefused(refused, turn.log);
    if (sent === 0) return { summary: undefined };
    const isBusy = sent >= manyAgents && this.#ports.backlog.count > 0;
    return {
      summary: summaryOf(sent, refused.length),
      facts: { sent, refused: refused.length },
      ...(isBusy ? { pauseMs: busyPauseMs } : {}),
    };
  }

  /**
   * The next rounds ask about refused agents again: after a change of the registrations, or with a new
   * session. Two of them, since the master may take up the same change a moment later.
   */
  askAgainSoon(): void {
    this.#questionsLeft = questionsAfterChange;
  }

  #askAgainWhereDue(): void {
    const { clock, backlog, registrations } = this.#ports;
    const nowMs = clock.monotonicMs();
    if (this.#questionsLeft === 0 && nowMs - this.#lastAskedMs < askAgainMs) return;
    this.#questionsLeft = Math.max(0, this.#questionsLeft - 1);
    this.#lastAskedMs = nowMs;
    backlog.askAgain();
    registrations.forgetRemovals();
  }

  async #send(
    session: Session,
    chunk: Chunk,
    refused: AgentId[],
    signal: AbortSignal,
  ): Promise<void> {
    const { backlog } = this.#ports;
    const request = { epoch: this.#epoch, records: chunk.records };
    const reply = await session.request('agents.report', request, { signal });
    await this.#meeting.run(() => this.#meetMaster(reply.epoch));
    const answer = readAnswer(reply);
    backlog.settle(chunk, answer);
    for (const id of Backlog.newlyRefused(chunk, answer)) refused.push(id);
  }

  /** Told once a session: a cluster is upgraded node by node, and until then nothing is lost. */
  #tellUnlike(session: Session, log: Logger): void {
    if (this.#unlike === session) return;
    this.#unlike = session;
    log.log(
      'warning',
      'The master is of another version and cannot take what agents report here: ' +
        'it is kept until both are of one version.',
    );
  }

  /** A master with another database has none of what was confirmed before. */
  async #meetMaster(epoch: string): Promise<void> {
    const { values, backlog } = this.#ports;
    const known = values.get(masterEpochName);
    if (known === epoch) return;
    if (known !== undefined) await backlog.restart();
    values.set(masterEpochName, epoch);
  }
}

/** Told once for each: what is refused is not sent again before the master knows it. */
function tellRefused(ids: readonly AgentId[], log: Logger): void {
  const named = ids.slice(0, namedMax).map(agentIdText).join(', ');
  const more = ids.length > namedMax ? ` and ${ids.length - namedMax} more` : '';
  log.log(
    'warning',
    `The master does not know ${agentsText(ids.length)} reporting here: ${named}${more}. ` +
      'What they report is kept until it does.',
    { refused: ids.length },
  );
}

function summaryOf(sent: number, refused: number): string {
  return `Sent ${agentsText(sent)}.` +
    (refused === 0 ? '' : ` ${refused} are not known to the master.`);
}

function readAnswer(reply: ReplyOf<'agents.report'>): ChunkAnswer {
  return {
    refused: unpackIds(reply.refused),
    removed: unpackIds(reply.removed),
    wanted: unpackIds(reply.wanted),
  };
}

// --- the master's end ------------------------------------------------------------------------

/** What the master's end works with. */
export interface AgentInfoMasterPorts {
  readonly intake: RecordIntake;
  /** Names the master's database. */
  readonly epoch: string;
  /** How far the clock of a node in session is ahead, ms. */
  readonly skewMs: (node: string) => number;
  /** Agents were stored for the first time. */
  readonly onFirstContact: (ids: readonly AgentId[]) => void;
}

/** The master's answers. */
export function agentInfoHandlers(
  ports: AgentInfoMasterPorts,
): Pick<HandlersFor<'worker'>, 'agents.report'> {
  return {
    'agents.report': async ({ epoch, records }, { peer }) => {
      const source = { node: peer, epoch, skewMs: ports.skewMs(peer) };
      const outcome = await ports.intake.take(records, source);
      if (outcome.firstContacts.length > 0) ports.onFirstContact(outcome.firstContacts);
      return {
        epoch: ports.epoch,
        refused: packIds(outcome.refused),
        removed: packIds(outcome.removed),
        wanted: packIds(outcome.wanted),
      };
    },
  };
}

/** What the look for silent agents goes through. */
export interface SilentAgentsStores {
  readonly facts: FactsStore;
  readonly registrations: Registrations;
}

/** Marks agents that have fallen silent. */
export class SilentAgents implements Task {
  readonly name = 'agent-info';
  readonly title = 'Agent-info sync';
  readonly schedule;
  readonly #ports: { readonly clock: Clock; readonly database: Database };
  readonly #stores: SilentAgentsStores;
  readonly #silenceMaxMs: number;
  readonly #startedMs: number;
  #forgottenMs = -Infinity;

  constructor(
    ports: { readonly clock: Clock; readonly database: Database },
    stores: SilentAgentsStores,
    { silenceMaxMs }: SilenceOptions,
  ) {
    this.#ports = ports;
    this.#stores = stores;
    this.#silenceMaxMs = silenceMaxMs;
    this.#startedMs = ports.clock.monotonicMs();
    this.schedule = { intervalMs: Math.min(30_000, silenceMaxMs / 2), deadlineMs };
  }

  async round(turn: Turn): Promise<RoundReport> {
    const { clock, database } = this.#ports;
    const { facts } = this.#stores;
    this.#forget();
    // A master that was away does not know who kept alive meanwhile.
    if (clock.monotonicMs() - this.#startedMs < this.#silenceMaxMs) return { summary: undefined };
    const nowMs = clock.nowMs();
    const beforeSeconds = Math.floor((nowMs - this.#silenceMaxMs) / 1000);
    const byNode = new Map<string, number>();
    const last = facts.highestId();
    for (let after = 0; after < last;) {
      const { silent, end } = facts.silentAfter(after, beforeSeconds);
      for (const slice of slices(silent, transactionRowsMax)) {
        inTransaction(database, () => {
          for (const { id } of slice) facts.disconnect(id, Math.floor(nowMs / 1000));
        });
        await clock.breathe();
      }
      for (const { node } of silent) byNode.set(node, (byNode.get(node) ?? 0) + 1);
      after = end;
      await clock.breathe();
    }
    for (const [node, count] of byNode) {
      turn.log.log(
        'warning',
        `${agentsText(count)} of ${node} disconnected: ` +
          `no keep-alive for ${Math.round(this.#silenceMaxMs / 1000)} s.`,
        { node, count },
      );
    }
    return { summary: undefined };
  }

  /** Removals of long ago need not be remembered. */
  #forget(): void {
    const nowMs = this.#ports.clock.monotonicMs();
    if (nowMs - this.#forgottenMs < forgetEveryMs) return;
    this.#forgottenMs = nowMs;
    this.#stores.registrations.forgetRemovals();
  }
}

// --- numbers of agents -----------------------------------------------------------------------

function packIds(ids: readonly AgentId[]): Uint8Array {
  const writer = new ByteWriter(ids.length * 4);
  for (const id of ids) writer.u32(id);
  return writer.finish();
}

function unpackIds(packed: Uint8Array): AgentId[] {
  const reader = new ByteReader(packed);
  const ids: AgentId[] = [];
  while (reader.remaining > 0) ids.push(reader.u32());
  return ids;
}
