/**
 * A machine in the simulated network: what listens there, and who it says it is.
 *
 * Its state is open to the test, which switches it off, lets its certificate run out or belong to
 * another cluster, or puts a firewall before it.
 */
import { fromText, toHex } from '../../src/base/bytes.ts';
import type { NodeIdentity, PeerCertificate, Stream } from '../../src/ports.ts';
import type { Life } from './life.ts';
import { WORLD_EPOCH_MS } from './clock.ts';

/** A certificate, with the authority that signed it. */
export interface SimCertificate extends PeerCertificate {
  readonly authority: string;
}

/** The authority of all machines that are not told another. */
export const DEFAULT_AUTHORITY = 'authority-1';

const CERTIFICATE_LIFETIME_MS = 365 * 86_400_000;

/** A certificate as a cluster's authority would sign it; facts given here replace the usual ones. */
export function simCertificate(
  identity: NodeIdentity | undefined,
  facts: Partial<SimCertificate> = {},
): SimCertificate {
  return {
    identity,
    serial: identity === undefined ? '00' : serialOf(identity),
    notBeforeMs: WORLD_EPOCH_MS - CERTIFICATE_LIFETIME_MS,
    notAfterMs: WORLD_EPOCH_MS + CERTIFICATE_LIFETIME_MS,
    authority: DEFAULT_AUTHORITY,
    ...facts,
  };
}

/** What one end of a connection knows of the other after the handshake. */
export type PeerFacts = Required<Pick<Stream, 'certificate' | 'rejection' | 'presentedChain'>>;

/** Of an end that shows no certificate. */
export const NOTHING_SHOWN: PeerFacts = {
  certificate: undefined,
  rejection: undefined,
  presentedChain: [],
};

/** Something that listens on a port of a machine. */
export interface ListeningPort {
  readonly life: Life;
  readonly onStream: (stream: Stream) => void;
}

/** A machine. */
export class SimHost {
  readonly name: string;
  /** Without power nothing reaches it, and it says goodbye to nobody. */
  isUp = true;
  /** Connections are refused although something may listen: a firewall says no. */
  isRefusing = false;
  /** What it shows in a handshake; undefined for none. */
  certificate: SimCertificate | undefined;
  /** Its certificates as bytes, for those who judge them on their own. */
  presentedChain: readonly Uint8Array[] = [];
  /** Whose certificates it accepts. */
  trustedAuthority = DEFAULT_AUTHORITY;
  /** Application protocols that its listeners know; undefined for all. */
  protocols: readonly string[] | undefined;
  /** Its wall clock, by which it judges certificates. */
  nowMs: () => number = () => WORLD_EPOCH_MS;
  readonly listening = new Map<number, ListeningPort>();

  constructor(name: string) {
    this.name = name;
  }

  /** What this machine gets to know of another that shows its certificate, after judging it. */
  judge(other: SimHost): PeerFacts {
    const { certificate, presentedChain } = other;
    if (certificate === undefined) return { ...NOTHING_SHOWN, presentedChain };
    const rejection = this.#rejectionOf(certificate);
    const { authority: _, ...facts } = certificate;
    return { certificate: rejection === undefined ? facts : undefined, rejection, presentedChain };
  }

  /** Why a certificate is not accepted, as TLS libraries call it. */
  #rejectionOf(certificate: SimCertificate): string | undefined {
    if (certificate.authority !== this.trustedAuthority) return 'UNABLE_TO_VERIFY_LEAF_SIGNATURE';
    if (certificate.notBeforeMs > this.nowMs()) return 'CERT_NOT_YET_VALID';
    if (certificate.notAfterMs < this.nowMs()) return 'CERT_HAS_EXPIRED';
    return undefined;
  }
}

// ---

function serialOf(identity: NodeIdentity): string {
  return toHex(fromText(identity.node));
}
