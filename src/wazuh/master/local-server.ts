/**
 * The local socket of a master, `queue/cluster/c-internal.sock` below the root: what the programs of
 * an installation ask about the cluster. They may only ask: nothing is changed for them, and the
 * cluster's key, which real nodes hand to whoever opens the socket, is told to nobody.
 */
import { fromBytes, toBytes, toHex } from '../../base/bytes.ts';
import { ClusterError } from '../../base/errors.ts';
import type { Clock, Logger, Random, Stream, SymmetricCrypto } from '../../ports.ts';
import type { AgentViews } from '../../agents/store/views.ts';
import { callRefusal, functionIn } from '../calls.ts';
import { type Answer, Connection } from '../connection.ts';
import { clusterFailure, internalFailure, WazuhFailure, writeFailure } from '../failure.ts';
import { type Json, spacedJson } from '../json.ts';
import { pathToText } from '../path-text.ts';
import { replyTexts } from '../replies.ts';
import { sendString } from '../string-transfer.ts';
import { overviewAnswer, readOverviewCall } from './agents-overview.ts';
import type { PublishedFiles } from './published-files.ts';
import { type ClusterView, healthAnswer, nodesAnswer } from './questions.ts';
import type { MasterTelling } from './telling.ts';

/** Where the socket is, below the root. */
export const localSocketPath = 'queue/cluster/c-internal.sock';

/** What the server needs. */
export interface LocalServerPorts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: Random;
  readonly symmetricCrypto: SymmetricCrypto;
  readonly view: () => Promise<ClusterView>;
  readonly published: () => PublishedFiles | undefined;
  readonly views: AgentViews;
  readonly tell: MasterTelling;
  /** The section of the configuration about the cluster, without the key. */
  readonly section: Readonly<Record<string, Json>>;
}

/** Connections at once, and how long one without `echo-c` lasts, ms. */
const connectionsMax = 64;
const silenceMaxMs = 120_000;

/** Largest request; the programs of an installation send at most 1 MB. */
const requestBytesMax = 4 * 1024 * 1024;

/** The directories of the ruleset, of which `get_hash` tells. */
const rulesetKeys = ['etc/rules/', 'etc/decoders/', 'etc/lists/'];

const encoder = new TextEncoder();

/** Answers programs on this machine. */
export class LocalServer {
  readonly #ports: LocalServerPorts;
  readonly #connections = new Set<Connection>();

  constructor(ports: LocalServerPorts) {
    this.#ports = ports;
  }

  /** Takes a stream of a program. */
  accept(stream: Stream): void {
    if (this.#connections.size >= connectionsMax) {
      stream.abort();
      return;
    }
    const { clock, log, random, symmetricCrypto: primitives } = this.#ports;
    const heard = { atMs: clock.monotonicMs() };
    const connection = new Connection({
      stream,
      clock,
      log,
      random,
      primitives,
      keys: undefined,
      peerRole: 'local',
      answers: this.#answers(() => heard.atMs = clock.monotonicMs()),
    });
    connection.open(requestBytesMax);
    this.#connections.add(connection);
    void connection.closed.then(() => this.#connections.delete(connection));
    void this.#police(connection, heard);
  }

  /** Ends all connections. */
  close(): void {
    const reason = new ClusterError('aborted', 'The master stops');
    for (const connection of this.#connections) connection.close(reason);
  }

  // ---

  #answers(onEcho: () => void): ReadonlyMap<string, Answer> {
    const { view, section } = this.#ports;
    const refuse: Answer = () => Promise.reject(new WazuhFailure(callRefusal));
    return new Map<string, Answer>([
      ['echo', (payload) => Promise.resolve(payload)],
      ['echo-c', (payload) => {
        onEcho();
        return Promise.resolve(payload);
      }],
      ['get_config', () => Promise.resolve(encoder.encode(spacedJson(section)))],
      ['get_nodes', async (payload) => nodesAnswer(await view(), payload)],
      ['get_health', async (payload) => healthAnswer(await view(), payload)],
      ['get_hash', () => Promise.resolve(this.#rulesetHashes())],
      ['dapi', (payload, connection) => this.#call(payload, connection)],
      ['dapi_fwd', (payload) => this.#forward(payload)],
      ['send_file', refuse],
    ]);
  }

  #rulesetHashes(): Uint8Array {
    const published = this.#ports.published();
    if (published === undefined) throw internalFailure('Nothing is published yet');
    const hashes: Record<string, string> = {};
    for (const [path, { setKey, hash }] of published.table) {
      if (rulesetKeys.includes(setKey)) hashes[pathToText(path)] = toHex(hash);
    }
    return encoder.encode(spacedJson(hashes));
  }

  /** A call: its result comes as a string of its own. */
  async #call(payload: Uint8Array, connection: Connection): Promise<Uint8Array> {
    const call = readOverviewCall(payload);
    const { views, view, tell } = this.#ports;
    const { master } = await view();
    tell.called(functionIn(payload), master.name, 'a local program');
    const result = call === undefined
      ? writeFailure(callRefusal)
      : await overviewAnswer({ views, master }, call);
    void this.#sendResult(connection, result);
    return encoder.encode(replyTexts.dapi);
  }

  async #sendResult(connection: Connection, json: string): Promise<void> {
    try {
      const id = await sendString(connection, encoder.encode(json), connection.signal);
      await connection.ask('dapi_res', toBytes(id));
    } catch {
      // The program has gone, or does not take it: it alone is worse off.
    }
  }

  /** A call for a worker: `NODE {json}`. */
  async #forward(payload: Uint8Array): Promise<Uint8Array> {
    const [node = ''] = fromBytes(payload.subarray(0, 4096)).split(' ', 1);
    const { workers } = await this.#ports.view();
    if (!workers.some(({ name }) => name === node)) throw clusterFailure(3022, node);
    throw new WazuhFailure(callRefusal);
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
