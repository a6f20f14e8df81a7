/**
 * The groups of a master: it decides which agent belongs to which, publishes that, and sends it to
 * every worker.
 */
import { defaultGroup, groupNameExpected, isGroupName } from '../agents/agent.ts';
import { GroupChanges } from '../agents/group-changes.ts';
import { GroupPublication } from '../agents/group-publication.ts';
import { GroupRules } from '../agents/group-rules.ts';
import type { Assignments } from '../agents/store/assignments.ts';
import { RuleSubjects } from '../agents/store/rule-subjects.ts';
import type { AgentValues } from '../agents/store/values.ts';
import { fromText } from '../base/bytes.ts';
import { ClusterError } from '../base/errors.ts';
import type { Config } from '../config/config.ts';
import type { SetTable } from '../files/file-set.ts';
import type { Generation } from '../files/generation.ts';
import type { LocalTree } from '../files/local-tree.ts';
import { joinPath } from '../files/paths.ts';
import type { PlainPorts } from '../ports.ts';
import type { HandlersFor } from '../session/handlers.ts';
import type { Session } from '../session/session.ts';
import { AgentGroupsSend, pullHandlers, type SentState } from '../tasks/agent-groups-send.ts';
import { LocalAgentGroups } from '../tasks/local-agent-groups.ts';
import type { Scheduler } from '../tasks/scheduler.ts';
import type { Task } from '../tasks/task.ts';
import type {
  AgentSelection,
  AgentsOutcome,
  GroupAdministration,
  GroupSource,
} from './agent-operations.ts';
import { GroupFiles } from './group-files.ts';
import { Groups } from './groups.ts';

/** What the groups of a master stand on. */
export interface MasterGroupPorts extends PlainPorts {
  readonly sets: SetTable;
  readonly tree: LocalTree;
  readonly scheduler: Scheduler;
  /** What was published of the files; undefined before the first scan. */
  readonly published: () => Generation | undefined;
  /** Looks at the tree at once, and publishes what is new. */
  readonly scan: (signal: AbortSignal) => Promise<void>;
  readonly assignments: Assignments;
  readonly values: AgentValues;
  /** The agents of the published keys file exist. */
  readonly followKeys: (published: Generation) => Promise<void>;
}

/** The groups of a master. */
export class MasterGroups implements GroupSource, GroupAdministration {
  readonly publication: GroupPublication;
  readonly changes: GroupChanges;
  readonly #ports: MasterGroupPorts;
  readonly #config: Config;
  readonly #groups: Groups;
  readonly #files: GroupFiles;
  readonly #local: LocalAgentGroups;
  /** Those who send, by worker. */
  readonly #senders = new Map<string, AgentGroupsSend>();
  readonly #sending = new Set<Promise<void>>();

  constructor(ports: MasterGroupPorts, config: Config) {
    this.#ports = ports;
    this.#config = config;
    const { published, scheduler, database } = ports;
    const { groupMatch, groupsDirectory, groupsIntervalMs } = config.agents;
    this.#groups = new Groups(ports, config, (set) => published()?.manifests.get(set));
    this.#files = new GroupFiles(ports, groupsDirectory);
    this.publication = new GroupPublication({
      ...ports,
      generation: () => published()?.number ?? 0,
    });
    this.changes = new GroupChanges(
      {
        ...ports,
        log: ports.log.child('Agents'),
        subjects: new RuleSubjects(database),
        onChange: () => this.wake(),
      },
      new GroupRules(config.groupRules, groupMatch),
      this.#groups,
    );
    this.#local = new LocalAgentGroups(
      {
        clock: ports.clock,
        publication: this.publication,
        changes: this.changes,
        followKeys: ports.followKeys,
        published,
        groups: this.#groups,
      },
      { intervalMs: groupsIntervalMs },
    );
    this.publication.latest.listen(() => scheduler.wakeInstances('agent-groups-send'));
  }

  // --- what runs -----------------------------------------------------------------------------

  /** The recurring activities that do not belong to a worker. */
  tasks(): readonly Task[] {
    return [this.#local];
  }

  /** Answers to workers. */
  handlers(): Pick<HandlersFor<'worker'>, 'groups.pull'> {
    return pullHandlers(async (worker) => {
      const outcome = await this.#ports.scheduler.runNow('agent-groups-send', worker);
      if (outcome.kind === 'failed') throw outcome.error;
    });
  }

  /** Something may have to be published, or agents or groups may have come or gone. */
  wake(): void {
    this.#ports.scheduler.wake('local-agent-groups');
  }

  /** Keeps a worker's copy as the assignments are, as long as its session lasts. */
  serve(worker: string, session: Session): void {
    const { scheduler, clock } = this.#ports;
    const { publication } = this;
    const intervalMs = this.#config.agents.groupsIntervalMs;
    const sender = new AgentGroupsSend({ clock, publication }, session, { intervalMs });
    this.#senders.set(worker, sender);
    const sending = scheduler.startInstance(sender, worker, session.signal).finally(() => {
      if (this.#senders.get(worker) === sender) this.#senders.delete(worker);
      this.#sending.delete(sending);
    });
    this.#sending.add(sending);
  }

  /** A worker may have now what it waited for. */
  reported(worker: string): void {
    this.#ports.scheduler.wake('agent-groups-send', worker);
  }

  /** Settles when nothing is sent any more: sessions have to be over. */
  async ended(): Promise<void> {
    await Promise.all(this.#sending);
  }

  /** What is known of a worker's copy; undefined where it is not connected. */
  sent(worker: string): SentState | undefined {
    return this.#senders.get(worker)?.state;
  }

  // --- what operators ask for ----------------------------------------------------------------

  async groups(signal: AbortSignal) {
    await this.#refresh(signal);
    return this.#groups.list();
  }

  get groupsCount(): number {
    return this.#groups.count;
  }

  groupFiles(name: string) {
    return this.#groups.files(name);
  }

  confirmedMs(): undefined {
    return undefined;
  }

  async createGroup(name: string, signal: AbortSignal): Promise<void> {
    if (!isGroupName(name)) {
      throw new ClusterError('refused', `"${name}" cannot be a group: a name ${groupNameExpected}`);
    }
    await this.#refresh(signal);
    if (this.#groups.has(name)) {
      throw new ClusterError('refused', `There is a group "${name}" already`);
    }
    await this.#files.create(name);
    await this.#published(signal);
    if (!this.#groups.has(name)) this.#throwHalted(name, 'made');
  }

  async removeGroup(
    name: string,
    options: { readonly isForced: boolean },
    signal: AbortSignal,
  ): Promise<number> {
    await this.#refresh(signal);
    if (!this.#groups.has(name)) {
      throw new ClusterError('notFound', `There is no group "${name}"`, {
        remedy: 'See "muster groups list"',
      });
    }
    if (name === defaultGroup) {
      throw new ClusterError('refused', `The group "${name}" cannot be removed by a command`);
    }
    const problem = await this.#files.removalProblem(name, options.isForced);
    if (problem !== undefined) {
      throw new ClusterError('refused', `Cannot remove group "${name}": ${problem}`, {
        remedy: options.isForced ? 'Remove it by hand' : 'To remove it with all files, use --force',
      });
    }
    const count = await this.changes.dropGroups([name], signal);
    await this.#files.remove(name);
    await this.#published(signal);
    if (this.#groups.has(name)) this.#throwHalted(name, 'removed');
    return count;
  }

  async assign(group: string, agents: AgentSelection, signal: AbortSignal): Promise<AgentsOutcome> {
    await this.#refresh(signal);
    return await this.changes.assign(group, agents, signal);
  }

  async unassign(
    group: string,
    agents: AgentSelection,
    signal: AbortSignal,
  ): Promise<AgentsOutcome> {
    await this.#refresh(signal);
    return await this.changes.unassign(group, agents, signal);
  }

  // ---

  #refresh(signal: AbortSignal): Promise<void> {
    return this.#local.refresh(this.#ports.log.child(this.#local.title), signal);
  }

  /** The tree was changed: publishes that, and takes it up. */
  async #published(signal: AbortSignal): Promise<void> {
    await this.#ports.scan(signal);
    await this.#refresh(signal);
  }

  #throwHalted(name: string, done: string): never {
    const path = joinPath(fromText(this.#config.agents.groupsDirectory), fromText(name));
    const set = this.#ports.sets.setOf(joinPath(path, 'agent.conf'))?.name ?? '';
    throw new ClusterError('halted', `Group "${name}" was ${done}, but set "${set}" is halted`, {
      remedy: `If this is meant, run: muster approve ${set}`,
    });
  }
}
