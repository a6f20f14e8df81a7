/**
 * The port of the command line: everything that a command needs from the machine it runs on.
 *
 * The program implements it with the real process, disk and network; the tests of the command line
 * by hand. It is narrow on purpose: whatever can be decided from values is decided on this side.
 * Failures are thrown as ClusterError, whose code decides the exit code.
 */
import type { Config } from '../config/config.ts';
import type { ConfigReader } from '../config/load.ts';
import type { Environment } from '../config/location.ts';
import type { CertificateFacts } from '../identity/checks.ts';
import type { JoinToken } from '../identity/token.ts';
import type { Operations } from '../node/operations.ts';
import type { Clock } from '../ports.ts';

/** What a command runs on. */
export interface Host {
  /** The arguments after the name of the program. */
  readonly argv: readonly string[];
  readonly environment: Environment;
  /** The name of this machine. */
  readonly hostname: string;
  /** Absolute path that relative paths of options start from. */
  readonly workingDirectory: string;
  readonly stdin: Inlet;
  readonly stdout: Outlet;
  readonly stderr: Outlet;
  readonly clock: Clock;
  /** Reads configuration files. */
  readonly configFiles: ConfigReader;

  /**
   * Calls the listener at every SIGINT and SIGTERM, instead of what they would do; the result ends
   * that. After the second one `runCli` resolves at once, whatever is still under way.
   */
  onSignal(listener: (signal: StopSignal) => void): () => void;

  /** Which build of muster this is. */
  buildInfo(): BuildFacts;

  /**
   * The operations of a node: those of the daemon where one holds the lock of the state directory,
   * asked through its control socket; else those of the node, opened in this process.
   * @throws ClusterError `unreachable` where only a daemon will do (`needs`) and none is running;
   * `locked` where another instance holds the lock that is no daemon
   */
  openOperations(config: Config, options: OpenOptions): Promise<OpenedOperations>;

  /** Runs the daemon until the signal is aborted, and resolves when it has stopped in order. */
  runDaemon(config: Config, signal: AbortSignal): Promise<void>;

  /**
   * Makes a master: configuration, authority, certificate. Overwrites nothing.
   * @throws ClusterError `refused` where there is one already
   */
  initMaster(request: InitRequest): Promise<InitResult>;

  /** Makes a worker: dials the master, gets a certificate, writes the configuration. */
  joinCluster(request: JoinRequest): Promise<JoinResult>;

  /** The certificates of a node. */
  readCertificates(config: Config): Promise<NodeCertificates>;

  /**
   * What `muster doctor` judges. What cannot be measured here is null; nothing is thrown for it,
   * and nothing is changed.
   */
  doctorFacts(config: Config, signal: AbortSignal): Promise<DoctorFacts>;
}

/** Standard input. */
export interface Inlet {
  /** What is sent, as it comes; not read before somebody asks. */
  chunks(): AsyncIterable<Uint8Array>;
  readonly isTerminal: boolean;
}

/** Standard output or standard error. */
export interface Outlet {
  /** Writes text; all of it arrives, if the program ends by itself. */
  write(text: string): void;
  readonly isTerminal: boolean;
  /** Size of the terminal as it is now; 80 and 24 where it is unknown. */
  readonly columns: number;
  readonly rows: number;
}

/** A signal that asks the program to stop. */
export interface StopSignal {
  readonly name: string;
  /** For the exit code: 128 + number. */
  readonly number: number;
}

/** Identity of the running program. */
export interface BuildFacts {
  /** e.g. `1.2.0` */
  readonly version: string;
  readonly commit: string;
  /** The JavaScript runtime inside: `bun`, `deno` or `node`. */
  readonly runtime: string;
  readonly runtimeVersion: string;
  /** e.g. `linux-x64` */
  readonly target: string;
}

/** How a node is to be opened. */
export interface OpenOptions {
  /** `daemon`: only a running one will do. */
  readonly needs: 'daemon' | 'any';
  readonly signal: AbortSignal;
}

/** A node that was opened. */
export interface OpenedOperations {
  readonly operations: Operations;
  /** Whether a daemon does the work. */
  readonly isDaemon: boolean;
  close(): Promise<void>;
}

/** What `muster init` is asked for; everything is checked already. */
export interface InitRequest {
  /** Where to write `muster.toml`; absolute. */
  readonly directory: string;
  readonly node: string;
  readonly cluster: string;
  /** `host:port` */
  readonly listen: string;
  /** The managed tree; absolute. */
  readonly root: string;
  /** Whether the whole tree is managed, as one set, in place of the default sets. */
  readonly isWholeTree: boolean;
  readonly signal: AbortSignal;
}

/** What `muster init` has made. */
export interface InitResult {
  /** Absolute path of the configuration file. */
  readonly configFile: string;
  /** SHA-256 of the authority's certificate, hexadecimal. */
  readonly authorityFingerprint: string;
  /** The managed tree was not there, and has been made: empty. */
  readonly isRootNew: boolean;
}

/** What `muster join` is asked for; everything is checked already. */
export interface JoinRequest {
  readonly token: JoinToken;
  /** Where to write `muster.toml`; absolute. */
  readonly directory: string;
  readonly node: string;
  /** The managed tree; absolute. */
  readonly root: string;
  readonly signal: AbortSignal;
}

/** What `muster join` has made. */
export interface JoinResult {
  /** Absolute path of the configuration file. */
  readonly configFile: string;
  /** Name of the master, and the address at which it was reached. */
  readonly master: string;
  readonly address: string;
  readonly certificateNotAfterMs: number;
  /** The managed tree was not there, and has been made: empty. */
  readonly isRootNew: boolean;
}

/** The certificates of a node. */
export interface NodeCertificates {
  readonly own: CertificateFacts;
  readonly authority: CertificateFacts;
}

/** What `muster doctor` judges. */
export interface DoctorFacts {
  /** Files and directories that the node needs. */
  readonly places: readonly PlaceFacts[];
  /** Whether staged files can be renamed into the tree: whether both are on one file system. */
  readonly isStagingBesideRoot: boolean | null;
  /** Free bytes in the file system of the tree. */
  readonly freeBytes: number | null;
  /** Files that the process may hold open. */
  readonly openFilesMax: number | null;
  /** Limits of watching; null where the system has none such. */
  readonly inotify: { readonly watchesMax: number; readonly instancesMax: number } | null;
  /** Null where the certificate cannot be read; the place `certificate` tells why. */
  readonly certificate: CertificateFacts | null;
  /** Whether a daemon runs on the state directory. */
  readonly isDaemonRunning: boolean;
  /** On a master: whether its address can be listened on, or the daemon listens there. */
  readonly listen: ProbeFacts | null;
  /** On a worker: its master's addresses, and whether they accept a connection. */
  readonly masters: readonly ProbeFacts[];
  /** How far the master's clock is ahead of ours; null where it is not known. */
  readonly clockSkewMs: number | null;
  /** Commands, users and groups that the configuration names and that do not exist. */
  readonly missing: readonly MissingFacts[];
}

/** A file or directory. */
export interface PlaceFacts {
  /** `key` is a private key, which nobody else may read; `certificate` a file of certificates. */
  readonly kind: 'root' | 'state' | 'log' | 'control socket' | 'certificate' | 'key';
  readonly path: string;
  /** Why it cannot be used as it has to be; null where it can. */
  readonly problem: string | null;
  /** Permission bits; null where there is none or the place does not exist. */
  readonly mode: number | null;
}

/** An address that was tried. */
export interface ProbeFacts {
  readonly address: string;
  /** Why it failed; null where it did not. */
  readonly problem: string | null;
}

/** Something that the configuration names and that does not exist. */
export interface MissingFacts {
  /** The key that names it, e.g. `hooks.reload` or `sets.rules.owner`. */
  readonly key: string;
  readonly kind: 'command' | 'user' | 'group';
  readonly name: string;
}
