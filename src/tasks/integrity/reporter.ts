/**
 * Telling the master how a worker is doing, for its status.
 *
 * No round waits for that, and it waits a moment itself: of many workers that put the same change in
 * place, none has its report answered while another one still needs the master, and of several
 * rounds in a row the last is told.
 */
import type { Clock } from '../../ports.ts';
import type { Session } from '../../session/session.ts';
import type { PayloadOf } from '../../wire/messages.ts';

/** How a worker is, but for how long its round took. */
export type NodeReport = Omit<PayloadOf<'node.report'>, 'roundMs'>;

/** How long a report waits for the next one, ms: less than people notice. */
const lingerMs = 100;

/** Tells the master, in each session what it does not know yet. */
export class Reporter {
  readonly #clock: Clock;
  readonly #session: () => Session | undefined;
  #latest: PayloadOf<'node.report'> | undefined;
  /** What the master was told last, in which session. */
  #told: { readonly session: Session; readonly state: string } | undefined;
  #isTelling = false;

  constructor(clock: Clock, session: () => Session | undefined) {
    this.#clock = clock;
    this.#session = session;
  }

  /** Tells this soon, unless it is what was told last. A report that is lost is told with the next. */
  report(report: NodeReport, roundMs: number): void {
    this.#latest = { ...report, roundMs };
    const session = this.#session();
    if (session === undefined || this.#isTelling || this.#isKnown(session, report)) return;
    this.#isTelling = true;
    this.#tell(session).catch(() => {}).finally(() => {
      this.#isTelling = false;
    });
  }

  async #tell(session: Session): Promise<void> {
    while (this.#latest !== undefined && !this.#isKnown(session, this.#latest)) {
      await this.#clock.sleep(lingerMs, session.signal);
      const report = this.#latest;
      await session.request('node.report', report);
      this.#told = { session, state: stateOf(report) };
    }
  }

  #isKnown(session: Session, report: NodeReport): boolean {
    return this.#told?.session === session && this.#told.state === stateOf(report);
  }
}

function stateOf({ generation, isInSync, halted, filesCount }: NodeReport): string {
  return JSON.stringify([generation, isInSync, halted, filesCount]);
}
