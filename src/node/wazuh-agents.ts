/**
 * The agents of a worker in a Wazuh cluster: those of its keys file, and what they report to it.
 */
import type { AgentReport } from '../agents/report.ts';
import { describeError } from '../base/errors.ts';
import type { SetTable } from '../files/file-set.ts';
import type { Manifest } from '../files/manifest.ts';
import type { PlainPorts } from '../ports.ts';
import type { AgentNewsSource } from '../wazuh/worker/agent-info.ts';
import { StoredAgents } from '../wazuh/worker/stored-agents.ts';
import type { AgentSource } from './agent-operations.ts';
import { type AgentParts, type AgentSetting, keysHash, openAgentParts } from './agent-parts.ts';
import { problemsOf } from './master-agents.ts';
import { WazuhGroups } from './wazuh-groups.ts';

/** What the agents stand on. */
export interface WazuhAgentPorts extends PlainPorts {
  readonly sets: SetTable;
  /** The table of a set as it is on this node's disk. */
  readonly actual: (set: string) => Manifest;
}

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
    const { problems } = await this.parts.intake.take(reports);
    return problemsOf(problems);
  }

  /** These sets are as on the master: the agents of the keys file exist if its set is one of them. */
  async follow(isInStep: (set: string) => boolean): Promise<void> {
    const { config } = this.#setting;
    const { sets, log, actual } = this.#ports;
    const { keysFile } = config.agents;
    const set = sets.setOf(keysFile);
    if (set === undefined || !isInStep(set.name)) return;
    try {
      await this.parts.keys.follow(keysHash(config, sets, actual));
    } catch (error) {
      log.log('error', `Cannot take up the agents of "${keysFile}": ${describeError(error)}`);
    }
  }
}
