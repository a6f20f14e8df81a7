/**
 * Why a session ended: exactly one reason each, the same words at both ends.
 */
import { displayText } from '../base/bytes.ts';
import { ClusterError, type ErrorCode } from '../base/errors.ts';
import { record, text } from '../base/readers.ts';
import { decodePayload, encodePayload } from '../wire/codec.ts';
import { encodeFrame } from '../wire/frame.ts';

/** Longest text of a reason, characters: a sentence with names in it. */
const reasonTextMax = 1024;

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

/** A reason of ours, its text such that the peer will show the same. */
export function ourReason(code: CloseCode, reason: string): CloseReason {
  return { code, text: displayText(reason).slice(0, reasonTextMax), by: 'us' };
}

/** Tells the peer why. */
export function closeFrame(reason: CloseReason): Uint8Array {
  return encodeFrame('close', 0, 0, encodePayload({ code: reason.code, text: reason.text }));
}

const closeReader = record({ code: text(64), text: text(reasonTextMax) });

/** The peer's reason; a code that is not known here reads as `lost`. */
export function readClose(payload: Uint8Array): CloseReason {
  const said = closeReader(decodePayload(payload), 'close');
  const code = closeCodes.find((known) => known === said.code) ?? 'lost';
  return { code, text: displayText(said.text), by: 'peer' };
}

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
