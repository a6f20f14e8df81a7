/**
 * A connection with one node of a Wazuh cluster, from the first frame to the one reason for its end.
 *
 * Both ends may send requests at any time; a reply is the frame with the counter of its request.
 * Only who knows the cluster key can say anything: a token that does not open ends the connection,
 * without a word, as real nodes do it. Before the first good token, and before a worker's hello has
 * been accepted, a frame may be no longer than 4 KiB and nothing divided.
 */
import { type Deferred, deferred, Mutex, onAbort, withDeadline } from '../base/async.ts';
import { displayText } from '../base/bytes.ts';
import { ByteReader } from '../base/cursor.ts';
import { ClusterError, describeError, ProtocolError } from '../base/errors.ts';
import type { Clock, Logger, Random, Stream, SymmetricCrypto } from '../ports.ts';
import {
  type CommandName,
  commandOf,
  isCommandFrom,
  type ReplyOf,
  type RequestOf,
} from './commands.ts';
import { clusterFailure } from './failure.ts';
import { type FernetKeys, ivBytes, openToken, sealToken } from './fernet.ts';
import { bodyBytesMax, chunkBytes, encodeMessage, FrameDecoder, type Message } from './frame.ts';
import { dividedMessagesMax, Reassembly } from './reassembly.ts';
import {
  isReplyName,
  okReply,
  plainReplies,
  type Reply,
  replyOfError,
  takeReply,
} from './replies.ts';

/** Largest body accepted before the peer is known: a hello fits, no more. */
const unknownPeerBytesMax = 4 * 1024;

/** How long a request may take, ms; real nodes wait no longer either. */
const requestTimeoutMs = 20_000;

/** How long the body of a frame may take to come, ms; as real nodes have it. */
const bodyTimeoutMs = 30_000;

/** How long what was sent may take to leave when a connection is closed, ms. */
const partingMs = 2_000;

/** Requests of the peer that may be under way at a time. */
const answeringMax = 64;

/**
 * Answers one command: from the payload of the request to that of the reply. Undefined where nothing
 * is replied: what comes of the request comes as a frame of its own.
 */
export type Answer = (
  payload: Uint8Array,
  connection: Connection,
) => Promise<Uint8Array | undefined>;

/** The answers of an end, by commands. */
export type Answers = ReadonlyMap<string, Answer>;

/** An entry of `Answers`, from a function on what the payloads say. */
export function answering<N extends CommandName>(
  name: N,
  work: (request: RequestOf<N>, connection: Connection) => ReplyOf<N> | Promise<ReplyOf<N>>,
): readonly [N, Answer] {
  const { request, reply } = commandOf(name);
  return [
    name,
    async (payload, connection) => reply.write(await work(request.read(payload), connection)),
  ];
}

/** An unpredictable number of 32 bits. */
export function randomU32(random: Random): number {
  return new ByteReader(random.bytes(4)).u32();
}

/** What a connection is made of. */
export interface ConnectionOptions {
  readonly stream: Stream;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly primitives: SymmetricCrypto;
  /** Undefined on the local socket: nothing is encrypted there. */
  readonly keys: FernetKeys | undefined;
  /**
   * What the peer is: only commands of that end are known. A worker has to say hello first; a
   * program on this machine may ask whatever there is an answer to.
   */
  readonly peerRole: 'master' | 'worker' | 'local';
  readonly answers: Answers;
}

/** How a request is sent. */
export interface RequestOptions {
  readonly signal?: AbortSignal;
  /** @default 20,000 ms, as real nodes wait */
  readonly timeoutMs?: number;
}

/** One connected node. */
export class Connection {
  readonly remote: string;
  /** Settles with the reason when the connection has ended. Never rejects. */
  readonly closed: Promise<Error>;
  /** Aborted with the reason when the connection ends. */
  readonly signal: AbortSignal;
  readonly #options: ConnectionOptions;
  readonly #decoder = new FrameDecoder(unknownPeerBytesMax);
  readonly #reassembly = new Reassembly({ bytesMax: 0, messagesMax: 0 });
  readonly #controller = new AbortController();
  readonly #closed = deferred<Error>();
  readonly #writing = new Mutex();
  readonly #asked = new Map<number, Deferred<Reply>>();
  #counter: number;
  #answeringCount = 0;
  #isOpen = false;
  #lastHeardMs: number;
  #bytesRead = 0;
  #bytesWritten = 0;
  /** Ends the waiting for the body of a frame. */
  #bodyTimer: AbortController | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.remote = options.stream.remote;
    this.closed = this.#closed.promise;
    this.signal = this.#controller.signal;
    this.#counter = randomU32(options.random);
    this.#lastHeardMs = options.clock.monotonicMs();
    void this.#read();
  }

  /** When the peer was last heard, by the monotonic clock. Any traffic counts. */
  get lastHeardMs(): number {
    return this.#lastHeardMs;
  }

  /** Bytes on the wire so far. */
  get traffic(): { readonly bytesRead: number; readonly bytesWritten: number } {
    return { bytesRead: this.#bytesRead, bytesWritten: this.#bytesWritten };
  }

  /** The peer is known and accepted: full limits, all commands. */
  open(bytesMax: number = bodyBytesMax): void {
    this.#isOpen = true;
    this.#decoder.limit = bytesMax;
    this.#reassembly.limits = { bytesMax, messagesMax: dividedMessagesMax };
  }

  /**
   * Sends a request and waits for its reply.
   * @throws WazuhFailure what the peer told, or 3020 (`timeout`) where it does not answer;
   * ClusterError why the connection ended
   */
  async request<N extends CommandName>(
    name: N,
    value: RequestOf<N>,
    options: RequestOptions = {},
  ): Promise<ReplyOf<N>> {
    const { request, reply } = commandOf(name);
    return reply.read(await this.ask(name, request.write(value), options));
  }

  /** The same with a payload as it is: for commands that lie otherwise on the local socket. */
  ask(command: string, payload: Uint8Array, options: RequestOptions = {}): Promise<Uint8Array> {
    const { signal, timeoutMs = requestTimeoutMs } = options;
    const late = () => clusterFailure(3020, command);
    return withDeadline(this.#options.clock, timeoutMs, late, signal, async (given) => {
      if (this.signal.aborted) throw this.signal.reason;
      const counter = this.#nextCounter();
      const answered = deferred<Reply>();
      this.#asked.set(counter, answered);
      // Where the request cannot even be sent nobody waits for its reply.
      answered.promise.catch(() => {});
      const release = onAbort(given, (reason) => {
        // A reply that comes late is dropped, as one that nobody asked for.
        this.#asked.delete(counter);
        answered.reject(reason);
      });
      try {
        await this.#send(counter, { command, payload });
        return takeReply(await answered.promise);
      } finally {
        release();
      }
    });
  }

  /** Says something that nobody asked for, and to which there is no reply. */
  say(command: string, payload: Uint8Array): void {
    // Why it could not be sent is why the connection ended.
    this.#send(this.#nextCounter(), { command, payload }).catch(() => {});
  }

  /** Ends the connection: what was sent still leaves. There is no word for it in the protocol. */
  close(reason: Error = new ClusterError('aborted', 'The connection was closed')): void {
    if (!this.#end(reason)) return;
    const { stream, clock } = this.#options;
    const left = new AbortController();
    clock.sleep(partingMs, left.signal).then(() => stream.abort(), () => {});
    void this.#writing.run(() => Promise.resolve(stream.close())).finally(() => left.abort());
  }

  /** Ends the connection without waiting for anything: a peer that is gone takes nothing any more. */
  abort(reason: Error): void {
    this.#fail(reason);
  }

  #nextCounter(): number {
    do this.#counter = (this.#counter + 1) >>> 0; while (this.#asked.has(this.#counter));
    return this.#counter;
  }

  async #send(counter: number, { command, payload }: Reply): Promise<void> {
    const { stream } = this.#options;
    const body = this.#sealed(payload);
    const isDivided = payload.length > chunkBytes;
    const frames = encodeMessage({ counter, command, body }, isDivided ? chunkBytes : undefined);
    try {
      for (const frame of frames) {
        await this.#writing.run(() => stream.write(frame));
        this.#bytesWritten += frame.length;
      }
    } catch (error) {
      this.#fail(new ClusterError('unreachable', 'The connection was lost', { cause: error }));
      throw this.signal.reason;
    }
  }

  #sealed(payload: Uint8Array): Uint8Array {
    const { clock, random, primitives, keys } = this.#options;
    if (keys === undefined) return payload;
    const stamp = { timeS: clock.nowMs() / 1000, iv: random.bytes(ivBytes) };
    return sealToken(primitives, keys, payload, stamp);
  }

  async #read(): Promise<void> {
    const { stream, clock } = this.#options;
    try {
      for await (const chunk of stream.readable) {
        if (this.signal.aborted) return;
        this.#lastHeardMs = clock.monotonicMs();
        this.#bytesRead += chunk.length;
        let isBegun = this.#decoder.isInBody;
        for (const frame of this.#decoder.push(chunk)) {
          isBegun = false;
          const message = this.#reassembly.take(frame);
          if (message !== undefined) this.#take(message);
          if (this.signal.aborted) return;
        }
        if (!isBegun) this.#waitForBody();
      }
      this.#fail(new ClusterError('unreachable', `${this.remote} closed the connection`));
    } catch (error) {
      this.#fail(error instanceof Error ? error : new ClusterError('failed', describeError(error)));
    }
  }

  /** From here on the body of the frame that has begun, if one has, is waited for. */
  #waitForBody(): void {
    this.#bodyTimer?.abort();
    this.#bodyTimer = undefined;
    if (!this.#decoder.isInBody) return;
    const timer = new AbortController();
    this.#bodyTimer = timer;
    this.#options.clock.sleep(bodyTimeoutMs, timer.signal).then(
      () => this.#fail(new ClusterError('timeout', `${this.remote} did not finish a frame`)),
      () => {},
    );
  }

  #take({ counter, command, body }: Message): void {
    const { primitives, keys, peerRole } = this.#options;
    // What is not encrypted is part of a chunk that may be used again.
    const payload = keys === undefined
      ? new Uint8Array(body)
      : openToken(primitives, keys, body).content;
    // A master has shown the key; a worker has to be let in as well.
    if (!this.#isOpen && peerRole === 'master') this.open();
    if (isReplyName(command)) {
      const asked = this.#asked.get(counter);
      this.#asked.delete(counter);
      asked?.resolve({ command, payload });
      return;
    }
    if (!this.#isOpen && command !== 'hello') {
      throw new ProtocolError('notEstablished', `${displayText(command)} comes before the hello`);
    }
    if (this.#answeringCount >= answeringMax) {
      throw new ProtocolError('tooManyRequests', `More than ${answeringMax} requests at once`);
    }
    void this.#answer(counter, command, payload);
  }

  async #answer(counter: number, command: string, payload: Uint8Array): Promise<void> {
    this.#answeringCount++;
    const reply = await this.#replyTo(command, payload);
    this.#answeringCount--;
    if (this.signal.aborted) return;
    // Why a reply could not be sent is why the connection ended.
    if (reply !== undefined) await this.#send(counter, reply).catch(() => {});
    if (!this.#isOpen) this.close(new ClusterError('refused', `${this.remote} was not let in`));
  }

  async #replyTo(command: string, payload: Uint8Array): Promise<Reply | undefined> {
    const { answers, peerRole, log } = this.#options;
    const isKnown = peerRole === 'local' || isCommandFrom(command, peerRole);
    const answer = isKnown ? answers.get(command) : undefined;
    if (answer === undefined) return plainReplies.unknownCommand(command);
    try {
      const answered = await answer(payload, this);
      return answered === undefined ? undefined : okReply(command, answered);
    } catch (error) {
      if (!(error instanceof ClusterError)) {
        log.log('error', `Cannot answer ${command} of ${this.remote}: ${describeError(error)}`);
      }
      return replyOfError(error);
    }
  }

  #fail(error: Error): void {
    if (this.#end(error)) this.#options.stream.abort();
  }

  /** False where it has ended before. */
  #end(reason: Error): boolean {
    if (this.signal.aborted) return false;
    this.#controller.abort(reason);
    this.#bodyTimer?.abort();
    for (const asked of this.#asked.values()) asked.reject(reason);
    this.#asked.clear();
    this.#closed.resolve(reason);
    return true;
  }
}
