/**
 * The door of a master for workers of its own protocol: who belongs to the cluster, who of them is
 * in session, and what they said last.
 */
import { describeError } from '../base/errors.ts';
import { isoTime } from '../base/time-text.ts';
import type { Config } from '../config/config.ts';
import type { Generation } from '../files/generation.ts';
import type { OwnCertificate } from '../identity/issuing.ts';
import type { NodeRegistry } from '../identity/node-registry.ts';
import type { HashAlgorithm, Listener, NodeIdentity, Ports, Stream } from '../ports.ts';
import { Acceptor, type Peer } from '../session/acceptor.ts';
import type { HandlersFor } from '../session/handlers.ts';
import { Session } from '../session/session.ts';
import { Renewal, renewByAuthority } from '../tasks/certificates.ts';
import type { Announcer } from '../tasks/integrity/announcement.ts';
import type { compareHandlers } from '../tasks/integrity/compare.ts';
import type { transferHandlers } from '../tasks/integrity/transfer.ts';
import { keepAliveHandlers, SilenceSweep } from '../tasks/keep-alive.ts';
import type { Task } from '../tasks/task.ts';
import { announceFeature } from '../wire/handshake.ts';
import type { PayloadOf } from '../wire/messages.ts';
import type { NodesDocument, PeerDocument } from './documents.ts';
import type { MasterAgents } from './master-agents.ts';
import { Membership, type MembershipSetting } from './membership.ts';
import type { NodeFacts } from './node-facts.ts';

/** What a master has that is reached over its own protocol: an identity that it can show. */
export interface NativeSetting extends MembershipSetting, Pick<Ports, 'network'> {
  readonly own: OwnCertificate;
  /** @throws ClusterError('authentication') where the stream's other end may not come in */
  identify(stream: Stream, registry: NodeRegistry): NodeIdentity;
}

/** What the door takes of the master. */
export interface NativeDoorPorts extends Ports, NativeSetting {
  readonly agents: MasterAgents;
  /** A worker came in. */
  readonly onPeer: (node: string) => void;
}

/** What workers are answered about files. */
type ContentHandlers = ReturnType<typeof compareHandlers> & ReturnType<typeof transferHandlers>;

/** The door. */
export class NativeDoor {
  readonly membership: Membership;
  readonly #ports: NativeDoorPorts;
  readonly #config: Config;
  readonly #facts: NodeFacts;
  readonly #acceptor: Acceptor;
  readonly #announcer: Announcer;
  /** Number of the generation that workers are told of. */
  #publishedNumber = 0;
  readonly #reports = new Map<string, PayloadOf<'node.report'>>();
  #listener: Listener | undefined;

  constructor(
    ports: NativeDoorPorts,
    options: {
      readonly config: Config;
      readonly facts: NodeFacts;
      readonly algorithm: HashAlgorithm;
      readonly contents: ContentHandlers;
      readonly announcer: Announcer;
    },
  ) {
    const { config, facts, algorithm, contents, announcer } = options;
    this.#ports = ports;
    this.#config = config;
    this.#facts = facts;
    this.#announcer = announcer;
    const { identity, version, epoch } = facts;
    const { clock, log } = ports;
    this.membership = new Membership(ports, ports, identity);
    this.#acceptor = new Acceptor({ clock, log }, {
      self: { identity, version, epoch, algorithm },
      identify: (stream) => ports.identify(stream, this.membership.registry),
      handlers: this.#handlers(contents),
      joinHandlers: this.membership.joinHandlers({
        cluster: identity.cluster,
        master: identity.node,
        algorithm,
        sets: config.sets,
      }),
      sessionsMax: config.master.sessionsMax,
      helloTimeoutMs: config.master.handshakeTimeoutMs,
      onPeer: (peer) => this.#greet(peer),
    });
  }

  /** Workers in session, by name. */
  get peers(): ReadonlyMap<string, Peer> {
    return this.#acceptor.peers;
  }

  /** How far the clock of a worker in session is ahead, ms. */
  skewMs(node: string): number {
    return this.peers.get(node)?.agreement.skewMs ?? 0;
  }

  /** Begins to serve. */
  async open(): Promise<void> {
    const { network, log } = this.#ports;
    const accept = (stream: Stream): void => this.#acceptor.accept(stream);
    this.#listener = await network.listen(this.#config.master.listen, accept);
    log.log('info', `Serving on ${this.#listener.address}.`);
  }

  /** The recurring activities. */
  tasks(): readonly Task[] {
    const { own, issuer } = this.#ports;
    const { keepAlive, certificates } = this.#config;
    const sessions = () => [...this.peers.values()].map((peer) => peer.session);
    const renew = renewByAuthority(this.#ports, own, issuer, this.#facts.identity);
    return [
      new SilenceSweep(this.#ports, keepAlive, sessions),
      new Renewal(this.#ports, own, renew, certificates),
    ];
  }

  /**
   * Tells all workers of a generation: with what changed, where that is little, all but those that
   * cannot take it or have not even taken what was sent before.
   */
  published(generation: Generation): void {
    this.#publishedNumber = generation.number;
    const able: Session[] = [];
    const others: Session[] = [];
    for (const { session, agreement } of this.peers.values()) {
      const isAble = agreement.features.has(announceFeature) && session.isIdle;
      (isAble ? able : others).push(session);
    }
    tellNumber(others, generation);
    if (able.length > 0) void this.#announce(generation, able);
  }

  /** Ends the session of a worker that does not answer, if there is one. Never rejects. */
  endDead(node: string): Promise<void> {
    return this.#acceptor.endDead(node);
  }

  /** Ends all sessions. */
  async close(reason: string): Promise<void> {
    this.#acceptor.close(reason);
    await this.#listener?.close();
  }

  // --- what is told of the workers -----------------------------------------------------------

  /** End of the master's own certificate. */
  certificateExpires(): string {
    return isoTime(this.#ports.own.facts().notAfterMs);
  }

  /** The workers in session, for the status of the master, which has published this generation. */
  peerDocuments(generation: number | undefined): PeerDocument[] {
    const nowMs = this.#ports.clock.monotonicMs();
    return [...this.peers.values()].map((peer) =>
      peerDocument(peer, this.#reports.get(peer.identity.node), { generation, nowMs })
    );
  }

  /** The nodes that have joined. */
  nodes(): NodesDocument['nodes'] {
    return this.membership.list((name) => this.peers.has(name));
  }

  /** Expels a node and ends its session. */
  revoke(name: string): void {
    this.membership.revoke(name);
    this.#acceptor.disconnect(name, 'authentication', `The certificate of ${name} was revoked`);
  }

  // ---

  #handlers(contents: ContentHandlers): Omit<HandlersFor<'worker'>, 'session.hello'> {
    const { agents } = this.#ports;
    return {
      ...keepAliveHandlers,
      ...this.membership.handlers(),
      ...agents.handlers(),
      ...contents,
      'node.report': (report, context) => {
        this.#reports.set(context.peer, report);
        agents.groups.reported(context.peer);
        return {};
      },
    };
  }

  /** Never rejects. */
  async #announce(generation: Generation, sessions: readonly Session[]): Promise<void> {
    try {
      const announcement = await this.#announcer.make(generation);
      // Of a newer one they are told already.
      if (this.#publishedNumber !== generation.number) return;
      if (announcement === undefined) tellNumber(sessions, generation);
      else Session.eventToAll(sessions, 'integrity.announced', announcement);
    } catch (error) {
      // They ask for what changed.
      tellNumber(sessions, generation);
      this.#ports.log.log('error', `Cannot announce what changed: ${describeError(error)}`);
    }
  }

  #greet(peer: Peer): void {
    const { node } = peer.identity;
    this.#reports.delete(node);
    this.#ports.onPeer(node);
    this.#ports.agents.groups.serve(node, peer.session);
    const log = this.#ports.log.child(`Worker ${node}`);
    log.log('info', `Connected from ${peer.session.remote}, muster ${peer.agreement.version}.`);
    peer.session.closed.catch((error: unknown) => log.log('error', describeError(error)));
  }
}

function tellNumber(sessions: readonly Session[], { number }: Generation): void {
  Session.eventToAll(sessions, 'integrity.published', { generation: number });
}

function peerDocument(
  peer: Peer,
  report: PayloadOf<'node.report'> | undefined,
  now: { readonly generation: number | undefined; readonly nowMs: number },
): PeerDocument {
  const { bytesRead, bytesWritten } = peer.session.traffic;
  return {
    node: peer.identity.node,
    protocol: 'native',
    address: peer.session.remote,
    version: peer.agreement.version,
    connected_since: isoTime(peer.connectedMs),
    last_heard_ms_ago: Math.round(now.nowMs - peer.session.lastHeardMs),
    clock_skew_ms: Math.round(peer.agreement.skewMs),
    generation: report?.generation ?? null,
    // What was in step with an older generation is behind this one.
    in_sync: report === undefined ? null : report.isInSync && report.generation === now.generation,
    halted: report?.halted ?? [],
    bytes_received: bytesRead,
    bytes_sent: bytesWritten,
  };
}
