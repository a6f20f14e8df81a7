/**
 * What a peer asks of us: runs the handlers, each answered by exactly one reply or failure.
 *
 * A handler that fails answers for itself alone. One whose peer gave the request up, or left, is
 * told by its signal, and what it returns then is dropped. None waits for ever for a peer that does
 * not take its bulk data.
 */
import { linkedController, withDeadline } from '../base/async.ts';
import { ClusterError, describeError, type ErrorCode, ProtocolError } from '../base/errors.ts';
import type { Clock, Logger } from '../ports.ts';
import { decodePayload } from '../wire/codec.ts';
import { failureFrame, readCredit, replyFrame } from '../wire/compose.ts';
import { encodeFrame, type Frame, payloadBytesMax } from '../wire/frame.ts';
import type { NamedEntry, RequestName } from '../wire/messages.ts';
import { answeringMax, CreditGate } from './flow.ts';
import type { Handlers, RequestContext } from './handlers.ts';
import type { Outbox } from './outbox.ts';
import type { Session } from './session.ts';

/**
 * How long bulk data may wait for credit, ms. A receiver may pause to flush or to hash a large
 * file; one that takes nothing for two minutes is not coming back.
 */
const creditTimeoutMs = 120_000;

interface Answering {
  readonly name: RequestName;
  readonly number: number;
  readonly gate: CreditGate;
  readonly controller: AbortController;
}

/** A handler, its payload checked by the table's reader and its reply by the composer. */
type AnyHandler = (payload: unknown, context: RequestContext) => unknown;

/** What answering needs. */
export interface AnsweringOptions {
  readonly session: Session;
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly log: Logger;
  readonly handlers: Handlers;
  /** Ends the session: the peer broke the protocol. */
  readonly fail: (error: ProtocolError) => void;
}

/** The peer's requests under way. */
export class IncomingRequests {
  readonly #options: AnsweringOptions;
  readonly #answering = new Map<number, Answering>();

  constructor(options: AnsweringOptions) {
    this.#options = options;
  }

  /**
   * The peer asks something.
   * @param entry undefined for a request that this version does not know
   * @throws ProtocolError
   */
  begin(frame: Frame, entry: NamedEntry | undefined): void {
    const number = frame.stream;
    if (number === 0 || this.#answering.has(number)) {
      throw new ProtocolError('unexpected', `Request number ${number} is not free`);
    }
    if (this.#answering.size >= answeringMax) {
      throw new ProtocolError('tooManyRequests', `More than ${answeringMax} requests at once`);
    }
    if (entry === undefined || entry.answer === 'none') {
      this.#sendFailure(number, 'unknownMessage', `Unknown request ${frame.message}`);
      return;
    }
    const payload = entry.request(decodePayload(frame.payload), entry.name);
    const { controller, release } = linkedController(this.#options.session.signal);
    const name = entry.name as RequestName;
    const answering: Answering = { name, number, gate: new CreditGate(), controller };
    this.#answering.set(number, answering);
    void this.#answer(answering, payload).finally(() => {
      this.#answering.delete(number);
      release();
    });
  }

  /** The peer tells something. A handler that fails is a defect of ours, and no reason to part. */
  tell(frame: Frame, entry: NamedEntry & { readonly answer: 'none' }): void {
    const { session, handlers } = this.#options;
    const payload = entry.event(decodePayload(frame.payload), entry.name);
    try {
      handlers[entry.name]?.(payload as never, this.#context(session.signal, refuseBulk));
    } catch (error) {
      if (error instanceof ProtocolError) throw error;
      this.#logDefect(entry.name, error);
    }
  }

  /** The peer gives a request up. */
  cancel(frame: Frame): void {
    const { peer } = this.#options.session;
    const stopped = new ClusterError('aborted', `${peer} gave the request up`);
    this.#answering.get(frame.stream)?.controller.abort(stopped);
  }

  /** The peer can take more bulk data. */
  credit(frame: Frame): void {
    const bytes = readCredit(frame.payload);
    this.#answering.get(frame.stream)?.gate.grant(bytes);
  }

  async #answer(answering: Answering, payload: unknown): Promise<void> {
    const { name, number, controller: { signal } } = answering;
    const { handlers, outbox, fail } = this.#options;
    try {
      const handler = handlers[name] as AnyHandler | undefined;
      if (handler === undefined) {
        throw new ClusterError('unknownMessage', `This node does not answer ${name}`);
      }
      const context = this.#context(signal, (bytes) => this.#sendBulk(answering, bytes));
      const reply = await handler(payload, context);
      if (signal.aborted) return;
      // Counts until it has left: a peer that asks and does not read is stopped by its own limit.
      await outbox.control(replyFrame(name, number, reply as never));
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ProtocolError) fail(error);
      else this.#reportFailure(answering, error);
    }
  }

  #reportFailure({ name, number }: Answering, error: unknown): void {
    if (error instanceof ClusterError) {
      this.#sendFailure(number, error.code, describeError(error));
      return;
    }
    // Not one of ours: a defect. The peer learns that it failed, the details stay here.
    this.#logDefect(name, error);
    this.#sendFailure(number, 'failed', `${name} failed on the other node, see its log`);
  }

  #logDefect(name: string, error: unknown): void {
    const { log, session } = this.#options;
    log.log('error', `Cannot answer ${name} of ${session.peer}: ${describeError(error)}`);
  }

  #sendFailure(number: number, code: ErrorCode, message: string): void {
    void this.#options.outbox.control(failureFrame(number, code, message));
  }

  #context(signal: AbortSignal, send: RequestContext['send']): RequestContext {
    const { session } = this.#options;
    return { peer: session.peer, session, signal, send };
  }

  async #sendBulk(answering: Answering, bytes: Uint8Array): Promise<void> {
    const { name, number, gate, controller } = answering;
    const { clock, outbox, session } = this.#options;
    const what = `Waiting for ${session.peer} to take more of ${name}`;
    for (let at = 0; at < bytes.length; at += payloadBytesMax) {
      const chunk = bytes.subarray(at, at + payloadBytesMax);
      await withDeadline(
        clock,
        creditTimeoutMs,
        what,
        controller.signal,
        (signal) => gate.spend(chunk.length, signal),
      );
      await outbox.bulk(encodeFrame('data', 0, number, chunk));
    }
  }
}

function refuseBulk(): Promise<void> {
  return Promise.reject(new Error('An event cannot be answered with bulk data'));
}
