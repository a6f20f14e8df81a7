/** The port of the command line, made by hand: a machine with one node, and what was written. */
import { abortReason } from '../../src/base/async.ts';
import type {
  BuildFacts,
  DoctorFacts,
  Host,
  InitRequest,
  InitResult,
  Inlet,
  JoinRequest,
  JoinResult,
  NodeCertificates,
  OpenedOperations,
  OpenOptions,
  Outlet,
  StopSignal,
} from '../../src/cli/host.ts';
import { runCli } from '../../src/cli/run-cli.ts';
import type { Config } from '../../src/config/config.ts';
import type { ConfigReader } from '../../src/config/load.ts';
import type { Operations } from '../../src/node/operations.ts';
import type { Clock } from '../../src/ports.ts';
import { workerText } from '../config/sources.ts';
import { nowMs } from './samples.ts';

/** A clock whose sleeps end at once, having taken their time. */
export class LeapingClock implements Clock {
  #ms = 0;
  /** Called when a sleep begins. */
  onSleep: (ms: number) => void = () => {};

  nowMs(): number {
    return nowMs + this.#ms;
  }

  monotonicMs(): number {
    return this.#ms;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.#ms += ms;
    this.onSleep(ms);
    if (signal?.aborted) throw abortReason(signal);
  }

  async breathe(): Promise<void> {}

  advance(ms: number): void {
    this.#ms += ms;
  }
}

/** An outlet that keeps what is written to it. */
export class KeptOutlet implements Outlet {
  text = '';
  isTerminal = false;
  columns = 80;
  rows = 24;

  write(text: string): void {
    this.text += text;
  }
}

function unexpected(what: string): () => never {
  return () => {
    throw new Error(`The test did not expect ${what}`);
  };
}

/** What a test changes of the machine. */
export type HostOverrides = Partial<
  Pick<
    Host,
    | 'environment'
    | 'hostname'
    | 'runDaemon'
    | 'initMaster'
    | 'joinCluster'
    | 'readCertificates'
    | 'doctorFacts'
  >
>;

/** A machine whose working directory is /home/me and holds the configuration of a worker. */
export class FakeHost implements Host {
  readonly argv: readonly string[];
  readonly environment: Host['environment'];
  readonly hostname: string;
  readonly workingDirectory = '/home/me';
  /** What is sent to standard input, in these pieces. */
  input: readonly string[] = [];
  readonly stdin: Inlet = { chunks: () => this.#pieces(), isTerminal: false };
  readonly stdout = new KeptOutlet();
  readonly stderr = new KeptOutlet();
  readonly clock = new LeapingClock();
  /** Texts of files by path. */
  files: Record<string, string> = { '/home/me/muster.toml': workerText };
  /** The operations that the node answers. */
  operations: Partial<Operations> = {};
  /** What the node was opened for, and how often it was closed. */
  readonly opened: OpenOptions['needs'][] = [];
  closedCount = 0;
  /** Called when the node is opened; throws where it cannot be. */
  onOpen: (config: Config) => void = () => {};
  readonly runDaemon: Host['runDaemon'];
  readonly initMaster: (request: InitRequest) => Promise<InitResult>;
  readonly joinCluster: (request: JoinRequest) => Promise<JoinResult>;
  readonly readCertificates: (config: Config) => Promise<NodeCertificates>;
  readonly doctorFacts: (config: Config, signal: AbortSignal) => Promise<DoctorFacts>;
  #listener: ((signal: StopSignal) => void) | undefined;

  constructor(argv: readonly string[], overrides: HostOverrides = {}) {
    this.argv = argv;
    this.environment = overrides.environment ?? {};
    this.hostname = overrides.hostname ?? 'machine-1';
    this.runDaemon = overrides.runDaemon ?? unexpected('a daemon');
    this.initMaster = overrides.initMaster ?? unexpected('a master to be made');
    this.joinCluster = overrides.joinCluster ?? unexpected('a join');
    this.readCertificates = overrides.readCertificates ?? unexpected('certificates to be read');
    this.doctorFacts = overrides.doctorFacts ?? unexpected('a doctor');
  }

  get configFiles(): ConfigReader {
    return { read: async (path) => this.files[path], expand: async () => [] };
  }

  onSignal(listener: (signal: StopSignal) => void): () => void {
    this.#listener = listener;
    return () => {
      this.#listener = undefined;
    };
  }

  /** Sends a signal to the program. */
  signal(name: 'SIGINT' | 'SIGTERM'): void {
    if (this.#listener === undefined) throw new Error('Nobody listens for signals');
    this.#listener({ name, number: name === 'SIGINT' ? 2 : 15 });
  }

  buildInfo(): BuildFacts {
    return {
      version: '0.1.0',
      commit: 'af40dfe',
      runtime: 'bun',
      runtimeVersion: '1.4.5',
      target: 'linux-x64',
    };
  }

  async openOperations(config: Config, options: OpenOptions): Promise<OpenedOperations> {
    this.onOpen(config);
    this.opened.push(options.needs);
    const operations = new Proxy({}, {
      get: (_, name) =>
        Reflect.get(this.operations, name) as unknown ??
          unexpected(`"${String(name)}" to be asked`),
    }) as Operations;
    return {
      operations,
      isDaemon: options.needs === 'daemon',
      close: async () => {
        this.closedCount++;
      },
    };
  }

  async *#pieces(): AsyncGenerator<Uint8Array> {
    for (const piece of this.input) yield new TextEncoder().encode(piece);
  }

  /** Makes both outlets a terminal. */
  onTerminal(columns = 80): this {
    for (const outlet of [this.stdout, this.stderr]) {
      outlet.isTerminal = true;
      outlet.columns = columns;
    }
    return this;
  }
}

/** What a command did: its exit code and what it wrote. */
export interface Ending {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command line of a host to its end. */
export async function finish(host: FakeHost): Promise<Ending> {
  const exitCode = await runCli(host);
  return { exitCode, stdout: host.stdout.text, stderr: host.stderr.text };
}

/** Runs a command line on a machine whose node answers these operations. */
export function run(
  commandLine: string,
  operations: Partial<Operations> = {},
  overrides: HostOverrides = {},
): Promise<Ending> {
  const host = new FakeHost(commandLine.split(' ').filter((word) => word !== ''), overrides);
  host.operations = operations;
  return finish(host);
}
