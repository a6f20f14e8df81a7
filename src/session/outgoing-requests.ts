/**
 * What we ask of a peer: each request ends by a reply, a failure, a deadline, its caller's signal
 * or the end of the session, and then nothing of it is left.
 */
import { type Deferred, deferred, onAbort, throwIfAborted, withDeadline } from '../base/async.ts';
import { ClusterError, ProtocolError, RemoteError } from '../base/errors.ts';
import type { Clock } from '../ports.ts';
import { decodePayload } from '../wire/codec.ts';
import { creditFrame, readFailure, requestFrame } from '../wire/compose.ts';
import { encodeFrame, type Frame } from '../wire/frame.ts';
import { messages, type PayloadOf, type ReplyOf, type RequestName } from '../wire/messages.ts';
import { askingMax, BulkInbox } from './flow.ts';
import type { Outbox } from './outbox.ts';

/** How long a request may take unless it says otherwise, ms. */
const requestTimeoutMs = 20_000;

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

/** What asking needs. */
export interface AskingOptions {
  readonly outbox: Outbox;
  readonly clock: Clock;
  /** Name of the peer as it is known now. */
  readonly peer: () => string;
  /** Aborted when the session has ended. */
  readonly signal: AbortSignal;
}

/** Our requests under way. */
export class OutgoingRequests {
  readonly #options: AskingOptions;
  readonly #pending = new Map<number, Pending>();
  #nextNumber = 1;

  constructor(options: AskingOptions) {
    this.#options = options;
  }

  /** Sends a request and waits for its reply. */
  request<N extends RequestName>(
    name: N,
    payload: PayloadOf<N>,
    options: RequestOptions,
  ): Promise<ReplyOf<N>> {
    const { clock, peer } = this.#options;
    const what = `Request ${name} to ${peer()}`;
    const timeoutMs = options.timeoutMs ?? requestTimeoutMs;
    return withDeadline(clock, timeoutMs, what, options.signal, async (signal) => {
      const { number, reply } = this.#begin(name, payload, () => undefined);
      const release = onAbort(signal, (reason) => this.#cancel(number, reason));
      try {
        return await reply;
      } finally {
        release();
      }
    });
  }

  /** Sends a request that is answered with bulk data and then a reply. */
  requestBulk<N extends RequestName>(
    name: N,
    payload: PayloadOf<N>,
    options: RequestOptions,
  ): BulkRequest<ReplyOf<N>> {
    throwIfAborted(options.signal);
    const { number, inbox, reply } = this.#begin(
      name,
      payload,
      (stream) => new BulkInbox((bytes) => this.#send(creditFrame(stream, bytes))),
    );
    const release = onAbort(options.signal, (reason) => this.#cancel(number, reason));
    // Who reads the data to an error may never ask for the reply.
    reply.then(release, release);
    return { data: this.#read(name, number, inbox, options.timeoutMs ?? requestTimeoutMs), reply };
  }

  /**
   * A reply or a failure arrived.
   * @throws ProtocolError
   */
  answered(frame: Frame): void {
    const pending = this.#pendingOf(frame);
    if (pending === undefined) return;
    if (frame.kind === 'failure') {
      const { code, message } = readFailure(frame.payload);
      this.#settle(frame.stream, pending, new RemoteError(code, message));
      return;
    }
    const reply = messages[pending.name].reply(decodePayload(frame.payload), pending.name);
    this.#pending.delete(frame.stream);
    pending.inbox?.finish('complete');
    pending.reply.resolve(reply);
  }

  /**
   * Bulk data arrived.
   * @throws ProtocolError
   */
  data(frame: Frame): void {
    const pending = this.#pendingOf(frame);
    if (pending === undefined) return;
    if (pending.inbox === undefined) {
      throw new ProtocolError('unexpected', `${pending.name} is not answered with bulk data`);
    }
    pending.inbox.push(frame.payload);
  }

  /** The session has ended: so does all that waits. */
  end(error: Error): void {
    for (const [number, pending] of this.#pending) this.#settle(number, pending, error);
  }

  #begin<N extends RequestName, I extends BulkInbox | undefined>(
    name: N,
    payload: PayloadOf<N>,
    makeInbox: (number: number) => I,
  ): { number: number; inbox: I; reply: Promise<ReplyOf<N>> } {
    throwIfAborted(this.#options.signal);
    if (this.#pending.size >= askingMax) {
      throw new ClusterError(
        'busy',
        `${askingMax} requests to ${this.#options.peer()} are under way`,
      );
    }
    // 32 bits; a session does not live long enough to come round (a year at 100 a second).
    const number = this.#nextNumber;
    const frame = requestFrame(name, number, payload);
    this.#nextNumber += 1;
    const inbox = makeInbox(number);
    const reply = deferred<unknown>();
    this.#pending.set(number, { name, reply, inbox });
    this.#send(frame);
    return { number, inbox, reply: reply.promise as Promise<ReplyOf<N>> };
  }

  async *#read(
    name: string,
    number: number,
    inbox: BulkInbox,
    pauseMaxMs: number,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { clock, peer } = this.#options;
    const what = `The next part of ${name} from ${peer()}`;
    let stopped: unknown = new ClusterError('aborted', `Request ${name} was given up`);
    try {
      for (;;) {
        const chunk = await withDeadline(clock, pauseMaxMs, what, undefined, () => inbox.take());
        if (chunk === undefined) return;
        yield chunk;
      }
    } catch (error) {
      stopped = error;
      throw error;
    } finally {
      this.#cancel(number, stopped);
    }
  }

  /** Gives a request up, if it is still under way. */
  #cancel(number: number, reason: unknown): void {
    const pending = this.#pending.get(number);
    if (pending === undefined) return;
    this.#settle(number, pending, reason);
    this.#send(encodeFrame('cancel', 0, number));
  }

  #settle(number: number, pending: Pending, error: unknown): void {
    this.#pending.delete(number);
    pending.inbox?.finish({ error });
    pending.reply.reject(error);
  }

  #send(frame: Uint8Array): void {
    void this.#options.outbox.control(frame);
  }

  /** The request that a frame belongs to; undefined for one that was given up. */
  #pendingOf(frame: Frame): Pending | undefined {
    if (frame.stream === 0 || frame.stream >= this.#nextNumber) {
      throw new ProtocolError('unexpected', `A ${frame.kind} frame answers no request of ours`);
    }
    return this.#pending.get(frame.stream);
  }
}
