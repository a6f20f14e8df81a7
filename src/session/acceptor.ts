/**
 * The master's door: turns accepted streams into sessions with known workers.
 *
 * One session per node identity: a new one supersedes the old at once, so that a worker that lost
 * its connection without the master noticing is never locked out by its own ghost. A stranger holds
 * a slot no longer than the hello deadline and can send nothing but the hello.
 */
import { withDeadline } from '../base/async.ts';
import { ClusterError, describeError } from '../base/errors.ts';
import type { Clock, Logger, NodeIdentity, Stream } from '../ports.ts';
import { type Agreement, answerHello, protocolNames, type SelfDescription } from '../wire/handshake.ts';
import type { PayloadOf, ReplyOf } from '../wire/messages.ts';
import { closeCodeOf, type CloseCode } from './close-reason.ts';
import type { Handlers, HandlersFor, RequestContext } from './handlers.ts';
import { Session } from './session.ts';

/** Time for a joining node to redeem its token, ms: a person may be at the other end. */
const joinTimeoutMs = 30_000;

/** A worker in session. */
export interface Peer {
  readonly identity: NodeIdentity;
  readonly agreement: Agreement;
  readonly session: Session;
  /** Wall clock, ms since 1970. */
  readonly connectedMs: number;
}

/** What the acceptor is given. */
export interface AcceptorOptions {
  readonly self: SelfDescription;
  /**
   * Who the peer is, by the certificate of its stream.
   * @throws ClusterError('authentication') where it is not to be let in
   */
  readonly identify: (stream: Stream) => NodeIdentity;
  /** Answers to workers; the hello is answered here. */
  readonly handlers: Omit<HandlersFor<'worker'>, 'session.hello'>;
  /** Answers to nodes that have no certificate yet. */
  readonly joinHandlers: HandlersFor<'joiner'>;
  /** Workers in session at once. */
  readonly sessionsMax: number;
  /** Time for the hello, ms. */
  readonly helloTimeoutMs: number;
  /** A worker came in. */
  readonly onPeer: (peer: Peer) => void;
}

/** Accepts workers. */
export class Acceptor {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #options: AcceptorOptions;
  readonly #peers = new Map<string, Peer>();
  readonly #sessions = new Set<Session>();

  constructor(ports: { readonly clock: Clock; readonly log: Logger }, options: AcceptorOptions) {
    this.#clock = ports.clock;
    this.#log = ports.log;
    this.#options = options;
  }

  /** Workers in session, by name. */
  get peers(): ReadonlyMap<string, Peer> {
    return this.#peers;
  }

  /** Takes a stream that finished the TLS handshake. */
  accept(stream: Stream): void {
    if (stream.protocol === protocolNames.join) {
      this.#run(stream, { peer: stream.remote, role: 'joiner', timeoutMs: joinTimeoutMs });
      return;
    }
    let identity: NodeIdentity;
    try {
      identity = this.#options.identify(stream);
    } catch (error) {
      this.#refuse(stream, error);
      return;
    }
    const timeoutMs = this.#options.helloTimeoutMs;
    this.#run(stream, { peer: identity.node, role: 'worker', timeoutMs, identity });
  }

  /** Ends the session of a node, if there is one. */
  disconnect(node: string, code: CloseCode, reason: string): void {
    this.#peers.get(node)?.session.close(code, reason);
  }

  /** Ends all sessions. */
  close(reason: string): void {
    for (const session of this.#sessions) session.close('shutdown', reason);
  }

  // --- internals -----------------------------------------------------------------------------

  #run(
    stream: Stream,
    expected: {
      peer: string;
      role: 'worker' | 'joiner';
      timeoutMs: number;
      identity?: NodeIdentity;
    },
  ): void {
    const { peer, role, timeoutMs, identity } = expected;
    const handlers: Handlers = identity === undefined ? this.#options.joinHandlers : {
      ...this.#options.handlers,
      'session.hello': (hello, context) => this.#welcome(identity, hello, context),
    };
    const session = new Session({
      stream,
      clock: this.#clock,
      log: this.#log,
      peerRole: role,
      peer,
      handlers,
      acceptedBeforeOpen: role === 'joiner'
        ? ['join.authority', 'join.redeem']
        : ['session.hello'],
    });
    this.#sessions.add(session);
    void this.#watch(session, timeoutMs, role);
  }

  /** Waits for the end of a session; ends it if the peer has not said hello in time. */
  async #watch(session: Session, timeoutMs: number, role: 'worker' | 'joiner'): Promise<void> {
    const isKnown = () => this.#peers.get(session.peer)?.session === session;
    await withDeadline(this.#clock, timeoutMs, 'The hello', session.signal, () => session.closed)
      .catch(() => {
        if (!isKnown()) session.close('silent', `No hello within ${timeoutMs} ms`);
      });
    const reason = await session.closed;
    this.#sessions.delete(session);
    if (!isKnown()) {
      const level = role === 'joiner' || reason.code === 'finished' ? 'debug' : 'info';
      this.#log.log(level, `${session.remote} left before it was known: ${reason.text}`);
      return;
    }
    this.#peers.delete(session.peer);
    const log = this.#log.child(`Worker ${session.peer}`);
    log.log(reason.code === 'finished' ? 'debug' : 'info', `Session ended: ${reason.text}`);
  }

  #welcome(
    identity: NodeIdentity,
    hello: PayloadOf<'session.hello'>,
    context: RequestContext,
  ): ReplyOf<'session.hello'> {
    const { session } = context;
    const nowMs = this.#clock.nowMs();
    try {
      if (this.#peers.get(identity.node)?.session === session) {
        throw new ClusterError('protocol', `${identity.node} says hello twice`);
      }
      const { reply, agreement } = answerHello(this.#options.self, identity, hello, nowMs);
      this.#admit({ identity, agreement, session, connectedMs: nowMs });
      return reply;
    } catch (error) {
      this.#log.log('warning', `${session.remote} is refused: ${describeError(error)}`);
      session.close(closeCodeOf(error), describeError(error));
      throw error;
    }
  }

  #admit(peer: Peer): void {
    const { node } = peer.identity;
    const old = this.#peers.get(node);
    if (old === undefined && this.#peers.size >= this.#options.sessionsMax) {
      throw new ClusterError(
        'busy',
        `The master has ${this.#peers.size} workers in session, the most it takes: ` +
          'raise master.sessions_max',
      );
    }
    this.#peers.set(node, peer);
    peer.session.open(node);
    old?.session.close('superseded', `A newer session of ${node} took over`);
    this.#options.onPeer(peer);
  }

  /** Tells a peer that it may not come in, and why. */
  #refuse(stream: Stream, error: unknown): void {
    const text = describeError(error);
    this.#log.log('warning', `${stream.remote} is refused: ${text}`);
    const session = new Session({
      stream,
      clock: this.#clock,
      log: this.#log,
      peerRole: 'worker',
      peer: stream.remote,
      handlers: {},
      acceptedBeforeOpen: ['session.hello'],
    });
    session.close(closeCodeOf(error), text);
  }
}
