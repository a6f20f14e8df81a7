/**
 * What nodes need from X.509: the narrow ports behind which certificates are made and kept.
 * `src/runtime` implements them; everything that decides is above them.
 */
import type { NodeIdentity, PeerCertificate } from '../ports.ts';

/** A certificate that was just made. */
export interface IssuedCertificate {
  readonly certificatePem: string;
  readonly serial: string;
  readonly notAfterMs: number;
}

/** The cluster's authority, where it lives: on the master. */
export interface Issuer {
  readonly authorityPem: string;
  /**
   * Checks a certificate request and its proof that the sender holds the key.
   * @returns SHA-256 of the public key, hexadecimal
   * @throws ClusterError('authentication')
   */
  inspect(requestPem: string): Promise<{ readonly keyFingerprint: string }>;
  /** Issues a certificate for an identity that the master has decided on. */
  sign(requestPem: string, identity: NodeIdentity, nowMs: number): Promise<IssuedCertificate>;
}

/** A node's own key and certificate. */
export interface OwnCertificate {
  /** The certificate in use. */
  facts(): PeerCertificate;
  /** A new key, and the request for a certificate for it. */
  request(): Promise<{ readonly keyPem: string; readonly requestPem: string }>;
  /** Stores key and certificate and uses them for new connections. Never leaves half of a pair. */
  install(keyPem: string, certificatePem: string): Promise<void>;
}
