/**
 * Clusters of real nodes for the tests: temporary directories, `init`, `token`, `join`, `run`, and
 * an end of it all whatever happens. When a test fails, the logs of its nodes are printed.
 */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CheckDocument, StatusDocument } from '../../src/node/documents.ts';
import { control } from './control.ts';
import { type Ending, muster, Program, type StartOptions, until } from './program.ts';

/** Settings of a node by dotted key: `keep_alive.interval`. They reach it as its environment. */
export type Settings = Readonly<Record<string, string>>;

/** What a node is made with. */
export interface NodeOptions {
  /** @default none */
  readonly settings?: Settings;
  /** Appended to its configuration file, e.g. its sets. @default nothing */
  readonly config?: string;
  /** @default a directory of the cluster's */
  readonly directory?: string;
  /** The managed tree. @default a directory of the cluster's */
  readonly root?: string;
  /** Command before the binary. @default none */
  readonly prefix?: readonly string[];
}

/** What a master is made with. */
export interface MasterOptions extends NodeOptions {
  /** @default `muster` */
  readonly cluster?: string;
  /** `host:port` @default a free port of this machine */
  readonly listen?: string;
}

/** Pauses that a test need not sit out. */
const quickSettings: Settings = { 'worker.reconnect_max': '1s' };

/** Lines of each log that are printed of a failed test. */
const logLinesMax = 80;

/** A node of a cluster under test. */
export class TestNode {
  readonly name: string;
  readonly directory: string;
  readonly root: string;
  settings: Settings;
  readonly #prefix: readonly string[];
  #daemon: Program | undefined;

  constructor(name: string, directory: string, root: string, options: NodeOptions) {
    this.name = name;
    this.directory = directory;
    this.root = root;
    this.settings = { ...quickSettings, ...options.settings };
    this.#prefix = options.prefix ?? [];
  }

  /** A path in its managed tree. */
  path(relative: string): string {
    return join(this.root, relative);
  }

  get configFile(): string {
    return join(this.directory, 'muster.toml');
  }

  get controlSocket(): string {
    return join(this.directory, 'control.sock');
  }

  /** Its log so far. */
  log(): string {
    const file = join(this.directory, 'logs/cluster.log');
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }

  /** Warnings and errors in its log. */
  complaints(): string[] {
    return this.log().split('\n').filter((line) => /^\S+ \S+ (WARNING|ERROR): /.test(line));
  }

  /** The running daemon. */
  get daemon(): Program {
    if (this.#daemon === undefined) throw new Error(`${this.name} has not been started`);
    return this.#daemon;
  }

  get isRunning(): boolean {
    return this.#daemon?.isRunning === true;
  }

  /** Runs a command about this node. */
  muster(...words: string[]): Promise<Ending> {
    return muster([...words, '--dir', this.directory], this.startOptions());
  }

  /** Runs a command that must end with this code. */
  async expect(code: number, ...words: string[]): Promise<Ending> {
    const ending = await this.muster(...words);
    const said = `muster ${words.join(' ')} on ${this.name}: ${ending.stdout}${ending.stderr}`;
    assert.equal(ending.code, code, said);
    return ending;
  }

  /** The document that a command prints; it must end with this code. */
  async json<T>(code: number, ...words: string[]): Promise<T> {
    return JSON.parse((await this.expect(code, ...words, '--json')).stdout) as T;
  }

  /** Starts its daemon, and waits until that answers; a master's until it has published. */
  async start(): Promise<void> {
    this.launch();
    await this.status(({ role, generation }) => role === 'worker' || generation !== null);
  }

  /** Starts its daemon without waiting for anything. */
  launch(): Program {
    this.#daemon = new Program(['run', '--dir', this.directory], this.startOptions());
    return this.#daemon;
  }

  /** Waits for a status of its daemon that is as wanted. */
  async status(
    isWanted: (status: StatusDocument) => boolean = () => true,
    limitMs?: number,
  ): Promise<StatusDocument> {
    let last: unknown;
    const ask = async () => {
      if (!this.daemon.isRunning) throw new Error(`${this.name} ended: ${this.daemon.stderr}`);
      const asked = control(this.controlSocket, '/v1/status');
      const answer = await asked.catch((error: unknown) => {
        last = String(error);
      });
      if (answer === undefined) return undefined;
      last = JSON.stringify(answer.body);
      if (answer.status !== 200) return undefined;
      return isWanted(answer.body as StatusDocument) && answer.body as StatusDocument;
    };
    try {
      return await until(`a status of ${this.name}`, ask, limitMs);
    } catch (error) {
      throw new Error(`${String(error)}, last ${String(last)}`, { cause: error });
    }
  }

  /** Waits until it says that it holds this generation of the master's and is in step. */
  inSync(generation: number, limitMs?: number): Promise<StatusDocument> {
    const isThere = (status: StatusDocument) =>
      status.generation === generation && status.in_sync === true && status.master !== null;
    return this.status(isThere, limitMs);
  }

  /** Waits until a master has published what is on its disk; gives the generation. */
  async published(limitMs?: number): Promise<number> {
    return await until(`${this.name} publishes`, async () => {
      const answer = await control(this.controlSocket, '/v1/check', {}).catch(() => undefined);
      if (answer?.status !== 200) return undefined;
      const { in_sync: isPublished, generation } = answer.body as CheckDocument;
      return isPublished && generation;
    }, limitMs);
  }

  /** Waits until its log, from a position on, holds this text. */
  async says(text: string | RegExp, from = 0, limitMs?: number): Promise<void> {
    const isSaid = () => {
      const log = this.log().slice(from);
      return typeof text === 'string' ? log.includes(text) : text.test(log);
    };
    await until(`${this.name} logs ${text}`, isSaid, limitMs);
  }

  /** Asks the daemon to stop, and waits for its end. */
  async stop(): Promise<Ending> {
    this.daemon.kill('SIGTERM');
    return await this.daemon.ended;
  }

  /** Kills the daemon on the spot. */
  async crash(): Promise<void> {
    this.#daemon?.kill('SIGKILL');
    await this.#daemon?.ended;
  }

  startOptions(): StartOptions {
    const entries = Object.entries(this.settings).map(([key, value]) => {
      const [table = '', name = ''] = key.split('.');
      return [`MUSTER_${table.toUpperCase()}__${name.toUpperCase()}`, value];
    });
    return { environment: Object.fromEntries(entries), prefix: this.#prefix };
  }
}

/** A cluster under test. */
export class Cluster {
  /** Holds everything of the cluster. */
  readonly directory: string;
  readonly nodes: TestNode[] = [];

  constructor() {
    this.directory = mkdtempSync(join(tmpdir(), 'muster-e2e-'));
  }

  /** Makes a master; it is not started. */
  async master(options: MasterOptions = {}, name = 'master-1'): Promise<TestNode> {
    const node = this.#node(name, options);
    mkdirSync(node.root, { recursive: true });
    const listen = options.listen ?? `127.0.0.1:${await freePort()}`;
    const words = ['init', '--name', name, '--listen', listen, '--root', node.root];
    await node.expect(0, ...words, '--cluster', options.cluster ?? 'muster');
    appendFileSync(node.configFile, options.config ?? '');
    return node;
  }

  /** Makes a worker of a running master; it is not started. */
  async worker(master: TestNode, name: string, options: NodeOptions = {}): Promise<TestNode> {
    const node = this.#node(name, options);
    const token = (await master.expect(0, 'token')).stdout.trim();
    await node.expect(0, 'join', token, '--name', name, '--root', node.root);
    appendFileSync(node.configFile, options.config ?? '');
    return node;
  }

  /** Makes a worker of the Wazuh protocol; it is not started. */
  wazuhWorker(name: string, master: string, key: string, options: NodeOptions = {}): TestNode {
    const node = this.#node(name, options);
    mkdirSync(node.directory, { recursive: true });
    mkdirSync(node.root, { recursive: true });
    writeFileSync(join(node.directory, 'wazuh.key'), `${key}\n`, { mode: 0o600 });
    writeFileSync(
      node.configFile,
      `[node]\nname = "${name}"\nrole = "worker"\ncluster = "muster"\nroot = "${node.root}"\n` +
        `protocol = "wazuh"\n[wazuh]\nmaster = ["${master}"]\n${options.config ?? ''}`,
    );
    return node;
  }

  /** Runs a command that must end with this code. */
  async run(code: number, ...words: string[]): Promise<Ending> {
    const ending = await muster(words);
    assert.equal(ending.code, code, `muster ${words.join(' ')}: ${ending.stdout}${ending.stderr}`);
    return ending;
  }

  /** Ends all daemons at once and removes everything. */
  async close(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.crash()));
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** What the nodes have logged, for a person who wants to know why a test failed. */
  logs(): string {
    return this.nodes.map((node) => {
      const lines = node.log().trimEnd().split('\n');
      return [`--- log of ${node.name}, ${lines.length} lines`, ...lines.slice(-logLinesMax)];
    }).flat().join('\n');
  }

  #node(name: string, options: NodeOptions): TestNode {
    const directory = options.directory ?? join(this.directory, name);
    const root = options.root ?? join(this.directory, `${name}-tree`);
    const node = new TestNode(name, directory, root, options);
    this.nodes.push(node);
    return node;
  }
}

/** Lets `work` use a cluster, and ends that in any case. */
export async function withCluster(work: (cluster: Cluster) => Promise<void>): Promise<void> {
  const cluster = new Cluster();
  try {
    await work(cluster);
  } catch (error) {
    console.error(cluster.logs());
    throw error;
  } finally {
    await cluster.close();
  }
}

/** A port of this machine that nobody listens on. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
