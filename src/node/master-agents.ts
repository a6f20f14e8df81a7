/**
 * The agents of a master: it knows which exist, stores what workers tell of them, and notices those
 * that have fallen silent.
 */
import { RecordIntake } from '../agents/record-intake.ts';
import { Assignments } from '../agents/store/assignments.ts';
import type { AgentReport } from '../agents/report.ts';
import type { Generation } from '../files/generation.ts';
import type { HandlersFor } from '../session/handlers.ts';
import { agentInfoHandlers, SilentAgents } from '../tasks/agent-info.ts';
import type { Task } from '../tasks/task.ts';
import { AgentRegistry } from './agent-registry.ts';
import { type AgentParts, type AgentSetting, keysHash, openAgentParts } from './agent-parts.ts';
import { type MasterGroupPorts, MasterGroups } from './master-groups.ts';

/** What the agents of a master stand on. */
export interface MasterAgentPorts
  extends Omit<MasterGroupPorts, 'assignments' | 'values' | 'followKeys'> {
  /** How far the clock of a worker in session is ahead, ms. */
  readonly skewMs: (node: string) => number;
}

/** The agents of a master. */
export class MasterAgents {
  readonly parts: AgentParts;
  readonly groups: MasterGroups;
  readonly registry: AgentRegistry;
  readonly assignments: Assignments;
  readonly #ports: MasterAgentPorts;
  readonly #setting: AgentSetting;

  constructor(ports: MasterAgentPorts, setting: AgentSetting) {
    this.#ports = ports;
    this.#setting = setting;
    const assignments = new Assignments(ports.database);
    this.assignments = assignments;
    this.parts = openAgentParts(ports, setting, {
      appeared: ({ id, name, source }) => assignments.ensure(id, name, source === 'keys'),
      vanished: (id) => {
        this.parts.facts.remove(id);
        assignments.remove(id);
      },
    });
    const { values, keys } = this.parts;
    const { config } = setting;
    const followKeys = async ({ manifests }: Generation) => {
      await keys.follow(keysHash(config, ports.sets, (set) => manifests.get(set)));
    };
    this.groups = new MasterGroups({ ...ports, assignments, values, followKeys }, config);
    this.registry = new AgentRegistry(
      {
        ...ports,
        registrations: this.parts.registrations,
        areKeysKnown: () => ports.published() !== undefined,
        onChange: () => this.groups.wake(),
      },
      config.agents.keysFile,
    );
  }

  /** Answers to workers. */
  handlers(): Pick<HandlersFor<'worker'>, 'agents.report' | 'groups.pull'> {
    const { facts, epoch } = this.parts;
    const infoHandlers = agentInfoHandlers({
      intake: new RecordIntake(this.#ports, facts),
      epoch,
      skewMs: this.#ports.skewMs,
      onFirstContact: (ids) => this.groups.changes.firstContact(ids),
    });
    return { ...infoHandlers, ...this.groups.handlers() };
  }

  /** The recurring activities. */
  tasks(): readonly Task[] {
    const { agents } = this.#setting.config;
    return [
      ...this.groups.tasks(),
      new SilentAgents(this.#ports, this.parts, { silenceMaxMs: agents.silenceMaxMs }),
    ];
  }

  /** Takes in reports of agents that report to the master itself. */
  async report(reports: readonly AgentReport[]) {
    const { refused, firstContacts } = await this.parts.intake.take(reports);
    if (firstContacts.length > 0) this.groups.changes.firstContact(firstContacts);
    return refused;
  }
}
