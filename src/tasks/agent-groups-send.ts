/**
 * agent-groups-send: keeps each worker's copy of the assignments of agents to groups as the master's.
 *
 * The master runs one for each connected worker, at intervals (10 s unless configured) and at once
 * when a snapshot is published, when the worker has finished a round of integrity, and when it asks;
 * a worker that stalls delays no other. A round offers the latest snapshot. The worker has it, or
 * is sent what was published since the one that it has. Where it does not have the right digest
 * after that, the leaves that differ are found and replaced, and as a last resort everything is.
 * A worker that has not all the files yet that the assignments need says so, and nothing is stored;
 * a cut connection ends the round, and the next one begins from what the worker has stored.
 */
import type { AssignmentsPart } from '../agents/assignment-parts.ts';
import { leafMax, packLeafNumbers, readLeafNumbers } from '../agents/assignment-digests.ts';
import { agentIdText } from '../agents/agent.ts';
import type { GroupMirror } from '../agents/group-mirror.ts';
import type {
  GroupDifference,
  GroupPublication,
  GroupSnapshot,
} from '../agents/group-publication.ts';
import { displayText } from '../base/bytes.ts';
import { ClusterError, codeOf } from '../base/errors.ts';
import type { Clock, Logger } from '../ports.ts';
import type { HandlersFor } from '../session/handlers.ts';
import type { Session } from '../session/session.ts';
import type { ReplyOf } from '../wire/messages.ts';
import type { RoundReport, Task, Turn } from './task.ts';

/** Leaves compared in one request: 240 KiB. */
const comparedLeavesMax = 12_288;

/** Leaves that a worker names in one answer; the others differ again the next time. */
const namedLeavesMax = 60_000;

/** How often a difference is repaired in one round: by what is new, by leaves, by everything. */
const attemptsMax = 4;

/** Settings of agent-groups-send. */
export interface AgentGroupsSendOptions {
  /** Pause between rounds, ms. @default 10,000 */
  readonly intervalMs: number;
}

/** What the master knows of a worker's copy. */
export interface SentState {
  /** `unsupported`: the worker knows nothing of groups. */
  readonly state: 'unknown' | 'same' | 'waiting' | 'unsupported';
  /** Why the worker waits. */
  readonly reason: string | undefined;
  /** The snapshot that it confirmed last, in this session, and when; ms since 1970. */
  readonly snapshot: number | undefined;
  readonly confirmedMs: number | undefined;
}

/** The master's task for one worker. */
export class AgentGroupsSend implements Task {
  readonly name = 'agent-groups-send';
  readonly title = 'Agent-groups send';
  readonly schedule;
  readonly #clock: Clock;
  readonly #publication: GroupPublication;
  readonly #session: Session;
  #state: SentState = {
    state: 'unknown',
    reason: undefined,
    snapshot: undefined,
    confirmedMs: undefined,
  };

  constructor(
    ports: { readonly clock: Clock; readonly publication: GroupPublication },
    session: Session,
    options: AgentGroupsSendOptions,
  ) {
    this.#clock = ports.clock;
    this.#publication = ports.publication;
    this.#session = session;
    // The first round waits: for the worker's first report, or at most so long.
    this.schedule = {
      intervalMs: options.intervalMs,
      deadlineMs: 10 * 60 * 1000,
      isStaggered: true,
    };
  }

  /** What is known of the worker. */
  get state(): SentState {
    return this.#state;
  }

  async round(turn: Turn): Promise<RoundReport> {
    if (this.#state.state === 'unsupported') return { summary: undefined };
    try {
      return await this.#bringInStep(turn);
    } catch (error) {
      if (codeOf(error) !== 'unknownMessage') throw error;
      this.#state = { ...this.#state, state: 'unsupported' };
      turn.log.log('info', 'The worker is of an older version, which knows nothing of groups.');
      return { summary: undefined };
    }
  }

  async #bringInStep(turn: Turn): Promise<RoundReport> {
    let rowsCount = 0;
    for (let attempt = 1; attempt <= attemptsMax; attempt++) {
      const snapshot = this.#publication.latest.value;
      // The first round of local-agent-groups has not ended: its end wakes this one.
      if (snapshot === undefined) return { summary: undefined };
      const answer = await this.#offer(snapshot, turn.signal);
      if (answer.state === 'same') return this.#confirmed(snapshot, rowsCount);
      if (answer.state === 'waiting') return this.#waits(answer.reason, turn.log);
      if (attempt === 1) turn.starting();
      const difference = await this.#difference(snapshot, answer, attempt, turn.signal);
      const sent = await this.#send(difference, turn);
      if (sent.kind === 'waiting') return this.#waits(sent.reason, turn.log);
      rowsCount += difference.rowsCount;
      if (sent.digest === difference.target.digest) {
        return this.#confirmed(difference.target, rowsCount);
      }
      turn.log.log('warning', `Assignments differ at snapshot ${difference.target.number}.`);
    }
    throw new ClusterError('corrupt', 'Assignments of the worker differ after all was sent');
  }

  #offer(snapshot: GroupSnapshot, signal: AbortSignal): Promise<ReplyOf<'groups.offer'>> {
    const { epoch, number, generation, digest } = snapshot;
    const offer = { epoch, snapshot: number, generation, digest };
    return this.#session.request('groups.offer', offer, { signal });
  }

  /** What the worker needs. */
  async #difference(
    snapshot: GroupSnapshot,
    answer: ReplyOf<'groups.offer'>,
    attempt: number,
    signal: AbortSignal,
  ): Promise<GroupDifference> {
    const publication = this.#publication;
    if (attempt === attemptsMax) return publication.whole();
    const from = answer.digest === publication.emptyDigest
      ? 0
      : answer.epoch === snapshot.epoch && answer.snapshot < snapshot.number
      ? answer.snapshot
      : undefined;
    // What is sent once and gives another digest would do so again.
    const difference = from === undefined || attempt > 1
      ? undefined
      : await publication.since(from);
    return difference ?? publication.leavesWhole(await this.#differingLeaves(signal));
  }

  async #differingLeaves(signal: AbortSignal): Promise<number[]> {
    const differing: number[] = [];
    for (let from = 0; from <= leafMax;) {
      const list = this.#publication.leaves(from, comparedLeavesMax);
      const reply = await this.#session.request('groups.compare', list, { signal });
      for (const leaf of readLeafNumbers(reply.leaves)) differing.push(leaf);
      from = list.to + 1;
    }
    return differing;
  }

  async #send(
    { target, parts }: GroupDifference,
    { signal, log }: Turn,
  ): Promise<
    | { readonly kind: 'stored'; readonly digest: string | undefined }
    | { readonly kind: 'waiting'; readonly reason: string | undefined }
  > {
    let isTold = false;
    let digest: string | undefined;
    for (const [i, part] of parts.entries()) {
      const isLast = i === parts.length - 1;
      const answer = await this.#apply(target, part, isLast, signal);
      if (answer.state === 'waiting') return { kind: 'waiting', reason: answer.reason };
      digest = answer.digest;
      if (answer.firstDifferent === undefined || isTold) continue;
      isTold = true;
      const agent = agentIdText(answer.firstDifferent);
      log.log('warning', `Assignments differed, first that of agent ${agent}: sent again.`);
    }
    return { kind: 'stored', digest };
  }

  #apply(
    target: GroupSnapshot,
    { rows, ranges }: AssignmentsPart,
    isLast: boolean,
    signal: AbortSignal,
  ): Promise<ReplyOf<'groups.apply'>> {
    const { epoch, number, generation } = target;
    const part = { epoch, snapshot: number, generation, rows, ranges, isLast };
    return this.#session.request('groups.apply', part, { signal });
  }

  #confirmed(snapshot: GroupSnapshot, rowsCount: number): RoundReport {
    const { number } = snapshot;
    const confirmedMs = this.#clock.nowMs();
    this.#state = { state: 'same', reason: undefined, snapshot: number, confirmedMs };
    const isMore = (this.#publication.latest.value?.number ?? 0) > number;
    if (rowsCount === 0) return { summary: undefined, isMore };
    const summary = `Sent ${rowsCount} assignments. Snapshot ${number}.`;
    return { summary, facts: { snapshot: number, rowsCount }, isMore };
  }

  #waits(reason: string | undefined, log: Logger): RoundReport {
    const shown = displayText(reason ?? 'it does not say for what');
    if (this.#state.state !== 'waiting' || this.#state.reason !== shown) {
      log.log('debug', `Assignments wait: ${shown}.`);
    }
    this.#state = { ...this.#state, state: 'waiting', reason: shown };
    return { summary: undefined };
  }
}

/** The master's answer to a worker that does not want to wait: a round, at once. */
export function pullHandlers(
  sendNow: (worker: string) => Promise<void>,
): Pick<HandlersFor<'worker'>, 'groups.pull'> {
  return {
    'groups.pull': async (_, context) => {
      await sendNow(context.peer);
      return {};
    },
  };
}

/** What the worker answers. */
export function groupsHandlers(
  mirror: GroupMirror,
  log: Logger,
): Pick<HandlersFor<'master'>, 'groups.offer' | 'groups.apply' | 'groups.compare'> {
  return {
    'groups.offer': async ({ epoch, snapshot, generation, digest }) => {
      const answer = await mirror.offered({ epoch, number: snapshot, generation, digest });
      return { reason: undefined, ...answer };
    },
    'groups.apply': async ({ epoch, snapshot, generation, ...part }) => {
      const answer = await mirror.store({
        ...part,
        target: { epoch, number: snapshot, generation },
      });
      if (answer.state === 'stored' && part.isLast) {
        log.log('info', `Stored the assignments of snapshot ${snapshot}.`, { snapshot });
      }
      return { digest: undefined, firstDifferent: undefined, reason: undefined, ...answer };
    },
    'groups.compare': async (list) => {
      const leaves = await mirror.differing(list);
      return { leaves: packLeafNumbers(leaves.slice(0, namedLeavesMax)) };
    },
  };
}

/**
 * The worker asks for a round at once, and waits until it is over. A master of an older version,
 * which knows nothing of groups, has nothing to send.
 */
export async function pullGroups(session: Session, signal: AbortSignal): Promise<void> {
  try {
    await session.request('groups.pull', {}, { signal, timeoutMs: pullTimeoutMs });
  } catch (error) {
    if (codeOf(error) !== 'unknownMessage') throw error;
  }
}

/** A first round sends all assignments, ms. */
const pullTimeoutMs = 60 * 1000;
