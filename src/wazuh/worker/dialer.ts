/**
 * A worker's way to a Wazuh master: connects, says hello, keeps alive, keeps trying.
 *
 * Who does not know the key is never told so: the master closes without a word, and that is what
 * a wrong key looks like. After a refusal the connection is closed at once; a real master keeps the
 * name of a refused worker for itself until then.
 */
import { onAbort } from '../../base/async.ts';
import { toBytes } from '../../base/bytes.ts';
import { ClusterError, codeOf, describeError } from '../../base/errors.ts';
import { KeptLink, type KeptLinkOptions } from '../../base/kept-link.ts';
import type { Clock, Logger, PlainNetwork, Random, Stream, SymmetricCrypto } from '../../ports.ts';
import { type Answer, Connection } from '../connection.ts';
import { WazuhFailure } from '../failure.ts';
import type { FernetKeys } from '../fernet.ts';
import { keepAlive } from '../keep-alive.ts';
import { masterVersionIn } from './node-list.ts';

/** How long a master that refused the version is asked for its own, ms. */
const versionQuestionMs = 2_000;

/** The connection with the master as it is now. */
export interface WazuhLink {
  readonly connection: Connection;
  /** Wall clock, ms since 1970. */
  readonly connectedMs: number;
}

/** What dialling needs. */
export interface DialerPorts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: Random;
  readonly plainNetwork: PlainNetwork;
  readonly symmetricCrypto: SymmetricCrypto;
}

/** What the dialer is given. */
export interface WazuhDialerOptions extends KeptLinkOptions {
  readonly node: string;
  readonly cluster: string;
  /** The version to announce, `4.14.7`. */
  readonly version: string;
  readonly keys: FernetKeys;
  readonly keepAlive: { readonly intervalMs: number; readonly missesMax: number };
  /** Answers to the master, new ones for each connection; `close` is called at its end. */
  readonly answers: () => MasterAnswers;
  /** Called with what happens, for the log. */
  readonly tell: DialerEvents;
}

/** Answers to a master over one connection. */
export interface MasterAnswers {
  readonly entries: Iterable<readonly [string, Answer]>;
  close(): void;
}

/** What is told of the connection. */
export interface DialerEvents {
  connected(remote: string): void;
  answered(): void;
  /** It could not be made, or was refused. */
  failed(error: unknown): void;
  lost(error: unknown): void;
}

/** Connects to the master and keeps the connection. */
export class WazuhDialer extends KeptLink<WazuhLink> {
  readonly #ports: DialerPorts;
  readonly #options: WazuhDialerOptions;

  constructor(ports: DialerPorts, options: WazuhDialerOptions) {
    super(ports, options, 'wazuh.master');
    this.#ports = ports;
    this.#options = options;
  }

  /** Keeps a connection until the signal is aborted. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#ports;
    const { keepAlive: asking, tell } = this.#options;
    while (!signal.aborted) {
      try {
        const { connection } = await this.connect(signal);
        tell.connected(connection.remote);
        const release = onAbort(signal, () => connection.close());
        void keepAlive(connection, {
          clock,
          intervalMs: asking.intervalMs,
          failuresMax: asking.missesMax,
          onAnswer: () => tell.answered(),
        });
        const reason = await connection.closed;
        release();
        if (!signal.aborted) tell.lost(reason);
        this.disconnected(reason);
      } catch (error) {
        if (!signal.aborted) tell.failed(error);
        this.disconnected(error as Error);
      }
      await this.pause(false, signal);
    }
  }

  /** Connects once and says hello. The link is published before this resolves. */
  async connect(signal: AbortSignal): Promise<WazuhLink> {
    const { clock } = this.#ports;
    const address = this.nextAddress();
    const stream = await this.openWithin(
      address,
      signal,
      (inner) => this.#ports.plainNetwork.connect(address, { signal: inner }),
    );
    const answers = this.#options.answers();
    const connection = this.#connectionOn(stream, answers);
    void connection.closed.then(() => answers.close());
    try {
      await this.#sayHello(connection, address, signal);
    } catch (error) {
      connection.close(error as Error);
      throw error;
    }
    const link = { connection, connectedMs: clock.nowMs() };
    this.connected(link);
    return link;
  }

  protected release({ connection }: WazuhLink): void {
    connection.close();
  }

  // --- internals -----------------------------------------------------------------------------

  #connectionOn(stream: Stream, answers: MasterAnswers): Connection {
    const { clock, log, random, symmetricCrypto } = this.#ports;
    return new Connection({
      stream,
      clock,
      log,
      random,
      primitives: symmetricCrypto,
      keys: this.#options.keys,
      peerRole: 'master',
      answers: new Map(answers.entries),
    });
  }

  async #sayHello(connection: Connection, address: string, signal: AbortSignal): Promise<void> {
    const { node, cluster, version, connectTimeoutMs } = this.#options;
    const hello = { node, cluster, nodeType: 'worker', version };
    try {
      await connection.request('hello', hello, { signal, timeoutMs: connectTimeoutMs });
    } catch (error) {
      if (signal.aborted) throw error;
      if (codeOf(error) === 'timeout') throw unanswered(address, error);
      if (error instanceof WazuhFailure) throw await this.#refusal(error, connection);
      if (connection.signal.aborted) throw wrongKey(address, error);
      throw error;
    }
  }

  /** Why the master does not let this node in, and what to do about it. */
  async #refusal(error: WazuhFailure, connection: Connection): Promise<ClusterError> {
    const { version, node, cluster } = this.#options;
    const remedies: Readonly<Record<number, () => string | Promise<string>>> = {
      3028: () => `Another worker is called "${node}", or the last connection has not ended yet`,
      3029: () => 'Give this node another name than its master',
      3030: () => `Set wazuh.cluster, "${cluster}" here, to the name of the master's cluster`,
      3031: () => this.#versionRemedy(connection, version),
      3060: () => 'Give this node a name of letters, digits, "-" and "_"',
    };
    const remedy = await remedies[error.failure.code]?.();
    return new ClusterError(error.code, `The master refuses this node: ${error.message}`, {
      source: error,
      remedy,
    });
  }

  /** Real masters answer questions to whom they have refused: also which version they are. */
  async #versionRemedy(connection: Connection, version: string): Promise<string> {
    const question = toBytes(JSON.stringify({ filter_type: 'master' }));
    let found: string | undefined;
    try {
      const options = { timeoutMs: versionQuestionMs };
      found = masterVersionIn(await connection.request('get_nodes', question, options));
    } catch {
      // One that closes at once tells no more.
    }
    return found === undefined
      ? `Set wazuh.version, "${version}" here, to exactly the master's version`
      : `Set wazuh.version to "${found}", the master's version; it is "${version}" here`;
  }
}

// ---

function unanswered(address: string, error: unknown): ClusterError {
  return new ClusterError('timeout', `${describeError(error)}: ${address} does not answer`, {
    source: error,
    remedy: `Check that ${address} is the address of a Wazuh master`,
  });
}

function wrongKey(address: string, error: unknown): ClusterError {
  return new ClusterError(
    'authentication',
    `The master at ${address} closed the connection before it answered the hello, as masters do ` +
      `that have another cluster key (${describeError(error)})`,
    { source: error, remedy: 'Check that the cluster key is the one of the master' },
  );
}
