/**
 * agent-info, with one worker of the Wazuh protocol: the worker sends what its agents reported as a
 * string, and is told what became of it when it is stored.
 */
import { type ByteString, displayText } from '../../base/bytes.ts';
import { describeError } from '../../base/errors.ts';
import { type AgentId, agentsText } from '../../agents/agent.ts';
import type { Clock } from '../../ports.ts';
import { type AgentInfo, chunksOf, readAgentMessage } from '../agent-info.ts';
import { type Answer, answering } from '../connection.ts';
import { quotedBytes } from '../layouts.ts';
import type { IncomingStrings } from '../string-transfer.ts';
import { AgentIntake, type AgentIntakePorts } from './agent-intake.ts';
import type { Peer } from './peer.ts';

/** What receiving needs. */
export interface AgentsReceivedPorts extends AgentIntakePorts {
  readonly clock: Clock;
  /** Agents were stored for the first time. */
  readonly onFirstContact: (ids: readonly AgentId[]) => void;
}

/** agent-info of one worker. */
export class AgentsReceived {
  readonly #ports: AgentsReceivedPorts;
  readonly #peer: Peer;
  readonly #strings: IncomingStrings;
  readonly #intake: AgentIntake;

  constructor(ports: AgentsReceivedPorts, peer: Peer, strings: IncomingStrings) {
    this.#ports = ports;
    this.#peer = peer;
    this.#strings = strings;
    const { node, connectedMs } = peer;
    this.#intake = new AgentIntake(ports, { node, epoch: `${node} ${connectedMs}` });
  }

  /** The answers to the worker. */
  answers(): readonly (readonly [string, Answer])[] {
    return [
      answering('syn_a_w_m_p', () => this.#peer.health.isAgentInfoFree),
      answering('syn_a_w_m', (id) => {
        void this.#receive(id);
        return id;
      }),
    ];
  }

  // ---

  async #receive(id: ByteString): Promise<void> {
    const { health, log, connection } = this.#peer;
    health.isAgentInfoFree = false;
    try {
      await this.#store(id);
    } catch (error) {
      if (!connection.signal.aborted) {
        log.child('Agent-info sync').log('error', describeError(error));
      }
    } finally {
      health.isAgentInfoFree = true;
    }
  }

  async #store(id: ByteString): Promise<void> {
    const { clock } = this.#ports;
    const { connection, health: { agentInfo }, tell } = this.#peer;
    const startedMs = clock.monotonicMs();
    const startedAtMs = clock.nowMs();
    tell.informing();
    const info = await this.#take(id);
    const stored = typeof info === 'string' ? info : await this.#takeIn(info);
    if (typeof stored === 'string') {
      tell.log.child('Agent-info sync').log('error', displayText(stored));
      await connection.request('syn_m_a_err', stored);
      return;
    }
    const durationMs = clock.monotonicMs() - startedMs;
    agentInfo.startedMs = startedAtMs;
    agentInfo.endedMs = clock.nowMs();
    agentInfo.chunksCount = stored.chunksCount;
    tell.informed(durationMs, stored.chunksCount);
    await connection.request('syn_m_a_e', {
      updated_chunks: stored.chunksCount,
      error_messages: [],
      time_spent: durationMs / 1000,
    });
  }

  /** What a string holds, or what is wrong with it. */
  async #take(id: ByteString): Promise<AgentInfo | string> {
    const bytes = this.#strings.take(id);
    if (bytes === undefined) {
      return `error while trying to access string under task_id ${quotedBytes(id)}.`;
    }
    try {
      return await readAgentMessage(bytes, this.#ports.clock);
    } catch (error) {
      return `error while trying to load JSON: ${describeError(error)}`;
    }
  }

  async #takeIn(info: AgentInfo): Promise<{ readonly chunksCount: number } | string> {
    const log = this.#peer.log.child('Agent-info sync');
    try {
      const { firstContacts, unknownCount, problems } = await this.#intake.take(info);
      if (firstContacts.length > 0) this.#ports.onFirstContact(firstContacts);
      if (unknownCount > 0) log.log('debug', `Not registered here: ${agentsText(unknownCount)}.`);
      for (const problem of problems) log.log('warning', `${displayText(problem)}.`);
      return { chunksCount: chunksOf(info) };
    } catch (error) {
      return `error processing agent-info chunks in process pool: ${describeError(error)}`;
    }
  }
}
