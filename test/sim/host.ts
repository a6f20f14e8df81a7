/** A machine in the simulated network: what listens there, and who it says it is. */
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

  /** What is wrong with a certificate in the eyes of this machine; undefined if nothing is. */
  objectionTo(certificate: SimCertificate): string | undefined {
    if (certificate.authority !== this.trustedAuthority) return 'of an unknown authority';
    if (certificate.notBeforeMs > this.nowMs()) return 'not valid yet';
    if (certificate.notAfterMs < this.nowMs()) return 'expired';
    return undefined;
  }
}

// ---

function serialOf(identity: NodeIdentity): string {
  return [...identity.node]
    .map((character) => (character.charCodeAt(0) & 0xff).toString(16).padStart(2, '0')).join('');
}
