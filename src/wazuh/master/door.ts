/**
 * The master's door for workers of the Wazuh protocol.
 *
 * Real masters answer who has not said hello, keep the names of those they refuse, and let one
 * connection take several. Here nothing but a hello is known before the hello; who is refused is
 * told why, and gone; a connection has one name, and a name one connection. Nor does a worker that
 * lost its power or its line have to wait for two minutes until its last connection has timed out:
 * when a name is taken, whoever has it is asked, by whatever protocol, and a dead one makes room.
 */
import { throwIfAborted } from '../../base/async.ts';
import { toBytes } from '../../base/bytes.ts';
import { ClusterError, codeOf, describeError } from '../../base/errors.ts';
import { isAlive } from '../../base/liveness.ts';
import type { Clock, Logger, Random, Stream, SymmetricCrypto } from '../../ports.ts';
import { refusalOf } from '../admission.ts';
import { type Answer, answering, Connection } from '../connection.ts';
import { clusterFailure } from '../failure.ts';
import type { FernetKeys } from '../fernet.ts';
import type { Hello } from '../layouts.ts';
import { welcomeText } from '../replies.ts';
import { hostAndPort } from './host-text.ts';
import { Peer } from './peer.ts';
import { type MasterTelling, silenceText } from './telling.ts';

/** What the door needs. */
export interface DoorPorts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: Random;
  readonly symmetricCrypto: SymmetricCrypto;
  readonly tell: MasterTelling;
}

/** The names of workers that are connected by another protocol. */
export interface OtherNames {
  isTaken(node: string): boolean;
  /** Ends the connection that has a name, where the worker does not answer. Never rejects. */
  endDead(node: string): Promise<void>;
}

/** Settings of the door. */
export interface DoorOptions {
  readonly keys: FernetKeys;
  readonly master: string;
  readonly cluster: string;
  /** The version that workers have to have. */
  readonly version: string;
  /** Time for the hello, ms. */
  readonly helloTimeoutMs: number;
  /** How long a worker may be without a keep-alive, ms. */
  readonly silenceMaxMs: number;
  /** Workers connected at once. */
  readonly peersMax: number;
  /** Names that are in use by another protocol. */
  readonly others: OtherNames;
  /** A worker came in: gives the answers that it gets. */
  readonly onPeer: (peer: Peer) => Iterable<readonly [string, Answer]>;
}

/** How often silent workers are looked for, ms. */
const sweepEveryMs = 60_000;

const proofPayload = toBytes('keepalive');

/** Accepts workers. */
export class Door {
  readonly #ports: DoorPorts;
  readonly #options: DoorOptions;
  readonly #log: Logger;
  readonly #peers = new Map<string, Peer>();
  /** All connections, those of strangers too. */
  readonly #connections = new Set<Connection>();
  /** All that goes on for a connection. */
  readonly #served = new Set<Promise<void>>();

  constructor(ports: DoorPorts, options: DoorOptions) {
    this.#ports = ports;
    this.#options = options;
    this.#log = ports.log;
  }

  /** Workers that were let in, by name. */
  get peers(): ReadonlyMap<string, Peer> {
    return this.#peers;
  }

  /** Takes a stream. */
  accept(stream: Stream): void {
    const { clock, log, random, tell, symmetricCrypto: primitives } = this.#ports;
    const [host, port] = hostAndPort(stream.remote);
    tell.connecting(host, port);
    const answers = new Map<string, Answer>();
    const { keys } = this.#options;
    const connection = new Connection({
      stream,
      clock,
      random,
      primitives,
      keys,
      answers,
      log: log.child('Wazuh'),
      peerRole: 'worker',
    });
    const visitor: Visitor = {
      connection,
      answers,
      hasSaidHello: false,
      peer: undefined,
      isRefused: false,
    };
    const [name, answer] = answering('hello', (hello) => this.#welcome(hello, visitor));
    answers.set(name, answer);
    this.#connections.add(connection);
    const serving = this.#serve(visitor).finally(() => this.#served.delete(serving));
    this.#served.add(serving);
  }

  /** Ends the connection of a worker, if there is one. */
  disconnect(node: string, reason: Error): void {
    this.#peers.get(node)?.connection.close(reason);
  }

  /** Ends all connections, and waits until nothing goes on for any. */
  async close(reason: Error): Promise<void> {
    for (const connection of this.#connections) connection.close(reason);
    await Promise.all(this.#served);
  }

  // ---

  async #welcome(hello: Hello, visitor: Visitor): Promise<string> {
    const { master, cluster, version, others, peersMax } = this.#options;
    const { connection } = visitor;
    // A second hello is of a worker that is connected, whatever name it gives.
    if (visitor.hasSaidHello) throw clusterFailure(3028, hello.node);
    visitor.hasSaidHello = true;
    await Promise.all([this.#endDeadOnes(hello.node), others.endDead(hello.node)]);
    // Whoever waited for that may have left.
    throwIfAborted(connection.signal);
    const isConnected = (node: string) => this.#peers.has(node) || others.isTaken(node);
    const refusal = refusalOf(hello, { master, cluster, version, isConnected });
    if (refusal !== undefined) return this.#refuse(visitor, hello.node, refusal);
    if (this.#peers.size >= peersMax) {
      const text = `The master has ${peersMax} workers connected, the most it takes`;
      return this.#refuse(visitor, hello.node, new ClusterError('busy', text));
    }
    const tell = this.#ports.tell.ofWorker(hello.node);
    const peer = new Peer(hello, connection, tell, this.#ports.clock);
    visitor.peer = peer;
    this.#peers.set(hello.node, peer);
    connection.open();
    visitor.answers.set(...answering('echo', (bytes) => bytes));
    visitor.answers.set(
      ...answering('echo-c', (bytes) => {
        peer.keptAlive(this.#ports.clock);
        return bytes;
      }),
    );
    for (const [name, answer] of this.#options.onPeer(peer)) visitor.answers.set(name, answer);
    void this.#police(peer);
    tell.connected(connection.remote, hello.version);
    return welcomeText(hello.node);
  }

  /** Ends the connection that has a name, and does not answer; until nobody has it, or who lives. */
  async #endDeadOnes(node: string): Promise<void> {
    for (;;) {
      const peer = this.#peers.get(node);
      if (peer === undefined) return;
      const { connection } = peer;
      const ask = (options: { readonly timeoutMs: number }) =>
        connection.request('echo-m', proofPayload, options);
      if (await isAlive(this.#ports.clock, connection, ask)) return;
      const text = `${node} comes again, and its last connection is dead`;
      connection.abort(new ClusterError('superseded', text));
      this.#forget(peer);
    }
  }

  #forget(peer: Peer): void {
    if (this.#peers.get(peer.node) === peer) this.#peers.delete(peer.node);
  }

  #refuse(visitor: Visitor, node: string, reason: ClusterError): never {
    visitor.isRefused = true;
    this.#ports.tell.refused(visitor.connection.remote, node, reason);
    throw reason;
  }

  /** Watches a connection until its end. */
  async #serve(visitor: Visitor): Promise<void> {
    const { connection } = visitor;
    const { helloTimeoutMs } = this.#options;
    const { clock } = this.#ports;
    clock.sleep(helloTimeoutMs, connection.signal).then(() => {
      if (visitor.hasSaidHello) return;
      connection.close(new ClusterError('timeout', `No hello within ${helloTimeoutMs} ms`));
    }, () => {});
    const reason = await connection.closed;
    this.#connections.delete(connection);
    const { peer } = visitor;
    if (peer === undefined) {
      this.#tellStranger(visitor, reason);
      return;
    }
    this.#forget(peer);
    peer.tell.ended(describeError(reason));
  }

  #tellStranger({ connection: { remote }, isRefused }: Visitor, reason: Error): void {
    const text = describeError(reason);
    if (codeOf(reason) === 'authentication') this.#ports.tell.keyMissing(remote, text);
    else this.#log.log(isRefused ? 'debug' : 'info', `${remote} left before it was known: ${text}`);
  }

  /** Ends the connection of a worker that keeps silent: nothing but keep-alives counts. */
  async #police(peer: Peer): Promise<void> {
    const { clock } = this.#ports;
    const { silenceMaxMs } = this.#options;
    const { connection } = peer;
    try {
      for (;;) {
        await clock.sleep(sweepEveryMs, connection.signal);
        if (clock.monotonicMs() - peer.heardMs < silenceMaxMs) continue;
        this.#ports.tell.silent(peer.node, silenceMaxMs);
        // At once: what is still to be written may never leave.
        connection.abort(new ClusterError('timeout', silenceText(peer.node, silenceMaxMs)));
        return;
      }
    } catch {
      // The connection has ended.
    }
  }
}

interface Visitor {
  readonly connection: Connection;
  /** What this end answers; nothing but the hello before that was accepted. */
  readonly answers: Map<string, Answer>;
  hasSaidHello: boolean;
  peer: Peer | undefined;
  /** Was told that it may not come in; the log knows. */
  isRefused: boolean;
}
