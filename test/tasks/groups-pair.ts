/** A master and a worker with their assignments, between them a real session. */
import type { AgentId } from '../../src/agents/agent.ts';
import { GroupChanges } from '../../src/agents/group-changes.ts';
import { GroupMirror } from '../../src/agents/group-mirror.ts';
import { GroupPublication } from '../../src/agents/group-publication.ts';
import { type GroupRule, GroupRules } from '../../src/agents/group-rules.ts';
import { Assignments } from '../../src/agents/store/assignments.ts';
import { RuleSubjects } from '../../src/agents/store/rule-subjects.ts';
import { agentMigrations, laterAgentMigrations } from '../../src/agents/store/schema.ts';
import { AgentValues } from '../../src/agents/store/values.ts';
import { migrate } from '../../src/base/migrations.ts';
import type { Database } from '../../src/ports.ts';
import type { Handlers } from '../../src/session/handlers.ts';
import { AgentGroupsSend, groupsHandlers } from '../../src/tasks/agent-groups-send.ts';
import type { RoundReport } from '../../src/tasks/task.ts';
import { SessionPair } from '../session/session-pair.ts';

/** The two ends. */
export class GroupsPair {
  readonly pair: SessionPair;
  /** Groups with a directory, on the master and on the worker. */
  readonly groups = new Set(['default', 'web', 'db']);
  readonly workerGroups = new Set(['default', 'web', 'db']);
  readonly assignments: Assignments;
  readonly copy: Assignments;
  /** Agents that the worker was told of by the master alone. */
  readonly told = new Map<AgentId, string | null>();
  publication: GroupPublication;
  changes: GroupChanges;
  mirror: GroupMirror;
  send: AgentGroupsSend;
  generation = 1;
  workerGeneration = 1;
  changesCount = 0;
  readonly #session;
  readonly #rules: readonly GroupRule[];

  private constructor(pair: SessionPair, rules: readonly GroupRule[], handlers?: Handlers) {
    this.pair = pair;
    this.#rules = rules;
    for (const database of [this.masterDatabase, this.workerDatabase]) {
      migrate(database, [...agentMigrations, ...laterAgentMigrations]);
    }
    this.assignments = new Assignments(this.masterDatabase);
    this.copy = new Assignments(this.workerDatabase);
    this.publication = this.#openPublication();
    this.changes = this.#openChanges();
    this.mirror = this.#openMirror();
    const answers = handlers ?? {
      'groups.offer': (...input) => this.#answers()['groups.offer'](...input),
      'groups.apply': (...input) => this.#answers()['groups.apply'](...input),
      'groups.compare': (...input) => this.#answers()['groups.compare'](...input),
    };
    pair.session('worker', answers);
    this.#session = pair.session('master');
    this.send = this.#openSend();
  }

  static async open(
    rules: readonly GroupRule[] = [],
    handlers?: Handlers,
  ): Promise<GroupsPair> {
    const pair = new GroupsPair(await SessionPair.connect(), rules, handlers);
    await pair.settle(pair.publication.load());
    return pair;
  }

  get masterDatabase(): Database {
    return this.pair.ports('master').database;
  }

  get workerDatabase(): Database {
    return this.pair.ports('worker').database;
  }

  settle<T>(promise: Promise<T>): Promise<T> {
    return this.pair.world.settle(promise);
  }

  /** Agents exist on the master, and are in the keys file of the worker. */
  register(...ids: readonly AgentId[]): void {
    for (const id of ids) {
      this.assignments.ensure(id, `agent-${id}`, true);
      this.workerDatabase.prepare(
        "REPLACE INTO registration VALUES (?, ?, 'any', 1, 'keys')",
      ).run(id, `agent-${id}`);
    }
  }

  assign(group: string, ...ids: readonly AgentId[]) {
    return this.settle(this.changes.assign(group, { ids }, new AbortController().signal));
  }

  /** Publishes what is pending, and sends it. */
  async round(): Promise<RoundReport> {
    await this.settle(this.publication.publish());
    const log = this.pair.ports('master').log;
    const { signal } = new AbortController();
    return await this.settle(this.send.round({ signal, log, starting: () => {} }));
  }

  /** A new master on a database, as it is after a restart. */
  async restartMaster(): Promise<void> {
    this.publication = this.#openPublication();
    this.changes = this.#openChanges();
    this.send = this.#openSend();
    await this.settle(this.publication.load());
  }

  restartWorker(): void {
    this.mirror = this.#openMirror();
  }

  /** All assignments of agents that exist, as text. */
  static rowsOf(assignments: Assignments): string[] {
    return assignments.between(0, 2 ** 31).map((row) => JSON.stringify(Object.values(row)));
  }

  /** Parts, and fails unless nothing is left open. */
  async finish(): Promise<void> {
    this.#session.close('finished', 'Done');
    await this.pair.finish();
  }

  #answers() {
    return groupsHandlers(this.mirror, this.pair.ports('worker').log);
  }

  #openPublication(): GroupPublication {
    const { clock, random, hashing, database } = this.pair.ports('master');
    return new GroupPublication({
      clock,
      random,
      hashing,
      database,
      assignments: this.assignments,
      values: new AgentValues(database),
      generation: () => this.generation,
    });
  }

  #openChanges(): GroupChanges {
    const { clock, log, database } = this.pair.ports('master');
    const { assignments } = this;
    const subjects = new RuleSubjects(database);
    const onChange = () => {
      this.changesCount += 1;
    };
    return new GroupChanges(
      { clock, log, database, assignments, subjects, onChange },
      new GroupRules(this.#rules, 'first'),
      this.groups,
    );
  }

  #openMirror(): GroupMirror {
    const { clock, hashing, database } = this.pair.ports('worker');
    return new GroupMirror({
      clock,
      hashing,
      database,
      assignments: this.copy,
      values: new AgentValues(database),
      finishedGeneration: () => this.workerGeneration,
      catalogue: () => Promise.resolve(this.workerGroups),
      existence: {
        added: (id, name) => this.told.set(id, name),
        removed: (id) => this.told.delete(id),
      },
    }, { digestEveryMs: 1e9 });
  }

  #openSend(): AgentGroupsSend {
    const { clock } = this.pair.ports('master');
    const { publication } = this;
    return new AgentGroupsSend({ clock, publication }, this.#session, { intervalMs: 10_000 });
  }
}
