/** The groups of a worker: a copy of what the master says, as far as this node's files allow. */
import { GroupMirror } from '../agents/group-mirror.ts';
import { Assignments } from '../agents/store/assignments.ts';
import type { AgentId } from '../agents/agent.ts';
import { describeError } from '../base/errors.ts';
import type { Config } from '../config/config.ts';
import type { Manifest } from '../files/manifest.ts';
import type { Ports } from '../ports.ts';
import type { HandlersFor } from '../session/handlers.ts';
import type { Session } from '../session/session.ts';
import { groupsHandlers, pullGroups } from '../tasks/agent-groups-send.ts';
import type { GroupSource } from './agent-operations.ts';
import type { AgentParts } from './agent-parts.ts';
import { Groups } from './groups.ts';

/** What the groups of a worker stand on. */
export interface WorkerGroupPorts extends Ports {
  readonly parts: Pick<AgentParts, 'values' | 'registrations'>;
  /** The table of a set as it is on this node's disk. */
  readonly actual: (set: string) => Manifest;
}

/** The groups of a worker. */
export class WorkerGroups implements GroupSource {
  readonly mirror: GroupMirror;
  readonly #ports: WorkerGroupPorts;
  readonly #groups: Groups;
  #finishedGeneration = 0;

  constructor(ports: WorkerGroupPorts, config: Config) {
    this.#ports = ports;
    this.#groups = new Groups(ports, config, ports.actual);
    this.mirror = new GroupMirror(
      {
        ...ports,
        assignments: new Assignments(ports.database),
        values: ports.parts.values,
        finishedGeneration: () => this.#finishedGeneration,
        catalogue: async () => {
          await this.#groups.refresh();
          return this.#groups;
        },
        existence: {
          added: (id, name) => this.#added(id, name),
          removed: (id) => this.#removed(id),
        },
      },
      { digestEveryMs: config.localIntegrity.rehashEveryMs },
    );
  }

  /** Answers to the master. */
  handlers(): Pick<HandlersFor<'master'>, 'groups.offer' | 'groups.apply' | 'groups.compare'> {
    return groupsHandlers(this.mirror, this.#ports.log.child('Agent-groups'));
  }

  /** A round of integrity against this generation of the files is over. */
  finished(generation: number): void {
    this.#finishedGeneration = generation;
  }

  /** Has the master send at once what is new. The files are in step, whatever comes of this. */
  async pull(session: Session, signal: AbortSignal): Promise<void> {
    try {
      await pullGroups(session, signal);
    } catch (error) {
      if (signal.aborted) return;
      this.#ports.log.log('error', `Cannot bring the groups in step: ${describeError(error)}`);
    }
  }

  async groups() {
    await this.#groups.refresh();
    return this.#groups.list();
  }

  get groupsCount(): number {
    return this.#groups.count;
  }

  async groupFiles(name: string) {
    await this.#groups.refresh();
    return await this.#groups.files(name);
  }

  confirmedMs(): number | undefined {
    return this.mirror.confirmedMs;
  }

  // ---

  #added(id: AgentId, name: string | null): void {
    const { registrations } = this.#ports.parts;
    const known = registrations.get(id);
    if (known?.source === 'command' && known.name === (name ?? '')) return;
    registrations.add({ id, name: name ?? '', ip: known?.ip ?? null, source: 'command' });
  }

  /** What the keys file says is for the keys file to take back. */
  #removed(id: AgentId): void {
    const { registrations } = this.#ports.parts;
    if (registrations.get(id)?.source === 'command') registrations.remove(id);
  }
}
