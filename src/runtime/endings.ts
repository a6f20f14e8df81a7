/**
 * How the process ends: by itself, by a signal, by a bug.
 *
 * Ending cuts off what a pipe has not taken yet, so that whoever ends the process here waits for
 * that first, but not for a reader that has stopped reading.
 */
import { constants } from 'node:os';
import process from 'node:process';
import { systemClock } from './clock.ts';
import { standardError, standardOutput } from './standard-streams.ts';

/** Exit code after a bug: EX_SOFTWARE of sysexits.h. */
export const CRASH_EXIT_CODE = 70;

/** How long a reader may take for the last output before the process ends anyway, ms. */
const FLUSH_MS = 2000;

/** A signal, by name and number. */
export interface ReceivedSignal {
  readonly name: string;
  readonly number: number;
}

/** The code to end with, once decided: whoever comes first. */
let decidedExitCode: number | undefined;

/** Ends the process as soon as its output has left, or its reader had two seconds to take it. */
export async function endProcess(exitCode: number): Promise<never> {
  decidedExitCode ??= exitCode;
  process.exitCode = decidedExitCode;
  const flushed = Promise.all([standardOutput.flushed(), standardError.flushed()]);
  await Promise.race([flushed, systemClock.sleep(FLUSH_MS)]);
  process.exit(decidedExitCode);
}

/** Calls the handler at every signal of that name, instead of what it would do. */
export function onSignal(name: NodeJS.Signals, handler: () => void): () => void {
  const listener = (): void => handler();
  process.on(name, listener);
  return () => process.off(name, listener);
}

/**
 * Calls the listener at every SIGINT and SIGTERM, instead of what they would do. The second one
 * ends the process besides, with 128 + the number of the first.
 */
export function onStopSignal(listener: (signal: ReceivedSignal) => void): () => void {
  let first: ReceivedSignal | undefined;
  const receive = (name: 'SIGINT' | 'SIGTERM') => (): void => {
    const signal = { name, number: constants.signals[name] };
    const isSecond = first !== undefined;
    first ??= signal;
    listener(signal);
    if (isSecond) void endProcess(128 + first.number);
  };
  const removals = [
    onSignal('SIGINT', receive('SIGINT')),
    onSignal('SIGTERM', receive('SIGTERM')),
  ];
  return () => removals.forEach((remove) => remove());
}

/**
 * Reports an error that nobody handled, and ends the process with code 70. A crash while it is
 * being reported ends it at once.
 */
export function onCrash(report: (error: Error) => void): void {
  let hasCrashed = false;
  const crash = (thrown: unknown): void => {
    if (hasCrashed) process.exit(CRASH_EXIT_CODE);
    hasCrashed = true;
    report(thrown instanceof Error ? thrown : new Error(String(thrown)));
    void endProcess(CRASH_EXIT_CODE);
  };
  process.on('uncaughtException', crash);
  // bun does not pass these on to the other event.
  process.on('unhandledRejection', crash);
}
