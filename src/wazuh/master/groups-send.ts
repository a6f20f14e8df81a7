/**
 * agent-groups-send, to one worker of the Wazuh protocol: at intervals (10 s unless configured) and
 * at once after a snapshot it is sent what was published since the one that it confirmed, with the
 * hash over all agents. A worker whose own hash is another for a while asks for everything.
 *
 * A worker that is not known yet is sent everything once. Groups are directories of synchronised
 * files: a new snapshot waits for the directories that it was published with, but not for ever.
 */
import { type Deferred, deferred, withDeadline } from '../../base/async.ts';
import type { Clock } from '../../ports.ts';
import type { RoundReport, Task, Turn } from '../../tasks/task.ts';
import { writeGroups } from '../agent-groups.ts';
import type { RequestOf } from '../commands.ts';
import { type Answer, answering } from '../connection.ts';
import { replyTexts } from '../replies.ts';
import { sendString } from '../string-transfer.ts';
import type { Peer, Span } from './peer.ts';
import type { GroupsMessage, PublishedGroups } from './published-groups.ts';

/** What sending needs. */
export interface GroupsSendPorts {
  readonly clock: Clock;
  readonly groups: PublishedGroups;
  /** The snapshot that was published last, and the generation of files that it needs. */
  readonly latest: () => { readonly number: number; readonly generation: number } | undefined;
  /** Snapshots that workers have confirmed, by name; kept from connection to connection. */
  readonly confirmed: Map<string, number>;
  /** Wants a round of this task at once. */
  readonly wake: () => void;
}

/** How long a worker may take to apply groups, ms; it gives up itself before that. */
const applyTimeoutMs = 60_000;

/** How long a snapshot waits for directories, ms. */
const patienceMs = 60_000;

/** How the two ways of sending are called. */
const ways = {
  since: { command: 'syn_g_m_w', health: 'groups' },
  all: { command: 'syn_g_m_w_c', health: 'groupsFull' },
} as const;

type Way = keyof typeof ways;

type AppliedResult = RequestOf<'syn_w_g_e'>;

/** The task for one worker. */
export class GroupsSend implements Task {
  readonly name = 'agent-groups-send';
  readonly title = 'Agent-groups send';
  readonly schedule;
  readonly #ports: GroupsSendPorts;
  readonly #peer: Peer;
  /** What the worker is to tell of what was sent; a text where it could not even read it. */
  readonly #awaited: Partial<Record<Way, Deferred<AppliedResult | string>>> = {};
  #isAllWanted = false;
  /** Since when groups have been waiting for directories, by the monotonic clock. */
  #waitingSinceMs: number | undefined;

  constructor(ports: GroupsSendPorts, peer: Peer, options: { readonly intervalMs: number }) {
    this.#ports = ports;
    this.#peer = peer;
    this.schedule = {
      intervalMs: options.intervalMs,
      deadlineMs: 10 * 60 * 1000,
      isStaggered: true,
    };
  }

  /** The answers to the worker. */
  answers(): readonly (readonly [string, Answer])[] {
    return [
      answering('syn_w_g_e', (result) => this.#settle('since', result)),
      answering('syn_w_g_err', (text) => this.#fail('since', text)),
      answering('syn_wgc_e', (result) => this.#settle('all', result)),
      answering('syn_wgc_err', (text) => this.#fail('all', text)),
      answering('syn_w_g_c', () => {
        this.#isAllWanted = true;
        this.#ports.wake();
        return replyTexts.result;
      }),
    ];
  }

  /** The worker may have more directories: a snapshot may have waited for them. */
  filesCame(): void {
    if (this.#waitingSinceMs !== undefined) this.#ports.wake();
  }

  async round(turn: Turn): Promise<RoundReport> {
    const latest = this.#ports.latest();
    if (latest === undefined) return { summary: undefined };
    if (this.#isAllWanted) {
      this.#isAllWanted = false;
      const message = await this.#ports.groups.all();
      await this.#send('all', message, turn);
      return { summary: undefined };
    }
    if (!this.#hasDirectoriesOf(latest)) return { summary: undefined };
    const { groups, confirmed } = this.#ports;
    const message = await groups.since(confirmed.get(this.#peer.node) ?? 0);
    await this.#send('since', message, turn);
    return { summary: undefined };
  }

  // ---

  /**
   * Whether the worker has the directories of a snapshot, or has been waited for long enough. That
   * counts from the first snapshot that had to wait: files and groups may change all the time.
   */
  #hasDirectoriesOf(
    { number, generation }: { readonly number: number; readonly generation: number },
  ) {
    const { clock, confirmed } = this.#ports;
    const isOld = confirmed.get(this.#peer.node) === number;
    if (isOld || (this.#peer.hasDirectoriesOf ?? 0) >= generation) {
      this.#waitingSinceMs = undefined;
      return true;
    }
    this.#waitingSinceMs ??= clock.monotonicMs();
    return clock.monotonicMs() - this.#waitingSinceMs >= patienceMs;
  }

  async #send(way: Way, message: GroupsMessage, { signal }: Turn): Promise<void> {
    const { clock, confirmed } = this.#ports;
    const { connection, health, node, tell } = this.#peer;
    const { command, health: key } = ways[way];
    const sent = { isFull: way === 'all', agentsCount: message.agentsCount };
    const startedMs = clock.monotonicMs();
    const span: Span & { chunksCount: number } = health[key];
    const startedAtMs = clock.nowMs();
    tell.sendingGroups(sent);
    const result = deferred<AppliedResult | string>();
    this.#awaited[way] = result;
    try {
      const id = await sendString(connection, writeGroups(message.chunks), signal);
      await connection.request(command, id, { signal });
      const what = 'Waiting for the worker to apply groups';
      const applied = await withDeadline(clock, applyTimeoutMs, what, signal, () => result.promise);
      if (typeof applied === 'string') {
        tell.groupsFailed(sent, applied);
        return;
      }
      span.startedMs = startedAtMs;
      span.endedMs = clock.nowMs();
      span.chunksCount = applied.updated_chunks;
      const durationMs = clock.monotonicMs() - startedMs;
      const { error_messages: problems, updated_chunks: chunksCount } = applied;
      if (problems.length > 0) {
        tell.groupsRefused(sent, { durationMs, chunksCount, problems });
        return;
      }
      confirmed.set(node, message.snapshot);
      tell.groupsSent(sent, durationMs, chunksCount);
    } finally {
      delete this.#awaited[way];
    }
  }

  #settle(way: Way, result: AppliedResult): string {
    this.#awaited[way]?.resolve(result);
    return replyTexts.result;
  }

  #fail(way: Way, text: string): string {
    this.#awaited[way]?.resolve(text);
    return replyTexts.result;
  }
}
