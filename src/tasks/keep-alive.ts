/**
 * keep-alive: proves at both ends that the permanent connection is alive.
 *
 * Started by the worker at intervals (60 s unless configured): a ping, its round trip measured;
 * after so many misses in a row the worker ends the session and dials anew. The master ends
 * sessions of which nothing has been heard for too long. At both ends any traffic counts, so that a
 * long transfer over a slow line is never cut for lack of pings. A ping waits for at most one chunk
 * of bulk data.
 */
import { codeOf, describeError } from '../base/errors.ts';
import type { Clock, Logger } from '../ports.ts';
import type { HandlersFor } from '../session/handlers.ts';
import type { Session } from '../session/session.ts';
import type { RoundReport, Task, Turn } from './task.ts';

/** Settings of keep-alive. */
export interface KeepAliveOptions {
  /** Pause between pings, ms. @default 60,000 */
  readonly intervalMs: number;
  /** Pings lost in a row before the worker gives the session up. @default 2 */
  readonly missesMax: number;
  /** Silence after which the master gives a session up, ms. @default 120,000 */
  readonly silenceMaxMs: number;
}

/** What the last pings found. */
export interface KeepAliveState {
  /** Round trip of the last ping, ms; undefined before the first. */
  readonly roundTripMs: number | undefined;
  readonly missesInARow: number;
}

/** A ping is lost after this long, or the interval if that is shorter, ms. */
const pingTimeoutMs = 20_000;

/** The worker's end: pings the session that it is given. */
export class KeepAlive implements Task {
  readonly name = 'keep-alive';
  readonly title = 'Keep Alive';
  readonly schedule;
  readonly #clock: Clock;
  readonly #options: KeepAliveOptions;
  readonly #session: () => Session | undefined;
  #pinged: Session | undefined;
  #roundTripMs: number | undefined;
  #missesInARow = 0;

  /** @param session the session with the master, undefined while there is none */
  constructor(
    ports: { readonly clock: Clock },
    options: KeepAliveOptions,
    session: () => Session | undefined,
  ) {
    this.#clock = ports.clock;
    this.#options = options;
    this.#session = session;
    const { intervalMs } = options;
    this.schedule = { intervalMs, deadlineMs: Math.min(pingTimeoutMs, intervalMs) * 2 };
  }

  /** What the last pings found. */
  get state(): KeepAliveState {
    return { roundTripMs: this.#roundTripMs, missesInARow: this.#missesInARow };
  }

  async round(turn: Turn): Promise<RoundReport> {
    const session = this.#session();
    if (session === undefined) return { summary: undefined };
    if (session !== this.#pinged) this.#missesInARow = 0;
    this.#pinged = session;
    const startedMs = this.#clock.monotonicMs();
    try {
      const timeoutMs = Math.min(pingTimeoutMs, this.#options.intervalMs);
      await session.request('session.ping', {}, { signal: turn.signal, timeoutMs });
      this.#roundTripMs = this.#clock.monotonicMs() - startedMs;
      this.#missesInARow = 0;
      turn.log.log('debug', `Answer from the master after ${this.#roundTripMs.toFixed(1)} ms.`);
    } catch (error) {
      if (codeOf(error) !== 'timeout') return { summary: undefined };
      if (session.lastHeardMs > startedMs) this.#missesInARow = 0;
      else this.#missed(session, turn.log, describeError(error));
    }
    return { summary: undefined };
  }

  #missed(session: Session, log: Logger, text: string): void {
    this.#missesInARow += 1;
    const { missesMax } = this.#options;
    log.log('warning', `${text} (${this.#missesInARow} of ${missesMax}).`);
    if (this.#missesInARow < missesMax) return;
    session.close('silent', `${this.#missesInARow} keep-alives in a row were not answered`);
  }
}

/** Either end's answer to a ping. */
export const keepAliveHandlers: Pick<HandlersFor<'both'>, 'session.ping'> = {
  'session.ping': () => ({}),
};

/** The master's end: gives up sessions of which nothing has been heard for too long. */
export class SilenceSweep implements Task {
  readonly name = 'keep-alive';
  readonly title = 'Keep alive';
  readonly schedule;
  readonly #clock: Clock;
  readonly #silenceMaxMs: number;
  readonly #sessions: () => Iterable<Session>;

  constructor(
    ports: { readonly clock: Clock },
    options: KeepAliveOptions,
    sessions: () => Iterable<Session>,
  ) {
    this.#clock = ports.clock;
    this.#silenceMaxMs = options.silenceMaxMs;
    this.#sessions = sessions;
    // A quarter of the limit: a silent peer is dropped at most that much late.
    this.schedule = { intervalMs: options.silenceMaxMs / 4, deadlineMs: options.silenceMaxMs };
  }

  round(turn: Turn): Promise<RoundReport> {
    const nowMs = this.#clock.monotonicMs();
    for (const session of this.#sessions()) {
      const silentMs = nowMs - session.lastHeardMs;
      if (silentMs <= this.#silenceMaxMs) continue;
      const text = `Nothing heard from ${session.peer} for ${Math.round(silentMs / 1000)} s`;
      turn.log.log('warning', `${text}: the session is ended.`);
      session.close('silent', text);
    }
    return Promise.resolve({ summary: undefined });
  }
}
