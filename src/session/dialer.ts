/**
 * The worker's way to the master: connects, says hello, keeps trying.
 *
 * Addresses are tried in turn and resolved anew at each attempt. Pauses between attempts grow up
 * to a cap and are jittered, so that a restarted master is not stormed by all workers at once; a
 * session that lasted resets them.
 */
import { Latest, throwIfAborted, withDeadline } from '../base/async.ts';
import { ClusterError, codeOf, describeError } from '../base/errors.ts';
import type { Clock, Logger, Network, Random, Stream } from '../ports.ts';
import {
  type Agreement,
  helloOf,
  protocolNames,
  readHelloReply,
  type SelfDescription,
} from '../wire/handshake.ts';
import { closeError } from './close-reason.ts';
import type { Handlers, HandlersFor } from './handlers.ts';
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

/**
 * The pause before attempt number `attempt` (1 for the first repetition): doubling from the
 * minimum up to the maximum, of which a random half to whole is taken.
 */
export function pauseMs(attempt: number, minMs: number, maxMs: number, chance: number): number {
  const whole = Math.min(maxMs, minMs * 2 ** Math.min(attempt - 1, 30));
  return whole * (0.5 + chance / 2);
}

/** Connects to the master and keeps the connection. */
export class Dialer {
  readonly #ports: { clock: Clock; log: Logger; network: Network; random: Random };
  readonly #options: DialerOptions;
  /** The link to the master, undefined while there is none. */
  readonly link = new Latest<MasterLink | undefined>(undefined);
  #lastError: Error | undefined;
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

  /** Keeps a session until the signal is aborted. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, random } = this.#ports;
    const { pauseMinMs, pauseMaxMs } = this.#options;
    let attempt = 0;
    while (!signal.aborted) {
      const startedMs = clock.monotonicMs();
      try {
        const link = await this.connect(signal);
        log.log('info', `Connected to ${link.agreement.node} at ${link.session.remote}.`);
        const stop = () => link.session.close('shutdown', 'The worker stops');
        signal.addEventListener('abort', stop, { once: true });
        const reason = await link.session.closed;
        signal.removeEventListener('abort', stop);
        throw closeError(reason);
      } catch (error) {
        this.#lastError = error as Error;
        this.link.publish(undefined);
        if (signal.aborted) return;
        attempt = clock.monotonicMs() - startedMs > lastingMs ? 1 : attempt + 1;
        // A rival with our own identity: whoever comes back first wins, so neither should hurry.
        const isRival = codeOf(error) === 'superseded';
        const ms = isRival ? pauseMaxMs : pauseMs(attempt, pauseMinMs, pauseMaxMs, random.float());
        log.log('error', `Not connected to the master: ${describeError(error)}`);
        await clock.sleep(ms, signal).catch(() => {});
      }
    }
  }

  /** Connects once and says hello. The link is published before this resolves. */
  async connect(signal: AbortSignal): Promise<MasterLink> {
    const { clock } = this.#ports;
    const { connectTimeoutMs, self } = this.#options;
    const what = 'Connecting to the master';
    const { stream, address } = await withDeadline(clock, connectTimeoutMs, what, signal, (inner) =>
      this.#open(inner));
    throwIfAborted(signal);
    const session = this.#session(stream, address);
    // The certificate has shown who this is, and the master may speak as soon as it has answered.
    session.open(`the master at ${address}`);
    try {
      const reply = await session.request(
        'session.hello',
        helloOf(self, clock.nowMs()),
        { timeoutMs: connectTimeoutMs, signal },
      );
      const agreement = readHelloReply(reply, clock.nowMs());
      session.open(agreement.node);
      const link = { session, agreement, connectedMs: clock.nowMs() };
      this.link.publish(link);
      return link;
    } catch (error) {
      session.close('incompatible', describeError(error));
      throw error;
    }
  }

  async #open(signal: AbortSignal): Promise<{ stream: Stream; address: string }> {
    const { addresses, identify } = this.#options;
    const address = addresses[this.#next % addresses.length];
    if (address === undefined) {
      throw new ClusterError('configuration', 'No address of the master is configured', {
        remedy: 'Set worker.master to HOST:PORT',
      });
    }
    this.#next += 1;
    const stream = await this.#ports.network.connect(address, {
      protocols: [protocolNames.session],
      trust: 'cluster',
      signal,
    });
    if (signal.aborted) {
      stream.abort();
      throwIfAborted(signal);
    }
    try {
      identify(stream);
    } catch (error) {
      stream.abort();
      throw error;
    }
    return { stream, address };
  }

  #session(stream: Stream, address: string): Session {
    const handlers: Handlers = this.#options.handlers;
    return new Session({
      stream,
      clock: this.#ports.clock,
      log: this.#ports.log,
      peerRole: 'master',
      peer: `the master at ${address}`,
      handlers,
      acceptedBeforeOpen: [],
    });
  }
}
