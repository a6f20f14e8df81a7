/**
 * A session: one connected peer, from the first frame to the one reason for its end.
 *
 * Both ends may send requests at any time; each is answered by exactly one reply or failure, and
 * may have bulk data before that. Limits come from the message table; before `open()` only the
 * messages named at construction are accepted, none longer than 4 KiB. All that waits on a session
 * ends with it: every promise settles, every handler's signal is aborted.
 */
import { abortReason, type Deferred, deferred, linkedController, withDeadline } from '../base/async.ts';
import { displayText } from '../base/bytes.ts';
import {
  ClusterError,
  codeOf,
  describeError,
  ProtocolError,
  readErrorCode,
  RemoteError,
} from '../base/errors.ts';
import type { Clock, Logger, Stream } from '../ports.ts';
import { decodePayload, encodePayload } from '../wire/codec.ts';
import { encodeFrame, type Frame, FrameDecoder, payloadBytesMax } from '../wire/frame.ts';
import {
  type EventName,
  messageById,
  type MessageName,
  messages,
  type NamedEntry,
  type PayloadOf,
  type ReplyOf,
  type RequestName,
  type Sender,
} from '../wire/messages.ts';
import { record, text } from '../wire/readers.ts';
import { type CloseCode, closeCodeOf, closeError, type CloseReason, readClose } from './close-reason.ts';
import { BulkInbox, CreditGate } from './flow.ts';
import type { Handlers, RequestContext } from './handlers.ts';
import { Outbox } from './outbox.ts';

/** Frames accepted before the peer is known: one hello fits, no more. */
const unknownPeerBytesMax = 4 * 1024;

/** Requests of one peer being answered at once; more break the protocol. */
const servingMax = 32;

/** How long a request may take unless it says otherwise. */
const requestTimeoutMs = 20_000;

/** What a session is made of. */
export interface SessionOptions {
  readonly stream: Stream;
  readonly clock: Clock;
  readonly log: Logger;
  /** What the peer is; its messages must be of that sender. */
  readonly peerRole: Sender;
  /** Name of the peer for logs and handlers; the address until it is known. */
  readonly peer: string;
  /** Answers to the peer's messages. */
  readonly handlers: Handlers;
  /** Messages accepted before `open()`. */
  readonly acceptedBeforeOpen: readonly MessageName[];
}

/** How long to wait for an answer, and what may stop the waiting. */
export interface RequestOptions {
  readonly signal?: AbortSignal | undefined;
  /** @default 20,000 ms; for bulk requests: the longest pause between two chunks */
  readonly timeoutMs?: number;
}

/** A request whose reply is preceded by bulk data. */
export interface BulkRequest<R> {
  /** The bulk data; must be read to its end, or left by break, which cancels the request. */
  readonly data: AsyncIterable<Uint8Array>;
  /** The reply; settles when the data have ended. */
  readonly reply: Promise<R>;
}

interface Pending {
  readonly name: RequestName;
  readonly reply: Deferred<unknown>;
  readonly inbox: BulkInbox | undefined;
}

interface Serving {
  readonly gate: CreditGate;
  readonly controller: AbortController;
}

const readFailure = record({ code: text(64), message: text(2048) });

/** One connected peer. */
export class Session {
  readonly remote: string;
  /** Settles with the reason when the session has ended. */
  readonly closed: Promise<CloseReason>;
  /** Aborted when the session ends. */
  readonly signal: AbortSignal;
  readonly #options: SessionOptions;
  readonly #outbox: Outbox;
  readonly #decoder = new FrameDecoder(unknownPeerBytesMax);
  readonly #pending = new Map<number, Pending>();
  readonly #serving = new Map<number, Serving>();
  readonly #controller = new AbortController();
  readonly #closed = deferred<CloseReason>();
  #peer: string;
  #isOpen = false;
  #isEnded = false;
  #nextStream = 1;
  #lastHeardMs: number;
  #bytesRead = 0;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#peer = options.peer;
    this.remote = options.stream.remote;
    this.closed = this.#closed.promise;
    this.signal = this.#controller.signal;
    this.#outbox = new Outbox(options.stream);
    this.#lastHeardMs = options.clock.monotonicMs();
    void this.#readLoop();
  }

  /** Name of the peer. */
  get peer(): string {
    return this.#peer;
  }

  /** When the peer was last heard, by the monotonic clock. Any traffic counts. */
  get lastHeardMs(): number {
    return this.#lastHeardMs;
  }

  /** Bytes read from and written to the peer. */
  get traffic(): { readonly bytesRead: number; readonly bytesWritten: number } {
    return { bytesRead: this.#bytesRead, bytesWritten: this.#outbox.bytesWritten };
  }

  /** The peer is known and accepted: full limits, all messages. */
  open(peer: string): void {
    this.#peer = peer;
    this.#isOpen = true;
    this.#decoder.limit = payloadBytesMax;
  }

  /**
   * Sends a request and waits for its reply.
   * @throws RemoteError what the peer reported; ClusterError `timeout`, or why the session ended
   */
  request<N extends RequestName>(
    name: N,
    payload: PayloadOf<N>,
    options: RequestOptions = {},
  ): Promise<ReplyOf<N>> {
    const timeoutMs = options.timeoutMs ?? requestTimeoutMs;
    const what = `Request ${name} to ${this.#peer}`;
    return withDeadline(this.#options.clock, timeoutMs, what, options.signal, async (signal) => {
      const { number, pending } = this.#begin(name, payload, undefined);
      const cancel = () => this.#cancel(number, abortReason(signal));
      signal.addEventListener('abort', cancel, { once: true });
      try {
        return await pending.reply.promise as ReplyOf<N>;
      } finally {
        signal.removeEventListener('abort', cancel);
      }
    });
  }

  /** Sends a request that is answered with bulk data and then a reply. */
  requestBulk<N extends RequestName>(
    name: N,
    payload: PayloadOf<N>,
    options: RequestOptions = {},
  ): BulkRequest<ReplyOf<N>> {
    let number = 0;
    const inbox = new BulkInbox((bytes) => this.#sendCredit(number, bytes));
    const begun = this.#begin(name, payload, inbox);
    number = begun.number;
    const reply = begun.pending.reply.promise as Promise<ReplyOf<N>>;
    // Who reads the data to an error may never ask for the reply.
    reply.catch(() => {});
    return { data: this.#readBulk(name, number, inbox, options), reply };
  }

  /** Tells the peer something that needs no answer. Lost if the session ends before it leaves. */
  event<N extends EventName>(name: N, payload: PayloadOf<N>): void {
    this.#post(encodeFrame('event', messages[name].id, 0, encodePayload(payload)));
  }

  /** Ends the session, telling the peer why. Does nothing if it has ended. */
  close(code: CloseCode, reason: string): void {
    if (this.#isEnded) return;
    const payload = encodePayload({ code, text: reason.slice(0, 1024) });
    this.#outbox.control(encodeFrame('close', 0, 0, payload)).then(
      () => this.#options.stream.close(),
      () => this.#options.stream.abort(),
    );
    this.#end({ code, text: reason, by: 'us' });
  }

  // --- requests of ours ----------------------------------------------------------------------

  #begin(name: RequestName, payload: unknown, inbox: BulkInbox | undefined) {
    if (this.#isEnded) throw abortReason(this.signal);
    const number = this.#nextStream;
    // 32 bits; a session does not live long enough to come round (a year at 100 a second).
    this.#nextStream += 1;
    const bytes = encodePayload(payload);
    const pending: Pending = { name, reply: deferred(), inbox };
    this.#pending.set(number, pending);
    this.#post(encodeFrame('request', messages[name].id, number, bytes));
    return { number, pending };
  }

  #cancel(number: number, reason: Error): void {
    const pending = this.#pending.get(number);
    if (pending === undefined) return;
    this.#pending.delete(number);
    pending.inbox?.finish({ error: reason });
    pending.reply.reject(reason);
    this.#post(encodeFrame('cancel', 0, number));
  }

  async *#readBulk(
    name: string,
    number: number,
    inbox: BulkInbox,
    options: RequestOptions,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { clock } = this.#options;
    const { signal } = options;
    const pauseMaxMs = options.timeoutMs ?? requestTimeoutMs;
    const what = `The next part of ${name} from ${this.#peer}`;
    const cancel = () => this.#cancel(number, abortReason(signal!));
    if (signal?.aborted) cancel();
    signal?.addEventListener('abort', cancel, { once: true });
    const chunks = inbox.read();
    try {
      for (;;) {
        const next = await withDeadline(clock, pauseMaxMs, what, undefined, () => chunks.next());
        if (next.done) return;
        yield next.value;
      }
    } finally {
      signal?.removeEventListener('abort', cancel);
      this.#cancel(number, new ClusterError('aborted', `Request ${name} was given up`));
    }
  }

  #sendCredit(number: number, bytes: number): void {
    if (this.#isEnded) return;
    const payload = new Uint8Array(4);
    new DataView(payload.buffer).setUint32(0, bytes);
    this.#post(encodeFrame('credit', 0, number, payload));
  }

  /** Hands a control frame to the outbox; a failure to write ends the session by itself. */
  #post(frame: Uint8Array): void {
    this.#outbox.control(frame).catch((error: unknown) => this.#fail(error));
  }

  // --- reading -------------------------------------------------------------------------------

  async #readLoop(): Promise<void> {
    const { stream, clock } = this.#options;
    try {
      for await (const chunk of stream.readable) {
        this.#lastHeardMs = clock.monotonicMs();
        this.#bytesRead += chunk.length;
        for (const frame of this.#decoder.push(chunk)) {
          this.#onFrame(frame);
          if (this.#isEnded) return;
        }
      }
      this.#end({ code: 'lost', text: `${this.#peer} closed the connection`, by: 'network' });
      stream.abort();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Ends the session because of an error: the peer is told if it broke the protocol. */
  #fail(error: unknown): void {
    if (this.#isEnded) return;
    const code = closeCodeOf(error);
    if (code !== 'lost') return this.close(code, describeError(error));
    this.#end({ code: 'lost', text: describeError(error), by: 'network' });
    this.#options.stream.abort();
  }

  #end(reason: CloseReason): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    const error = closeError(reason);
    for (const pending of this.#pending.values()) {
      pending.inbox?.finish({ error });
      pending.reply.reject(error);
      // Nobody may be waiting for this one.
      pending.reply.promise.catch(() => {});
    }
    this.#pending.clear();
    if (reason.by !== 'us') this.#outbox.fail(error);
    this.#controller.abort(error);
    this.#closed.resolve(reason);
  }

  #onFrame(frame: Frame): void {
    switch (frame.kind) {
      case 'request':
        return this.#onRequest(frame);
      case 'event':
        return this.#onEvent(frame);
      case 'reply':
      case 'failure':
        return this.#onAnswer(frame);
      case 'data':
        return this.#pendingOf(frame)?.inbox?.push(frame.payload);
      case 'credit':
        return this.#onCredit(frame);
      case 'cancel': {
        const stopped = new ClusterError('aborted', `${this.#peer} gave the request up`);
        return this.#serving.get(frame.stream)?.controller.abort(stopped);
      }
      case 'close':
        return this.#onClose(frame);
    }
  }

  /** The request that a frame belongs to; undefined for one that was given up. */
  #pendingOf(frame: Frame): Pending | undefined {
    if (frame.stream >= this.#nextStream) {
      throw new ProtocolError('unexpected', `A ${frame.kind} frame answers no request of ours`);
    }
    return this.#pending.get(frame.stream);
  }

  #onAnswer(frame: Frame): void {
    const pending = this.#pendingOf(frame);
    if (pending === undefined) return;
    this.#pending.delete(frame.stream);
    const value = decodePayload(frame.payload);
    if (frame.kind === 'failure') {
      const failure = readFailure(value, 'failure');
      const error = new RemoteError(readErrorCode(failure.code), displayText(failure.message));
      pending.inbox?.finish({ error });
      return pending.reply.reject(error);
    }
    const reply = messages[pending.name].reply(value, pending.name);
    pending.inbox?.finish('complete');
    pending.reply.resolve(reply);
  }

  #onCredit(frame: Frame): void {
    if (frame.payload.length !== 4) throw new ProtocolError('malformed', 'Credit is not 4 bytes');
    const view = new DataView(frame.payload.buffer, frame.payload.byteOffset);
    this.#serving.get(frame.stream)?.gate.grant(view.getUint32(0));
  }

  #onClose(frame: Frame): void {
    const { code, text: reason } = readClose(decodePayload(frame.payload), 'close');
    this.#end({ code, text: displayText(reason), by: 'peer' });
    this.#options.stream.close();
  }

  // --- requests of the peer ------------------------------------------------------------------

  /** The table's entry for a frame from the peer, after all checks that the table allows. */
  #entryOf(frame: Frame): NamedEntry | undefined {
    const entry = messageById(frame.message);
    if (!this.#isOpen && !this.#options.acceptedBeforeOpen.includes(entry?.name as MessageName)) {
      throw new ProtocolError('notEstablished', 'The peer speaks before it has said hello');
    }
    if (entry === undefined) return undefined;
    if (entry.sender !== 'both' && entry.sender !== this.#options.peerRole) {
      throw new ProtocolError('wrongDirection', `A ${this.#options.peerRole} may not send ${entry.name}`);
    }
    if (frame.payload.length > entry.bytesMax) {
      throw new ProtocolError(
        'frameTooLarge',
        `${entry.name} has ${frame.payload.length} bytes: the limit is ${entry.bytesMax}`,
      );
    }
    return entry;
  }

  #onEvent(frame: Frame): void {
    const entry = this.#entryOf(frame);
    if (entry === undefined) return; // a newer peer's; nothing of ours depends on it
    if (entry.answer !== 'none') {
      throw new ProtocolError('unexpected', `${entry.name} must be sent as a request`);
    }
    const payload = entry.event(decodePayload(frame.payload), entry.name);
    const handler = this.#options.handlers[entry.name];
    handler?.(payload as never, this.#context(undefined, this.#controller));
  }

  #onRequest(frame: Frame): void {
    const entry = this.#entryOf(frame);
    if (this.#serving.has(frame.stream)) {
      throw new ProtocolError('unexpected', `Request number ${frame.stream} is used twice`);
    }
    if (this.#serving.size >= servingMax) {
      throw new ProtocolError('tooManyRequests', `More than ${servingMax} requests at once`);
    }
    if (entry === undefined || entry.answer === 'none') {
      return this.#sendFailure(frame.stream, 'unknownMessage', `Unknown request ${frame.message}`);
    }
    const payload = entry.request(decodePayload(frame.payload), entry.name);
    const { controller, release } = linkedController(this.signal);
    const serving: Serving = { gate: new CreditGate(), controller };
    this.#serving.set(frame.stream, serving);
    void this.#serve(entry.name as RequestName, frame.stream, payload, serving).finally(() => {
      this.#serving.delete(frame.stream);
      release();
    });
  }

  async #serve(
    name: RequestName,
    number: number,
    payload: unknown,
    serving: Serving,
  ): Promise<void> {
    try {
      const handler = this.#options.handlers[name];
      if (handler === undefined) {
        throw new ClusterError('unknownMessage', `This node does not answer ${name}`);
      }
      const context = this.#context({ number, gate: serving.gate }, serving.controller);
      const reply = await handler(payload as never, context);
      if (serving.controller.signal.aborted) return;
      const frame = encodeFrame('reply', messages[name].id, number, encodePayload(reply ?? {}));
      await this.#outbox.control(frame);
    } catch (error) {
      if (this.#isEnded || serving.controller.signal.aborted) return;
      if (error instanceof ProtocolError) return this.#fail(error);
      this.#reportFailure(name, number, error);
    }
  }

  #reportFailure(name: RequestName, number: number, error: unknown): void {
    if (error instanceof ClusterError) {
      return this.#sendFailure(number, error.code, describeError(error));
    }
    // Not one of ours: a defect. The peer learns that it failed, the details stay here.
    this.#options.log.log('error', `Cannot answer ${name} of ${this.#peer}: ${describeError(error)}`);
    this.#sendFailure(number, codeOf(error), `${name} failed on the other node, see its log`);
  }

  #sendFailure(number: number, code: string, message: string): void {
    const payload = encodePayload({ code, message: message.slice(0, 2048) });
    this.#post(encodeFrame('failure', 0, number, payload));
  }

  #context(
    bulk: { number: number; gate: CreditGate } | undefined,
    controller: AbortController,
  ): RequestContext {
    return {
      peer: this.#peer,
      session: this,
      signal: controller.signal,
      send: async (bytes) => {
        if (bulk === undefined) throw new Error('An event cannot be answered with bulk data');
        for (let at = 0; at < bytes.length; at += payloadBytesMax) {
          const chunk = bytes.subarray(at, at + payloadBytesMax);
          await bulk.gate.spend(chunk.length, controller.signal);
          await this.#outbox.bulk(encodeFrame('data', 0, bulk.number, chunk));
        }
      },
    };
  }
}
