/**
 * The agents of a worker in a Wazuh cluster: those of its keys file, and what they report to it.
 */
import type { AgentReport } from '../agents/report.ts';
import type { PlainPorts } from '../ports.ts';
import type { AgentNewsSource } from '../wazuh/worker/agent-info.ts';
import { StoredAgents } from '../wazuh/worker/stored-agents.ts';
import type { AgentSource } from './agent-operations.ts';
import {
  type AgentParts,
  type AgentSetting,
  type AppliedKeysPorts,
  followAppliedKeys,
  openAgentParts,
} from './agent-parts.ts';
import { WazuhGroups } from './wazuh-groups.ts';

/** What the agents stand on. */
export interface WazuhAgentPorts extends PlainPorts, AppliedKeysPorts {}

/** The agents of a worker in a Wazuh cluster. */
export class WazuhAgents implements AgentSource {
  readonly parts: AgentParts;
  readonly groups: WazuhGroups;
  /** What they reported and the master does not know yet. */
  readonly news: AgentNewsSource;
  readonly #ports: WazuhAgentPorts;
  readonly #setting: AgentSetting;

  constructor(ports: WazuhAgentPorts, setting: AgentSetting) {
    this.#ports = ports;
    this.#setting = setting;
    this.parts = openAgentParts(ports, setting, {
      appeared: ({ id }) => this.parts.facts.accept(id),
      vanished: (id) => {
        this.parts.facts.remove(id);
        this.groups.forget(id);
      },
    });
    const { registrations, facts } = this.parts;
    this.groups = new WazuhGroups({ ...ports, registrations }, setting.config);
    const { node } = setting.node.identity;
    this.news = new StoredAgents({ ...ports, facts, registrations, node });
  }

  /** Takes in reports; when this resolves, those without a problem are stored. */
  async report(reports: readonly AgentReport[]) {
    const { refused } = await this.parts.intake.take(reports);
    return refused;
  }

  /** These sets are as on the master: the agents of the keys file exist if its set is one of them. */
  async follow(isInStep: (set: string) => boolean): Promise<void> {
    await followAppliedKeys(this.parts, this.#ports, this.#setting.config, isInStep);
  }
}
