/**
 * A whole cluster in the simulated world: the real master and workers of `src/node` on simulated
 * machines, with the guarantees watched while it runs.
 */
import { ClusterError } from '../../src/base/errors.ts';
import type { Config } from '../../src/config/config.ts';
import { parseConfig } from '../../src/config/parse.ts';
import type { Issuer, OwnCertificate } from '../../src/identity/issuing.ts';
import { MasterNode } from '../../src/node/master.ts';
import type { NodeFacts } from '../../src/node/node-facts.ts';
import { WazuhWorkerNode } from '../../src/node/wazuh-worker.ts';
import { WorkerNode } from '../../src/node/worker.ts';
import type { NodeIdentity, Ports, Stream } from '../../src/ports.ts';
import { defaultClusterJson } from '../../src/wazuh/cluster-json.ts';
import type { LinkProfile } from '../sim/link.ts';
import { SimNetwork } from '../sim/network.ts';
import { type Program, SimNode, type SimNodeOptions } from '../sim/node.ts';
import { treeDifferences } from '../sim/operator.ts';
import { TornFileChecker } from '../sim/torn-file-checker.ts';
import type { World } from '../sim/world.ts';

/** How a simulated cluster is. */
export interface SimClusterOptions {
  readonly workersCount?: number;
  /** Workers besides that speak the protocol of Wazuh. @default 0 */
  readonly wazuhWorkersCount?: number;
  readonly link?: Partial<LinkProfile>;
  /** Configuration lines of all nodes, TOML tables; keys of `[node]` cannot be given. */
  readonly config?: string;
  readonly node?: Omit<SimNodeOptions, 'name' | 'role' | 'cluster'>;
}

/** Configuration of all simulated nodes: short intervals, so that little virtual time passes. */
export const baseConfig = `
[keep_alive]
interval = "5s"
silence_max = "12s"
[local_integrity]
interval = "2s"
[integrity]
interval = "3s"
timeout = "60s"
[worker]
master = ["master:1517"]
reconnect_min = "200ms"
reconnect_max = "5s"
connect_timeout = "3s"
`;

/** Guards that stop nothing: what happens by chance would trip them now and then. */
export const noGuards = `
[guard]
deletions_share_max = 1.0
emptied = false
shrink_share_max = 1.0
`;

const clusterName = 'sim';

const wazuhPrefix = 'wazuh';
const wazuhSetting = { key: 'k'.repeat(32), clusterJson: defaultClusterJson };

/** A master and its workers. */
export class SimCluster {
  readonly world: World;
  readonly network: SimNetwork;
  readonly master: SimNode;
  readonly workers: readonly SimNode[];
  /** The running nodes, for tests that ask them something; replaced at each start. */
  readonly running = new Map<string, MasterNode | WorkerNode>();
  readonly #config: string;
  readonly #hasWazuhWorkers: boolean;

  constructor(world: World, options: SimClusterOptions = {}) {
    this.world = world;
    this.network = new SimNetwork(world, options.link ?? {});
    this.#config = options.config ?? baseConfig;
    const make = (name: string, role: 'master' | 'worker') =>
      new SimNode(world, this.network, { name, role, cluster: clusterName, ...options.node });
    this.master = make('master', 'master');
    const { workersCount = 2, wazuhWorkersCount = 0 } = options;
    this.#hasWazuhWorkers = wazuhWorkersCount > 0;
    const named = (count: number, prefix: string) =>
      Array.from({ length: count }, (_, i) => make(`${prefix}-${i + 1}`, 'worker'));
    this.workers = [
      ...named(workersCount, 'worker'),
      ...named(wazuhWorkersCount, wazuhPrefix),
    ];
    new TornFileChecker(world, this.master.disk, this.workers.map(({ disk }) => disk));
  }

  /** Starts the master, then the workers. */
  start(): void {
    this.startMaster();
    for (const worker of this.workers) this.startWorker(worker);
  }

  startMaster(): void {
    this.master.start(this.#masterProgram());
  }

  startWorker(worker: SimNode): void {
    const isWazuh = worker.name.startsWith(wazuhPrefix);
    worker.start(
      isWazuh ? this.#wazuhWorkerProgram(worker.name) : this.#workerProgram(worker.name),
    );
  }

  /** The running worker of a machine. */
  workerNode(worker: SimNode): WorkerNode {
    return this.running.get(worker.name) as WorkerNode;
  }

  get masterNode(): MasterNode {
    return this.running.get('master') as MasterNode;
  }

  /** In what the trees of workers differ from the master's; empty where they are equal. */
  differences(): string[] {
    const wanted = this.master.operator.snapshot();
    return this.workers.flatMap((worker) =>
      treeDifferences(wanted, worker.operator.snapshot()).map((line) => `${worker.name}: ${line}`)
    );
  }

  /** Lets the world run until all workers equal the master. */
  async converge(limitMs = 30_000): Promise<void> {
    try {
      await this.world.run({
        until: () => this.differences().length === 0,
        limitMs,
        what: 'all workers equal the master',
      });
    } catch (error) {
      throw new Error(this.differences().slice(0, 10).join('\n'), { cause: error });
    }
  }

  /** Log lines of a level or above, of all nodes. */
  logged(level: 'warning' | 'error'): string[] {
    const levels = level === 'error' ? ['error'] : ['warning', 'error'];
    return [this.master, ...this.workers].flatMap((node) =>
      node.records.filter((record) => levels.includes(record.level)).map((record) =>
        `${node.name}: ${record.text}`
      )
    );
  }

  #masterProgram(): Program {
    return async (ports, signal) => {
      const wazuh = this.#hasWazuhWorkers ? '[wazuh]\nlisten = "master:1516"\n' : '';
      const config = this.#parse('master', `[master]\nlisten = "master:1517"\n${wazuh}`);
      const node = await MasterNode.open(
        {
          ...ports,
          log: ports.log.child('Master'),
          rootLog: ports.log,
          native: {
            network: ports.network,
            issuer: simIssuer,
            own: simOwn(ports),
            tokenPorts: {
              randomBytes: (count) => ports.random.bytes(count),
              sha256: (bytes) => bytes,
              isEqual: () => true,
            },
            authorityFingerprint: '00'.repeat(32),
            identify: (stream) => identityOf(stream, 'worker'),
          },
          wazuh: this.#hasWazuhWorkers ? wazuhSetting : undefined,
        },
        config,
        simFacts(ports, 'master', 'master'),
      );
      this.running.set('master', node);
      await node.run(signal);
    };
  }

  #workerProgram(name: string): Program {
    return async (ports, signal) => {
      const node = await WorkerNode.open(
        {
          ...ports,
          own: simOwn(ports),
          identify: (stream) => void identityOf(stream, 'master'),
        },
        this.#parse(name, ''),
        simFacts(ports, name, 'worker'),
      );
      this.running.set(name, node);
      await node.run(signal);
    };
  }

  #wazuhWorkerProgram(name: string): Program {
    return async (ports, signal) => {
      const config = this.#parse(name, '[wazuh]\nmaster = ["master:1516"]\n', 'wazuh');
      const facts = simFacts(ports, name, 'worker');
      const node = await WazuhWorkerNode.open(ports, config, facts, wazuhSetting);
      await node.run(signal);
    };
  }

  #parse(name: string, more: string, protocol = 'native'): Config {
    const role = name === 'master' ? 'master' : 'worker';
    const text = `[node]\nname = "${name}"\nrole = "${role}"\ncluster = "${clusterName}"\n` +
      `root = "/tree"\nprotocol = "${protocol}"\n${this.#config}\n${more}`;
    return parseConfig({ fileName: '/state/muster.toml', text }).config;
  }
}

// ---

function identityOf(stream: Stream, role: NodeIdentity['role']): NodeIdentity {
  const identity = stream.certificate?.identity;
  if (identity?.role === role && identity.cluster === clusterName) return identity;
  throw new ClusterError('authentication', `${stream.remote} is no ${role} of ours`);
}

function simFacts(ports: Ports, node: string, role: NodeIdentity['role']): NodeFacts {
  return {
    identity: { cluster: clusterName, node, role },
    version: '0.0.0-sim',
    epoch: String(ports.random.float()),
    pid: 1,
    startedMs: ports.clock.nowMs(),
    longestLoopHoldMs: () => 0,
  };
}

const simIssuer: Issuer = {
  authorityPem: 'authority',
  inspect: () => Promise.resolve({ keyFingerprint: '00' }),
  sign: () => Promise.resolve({ certificatePem: 'certificate', serial: '01', notAfterMs: 4e12 }),
};

function simOwn(ports: Ports): OwnCertificate {
  const nowMs = ports.clock.nowMs();
  return {
    facts: () => ({
      identity: undefined,
      serial: '01',
      notBeforeMs: nowMs,
      notAfterMs: nowMs + 90 * 86_400_000,
    }),
    request: () => Promise.resolve({ keyPem: 'key', requestPem: 'request' }),
    install: () => Promise.resolve(),
  };
}
