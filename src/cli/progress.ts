/**
 * Progress of long work, as one line on the terminal of standard error.
 */
import type { OnProgress, SyncProgress } from '../node/operations.ts';
import type { Clock } from '../ports.ts';
import { countText, sizeText, spanText } from './amounts.ts';
import type { Output } from './output.ts';
import { fitText } from './styled-text.ts';

const phaseNames: Readonly<Record<SyncProgress['phase'], string>> = {
  scanning: 'Scanning',
  comparing: 'Comparing',
  fetching: 'Fetching',
  removing: 'Removing',
};

/** Before so much time has passed, a rate says nothing about the time left. */
const rateAfterMs = 1000;

/**
 * One line about work that has been going on for so long: what is done of what there is to do, how
 * fast it goes and how long it will take. Of what does not fit the last part is left out first.
 */
export function renderProgress(
  progress: SyncProgress,
  elapsedMs: number,
  columns: number,
): string {
  const { phase, filesDone, filesTotal, bytesDone, bytesTotal } = progress;
  const parts = [phaseNames[phase]];
  if (filesTotal > 0) parts.push(`${countText(filesDone)} of ${countText(filesTotal)} files`);
  else if (filesDone > 0) parts.push(`${countText(filesDone)} files`);
  if (bytesTotal > 0) parts.push(`${sizeText(bytesDone)} of ${sizeText(bytesTotal)}`);
  if (elapsedMs >= rateAfterMs && bytesDone > 0) {
    const bytesPerMs = bytesDone / elapsedMs;
    parts.push(`${sizeText(bytesPerMs * 1000)}/s`);
    const leftMs = (bytesTotal - bytesDone) / bytesPerMs;
    if (leftMs > 0) parts.push(`${spanText(Math.ceil(leftMs / 1000) * 1000)} left`);
  }
  while (parts.length > 1 && parts.join('  ').length > columns) parts.pop();
  return fitText(parts.join('  '), columns);
}

/** The terminal is written to no more often than this: a person reads no faster. */
const refreshMs = 100;

/** One line on the terminal that is replaced again and again; nothing where nobody looks. */
export class TransientLine {
  readonly #output: Output;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #isShown: boolean;
  #lastMs = -Infinity;
  #isDirty = false;

  constructor(output: Output, clock: Pick<Clock, 'monotonicMs'>) {
    this.#output = output;
    this.#clock = clock;
    this.#isShown = output.canMove.stderr && !output.isQuiet;
  }

  /** Shows a text of at most so many columns, unless the last one was only just written. */
  show(textOf: (columns: number, nowMs: number) => string, isUrgent = false): void {
    if (!this.#isShown) return;
    const nowMs = this.#clock.monotonicMs();
    if (!isUrgent && nowMs - this.#lastMs < refreshMs) return;
    this.#lastMs = nowMs;
    this.#isDirty = true;
    // One column less: a full line would make some terminals go to the next.
    this.#output.statusLine(textOf(this.#output.messageColumns - 1, nowMs));
  }

  /** Clears the line for good, so that something else can be written. */
  end(): void {
    if (this.#isDirty) this.#output.statusLine('');
    this.#isShown = false;
    this.#isDirty = false;
  }
}

/** Shows progress as it comes. */
export class ProgressLine {
  readonly #line: TransientLine;
  #phase: SyncProgress['phase'] | undefined;
  #phaseStartMs = 0;

  constructor(output: Output, clock: Pick<Clock, 'monotonicMs'>) {
    this.#line = new TransientLine(output, clock);
  }

  /** To be called with every progress. */
  readonly onProgress: OnProgress = (progress) => {
    const isNewPhase = progress.phase !== this.#phase;
    this.#phase = progress.phase;
    this.#line.show((columns, nowMs) => {
      if (isNewPhase) this.#phaseStartMs = nowMs;
      return renderProgress(progress, nowMs - this.#phaseStartMs, columns);
    }, isNewPhase);
  };

  /** Clears the line for good, so that something else can be written. */
  end(): void {
    this.#line.end();
  }
}
