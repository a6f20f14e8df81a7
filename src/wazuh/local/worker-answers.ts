/**
 * What a worker answers to programs on its machine: of itself at once, of the cluster what its master
 * says. Calls of the API and messages for daemons are the master's to judge; what comes of them is
 * passed on to whoever asked, and where nothing can come any more, that is told.
 *
 *     program            worker                  master
 *     get_nodes     -->  get_nodes          -->
 *     control_res   <--                     <--  ok
 *     dapi          -->  dapi CLIENT …      -->
 *     dapi_res      <--  dapi_res CLIENT ID <--
 *     sendsync      -->  sendsync CLIENT …  -->
 *     ok            <--  sendsyn_res …      <--   a frame of its own, no reply
 */
import { type Deferred, deferred, untilAborted, withDeadline } from '../../base/async.ts';
import type { ByteString } from '../../base/bytes.ts';
import { codeOf } from '../../base/errors.ts';
import type { Clock } from '../../ports.ts';
import { callRefusal } from '../calls.ts';
import { type Answer, answering, type Connection } from '../connection.ts';
import {
  clusterFailure,
  type Failure,
  failureText,
  WazuhFailure,
  writeFailure,
} from '../failure.ts';
import { replyTexts } from '../replies.ts';
import type { IncomingStrings } from '../string-transfer.ts';
import { giveResult, type LocalClient } from './local-socket.ts';
import { sectionAnswer, type SectionJson } from './own-facts.ts';

/** What the answers are made of. */
export interface WorkerAnswerPorts {
  readonly clock: Clock;
  /** The connection with the master, undefined while there is none. */
  readonly connection: () => Connection | undefined;
  readonly rulesetHashes: () => Uint8Array;
  /** The section of the configuration about the cluster, without the key. */
  readonly section: SectionJson;
  readonly client: (name: ByteString) => LocalClient | undefined;
}

/** What is passed on for a program. */
type Errand = 'dapi' | 'sendsync';

/** Somebody who waits for what comes of an errand. */
interface Waiting {
  readonly client: LocalClient;
  readonly errand: Errand;
  readonly answered: Deferred<void>;
}

/** How long an errand may take, ms; as programs of an installation wait. */
const errandMs = 200_000;

/** The texts of replies that only programs get. */
const localTexts = {
  question: 'Sent request to master node',
  sendasync: 'Added request to sendsync requests queue',
} as const;

const encoder = new TextEncoder();

/** Stands between programs on this machine and the master. */
export class WorkerAnswers {
  readonly #ports: WorkerAnswerPorts;
  readonly #waiting = new Set<Waiting>();

  constructor(ports: WorkerAnswerPorts) {
    this.#ports = ports;
  }

  /** The answers to one program. */
  toProgram(client: LocalClient): (readonly [string, Answer])[] {
    const { section, rulesetHashes } = this.#ports;
    const refuse: Answer = () => Promise.reject(new WazuhFailure(callRefusal));
    return [
      ['get_config', sectionAnswer(section)],
      ['get_hash', async () => await Promise.resolve(rulesetHashes())],
      ['get_nodes', (payload) => this.#question('get_nodes', payload, client)],
      ['get_health', (payload) => this.#question('get_health', payload, client)],
      ['dapi', (payload) => this.#pass('dapi', payload, client, replyTexts.dapi)],
      ['sendsync', (payload) => this.#pass('sendsync', payload, client, undefined)],
      ['sendasync', (payload) => this.#pass('sendsync', payload, client, localTexts.sendasync)],
      ['send_file', refuse],
      ['sendrreload', refuse],
    ];
  }

  /** The answers to the master over one connection, with the strings that come in over it. */
  toMaster(strings: IncomingStrings): (readonly [string, Answer])[] {
    return [
      answering('dapi_res', ({ client: name, id }) => {
        const result = strings.take(id);
        const client = this.#found(name, 'dapi');
        if (result !== undefined) void giveResult(client, result);
        else tellFailed(client, 'dapi', clusterFailure(3032, id).failure);
        return replyTexts.dapi_res;
      }),
      answering('dapi_err', ({ client: name, bytes }) => {
        ask(this.#found(name, 'dapi'), 'dapi_err', bytes);
        return replyTexts.dapi_err;
      }),
      answering('sendsyn_res', ({ client: name, id }) => {
        const answer = strings.take(id);
        const { connection } = this.#found(name, 'sendsync');
        connection.say('ok', answer ?? new Uint8Array(0));
        return replyTexts.sendsyn_res;
      }),
      answering('sendsyn_err', ({ client: name, bytes }) => {
        this.#found(name, 'sendsync').connection.say('err', bytes);
        return replyTexts.sendsyn_err;
      }),
    ];
  }

  // ---

  #master(): Connection {
    const connection = this.#ports.connection();
    if (connection === undefined) throw clusterFailure(3023);
    return connection;
  }

  /** A question to the master: its answer comes as a request. */
  async #question(
    name: 'get_nodes' | 'get_health',
    payload: Uint8Array,
    client: LocalClient,
  ): Promise<Uint8Array> {
    const master = this.#master();
    const answered = async (): Promise<Uint8Array> => {
      try {
        return await master.request(name, payload);
      } catch (error) {
        return encoder.encode(writeFailure(failureOf(error)));
      }
    };
    void answered().then((answer) => ask(client, 'control_res', answer));
    return await Promise.resolve(encoder.encode(localTexts.question));
  }

  /** Passes an errand on; nothing is replied where there is no text. */
  async #pass(
    errand: Errand,
    bytes: Uint8Array,
    client: LocalClient,
    text: string | undefined,
  ): Promise<Uint8Array | undefined> {
    const master = this.#master();
    const waiting = { client, errand, answered: deferred<void>() };
    this.#waiting.add(waiting);
    void this.#see(waiting, master, bytes);
    return await Promise.resolve(text === undefined ? undefined : encoder.encode(text));
  }

  /** Sees to it that a program hears something, whatever becomes of its errand. Never rejects. */
  async #see(waiting: Waiting, master: Connection, bytes: Uint8Array): Promise<void> {
    const { client, errand, answered } = waiting;
    const gone = AbortSignal.any([master.signal, client.connection.signal]);
    try {
      await withDeadline(this.#ports.clock, errandMs, errand, gone, async (signal) => {
        await master.request(errand, { client: client.name, bytes }, { signal });
        await untilAborted(answered.promise, signal);
      });
    } catch (error) {
      // What the master has answered meanwhile was passed on already.
      if (this.#waiting.has(waiting)) tellFailed(client, errand, failureOf(error));
    } finally {
      this.#waiting.delete(waiting);
    }
  }

  /** Who waits for what has come. @throws WazuhFailure where nobody does */
  #found(name: ByteString, errand: Errand): LocalClient {
    const client = this.#ports.client(name);
    if (client === undefined) throw clusterFailure(3032, name);
    for (const waiting of this.#waiting) {
      if (waiting.client !== client || waiting.errand !== errand) continue;
      this.#waiting.delete(waiting);
      waiting.answered.resolve();
      return client;
    }
    throw clusterFailure(3032, name);
  }
}

// ---

/** Tells a program; where it has gone, nobody. */
function ask({ connection }: LocalClient, command: string, payload: Uint8Array): void {
  connection.ask(command, payload).catch(() => {});
}

function tellFailed(client: LocalClient, errand: Errand, failure: Failure): void {
  const text = encoder.encode(failureText(failure));
  if (errand === 'dapi') ask(client, 'dapi_err', text);
  else client.connection.say('err', text);
}

/** The failure of an errand: the master's own, or that it could not be had. */
function failureOf(error: unknown): Failure {
  if (error instanceof WazuhFailure) return error.failure;
  return clusterFailure(codeOf(error) === 'timeout' ? 3021 : 3023).failure;
}
