/**
 * Whether a peer is alive whose place somebody else asks for: a connection whose other end has lost
 * its power looks for minutes like one on which nothing happens.
 */

/** How long ago a peer was heard at most to be alive without a question, ms. */
const heardLatelyMs = 5_000;

/** How long it may take to answer one, ms. */
const proofTimeoutMs = 5_000;

/** A connection with a peer. */
export interface AskedPeer {
  /** When the peer was last heard, by the monotonic clock. */
  readonly lastHeardMs: number;
  /** Aborted when the connection ends. */
  readonly signal: AbortSignal;
}

/**
 * Whether a peer was heard lately, answers, or sends anything while it is asked. Never rejects.
 * @param ask asks it for any answer
 */
export async function isAlive(
  clock: { monotonicMs(): number },
  peer: AskedPeer,
  ask: (options: { readonly timeoutMs: number }) => Promise<unknown>,
): Promise<boolean> {
  const { lastHeardMs } = peer;
  if (clock.monotonicMs() - lastHeardMs < heardLatelyMs) return true;
  try {
    await ask({ timeoutMs: proofTimeoutMs });
    return true;
  } catch {
    return !peer.signal.aborted && peer.lastHeardMs > lastHeardMs;
  }
}
