/**
 * agent-groups of a worker in a Wazuh cluster: takes over the groups of agents that the master sends.
 *
 *     syn_g_m_w id      -->  syn_w_g_e result     what has changed, with a hash over all
 *     syn_g_m_w_c id    -->  syn_wgc_e result     all of it, after the worker asked by syn_w_g_c
 *
 * A worker whose own hash is another one after several sends in a row asks for all. The count belongs
 * to a connection.
 */
import { Mutex } from '../../base/async.ts';
import type { ByteString } from '../../base/bytes.ts';
import { describeError } from '../../base/errors.ts';
import type { Clock, Logger } from '../../ports.ts';
import { type AgentGroups, type GroupsChunk, readGroups } from '../agent-groups.ts';
import { type Answer, answering, type Connection } from '../connection.ts';
import { quotedBytes } from '../layouts.ts';
import type { IncomingStrings } from '../string-transfer.ts';

/** Where groups are kept. */
export interface GroupsStore {
  /** Takes over the groups of some agents. @throws what is told the master as a problem */
  apply(agents: readonly AgentGroups[]): Promise<void>;
  /** The agents of a full send are all there are. */
  keepOnly(agents: ReadonlySet<number>): Promise<void>;
  /** The hash over the groups of all agents; undefined where none has any. */
  globalHash(): Promise<string | undefined>;
}

/** A piece that could not be taken over. */
export interface ChunkFailure {
  /** Which, from 1. */
  readonly chunk: number;
  readonly text: string;
}

/** What is told of groups. */
export interface GroupsEvents {
  groupsComing(isFull: boolean): void;
  groupsTaken(isFull: boolean, durationMs: number, count: number): void;
  groupsFailed(isFull: boolean, failures: readonly ChunkFailure[], chunksCount: number): void;
  askedForAllGroups(): void;
}

/** What taking over needs. */
export interface GroupsPorts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly store: GroupsStore;
  readonly tell: GroupsEvents;
}

/** Sends with another hash before all groups are asked for; as real workers do. */
const mismatchesMax = 5;

/** Takes over groups over one connection. */
export class IncomingGroups {
  readonly #ports: GroupsPorts;
  readonly #strings: IncomingStrings;
  readonly #steps = new Mutex();
  #mismatchesCount = 0;

  constructor(ports: GroupsPorts, strings: IncomingStrings) {
    this.#ports = ports;
    this.#strings = strings;
  }

  /** Answers to the master. */
  answers(): readonly (readonly [string, Answer])[] {
    return [
      answering('syn_g_m_w', (id, connection) => {
        this.#inBackground(connection, () => this.#takeChanges(id, connection));
        return id;
      }),
      answering('syn_g_m_w_c', (id, connection) => {
        this.#inBackground(connection, () => this.#takeAll(id, connection));
        return id;
      }),
    ];
  }

  // ---

  async #takeChanges(id: ByteString, connection: Connection): Promise<void> {
    const read = this.#read(id);
    if (typeof read === 'string') {
      await connection.request('syn_w_g_err', read);
      return;
    }
    await connection.request('syn_w_g_e', await this.#apply(read, false));
    const wanted = read.at(-1)?.globalHash;
    if (wanted === undefined) return;
    const isSame = (await this.#ports.store.globalHash() ?? null) === wanted;
    this.#mismatchesCount = isSame ? 0 : this.#mismatchesCount + 1;
    if (this.#mismatchesCount < mismatchesMax) return;
    this.#mismatchesCount = 0;
    await connection.request('syn_w_g_c', undefined);
    this.#ports.tell.askedForAllGroups();
  }

  async #takeAll(id: ByteString, connection: Connection): Promise<void> {
    const read = this.#read(id);
    if (typeof read === 'string') {
      await connection.request('syn_wgc_err', read);
      return;
    }
    const result = await this.#apply(read, true);
    await connection.request('syn_wgc_e', result);
    if (result.error_messages.length > 0) return;
    const ids = read.flatMap(({ agents }) => agents.map(({ id }) => id));
    await this.#ports.store.keepOnly(new Set(ids));
  }

  /** What was sent, or a text that tells the master what is wrong with it. */
  #read(id: ByteString): readonly GroupsChunk[] | string {
    const bytes = this.#strings.take(id);
    if (bytes === undefined) {
      return `error while trying to access string under task_id ${quotedBytes(id)}.`;
    }
    try {
      return readGroups(bytes);
    } catch (error) {
      return `error while trying to load JSON: ${describeError(error)}`;
    }
  }

  async #apply(chunks: readonly GroupsChunk[], isFull: boolean) {
    const { clock, store, tell } = this.#ports;
    const startedMs = clock.monotonicMs();
    const failures: ChunkFailure[] = [];
    let appliedCount = 0;
    tell.groupsComing(isFull);
    for (const [i, { agents }] of chunks.entries()) {
      try {
        await store.apply(agents);
        appliedCount += 1;
      } catch (error) {
        failures.push({ chunk: i + 1, text: describeError(error) });
      }
    }
    const durationMs = clock.monotonicMs() - startedMs;
    if (failures.length > 0) tell.groupsFailed(isFull, failures, chunks.length);
    tell.groupsTaken(isFull, durationMs, appliedCount);
    return {
      updated_chunks: appliedCount,
      error_messages: failures.map(({ text }) => text),
      time_spent: durationMs / 1000,
    };
  }

  #inBackground(connection: Connection, work: () => Promise<void>): void {
    this.#steps.run(work).catch((error: unknown) => {
      if (connection.signal.aborted) return;
      this.#ports.log.log('error', `Cannot take over groups: ${describeError(error)}`);
    });
  }
}
