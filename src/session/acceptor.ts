/**
 * The master's door: turns accepted streams into sessions with known workers.
 *
 * One session per node identity: a new one supersedes the old at once, so that a worker that lost
 * its connection without the master noticing is never locked out by its own ghost. A stranger holds
 * a slot no longer than the hello deadline and can send nothing but the hello.
 */
import { ClusterError, describeError, ProtocolError } from '../base/errors.ts';
import { isAlive } from '../base/liveness.ts';
import type { Clock, Logger, NodeIdentity, Stream } from '../ports.ts';
import {
  type Agreement,
  answerHello,
  protocolNames,
  type SelfDescription,
} from '../wire/handshake.ts';
import type { MessageName, PayloadOf, ReplyOf } from '../wire/messages.ts';
import { type CloseCode, closeCodeOf } from './close-reason.ts';
import type { Handlers, HandlersFor, RequestContext } from './handlers.ts';
import { turnAway } from './refusal.ts';
import { Session } from './session.ts';

/** Time for a joining node to redeem its token, ms: a person may be at the other end. */
const joinTimeoutMs = 30_000;

/** Nodes joining at once: anyone can be one, and a token is redeemed in well under a second. */
const joinersMax = 32;

/** Of these, from one host: a single one cannot keep all others out. */
const joinersPerHostMax = 4;

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

interface Visitor {
  readonly role: 'worker' | 'joiner';
  /** Said hello and was let in. */
  isKnown: boolean;
  /** Was told that it may not come in; the log knows. */
  isRefused: boolean;
}

/** Accepts workers. */
export class Acceptor {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #options: AcceptorOptions;
  readonly #peers = new Map<string, Peer>();
  /** All sessions, those of strangers and joiners too. */
  readonly #visitors = new Map<Session, Visitor>();

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
    try {
      if (stream.protocol === protocolNames.join) this.#acceptJoiner(stream);
      else this.#acceptWorker(stream, this.#options.identify(stream));
    } catch (error) {
      this.#log.log('warning', `${stream.remote} is refused: ${describeError(error)}`);
      turnAway({ clock: this.#clock, log: this.#log }, stream, error);
    }
  }

  /** Ends the session of a node, if there is one. */
  disconnect(node: string, code: CloseCode, reason: string): void {
    this.#peers.get(node)?.session.close(code, reason);
  }

  /** Ends the session of a node that does not answer, if there is one. Never rejects. */
  async endDead(node: string): Promise<void> {
    const peer = this.#peers.get(node);
    if (peer === undefined) return;
    const { session } = peer;
    const ask = (options: { readonly timeoutMs: number }) =>
      session.request('session.ping', {}, options);
    if (await isAlive(this.#clock, session, ask)) return;
    session.close('silent', `${node} does not answer, and its name is asked for`);
    if (this.#peers.get(node) === peer) this.#peers.delete(node);
  }

  /** Ends all sessions. */
  close(reason: string): void {
    for (const session of this.#visitors.keys()) session.close('shutdown', reason);
  }

  // --- strangers -----------------------------------------------------------------------------

  #acceptJoiner(stream: Stream): void {
    const joiners = [...this.#visitors]
      .filter(([, visitor]) => visitor.role === 'joiner')
      .map(([session]) => hostOf(session.remote));
    const here = joiners.filter((host) => host === hostOf(stream.remote));
    if (joiners.length >= joinersMax || here.length >= joinersPerHostMax) {
      throw new ClusterError('busy', 'Too many nodes are joining at once: try again later');
    }
    const handlers = this.#options.joinHandlers;
    const accepted = ['join.authority', 'join.redeem'] as const;
    const session = this.#session(stream, stream.remote, 'joiner', handlers, accepted);
    void this.#watch(session, 'joiner', joinTimeoutMs);
  }

  #acceptWorker(stream: Stream, identity: NodeIdentity): void {
    // A node dials one connection at a time: of two that have not said hello, the first is dead.
    for (const [session, visitor] of this.#visitors) {
      if (visitor.role === 'joiner' || visitor.isKnown || session.peer !== identity.node) continue;
      session.close('superseded', `A newer connection of ${identity.node} took over`);
    }
    const handlers: Handlers = {
      ...this.#options.handlers,
      'session.hello': (hello, context) => this.#welcome(identity, hello, context),
    };
    const session = this.#session(stream, identity.node, 'worker', handlers, ['session.hello']);
    void this.#watch(session, 'worker', this.#options.helloTimeoutMs);
  }

  #session(
    stream: Stream,
    peer: string,
    peerRole: Visitor['role'],
    handlers: Handlers,
    acceptedBeforeOpen: readonly MessageName[],
  ): Session {
    const ports = { clock: this.#clock, log: this.#log };
    return new Session({ stream, ...ports, peerRole, peer, handlers, acceptedBeforeOpen });
  }

  /** Waits for the end of a session; ends it where the peer does not become known in time. */
  async #watch(session: Session, role: Visitor['role'], timeoutMs: number): Promise<void> {
    const visitor: Visitor = { role, isKnown: false, isRefused: false };
    this.#visitors.set(session, visitor);
    this.#clock.sleep(timeoutMs, session.signal).then(
      () => {
        if (visitor.isKnown) return;
        const what = role === 'joiner' ? 'Not joined' : 'No hello';
        session.close('silent', `${what} within ${timeoutMs / 1000} s`);
      },
      () => {},
    );
    const reason = await session.closed;
    this.#visitors.delete(session);
    if (!visitor.isKnown) {
      const level = role === 'joiner' || visitor.isRefused ? 'debug' : 'info';
      this.#log.log(level, `${session.remote} left before it was known: ${reason.text}`);
      return;
    }
    const log = this.#log.child(`Worker ${session.peer}`);
    log.log(reason.code === 'finished' ? 'debug' : 'info', `Session ended: ${reason.text}`);
    if (this.#peers.get(session.peer)?.session === session) this.#peers.delete(session.peer);
  }

  // --- workers -------------------------------------------------------------------------------

  #welcome(
    identity: NodeIdentity,
    hello: PayloadOf<'session.hello'>,
    context: RequestContext,
  ): ReplyOf<'session.hello'> {
    const { session } = context;
    const visitor = this.#visitors.get(session);
    const nowMs = this.#clock.nowMs();
    try {
      if (visitor === undefined || visitor.isKnown) {
        throw new ProtocolError('unexpected', `${identity.node} says hello twice`);
      }
      const { reply, agreement } = answerHello(this.#options.self, identity, hello, nowMs);
      this.#makeRoom(identity.node);
      visitor.isKnown = true;
      this.#admit({ identity, agreement, session, connectedMs: nowMs });
      return reply;
    } catch (error) {
      if (visitor !== undefined) visitor.isRefused = true;
      this.#log.log('warning', `${session.remote} is refused: ${describeError(error)}`);
      session.close(closeCodeOf(error), describeError(error));
      throw error;
    }
  }

  #makeRoom(node: string): void {
    if (this.#peers.has(node) || this.#peers.size < this.#options.sessionsMax) return;
    throw new ClusterError(
      'busy',
      `The master has ${this.#peers.size} workers in session, the most it takes: ` +
        'raise master.sessions_max',
    );
  }

  #admit(peer: Peer): void {
    const { node } = peer.identity;
    const old = this.#peers.get(node);
    this.#peers.set(node, peer);
    peer.session.open(node);
    old?.session.close('superseded', `A newer session of ${node} took over`);
    this.#options.onPeer(peer);
  }
}

function hostOf(remote: string): string {
  return remote.slice(0, remote.lastIndexOf(':'));
}
