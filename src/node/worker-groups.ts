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
import type { AgentParts } from './agent-parts.ts';
import { Groups, WorkerGroupView } from './groups.ts';

/** What the groups of a worker stand on. */
export interface WorkerGroupPorts extends Ports {
  readonly parts: Pick<AgentParts, 'values' | 'registrations'>;
  /** The table of a set as it is on this node's disk. */
  readonly actual: (set: string) => Manifest;
}

/** The groups of a worker. */
export class WorkerGroups extends WorkerGroupView {
  readonly mirror: GroupMirror;
  readonly #ports: WorkerGroupPorts;
  #finishedGeneration = 0;

  constructor(ports: WorkerGroupPorts, config: Config) {
    super(new Groups(ports, config, ports.actual));
    this.#ports = ports;
    this.mirror = new GroupMirror(
      {
        ...ports,
        assignments: new Assignments(ports.database),
        values: ports.parts.values,
        finishedGeneration: () => this.#finishedGeneration,
        catalogue: async () => {
          await this.catalogue.refresh();
          return this.catalogue;
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

  override confirmedMs(): number | undefined {
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
