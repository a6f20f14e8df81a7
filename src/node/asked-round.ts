/** A round of integrity that a command asks for, logged as the scheduler logs its own. */
import { describeError } from '../base/errors.ts';
import type { Clock, Logger } from '../ports.ts';
import type { RoundRequest } from '../tasks/integrity/integrity.ts';
import { reportOf, type RoundResult } from '../tasks/integrity/round-result.ts';
import { closingLine } from '../tasks/task.ts';

/** What a command asks for. */
export interface Asked extends Pick<RoundRequest, 'signal' | 'onProgress'> {
  readonly isDryRun: boolean;
  /** Somebody else logs how rounds begin and end. @default false */
  readonly isToldElsewhere?: boolean;
}

/** Runs a round, and gives its result and its time. A dry run logs only that it failed. */
export async function askedRound(
  ports: { readonly clock: Pick<Clock, 'monotonicMs'>; readonly log: Logger },
  { isToldElsewhere = false, ...asked }: Asked,
  synchronise: (request: RoundRequest) => Promise<RoundResult>,
): Promise<{ readonly result: RoundResult; readonly durationMs: number }> {
  const { clock, log } = ports;
  const startedMs = clock.monotonicMs();
  const onWork = () => {
    if (!isToldElsewhere) log.log('info', 'Starting.');
  };
  const round = synchronise({ ...asked, log, onWork });
  // The log tells how a round has ended, even if the command has gone meanwhile.
  round.catch((error: unknown) => {
    if (!asked.signal.aborted) log.log('error', describeError(error));
  });
  const result = await round;
  const durationMs = clock.monotonicMs() - startedMs;
  if (!asked.isDryRun && !isToldElsewhere) {
    const { level, text, facts } = closingLine(reportOf(result), durationMs);
    log.log(level, text, facts);
  }
  return { result, durationMs };
}
