/**
 * The worker's way to the master: connects, says hello, keeps trying.
 *
 * Addresses are tried in turn and resolved anew at each attempt. Pauses between attempts grow up
 * to a cap and are jittered, so that a restarted master is not stormed by all workers at once; a
 * session that lasted resets them.
 */
import { Latest, onAbort, withDeadline } from '../base/async.ts';
import { ClusterError, codeOf, describeError } from '../base/errors.ts';
import { retryPauseMs } from '../base/retry-pause.ts';
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

/** A session that lasted this long shows that the way is good: pauses start small again. */
const lastingMs = 10_000;

/** The connection to the master as it is now. */
export interface MasterLink {
  readonly session: Session;
  readonly agreement: Agreement;
  /** Wall clock, ms since 1970. */
  readonly connectedMs: number;
}

/** What the dialer is given. */
export interface DialerOptions {
  readonly self: SelfDescription;
  /** Addresses of the master, `host:port`; tried in turn. */
  readonly addresses: readonly string[];
  /** Shortest and longest pause between attempts, ms. */
  readonly pauseMinMs: number;
  readonly pauseMaxMs: number;
  /** Time for connecting and for the hello, ms. */
  readonly connectTimeoutMs: number;
  /** @throws ClusterError('authentication') where the stream's other end is not our master */
  readonly identify: (stream: Stream) => void;
  /** Answers to the master. */
  readonly handlers: HandlersFor<'master'>;
}

/** Connects to the master and keeps the connection. */
export class Dialer {
  readonly #ports: { clock: Clock; log: Logger; network: Network; random: Random };
  readonly #options: DialerOptions;
  /** The link to the master, undefined while there is none. */
  readonly link = new Latest<MasterLink | undefined>(undefined);
  #lastError: Error | undefined;
  #connectionsCount = 0;
  #next = 0;

  constructor(
    ports: { clock: Clock; log: Logger; network: Network; random: Random },
    options: DialerOptions,
  ) {
    this.#ports = ports;
    this.#options = options;
  }

  /** Why there is no connection; undefined while there is one. */
  get lastError(): Error | undefined {
    return this.link.value === undefined ? this.#lastError : undefined;
  }

  /** Sessions that were opened. */
  get connectionsCount(): number {
    return this.#connectionsCount;
  }

  /** Keeps a session until the signal is aborted. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#ports;
    let attempt = 0;
    while (!signal.aborted) {
      let connectedMs = Infinity;
      let isFarewell = false;
      try {
        const { session, agreement } = await this.connect(signal);
        connectedMs = clock.monotonicMs();
        log.log('info', `Connected to ${agreement.node} at ${session.remote}.`);
        const release = onAbort(signal, () => session.close('shutdown', 'The worker stops'));
        const reason = await session.closed;
        release();
        isFarewell = reason.code === 'shutdown' && reason.by === 'peer';
        throw closeError(reason);
      } catch (error) {
        this.#disconnected(error as Error);
        if (signal.aborted) return;
        // A master that is stopped in order is no failure; that it is not there afterwards is.
        if (isFarewell) {
          log.log('info', `${describeError(error)}; connecting again until it is back.`);
        } else log.log('error', `Not connected to the master: ${describeError(error)}`);
        attempt = clock.monotonicMs() - connectedMs > lastingMs ? 1 : attempt + 1;
        await clock.sleep(this.#pauseAfter(error, attempt), signal).catch(() => {});
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
      this.#connectionsCount += 1;
      this.link.publish(link);
      return link;
    } catch (error) {
      session.close(closeCodeOf(error), describeError(error));
      throw error;
    }
  }

  // --- internals -----------------------------------------------------------------------------

  #disconnected(error: Error): void {
    this.#lastError = error;
    if (this.link.value !== undefined) this.link.publish(undefined);
  }

  #pauseAfter(error: unknown, attempt: number): number {
    const { pauseMinMs, pauseMaxMs } = this.#options;
    // A rival with our own identity: whoever comes back first wins, so neither should hurry.
    if (codeOf(error) === 'superseded') return pauseMaxMs;
    return retryPauseMs(attempt, pauseMinMs, pauseMaxMs, this.#ports.random.float());
  }

  /** A session with the next address, its other end known to be our master (`#judge`). */
  async #open(signal: AbortSignal): Promise<Session> {
    const { clock, log } = this.#ports;
    const address = this.#nextAddress();
    const stream = await this.#connect(address, signal);
    const peer = `the master at ${address}`;
    const handlers: Handlers = this.#options.handlers;
    const who = { peerRole: 'master', peer, handlers, acceptedBeforeOpen: [] } as const;
    const session = new Session({ stream, clock, log, ...who });
    // The certificate has shown who this is, and the master may speak as soon as it has answered.
    session.open(peer);
    return session;
  }

  async #connect(address: string, signal: AbortSignal): Promise<Stream> {
    const { clock, network } = this.#ports;
    const { connectTimeoutMs } = this.#options;
    const what = `Connecting to the master at ${address}`;
    let opened: Stream | undefined;
    try {
      return await withDeadline(clock, connectTimeoutMs, what, signal, async (inner) => {
        opened = await network.connect(address, {
          protocols: [protocolNames.session],
          trust: 'cluster',
          judge: this.#judge,
          signal: inner,
        });
        // Too late: nobody waits for it any more.
        if (inner.aborted) opened.abort();
        return opened;
      });
    } catch (error) {
      opened?.abort();
      throw error;
    }
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

  #nextAddress(): string {
    const { addresses } = this.#options;
    const address = addresses[this.#next % addresses.length];
    if (address === undefined) {
      throw new ClusterError('configuration', 'No address of the master is configured', {
        remedy: 'Set worker.master to HOST:PORT',
      });
    }
    this.#next += 1;
    return address;
  }
}
