/**
 * Turning a peer away before there is a session: one close frame that says why, then the end.
 */
import { ClusterError, describeError, type ErrorCode } from '../base/errors.ts';
import type { Clock, Logger, Stream } from '../ports.ts';
import { closeCodeOf } from './close-reason.ts';
import { Session } from './session.ts';

/** The peer is not accepted: our own message, and the same from the peer's point of view. */
export class PeerRefusal extends ClusterError {
  readonly textForPeer: string;

  constructor(
    code: ErrorCode,
    ours: { readonly message: string; readonly remedy: string },
    theirs: { readonly message: string; readonly remedy: string },
  ) {
    super(code, ours.message, { remedy: ours.remedy });
    this.name = 'PeerRefusal';
    this.textForPeer = `${theirs.message}. ${theirs.remedy}`;
  }
}

/** Tells the peer why it is turned away, and ends the stream. */
export function turnAway(
  ports: { readonly clock: Clock; readonly log: Logger },
  stream: Stream,
  error: unknown,
): void {
  const who = { peerRole: 'both', peer: stream.remote } as const;
  const session = new Session({ ...ports, stream, ...who, handlers: {}, acceptedBeforeOpen: [] });
  const text = error instanceof PeerRefusal ? error.textForPeer : describeError(error);
  session.close(closeCodeOf(error), text);
}
