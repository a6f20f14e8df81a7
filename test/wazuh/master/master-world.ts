/**
 * A master of Wazuh workers on a simulated machine: the real parts, with generations, agents and
 * groups as a test wants them, and rounds of local-integrity that end when it says so.
 */
import { Assignments } from '../../../src/agents/store/assignments.ts';
import { GroupPublication } from '../../../src/agents/group-publication.ts';
import { FactsStore } from '../../../src/agents/store/facts.ts';
import { Registrations } from '../../../src/agents/store/registrations.ts';
import { agentMigrations, laterAgentMigrations } from '../../../src/agents/store/schema.ts';
import { AgentValues } from '../../../src/agents/store/values.ts';
import { migrate } from '../../../src/base/migrations.ts';
import { inTransaction } from '../../../src/base/transaction.ts';
import { SetTable } from '../../../src/files/file-set.ts';
import { makeGeneration } from '../../../src/files/generation.ts';
import { Manifest } from '../../../src/files/manifest.ts';
import type { Listener, Logger, Stream } from '../../../src/ports.ts';
import { Scheduler } from '../../../src/tasks/scheduler.ts';
import { defaultClusterJson } from '../../../src/wazuh/cluster-json.ts';
import { type Answer, Connection } from '../../../src/wazuh/connection.ts';
import { fernetKeys } from '../../../src/wazuh/fernet.ts';
import { type MasterTelling, nativeTelling } from '../../../src/wazuh/master/telling.ts';
import type { FileRow } from '../../../src/wazuh/file-table.ts';
import { WazuhMaster } from '../../../src/wazuh/master/wazuh-master.ts';
import { fileSet } from '../../files/material.ts';
import { orderlyLink } from '../../session/session-pair.ts';
import { simHashing } from '../../sim/hashing.ts';
import { SimNetwork } from '../../sim/network.ts';
import { SimNode } from '../../sim/node.ts';
import { World } from '../../sim/world.ts';
import { simZlib } from '../../sim/zlib.ts';
import { dumpKey } from '../dumps.ts';

/** A file as it is published. */
export interface PublishedFile {
  readonly content: Uint8Array;
  readonly mtimeMs: number;
}

const sets = [
  fileSet({ name: 'keys', path: 'etc', include: ['client.keys'], recursive: false }),
  fileSet({ name: 'shared', path: 'etc/shared' }),
  fileSet({ name: 'multigroups', path: 'var/multigroups', include: ['**/merged.mg'] }),
  fileSet({ name: 'rules', path: 'etc/rules' }),
  fileSet({ name: 'decoders', path: 'etc/decoders' }),
  fileSet({ name: 'lists', path: 'etc/lists' }),
];

/** How the master is. */
export interface MasterWorldOptions {
  readonly key?: string;
  readonly name?: string;
  readonly taken?: readonly string[];
  readonly peersMax?: number;
  readonly silenceMaxMs?: number;
  /** What it says of every node. */
  readonly activeAgents?: number;
  /** In whose words it tells. @default those of muster */
  readonly telling?: (log: Logger) => MasterTelling;
}

/** A master, and workers that a test plays. */
export class MasterWorld {
  readonly world: World;
  readonly network: SimNetwork;
  readonly node: SimNode;
  readonly master: WazuhMaster;
  readonly facts: FactsStore;
  readonly assignments: Assignments;
  readonly publication: GroupPublication;
  readonly scheduler: Scheduler;
  readonly firstContacts: number[] = [];
  readonly zlib = simZlib;
  /** Rounds of local-integrity that have ended. */
  cycle = 0;
  readonly #options: MasterWorldOptions;
  readonly #key: string;
  readonly #registrations: Registrations;
  readonly #sets = new SetTable(sets, simHashing, 'md5');
  readonly #nodes = new Map<string, SimNode>();
  #generation = 0;
  #listener: Listener | undefined;

  private constructor(
    world: World,
    network: SimNetwork,
    node: SimNode,
    options: MasterWorldOptions,
  ) {
    this.world = world;
    this.network = network;
    this.node = node;
    const { key = dumpKey, name = 'master-node', taken = [], peersMax = 100 } = options;
    this.#key = key;
    this.#options = options;
    const ports = node.ports();
    const { database, clock } = ports;
    migrate(database, [...agentMigrations, ...laterAgentMigrations]);
    this.facts = new FactsStore(database);
    this.assignments = new Assignments(database);
    this.#registrations = new Registrations({ clock, database }, {
      appeared: ({ id, name: agent }) => this.assignments.ensure(id, agent, true),
      vanished: (id) => this.assignments.remove(id),
    });
    this.publication = new GroupPublication({
      ...ports,
      assignments: this.assignments,
      values: new AgentValues(database),
      generation: () => this.#generation,
    });
    this.scheduler = new Scheduler(ports);
    this.master = new WazuhMaster(
      {
        ...ports,
        sets: this.#sets,
        scheduler: this.scheduler,
        facts: this.facts,
        assignments: this.assignments,
        groups: this.publication,
        cycle: () => this.cycle,
        tell: (options.telling ?? nativeTelling)(ports.log),
        view: () => Promise.resolve(this.view()),
        onFirstContact: (ids) => this.firstContacts.push(...ids),
        onConnection: () => {},
        others: { isTaken: (node) => taken.includes(node), endDead: () => Promise.resolve() },
      },
      {
        key,
        master: name,
        cluster: 'wazuh',
        version: '4.14.7',
        clusterJson: defaultClusterJson,
        algorithm: 'md5',
        helloTimeoutMs: 10_000,
        silenceMaxMs: options.silenceMaxMs ?? 120_000,
        peersMax,
        groupsIntervalMs: 3_600_000,
      },
    );
  }

  static async open(options: MasterWorldOptions = {}): Promise<MasterWorld> {
    const world = new World({ seed: 1 });
    const network = new SimNetwork(world, orderlyLink);
    const node = new SimNode(world, network, { name: 'master', role: 'master' });
    const made = new MasterWorld(world, network, node, options);
    await world.settle(made.publication.load());
    made.#listener = await world.settle(
      node.ports().plainNetwork.listen('master:1516', (stream) => made.master.accept(stream)),
    );
    return made;
  }

  /** Writes these files, in place of all others, and publishes them. */
  async publish(files: Readonly<Record<string, PublishedFile>>): Promise<void> {
    for (const path of this.node.operator.snapshot().keys()) {
      if (files[path] === undefined) this.node.operator.remove(path);
    }
    const options = { hashing: simHashing, algorithm: 'md5' } as const;
    let manifests = new Map(this.#sets.sets.map(({ name }) => [name, Manifest.empty(options)]));
    for (const [path, { content, mtimeMs }] of Object.entries(files)) {
      this.node.operator.write(path, content, { mtimeMs });
      const set = this.#sets.setOf(path)?.name;
      if (set === undefined) continue;
      const hash = simHashing.digest('md5', content);
      const entry = { path, size: content.length, mtimeMs, hash };
      manifests = new Map(manifests).set(set, manifests.get(set)!.with([{ path, entry }]));
    }
    const number = ++this.#generation;
    const generation = makeGeneration({ number, createdMs: 0, manifests, ...options });
    await this.world.settle(this.master.follow(generation));
  }

  /** These agents exist. */
  register(...names: readonly string[]): void {
    inTransaction(this.node.ports().database, () => {
      for (const [i, name] of names.entries()) {
        this.#registrations.add({ id: i + 1, name, ip: null, source: 'keys' });
      }
    });
  }

  /** Gives agents their groups, and publishes that. */
  async assign(groups: Readonly<Record<number, string>>): Promise<void> {
    inTransaction(this.node.ports().database, () => {
      for (const [id, names] of Object.entries(groups)) {
        this.assignments.setGroups({ first: Number(id), last: Number(id) }, names);
      }
    });
    await this.world.settle(this.publication.publish());
  }

  /** A stream to the master. */
  dial(name = 'worker'): Promise<Stream> {
    const { signal } = new AbortController();
    const known = this.#nodes.get(name) ??
      new SimNode(this.world, this.network, { name });
    this.#nodes.set(name, known);
    return this.world.settle(known.ports().plainNetwork.connect('master:1516', { signal }));
  }

  /** A connection that has not said hello. */
  async connect(
    answers: Iterable<readonly [string, Answer]> = [],
    { key = this.#key, from = 'worker' } = {},
  ): Promise<Connection> {
    const stream = await this.dial(from);
    const { clock, log, random, symmetricCrypto: primitives } = this.#nodes.get(from)!.ports();
    return new Connection({
      stream,
      clock,
      log,
      random,
      primitives,
      keys: fernetKeys(key),
      peerRole: 'master',
      answers: new Map(answers),
    });
  }

  /** A worker that was let in. */
  async join(name = 'w1', answers: Iterable<readonly [string, Answer]> = []): Promise<Connection> {
    const connection = await this.connect(answers);
    await this.world.settle(connection.request('hello', helloOf(name)));
    return connection;
  }

  settle<T>(promise: Promise<T>): Promise<T> {
    return this.world.settle(promise);
  }

  until(condition: () => boolean, limitMs: number): Promise<void> {
    return this.world.run({ until: condition, limitMs });
  }

  /** What the master logged at a level or above. */
  logged(...levels: readonly string[]): string[] {
    return this.node.records.filter(({ level }) => levels.includes(level)).map(({ text }) => text);
  }

  /** Ends all; fails where anything is left open. */
  async finish(): Promise<void> {
    await this.world.settle(this.master.close('The test is over'));
    if (this.#listener !== undefined) await this.world.settle(this.#listener.close());
    await this.world.stop();
  }

  /** The nodes as the master tells of them. */
  view() {
    const { name = 'master-node', activeAgents = 3 } = this.#options;
    return {
      master: { name, type: 'master', version: '4.14.7', ip: '127.0.0.1' } as const,
      workers: [...this.master.peers.values()].map((peer) => ({
        name: peer.node,
        type: 'worker' as const,
        version: peer.hello.version,
        ip: '127.0.0.1',
        health: peer.health,
      })),
      activeAgents: () => activeAgents,
    };
  }
}

/** The hello of a good worker. */
export function helloOf(node: string, given: { cluster?: string; version?: string } = {}) {
  return { node, cluster: 'wazuh', nodeType: 'worker', version: '4.14.7', ...given };
}

/** The row of a worker's table for a file of this content. */
export function rowOf(setKey: string, content: string): FileRow {
  const hash = simHashing.digest('blake2b', new TextEncoder().encode(content));
  return { setKey, mtimeS: 1, hash, isMerged: false };
}

/** A file of a text. */
export function fileOf(content: string, mtimeMs = 1_700_000_000_500): PublishedFile {
  return { content: new TextEncoder().encode(content), mtimeMs };
}
