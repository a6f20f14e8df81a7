/**
 * THE table of exit codes. They are promises: scripts depend on them.
 */
import type { ErrorCode } from '../base/errors.ts';

/** What the program says by its exit code. A signal N gives 128 + N. */
export const exitCodes = {
  /** Done, in sync. */
  done: 0,
  failure: 1,
  /** The command line is wrong. */
  usage: 2,
  configuration: 3,
  /** There are differences; nothing was changed. */
  different: 4,
  /** Some of it could not be done. */
  partly: 5,
  /** A guard has halted a set. */
  halted: 6,
  /** Peer unreachable, or too late. */
  unreachable: 7,
  /** Certificate, token or authority not accepted. */
  authentication: 8,
  /** The peer speaks another language. */
  incompatible: 9,
  /** Another instance holds the state directory. */
  locked: 10,
} as const;

/** An exit code, signals aside. */
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** What each exit code means, for the help text and the documentation. */
export const exitCodeMeanings: Readonly<Record<ExitCode, string>> = {
  0: 'done, or in sync',
  1: 'failure',
  2: 'wrong usage',
  3: 'configuration not valid',
  4: 'differences found',
  5: 'partly done',
  6: 'halted by a guard',
  7: 'peer unreachable or too late',
  8: 'authentication or TLS failed',
  9: 'peer not compatible',
  10: 'another instance is running',
};

/** The exit code of every kind of failure. */
const byErrorCode: Readonly<Record<ErrorCode, ExitCode>> = {
  failed: exitCodes.failure,
  aborted: exitCodes.failure,
  timeout: exitCodes.unreachable,
  unreachable: exitCodes.unreachable,
  // Two ends that do not agree on the rules are most often two versions.
  protocol: exitCodes.incompatible,
  authentication: exitCodes.authentication,
  incompatible: exitCodes.incompatible,
  // The connection is gone, to a newer session of the same node.
  superseded: exitCodes.unreachable,
  unknownMessage: exitCodes.incompatible,
  // Too late for now, not wrong: worth another try, like an unreachable peer.
  busy: exitCodes.unreachable,
  stale: exitCodes.failure,
  refused: exitCodes.failure,
  notFound: exitCodes.failure,
  noSpace: exitCodes.failure,
  permission: exitCodes.failure,
  io: exitCodes.failure,
  changed: exitCodes.failure,
  corrupt: exitCodes.failure,
  halted: exitCodes.halted,
  locked: exitCodes.locked,
  configuration: exitCodes.configuration,
  hook: exitCodes.failure,
};

/** The exit code of a failure. */
export function exitCodeOf(code: ErrorCode): ExitCode {
  return byErrorCode[code];
}

/** What can be said of work that was done. */
export interface Outcome {
  /** Some set is halted. */
  readonly isHalted: boolean;
  /** Some of it could not be done. */
  readonly hasProblems: boolean;
  /** There are differences that were only looked for. */
  readonly isDifferent?: boolean;
}

/** The exit code of work that was done; the worst that holds counts. */
export function outcomeExitCode(outcome: Outcome): ExitCode {
  if (outcome.isHalted) return exitCodes.halted;
  if (outcome.hasProblems) return exitCodes.partly;
  return outcome.isDifferent === true ? exitCodes.different : exitCodes.done;
}
