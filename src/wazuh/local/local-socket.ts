/**
 * The local socket of a node, `queue/cluster/c-internal.sock` below the root: where the programs of
 * an installation ask it. The same frames as over TCP, without encryption and without a hello; who
 * sends no `echo-c` for two minutes is given up.
 */
import { type ByteString, toBytes } from '../../base/bytes.ts';
import { ClusterError } from '../../base/errors.ts';
import type { Clock, Logger, Random, Stream, SymmetricCrypto } from '../../ports.ts';
import { type Answer, Connection, randomU32 } from '../connection.ts';
import { sendString } from '../string-transfer.ts';

/** Where the socket is, below the root. */
export const localSocketPath = 'queue/cluster/c-internal.sock';

/** What the socket needs. */
export interface LocalSocketPorts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: Random;
  readonly symmetricCrypto: SymmetricCrypto;
}

/** A program that is connected. */
export interface LocalClient {
  /** What nodes call it among themselves: a number in decimal. */
  readonly name: ByteString;
  readonly connection: Connection;
}

/** Connections at once, and how long one without `echo-c` lasts, ms. */
const connectionsMax = 64;
const silenceMaxMs = 120_000;

/** Largest request; C programs send at most 1 MB, calls of the API may hold a file. */
const requestBytesMax = 16 * 1024 * 1024;

/** Names are below this; real nodes have as many. */
const namesCount = 2 ** 20;

/** Takes in programs of this machine. */
export class LocalSocket {
  readonly #ports: LocalSocketPorts;
  readonly #answersTo: (client: LocalClient) => Iterable<readonly [string, Answer]>;
  readonly #clients = new Map<ByteString, LocalClient>();

  /** @param answersTo what a program is answered, beside echoes */
  constructor(
    ports: LocalSocketPorts,
    answersTo: (client: LocalClient) => Iterable<readonly [string, Answer]>,
  ) {
    this.#ports = ports;
    this.#answersTo = answersTo;
  }

  /** The program of a name. */
  client(name: ByteString): LocalClient | undefined {
    return this.#clients.get(name);
  }

  /** Takes a stream of a program. */
  accept(stream: Stream): void {
    if (this.#clients.size >= connectionsMax) {
      stream.abort();
      return;
    }
    const { clock, log, random, symmetricCrypto: primitives } = this.#ports;
    const heard = { atMs: clock.monotonicMs() };
    const answers = new Map<string, Answer>();
    const connection = new Connection({
      stream,
      clock,
      log,
      random,
      primitives,
      keys: undefined,
      peerRole: 'local',
      answers,
    });
    connection.open(requestBytesMax);
    const client = { name: this.#newName(), connection };
    answers.set('echo', (payload) => Promise.resolve(payload));
    answers.set('echo-c', (payload) => {
      heard.atMs = clock.monotonicMs();
      return Promise.resolve(payload);
    });
    for (const [name, answer] of this.#answersTo(client)) answers.set(name, answer);
    this.#clients.set(client.name, client);
    void connection.closed.then(() => this.#clients.delete(client.name));
    void this.#police(connection, heard);
  }

  /** Ends all connections. */
  close(): void {
    const reason = new ClusterError('aborted', 'The node stops');
    for (const { connection } of this.#clients.values()) connection.close(reason);
  }

  #newName(): ByteString {
    for (;;) {
      const name = String(randomU32(this.#ports.random) % namesCount);
      if (!this.#clients.has(name)) return name;
    }
  }

  async #police(connection: Connection, heard: { readonly atMs: number }): Promise<void> {
    const { clock } = this.#ports;
    try {
      while (clock.monotonicMs() - heard.atMs < silenceMaxMs) {
        await clock.sleep(heard.atMs + silenceMaxMs - clock.monotonicMs(), connection.signal);
      }
      connection.close(new ClusterError('timeout', 'A local program has sent no echo-c'));
    } catch {
      // The connection has ended.
    }
  }
}

/** Gives a program the result of a call, as a string of its own; where it has gone, nobody. */
export async function giveResult({ connection }: LocalClient, result: Uint8Array): Promise<void> {
  try {
    const id = await sendString(connection, result, connection.signal);
    await connection.ask('dapi_res', toBytes(id));
  } catch {
    // The program has gone, or does not take it: it alone is worse off.
  }
}
