/**
 * The closed set of things that go wrong, and the classes that carry them.
 *
 * A code says what kind of failure it is and decides what is done about it (retry, halt, exit
 * code); the message says what, where and what to do. Codes travel over the wire by name; a name
 * that is not known here reads as `failed`, so that a newer peer may add some.
 */

/** Every kind of failure. The comment says who acts on it. */
export const errorCodes = [
  'failed', // something went wrong that has no code of its own
  'aborted', // stopped on request; never logged as an error
  'timeout', // a deadline passed
  'unreachable', // no connection to the peer, or it was lost
  'protocol', // the peer broke the rules of the wire
  'authentication', // certificate, token or authority not accepted
  'incompatible', // no protocol version or feature in common
  'superseded', // a newer session of the same node took over
  'unknownMessage', // the peer does not know this request
  'busy', // too many requests at once; try again later
  'stale', // the generation asked for is no longer the latest
  'refused', // the peer may not do that
  'notFound', // a file, node or version does not exist
  'noSpace', // the disk is full
  'permission', // the operating system refused access
  'io', // any other failure of the disk
  'changed', // a file changed while it was read
  'corrupt', // content does not have the hash it should have
  'halted', // a guard stopped the change
  'locked', // another instance holds the state directory
  'configuration', // the configuration is not valid
  'hook', // a validation or reload command failed
] as const;

/** The kind of a failure. */
export type ErrorCode = (typeof errorCodes)[number];

const knownCodes: ReadonlySet<string> = new Set(errorCodes);

/** The code that a peer named, or `failed` where it is none of ours. */
export function readErrorCode(value: unknown): ErrorCode {
  return typeof value === 'string' && knownCodes.has(value) ? value as ErrorCode : 'failed';
}

/** What more is known about a failure. */
export interface ErrorFacts {
  /** The error that led to this one, shown after the message. */
  readonly cause?: unknown;
  /** The system's own error, which the message puts into words: for programs, not shown. */
  readonly source?: unknown;
  /** What the user can do about it: a sentence, shown after the message. */
  readonly remedy?: string | undefined;
}

/** A failure with a code: the base of all that muster throws on purpose. */
export class ClusterError extends Error {
  readonly code: ErrorCode;
  readonly remedy: string | undefined;
  readonly source: unknown;

  constructor(code: ErrorCode, message: string, facts: ErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.name = 'ClusterError';
    this.code = code;
    this.remedy = facts.remedy;
    this.source = facts.source;
  }
}

/** How a peer can break the wire protocol. */
export type ProtocolFault =
  | 'frameTooLarge'
  | 'unknownKind'
  | 'malformed'
  | 'wrongDirection'
  | 'notEstablished'
  | 'unexpected'
  | 'windowExceeded'
  | 'tooManyRequests';

/** The peer broke the protocol: the session ends, the peer is named in the log. */
export class ProtocolError extends ClusterError {
  readonly fault: ProtocolFault;

  constructor(fault: ProtocolFault, message: string, facts: ErrorFacts = {}) {
    super('protocol', message, facts);
    this.name = 'ProtocolError';
    this.fault = fault;
  }
}

/** The peer reported that it could not do what it was asked. */
export class RemoteError extends ClusterError {
  constructor(code: ErrorCode, message: string) {
    super(code, message);
    this.name = 'RemoteError';
  }
}

/** Something stands at a path at which nothing was expected. */
export class OccupiedError extends ClusterError {
  constructor(message: string) {
    super('changed', message);
    this.name = 'OccupiedError';
  }
}

/** The code of anything thrown. */
export function codeOf(error: unknown): ErrorCode {
  if (error instanceof ClusterError) return error.code;
  if (error instanceof Error && error.name === 'AbortError') return 'aborted';
  return 'failed';
}

/**
 * The message of anything thrown without the path that it is about, for lists that name the path
 * themselves: `permission denied` of `Cannot read "etc/a": permission denied`.
 */
export function reasonFor(shownPath: string, error: unknown): string {
  const text = describeError(error);
  const named = `"${shownPath}": `;
  const at = text.indexOf(named);
  return text.startsWith('Cannot ') && at >= 0 ? text.slice(at + named.length) : text;
}

/** The message of anything thrown, followed by those of its causes. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause;
  if (cause instanceof Error && !error.message.includes(cause.message)) {
    return `${error.message}: ${describeError(cause)}`;
  }
  return error.message;
}

/** Throws where a condition that the program itself must keep does not hold. */
export function invariant(condition: unknown, text: string): asserts condition {
  if (!condition) throw new Error(`Invariant broken: ${text}`);
}
