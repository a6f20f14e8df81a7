/**
 * What a node shows in a TLS handshake and whom it trusts, as options of node:tls.
 *
 * TLS 1.3 only. A node that listens shows its authority's certificate after its own, so that a
 * joining node, which knows the authority by fingerprint only, can see it.
 */
import { constants } from 'node:crypto';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import type { PeerCertificate } from '../ports.ts';
import { presentedChain } from './certificates.ts';
import { systemCode } from './file-errors.ts';

/** The certificate of a node, PEM texts. */
export interface TlsCredentials {
  /** The certificate of the cluster's authority; several where one replaces another. */
  readonly authorityPem: string;
  readonly certificatePem: string;
  /** The private key: a secret. */
  readonly keyPem: string;
}

/** Which end of a connection the options are for. */
export type TlsEnd = 'client' | 'server';

/** Options that show a certificate and trust its authority alone; without one, nobody is trusted. */
export function secureContext(
  end: TlsEnd,
  credentials: TlsCredentials | undefined,
): SecureContextOptions {
  const shared: SecureContextOptions = {
    minVersion: 'TLSv1.3',
    // A resumed session would carry an identity past its expiry and past a change of authority.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
  if (credentials === undefined) return shared;
  const { authorityPem, certificatePem, keyPem } = credentials;
  const cert = end === 'server' ? `${certificatePem.trim()}\n${authorityPem}` : certificatePem;
  return { ...shared, cert, key: keyPem, ca: authorityPem };
}

/** What a handshake has shown of the peer. */
export interface PeerFacts {
  readonly certificate: PeerCertificate | undefined;
  readonly rejection: string | undefined;
  readonly presentedChain: readonly Uint8Array[];
}

/** Looks at the peer of a finished handshake. `isJudged`: the chain was checked by TLS. */
export function peerFacts(
  socket: TLSSocket,
  isJudged: boolean,
  readPeer: (der: Uint8Array) => PeerCertificate,
): PeerFacts {
  const chain = presentedChain(socket);
  const [leaf] = chain;
  if (leaf === undefined || !isJudged) {
    return { certificate: undefined, rejection: undefined, presentedChain: chain };
  }
  const rejection = rejectionOf(socket);
  try {
    const certificate = rejection === undefined ? readPeer(leaf) : undefined;
    return { certificate, rejection, presentedChain: chain };
  } catch {
    // Our authority issued something that our own reader does not accept.
    return { certificate: undefined, rejection: 'CERT_REJECTED', presentedChain: chain };
  }
}

function rejectionOf(socket: TLSSocket): string | undefined {
  // deno issues tickets against our will: what was proven in another handshake counts for nothing.
  if (socket.isSessionReused()) return 'SESSION_RESUMED';
  if (socket.authorized) return undefined;
  const error: unknown = socket.authorizationError;
  return typeof error === 'string' ? error : systemCode(error) ?? 'CERT_UNTRUSTED';
}
