/**
 * A worker's way to a Wazuh master: connects, says hello, keeps alive, keeps trying.
 *
 * Who does not know the key is never told so: the master closes without a word, and that is what
 * a wrong key looks like. After a refusal the connection is closed at once; a real master keeps the
 * name of a refused worker for itself until then.
 */
import { Latest, onAbort, withDeadline } from '../../base/async.ts';
import { toBytes } from '../../base/bytes.ts';
import { ClusterError, codeOf, describeError } from '../../base/errors.ts';
import { retryPauseMs } from '../../base/retry-pause.ts';
import type { Clock, Logger, PlainNetwork, Random, Stream, SymmetricCrypto } from '../../ports.ts';
import { type Answer, Connection } from '../connection.ts';
import { WazuhFailure } from '../failure.ts';
import type { FernetKeys } from '../fernet.ts';
import { keepAlive } from '../keep-alive.ts';
import { masterVersionIn } from './node-list.ts';

/** A connection that lasted this long shows that the way is good: pauses start small again. */
const lastingMs = 10_000;

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
export interface WazuhDialerOptions {
  readonly node: string;
  readonly cluster: string;
  /** The version to announce, `4.14.7`. */
  readonly version: string;
  readonly keys: FernetKeys;
  /** Addresses of the master, `host:port`; tried in turn. */
  readonly addresses: readonly string[];
  /** Shortest and longest pause between attempts, ms. */
  readonly pauseMinMs: number;
  readonly pauseMaxMs: number;
  /** Time for connecting, and for the hello, ms. */
  readonly connectTimeoutMs: number;
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
export class WazuhDialer {
  /** The link to the master, undefined while there is none. */
  readonly link = new Latest<WazuhLink | undefined>(undefined);
  readonly #ports: DialerPorts;
  readonly #options: WazuhDialerOptions;
  #lastError: Error | undefined;
  #connectionsCount = 0;
  #next = 0;

  constructor(ports: DialerPorts, options: WazuhDialerOptions) {
    this.#ports = ports;
    this.#options = options;
  }

  /** Why there is no connection; undefined while there is one. */
  get lastError(): Error | undefined {
    return this.link.value === undefined ? this.#lastError : undefined;
  }

  /** Connections on which the master said welcome. */
  get connectionsCount(): number {
    return this.#connectionsCount;
  }

  /** Keeps a connection until the signal is aborted. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#ports;
    const { keepAlive: asking, tell, pauseMinMs, pauseMaxMs } = this.#options;
    let attempt = 0;
    while (!signal.aborted) {
      let connectedMs = Infinity;
      try {
        const { connection } = await this.connect(signal);
        connectedMs = clock.monotonicMs();
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
        this.#disconnected(reason);
      } catch (error) {
        if (!signal.aborted) tell.failed(error);
        this.#disconnected(error as Error);
      }
      attempt = clock.monotonicMs() - connectedMs > lastingMs ? 1 : attempt + 1;
      const pauseMs = retryPauseMs(attempt, pauseMinMs, pauseMaxMs, random.float());
      await clock.sleep(pauseMs, signal).catch(() => {});
    }
  }

  /** Connects once and says hello. The link is published before this resolves. */
  async connect(signal: AbortSignal): Promise<WazuhLink> {
    const { clock } = this.#ports;
    const address = this.#nextAddress();
    const stream = await this.#open(address, signal);
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
    this.#connectionsCount += 1;
    this.link.publish(link);
    return link;
  }

  // --- internals -----------------------------------------------------------------------------

  #disconnected(error: Error): void {
    this.#lastError = error;
    if (this.link.value !== undefined) this.link.publish(undefined);
  }

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

  async #open(address: string, signal: AbortSignal): Promise<Stream> {
    const { clock, plainNetwork } = this.#ports;
    const what = `Connecting to the master at ${address}`;
    let opened: Stream | undefined;
    try {
      return await withDeadline(
        clock,
        this.#options.connectTimeoutMs,
        what,
        signal,
        async (inner) => {
          opened = await plainNetwork.connect(address, { signal: inner });
          // Too late: nobody waits for it any more.
          if (inner.aborted) opened.abort();
          return opened;
        },
      );
    } catch (error) {
      opened?.abort();
      throw error;
    }
  }

  async #sayHello(connection: Connection, address: string, signal: AbortSignal): Promise<void> {
    const { node, cluster, version, connectTimeoutMs } = this.#options;
    const hello = { node, cluster, nodeType: 'worker', version };
    try {
      await connection.request('hello', hello, { signal, timeoutMs: connectTimeoutMs });
    } catch (error) {
      if (signal.aborted) throw error;
      if (error instanceof WazuhFailure) throw await this.#refusal(error, connection);
      if (connection.signal.aborted && codeOf(error) !== 'timeout') throw wrongKey(address, error);
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

  #nextAddress(): string {
    const { addresses } = this.#options;
    const address = addresses[this.#next % addresses.length];
    if (address === undefined) {
      throw new ClusterError('configuration', 'No address of the master is configured', {
        remedy: 'Set wazuh.master to HOST:PORT',
      });
    }
    this.#next += 1;
    return address;
  }
}

// ---

function wrongKey(address: string, error: unknown): ClusterError {
  return new ClusterError(
    'authentication',
    `The master at ${address} closed the connection before it answered the hello, as masters do ` +
      `that have another cluster key (${describeError(error)})`,
    { source: error, remedy: 'Check that the cluster key is the one of the master' },
  );
}
