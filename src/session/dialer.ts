/**
 * The worker's way to the master: connects, says hello, keeps trying.
 *
 * Addresses are tried in turn and resolved anew at each attempt. Pauses between attempts grow up
 * to a cap and are jittered, so that a restarted master is not stormed by all workers at once; a
 * session that lasted resets them.
 */
import { onAbort } from '../base/async.ts';
import { codeOf, describeError } from '../base/errors.ts';
import { KeptLink, type KeptLinkOptions } from '../base/kept-link.ts';
import type { Clock, Logger, Network, Random, Stream } from '../ports.ts';
import {
  type Agreement,
  helloOf,
  protocolNames,
  readHelloReply,
  type SelfDescription,
} from '../wire/handshake.ts';
import { closeCodeOf, closeError } from './close-reason.ts';
import type { Handlers, HandlersFor } from './handlers.ts';
import { turnAway } from './refusal.ts';
import { Session } from './session.ts';

/** The connection to the master as it is now. */
export interface MasterLink {
  readonly session: Session;
  readonly agreement: Agreement;
  /** Wall clock, ms since 1970. */
  readonly connectedMs: number;
}

/** What the dialer is given. */
export interface DialerOptions extends KeptLinkOptions {
  readonly self: SelfDescription;
  /** @throws ClusterError('authentication') where the stream's other end is not our master */
  readonly identify: (stream: Stream) => void;
  /** Answers to the master. */
  readonly handlers: HandlersFor<'master'>;
}

/** What dialling needs. */
export interface DialerPorts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly network: Network;
  readonly random: Random;
}

/** Connects to the master and keeps the connection. */
export class Dialer extends KeptLink<MasterLink> {
  readonly #ports: DialerPorts;
  readonly #options: DialerOptions;

  constructor(ports: DialerPorts, options: DialerOptions) {
    super(ports, options, 'worker.master');
    this.#ports = ports;
    this.#options = options;
  }

  /** Keeps a session until the signal is aborted. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const { log } = this.#ports;
    while (!signal.aborted) {
      let isFarewell = false;
      try {
        const { session, agreement } = await this.connect(signal);
        log.log('info', `Connected to ${agreement.node} at ${session.remote}.`);
        const release = onAbort(signal, () => session.close('shutdown', 'The worker stops'));
        const reason = await session.closed;
        release();
        isFarewell = reason.code === 'shutdown' && reason.by === 'peer';
        throw closeError(reason);
      } catch (error) {
        this.disconnected(error as Error);
        if (signal.aborted) return;
        // A master that is stopped in order is no failure; that it is not there afterwards is.
        if (isFarewell) {
          log.log('info', `${describeError(error)}; connecting again until it is back.`);
        } else log.log('error', `Not connected to the master: ${describeError(error)}`);
        // A rival with our own identity: whoever comes back first wins, so neither should hurry.
        await this.pause(codeOf(error) === 'superseded', signal);
      }
    }
  }

  /** Connects once and says hello. The link is published before this resolves. */
  async connect(signal: AbortSignal): Promise<MasterLink> {
    const { clock } = this.#ports;
    const { connectTimeoutMs, self } = this.#options;
    const session = await this.#open(signal);
    try {
      const hello = helloOf(self, clock.nowMs());
      const options = { timeoutMs: connectTimeoutMs, signal };
      const reply = await session.request('session.hello', hello, options);
      const agreement = readHelloReply(reply, clock.nowMs());
      session.open(agreement.node);
      const link = { session, agreement, connectedMs: clock.nowMs() };
      this.connected(link);
      return link;
    } catch (error) {
      session.close(closeCodeOf(error), describeError(error));
      throw error;
    }
  }

  protected release({ session }: MasterLink): void {
    session.close('finished', 'The command is done');
  }

  // --- internals -----------------------------------------------------------------------------

  /** A session with the next address, its other end known to be our master (`#judge`). */
  async #open(signal: AbortSignal): Promise<Session> {
    const { clock, log } = this.#ports;
    const address = this.nextAddress();
    const stream = await this.#openStream(address, signal);
    const peer = `the master at ${address}`;
    const handlers: Handlers = this.#options.handlers;
    const who = { peerRole: 'master', peer, handlers, acceptedBeforeOpen: [] } as const;
    const session = new Session({ stream, clock, log, ...who });
    // The certificate has shown who this is, and the master may speak as soon as it has answered.
    session.open(peer);
    return session;
  }

  #openStream(address: string, signal: AbortSignal): Promise<Stream> {
    const { network } = this.#ports;
    const { session } = protocolNames;
    return this.openWithin(address, signal, (inner) =>
      network.connect(address, {
        protocols: [session],
        trust: 'cluster',
        judge: this.#judge,
        signal: inner,
      }));
  }

  /** One address of several may lead to a stranger: it is told so, and the next one is tried. */
  readonly #judge = (stream: Stream): void => {
    try {
      this.#options.identify(stream);
    } catch (error) {
      turnAway(this.#ports, stream, error);
      throw error;
    }
  };
}
