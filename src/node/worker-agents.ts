/**
 * The agents of a worker: it takes in what they report and brings it to the master.
 */
import { Backlog } from '../agents/backlog.ts';
import type { AgentReport } from '../agents/report.ts';
import type { Ports } from '../ports.ts';
import type { Session } from '../session/session.ts';
import { AgentInfo, busyPauseMs, manyAgents } from '../tasks/agent-info.ts';
import {
  type AgentParts,
  type AgentSetting,
  type AppliedKeysPorts,
  followAppliedKeys,
  openAgentParts,
} from './agent-parts.ts';
import { WorkerGroups } from './worker-groups.ts';

/** What the agents of a worker stand on. */
export interface WorkerAgentPorts extends Ports, AppliedKeysPorts {
  /** The session with the master, undefined while there is none. */
  readonly session: () => Session | undefined;
  /** Starts a round of agent-info at once. */
  readonly wake: () => void;
}

/** The agents of a worker. */
export class WorkerAgents {
  readonly parts: AgentParts;
  readonly groups: WorkerGroups;
  readonly backlog: Backlog;
  readonly info: AgentInfo;
  readonly #ports: WorkerAgentPorts;
  readonly #setting: AgentSetting;
  #sinceWake = 0;
  #wokenMs = -Infinity;

  constructor(ports: WorkerAgentPorts, setting: AgentSetting) {
    this.#ports = ports;
    this.#setting = setting;
    this.parts = openAgentParts(ports, setting, {
      appeared: ({ id }) => this.parts.facts.accept(id),
      vanished: (id) => this.parts.facts.remove(id),
    });
    this.groups = new WorkerGroups({ ...ports, parts: this.parts }, setting.config);
    const { clock, session } = ports;
    const { values, epoch } = this.parts;
    this.backlog = new Backlog(ports, this.parts);
    const { agents } = setting.config;
    const { registrations } = this.parts;
    this.info = new AgentInfo({ clock, session, values, registrations, backlog: this.backlog }, {
      intervalMs: agents.infoIntervalMs,
      epoch,
    });
  }

  /** Takes in reports; when this resolves, those without a problem are stored. */
  async report(reports: readonly AgentReport[]) {
    const { refused } = await this.parts.intake.take(reports);
    this.#sinceWake += reports.length;
    const nowMs = this.#ports.clock.monotonicMs();
    if (this.#sinceWake >= manyAgents && nowMs - this.#wokenMs >= busyPauseMs) {
      this.#sinceWake = 0;
      this.#wokenMs = nowMs;
      this.#ports.wake();
    }
    return refused;
  }

  /**
   * A round of integrity against a generation is over, after which these sets are as on the master:
   * the agents of the keys file exist if its set is one of them.
   */
  async follow(generation: number, isInStep: (set: string) => boolean): Promise<void> {
    const isChanged = await followAppliedKeys(
      this.parts,
      this.#ports,
      this.#setting.config,
      isInStep,
    );
    if (isChanged) this.info.askAgainSoon();
    this.groups.finished(generation);
  }
}
