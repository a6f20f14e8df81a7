/**
 * A session: one connected peer, from the first frame to the one reason for its end.
 *
 * Both ends may send requests at any time; each is answered by exactly one reply or failure, and
 * may have bulk data before that. Limits come from the message table; before `open()` only the
 * messages named at construction are accepted, none longer than 4 KiB. All that waits on a session
 * ends with it: every promise settles, every handler's signal is aborted, and whatever the peer
 * still sends is dropped.
 *
 *     open ──close()──────────────▶ parting: the close frame is written, what comes is dropped
 *       │ ──close frame arrives───▶ parting
 *       │ ──connection lost───────▶ over
 *     parting ──the last word has left, or 5 s have passed──▶ over: the stream is let go
 */
import { deferred, withDeadline } from '../base/async.ts';
import { describeError, ProtocolError } from '../base/errors.ts';
import type { Clock, Logger, Stream } from '../ports.ts';
import { eventFrame } from '../wire/compose.ts';
import { type Frame, FrameDecoder, payloadBytesMax } from '../wire/frame.ts';
import {
  type EventName,
  messageById,
  type MessageName,
  type NamedEntry,
  type PayloadOf,
  type ReplyOf,
  type RequestName,
  type Sender,
} from '../wire/messages.ts';
import {
  type CloseCode,
  closeCodeOf,
  closeError,
  closeFrame,
  type CloseReason,
  ourReason,
  readClose,
} from './close-reason.ts';
import type { Handlers } from './handlers.ts';
import { IncomingRequests } from './incoming-requests.ts';
import { Outbox } from './outbox.ts';
import { type BulkRequest, OutgoingRequests, type RequestOptions } from './outgoing-requests.ts';

export type { BulkRequest, RequestOptions } from './outgoing-requests.ts';

/** Frames accepted before the peer is known: one hello fits, no more. */
const unknownPeerBytesMax = 4 * 1024;

/** How long a close frame may take to leave, ms; and the peer's to arrive when a write has failed. */
const partingMs = 5_000;

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

/** One connected peer. */
export class Session {
  readonly remote: string;
  /** Settles with the reason when the session has ended. Never rejects. */
  readonly closed: Promise<CloseReason>;
  /** Aborted when the session ends. */
  readonly signal: AbortSignal;
  readonly #options: SessionOptions;
  readonly #outbox: Outbox;
  readonly #outgoing: OutgoingRequests;
  readonly #incoming: IncomingRequests;
  readonly #decoder = new FrameDecoder(unknownPeerBytesMax);
  readonly #controller = new AbortController();
  readonly #closed = deferred<CloseReason>();
  /** Settles when nothing more will arrive. */
  readonly #reading: Promise<void>;
  #peer: string;
  #isOpen = false;
  #isEnded = false;
  #lastHeardMs: number;
  #bytesRead = 0;

  constructor(options: SessionOptions) {
    const { stream, clock, log, handlers } = options;
    this.#options = options;
    this.#peer = options.peer;
    this.remote = stream.remote;
    this.closed = this.#closed.promise;
    this.signal = this.#controller.signal;
    const outbox = new Outbox(stream, clock, (error) => this.#onWriteFailure(error));
    this.#outbox = outbox;
    const fail = (error: ProtocolError) => this.#fail(error);
    const session = { peer: () => this.#peer, signal: this.signal };
    this.#outgoing = new OutgoingRequests({ outbox, clock, ...session });
    this.#incoming = new IncomingRequests({ session: this, outbox, clock, log, handlers, fail });
    this.#lastHeardMs = clock.monotonicMs();
    this.#reading = this.#read();
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

  /** Whether all that was sent to the peer has left this node. */
  get isIdle(): boolean {
    return this.#outbox.isIdle;
  }

  /** The peer is known and accepted: full limits, all messages. */
  open(peer: string): void {
    this.#peer = peer;
    this.#isOpen = true;
    this.#decoder.limit = payloadBytesMax;
  }

  /**
   * Sends a request and waits for its reply.
   * @throws RemoteError what the peer reported; ClusterError `timeout`, `busy` where too many
   * requests are under way, or why the session ended
   */
  request<N extends RequestName>(
    name: N,
    payload: PayloadOf<N>,
    options: RequestOptions = {},
  ): Promise<ReplyOf<N>> {
    return this.#outgoing.request(name, payload, options);
  }

  /**
   * Sends a request that is answered with bulk data and then a reply.
   * @throws ClusterError `busy`, why the session ended, or the reason of the signal
   */
  requestBulk<N extends RequestName>(
    name: N,
    payload: PayloadOf<N>,
    options: RequestOptions = {},
  ): BulkRequest<ReplyOf<N>> {
    return this.#outgoing.requestBulk(name, payload, options);
  }

  /** Tells the peer something that needs no answer. Lost if the session ends before it leaves. */
  event<N extends EventName>(name: N, payload: PayloadOf<N>): void {
    void this.#outbox.control(eventFrame(name, payload));
  }

  /** The same to many peers, put into bytes once. */
  static eventToAll<N extends EventName>(
    sessions: readonly Session[],
    name: N,
    payload: PayloadOf<N>,
  ): void {
    const frame = eventFrame(name, payload);
    for (const session of sessions) void session.#outbox.control(frame);
  }

  /** Ends the session, telling the peer why. Does nothing if it has ended. */
  close(code: CloseCode, reason: string): void {
    if (this.#isEnded) return;
    const ended = ourReason(code, reason);
    const farewell = this.#outbox.finish(closeFrame(ended), closeError(ended));
    this.#end(ended);
    void this.#part(farewell);
  }

  // --- reading -------------------------------------------------------------------------------

  /**
   * Reads to the end of the stream, also when the session has ended: to stop sooner would drop the
   * stream, and our last word with it.
   */
  async #read(): Promise<void> {
    const { stream } = this.#options;
    try {
      for await (const chunk of stream.readable) {
        if (!this.#isEnded) this.#onChunk(chunk);
      }
      this.#lose(`${this.#peer} closed the connection`);
    } catch (error) {
      this.#lose(describeError(error));
    }
  }

  #onChunk(chunk: Uint8Array): void {
    this.#lastHeardMs = this.#options.clock.monotonicMs();
    this.#bytesRead += chunk.length;
    try {
      for (const frame of this.#decoder.push(chunk)) {
        this.#onFrame(frame);
        if (this.#isEnded) return;
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #onFrame(frame: Frame): void {
    switch (frame.kind) {
      case 'request':
        return this.#incoming.begin(frame, this.#entryOf(frame));
      case 'event':
        return this.#onEvent(frame);
      case 'cancel':
        return this.#incoming.cancel(frame);
      case 'credit':
        return this.#incoming.credit(frame);
      case 'reply':
      case 'failure':
        return this.#outgoing.answered(frame);
      case 'data':
        return this.#outgoing.data(frame);
      case 'close':
        return this.#onClose(frame);
    }
  }

  #onEvent(frame: Frame): void {
    const entry = this.#entryOf(frame);
    if (entry === undefined) return; // a newer peer's; nothing of ours depends on it
    if (entry.answer !== 'none') {
      throw new ProtocolError('unexpected', `${entry.name} must be sent as a request`);
    }
    this.#incoming.tell(frame, entry);
  }

  /** The table's entry for a frame from the peer, after all checks that the table allows. */
  #entryOf(frame: Frame): NamedEntry | undefined {
    const { peerRole, acceptedBeforeOpen } = this.#options;
    const entry = messageById(frame.message);
    if (!this.#isOpen && (entry === undefined || !acceptedBeforeOpen.includes(entry.name))) {
      throw new ProtocolError('notEstablished', 'The peer speaks before it has said hello');
    }
    if (entry === undefined) return undefined;
    if (entry.sender !== 'both' && entry.sender !== peerRole) {
      throw new ProtocolError('wrongDirection', `A ${peerRole} may not send ${entry.name}`);
    }
    if (frame.payload.length > entry.bytesMax) {
      throw new ProtocolError(
        'frameTooLarge',
        `${entry.name} has ${frame.payload.length} bytes: the limit is ${entry.bytesMax}`,
      );
    }
    return entry;
  }

  // --- the end -------------------------------------------------------------------------------

  #onClose(frame: Frame): void {
    const reason = readClose(frame.payload);
    this.#outbox.fail(closeError(reason));
    this.#end(reason);
    this.#options.stream.close();
  }

  /** Nothing more can be written. The reader may still find the peer's reason, so it comes first. */
  #onWriteFailure(error: Error): void {
    if (closeCodeOf(error) !== 'lost') {
      this.#fail(error);
      return;
    }
    withDeadline(this.#options.clock, partingMs, 'Reading', this.signal, () => this.#reading)
      .catch(() => this.#lose(describeError(error)));
  }

  /** Ends the session because of an error: the peer is told if it broke the protocol. */
  #fail(error: unknown): void {
    const code = closeCodeOf(error);
    if (code === 'lost') this.#lose(describeError(error));
    else this.close(code, describeError(error));
  }

  /** Ends the session without a word. */
  #lose(text: string): void {
    if (this.#isEnded) return;
    const reason: CloseReason = { code: 'lost', text, by: 'network' };
    this.#outbox.fail(closeError(reason));
    this.#end(reason);
    this.#options.stream.abort();
  }

  #end(reason: CloseReason): void {
    this.#isEnded = true;
    const error = closeError(reason);
    this.#controller.abort(error);
    this.#outgoing.end(error);
    this.#closed.resolve(reason);
  }

  /** Lets go of the stream once our last word has left, or cannot leave. */
  async #part(farewell: Promise<void>): Promise<void> {
    const { stream, clock } = this.#options;
    try {
      await withDeadline(clock, partingMs, 'Parting', undefined, () => farewell);
      stream.close();
    } catch (error) {
      this.#outbox.fail(error as Error);
      stream.abort();
    }
  }
}
