/**
 * The scenario of groups: operators and rules change who belongs to which group, groups and agents
 * come and go, under faults of every kind. All nodes end with the same assignments, and no worker
 * has ever had an agent in a group whose directory it had never had.
 */
import { type AgentId, agentIdText } from '../../src/agents/agent.ts';
import { groupList } from '../../src/agents/assignment-rows.ts';
import { inTransaction } from '../../src/base/transaction.ts';
import { toHex } from '../../src/base/bytes.ts';
import { codeOf } from '../../src/base/errors.ts';
import type { GroupAdministration } from '../../src/node/agent-operations.ts';
import type { MasterNode } from '../../src/node/master.ts';
import type { SimDisk } from '../sim/disk.ts';
import { walk } from '../sim/inode.ts';
import type { SimNode } from '../sim/node.ts';
import type { SeededRandom } from '../sim/random.ts';
import type { World } from '../sim/world.ts';
import { baseConfig, noGuards, SimCluster } from './sim-cluster.ts';

const settledMs = 120_000;

/** Room that leaves none for a file, and room for all. */
const quotaBytes = { none: 1_000_000, enough: 600_000_000 };

const config = `${baseConfig}
[agents]
info_interval = "2s"
groups_interval = "2s"
${noGuards}
[[group_rules]]
os_platform = "a*"
groups = ["web", "g0"]
[[group_rules]]
os_platform = "b"
groups = ["g1"]
`;

/** Groups that operations are about: some that rules name, and those made last. */
const ruleGroups = ['default', 'web', 'g0', 'g1'];
const lastGroupsMax = 4;

const agentsCount = 80;
const groupsDirectory = 'etc/shared';
const { signal } = new AbortController();

/** A run: so many operations, one every `everyMs` at most. */
interface GroupRun {
  readonly operations: number;
  readonly everyMs: number;
}

/** Some minutes of it. */
export function groupTrouble(world: World): Promise<void> {
  return new GroupTrouble(world).run({ operations: 160, everyMs: 250 });
}

/** Ten thousand operations. */
export function groupMarathon(world: World): Promise<void> {
  return new GroupTrouble(world).run({ operations: 10_000, everyMs: 60 });
}

class GroupTrouble {
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #cluster: SimCluster;
  /** Agents in the keys file. */
  readonly #keys = new Set<AgentId>();
  /** Groups that were made, each with a name of its own. */
  #groupsCount = lastGroupsMax;

  constructor(world: World) {
    this.#world = world;
    this.#random = world.random.fork('groups');
    this.#cluster = new SimCluster(world, {
      workersCount: 3,
      config,
      link: { fragmentShare: 0.2 },
      node: { disk: { quotaBytes: quotaBytes.enough } },
    });
  }

  async run({ operations, everyMs }: GroupRun): Promise<void> {
    const { master } = this.#cluster;
    for (const group of ruleGroups) master.operator.write(fileOf(group), group);
    for (let id = 1; id <= agentsCount / 2; id++) this.#keys.add(id);
    this.#writeKeys();
    this.#cluster.start();
    this.#watchWorkers();
    let atMs = 500;
    for (let i = 0; i < operations; i++) {
      this.#world.at(atMs, 'group operation', () => this.#operate());
      // Faults grow rarer with the rate of operations: they are of the same kind either way.
      if (i % 3 === 0) this.#world.at(atMs, 'group trouble', () => this.#trouble());
      atMs += this.#random.between(5, everyMs);
    }
    await this.#world.run({ untilMs: atMs });
    this.#endTrouble();
    await this.#settle();
    await this.#world.run({ forMs: 10_000 });
    const later = this.#wrongs();
    if (later.length > 0) throw new Error(`Wrong again: ${later.join('; ')}`);
    await this.#world.stop();
  }

  // --- what happens --------------------------------------------------------------------------

  #operate(): void {
    const master = this.#master();
    if (master === undefined) return;
    const random = this.#random;
    const { operator } = this.#cluster.master;
    const group = this.#anyGroup();
    const administration = master.agents.groups;
    const operations: readonly (() => Promise<unknown> | void)[] = [
      () => administration.assign(group, this.#someAgents(), signal),
      () => administration.assign(group, this.#someAgents(), signal),
      () => administration.assign(group, this.#someAgents(), signal),
      () => administration.unassign(group, this.#someAgents(), signal),
      () => administration.unassign(group, this.#someAgents(), signal),
      () => administration.createGroup(group, signal),
      () => this.#useNewGroup(administration),
      () => this.#useNewGroup(administration),
      () => administration.removeGroup(group, { isForced: random.chance(0.5) }, signal),
      () => operator.write(fileOf(group), group),
      () => operator.remove(`${groupsDirectory}/${group}`),
      () => this.#changeKeys(),
      () => this.#changeKeys(),
      () => this.#changeCommanded(master),
      () => this.#report(),
      () => this.#report(),
      () => this.#report(),
    ];
    const operation = random.pick(operations);
    void Promise.resolve().then(operation).catch((error: unknown) => {
      // Refused, not found, halted, in the way of another, or the end of the master: no defect.
      if (codeOf(error) === 'failed') this.#world.fail(error);
    });
  }

  #someAgents() {
    const random = this.#random;
    if (random.chance(0.1)) return { all: true } as const;
    if (random.chance(0.2)) return { group: this.#anyGroup() };
    return { ids: Array.from({ length: random.integer(1, 8) }, () => this.#anyAgent()) };
  }

  #anyGroup(): string {
    const last = Array.from({ length: lastGroupsMax }, (_, i) => `n${this.#groupsCount - i}`);
    return this.#random.pick([...ruleGroups, ...last]);
  }

  /** A group that no node has ever had gets agents as soon as it is there. */
  async #useNewGroup(administration: GroupAdministration): Promise<void> {
    this.#groupsCount += 1;
    const name = `n${this.#groupsCount}`;
    const agents = this.#someAgents();
    await administration.createGroup(name, signal);
    await administration.assign(name, agents, signal);
  }

  #anyAgent(): AgentId {
    return this.#random.integer(1, agentsCount);
  }

  #changeKeys(): void {
    const id = this.#random.integer(1, agentsCount / 2);
    if (!this.#keys.delete(id)) this.#keys.add(id);
    this.#writeKeys();
  }

  #writeKeys(): void {
    const ids = [...this.#keys].sort((left, right) => left - right);
    const lines = ids.map((id) => `${agentIdText(id)} agent-${id} any key\n`);
    this.#cluster.master.operator.write('etc/client.keys', lines.join(''), { isReplacing: true });
  }

  /** Agents with higher numbers come and go by command. */
  #changeCommanded(master: MasterNode): void {
    const { registrations } = master.agents.parts;
    const id = this.#random.integer(agentsCount / 2 + 1, agentsCount);
    const agent = { id, name: `command-${id}`, ip: null, source: 'command' } as const;
    inTransaction(this.#cluster.master.ports().database, () => {
      if (registrations.existence(id) === 'registered') registrations.remove(id);
      else registrations.add(agent);
    });
    master.agents.groups.wake();
  }

  #report(): Promise<unknown> | undefined {
    const node = this.#cluster.running.get(this.#random.pick(this.#cluster.workers).name);
    const platform = this.#random.pick(['a1', 'b', 'c']);
    return node?.agents.report([{ id: this.#anyAgent(), facts: { os_platform: platform } }]);
  }

  #trouble(): void {
    const random = this.#random;
    const { network, master, workers } = this.#cluster;
    const worker = random.pick(workers);
    const troubles: readonly (() => void)[] = [
      () => this.#restart(worker),
      () => this.#fall(worker, () => worker.kill()),
      () => this.#fall(worker, () => worker.crash()),
      () => this.#damage(worker),
      () => {
        if (random.chance(0.3)) this.#fall(master, () => master.kill());
      },
      () => network.cut('master', worker.name),
      () => network.stall('master', worker.name),
      () => network.reset('master', worker.name),
      () => network.heal(),
      () => network.heal(),
      () => {
        worker.disk.quotaBytes = quotaBytes.none;
        this.#world.after(random.between(500, 4000), 'space', () => {
          worker.disk.quotaBytes = quotaBytes.enough;
        });
      },
      () => worker.jumpClock(random.between(-60_000, 60_000)),
    ];
    random.pick(troubles)();
  }

  /** Starts a machine's program anew; the one before can be asked nothing any more. */
  #restart(node: SimNode): void {
    this.#cluster.running.delete(node.name);
    node.restart();
  }

  #fall(node: SimNode, fall: () => void): void {
    this.#cluster.running.delete(node.name);
    fall();
    this.#world.after(this.#random.between(10, 3000), `start of ${node.name}`, () => {
      if (!node.isRunning) this.#restart(node);
    });
  }

  /** Somebody edits the database of a worker that does not run. */
  #damage(worker: SimNode): void {
    // One that has never run has no tables.
    if (!this.#cluster.running.has(worker.name)) return;
    this.#fall(worker, () => {
      worker.kill();
      const id = this.#anyAgent();
      worker.ports().database.exec(this.#random.pick([
        `UPDATE assignment SET group_names = 'default' WHERE id >= ${id}`,
        `UPDATE assignment SET name = 'x' WHERE id = ${id}`,
        `DELETE FROM assignment WHERE id <= ${id}`,
        `INSERT OR REPLACE INTO assignment VALUES (${id + 5000}, 'ghost', 'default', 1, 0, 1)`,
        "UPDATE agent_values SET value = '999999' WHERE name = 'groups.stored_snapshot'",
      ]));
    });
  }

  #endTrouble(): void {
    const { network, master, workers } = this.#cluster;
    network.heal();
    for (const node of [master, ...workers]) {
      node.disk.quotaBytes = Infinity;
      if (!node.isRunning) this.#restart(node);
    }
    this.#writeKeys();
    this.#world.after(1_000, 'healing once more', () => network.heal());
  }

  // --- what must hold ------------------------------------------------------------------------

  #master(): MasterNode | undefined {
    return this.#cluster.running.get('master') as MasterNode | undefined;
  }

  async #settle(): Promise<void> {
    const endMs = this.#world.nowMs + settledMs;
    let wrongs = this.#wrongs();
    while (wrongs.length > 0 && this.#world.nowMs < endMs) {
      await this.#world.run({ forMs: 500 });
      wrongs = this.#wrongs();
    }
    if (wrongs.length > 0) throw new Error(wrongs.slice(0, 12).join('\n'));
  }

  /** In what the nodes are not as they should be. */
  #wrongs(): string[] {
    const { master, workers, running } = this.#cluster;
    const node = this.#master();
    if (node === undefined || running.size <= workers.length) return ['not all nodes have started'];
    const snapshot = node.agents.groups.publication.latest.value;
    const wanted = this.#assignmentsOn(master);
    const wrongs = this.#wrongsOfMaster(wanted);
    for (const worker of workers) {
      const rows = this.#assignmentsOn(worker);
      const lines = new Set([...wanted.keys(), ...rows.keys()]);
      for (const line of lines) {
        if (!rows.has(line)) wrongs.push(`${worker.name} has no ${line}`);
        if (!wanted.has(line)) wrongs.push(`${worker.name} has ${line}`);
      }
      const sent = node.agents.groups.sent(worker.name);
      if (sent?.state !== 'same' || sent.snapshot !== snapshot?.number) {
        const digest = toHex(snapshot?.digest ?? '');
        wrongs.push(`${worker.name} is ${sent?.state} ${sent?.reason ?? ''}, not as ${digest}`);
      }
    }
    return wrongs;
  }

  #wrongsOfMaster(rows: ReadonlyMap<string, readonly string[]>): string[] {
    const wrongs: string[] = [];
    const { registrations } = this.#master()!.agents.parts;
    const database = this.#cluster.master.ports().database;
    const pending = database.prepare('SELECT 1 FROM assignment WHERE snapshot = 0').all();
    if (pending.length > 0) wrongs.push(`${pending.length} assignments are pending`);
    for (const id of this.#keys) {
      if (registrations.existence(id) !== 'registered') wrongs.push(`agent ${id} does not exist`);
    }
    if (rows.size !== registrations.count()) {
      wrongs.push(`${rows.size} assignments of ${registrations.count()} agents`);
    }
    const names = new Set([...rows.values()].flat());
    const files = this.#cluster.master.operator.snapshot();
    const directories = new Set([...files.keys()].map((path) => path.split('/')[2]));
    for (const name of names) {
      if (!directories.has(name)) wrongs.push(`group ${name} has agents, and no directory`);
    }
    return wrongs;
  }

  /** The assignments in a machine's database as text, with the groups of each. */
  #assignmentsOn(node: SimNode): Map<string, readonly string[]> {
    const rows = node.ports().database.prepare(
      `SELECT id, name, group_names, is_from_keys FROM assignment
       WHERE group_names IS NOT NULL ORDER BY id`,
    ).all();
    return new Map(
      rows.map((row) => [JSON.stringify(row), groupList(String(row['group_names']))]),
    );
  }

  /** No agent of a worker is in a group whose directory the worker has never had. */
  #watchWorkers(): void {
    const seen = new Map(this.#cluster.workers.map((worker) => [worker, everIn(worker.disk)]));
    this.#world.check('groups have directories', () => {
      for (const [worker, names] of seen) {
        if (!worker.isRunning || !this.#cluster.running.has(worker.name)) continue;
        for (const [row, groupsOf] of this.#assignmentsOn(worker)) {
          const missing = groupsOf.find((name) => !names.has(name));
          if (missing !== undefined) throw new Error(`${worker.name} has ${row} too early`);
        }
      }
    }, { everyMs: 100 });
  }
}

/** The directories of groups that a disk has had at any moment from now on; grows with it. */
function everIn(disk: SimDisk): ReadonlySet<string> {
  const names = new Set<string>();
  const look = (): void => {
    const found = walk(disk.root, groupsDirectory);
    if (found.kind === 'found') { for (const name of found.inode.children.keys()) names.add(name); }
  };
  look();
  disk.onChange((path) => {
    if (path === undefined || path.startsWith(groupsDirectory)) look();
  });
  return names;
}

function fileOf(group: string): string {
  return `${groupsDirectory}/${group}/agent.conf`;
}
