/**
 * Why a session ended: exactly one reason each, the same words at both ends.
 */
import { ClusterError, type ErrorCode } from '../base/errors.ts';
import { oneOf, type Reader, record, text } from '../wire/readers.ts';

/** The kinds of ends. */
export const closeCodes = [
  'finished', // the work was done
  'shutdown', // the node stops
  'superseded', // a newer session of the same node took over
  'silent', // nothing was heard for too long
  'protocol', // the peer broke the protocol
  'authentication', // certificate not accepted, or revoked
  'incompatible', // nothing in common
  'overloaded', // too many sessions
  'lost', // the connection broke
] as const;

export type CloseCode = (typeof closeCodes)[number];

/** Why and by whom a session was ended. */
export interface CloseReason {
  readonly code: CloseCode;
  /** A sentence for people. */
  readonly text: string;
  readonly by: 'us' | 'peer' | 'network';
}

/** What a close frame carries. */
export const readClose: Reader<{ readonly code: CloseCode; readonly text: string }> = record({
  code: oneOf(...closeCodes),
  text: text(1024),
});

const errorByClose: Readonly<Record<CloseCode, ErrorCode>> = {
  finished: 'unreachable',
  shutdown: 'unreachable',
  superseded: 'superseded',
  silent: 'unreachable',
  protocol: 'protocol',
  authentication: 'authentication',
  incompatible: 'incompatible',
  overloaded: 'busy',
  lost: 'unreachable',
};

/** The error with which everything that waited on the session ends. */
export function closeError(reason: CloseReason): ClusterError {
  return new ClusterError(errorByClose[reason.code], reason.text);
}

/** Which close code tells the peer about an error of ours. */
export function closeCodeOf(error: unknown): CloseCode {
  if (!(error instanceof ClusterError)) return 'lost';
  switch (error.code) {
    case 'protocol':
    case 'authentication':
    case 'incompatible':
    case 'superseded':
      return error.code;
    case 'busy':
      return 'overloaded';
    case 'timeout':
      return 'silent';
    case 'aborted':
      return 'shutdown';
    default:
      return 'lost';
  }
}
