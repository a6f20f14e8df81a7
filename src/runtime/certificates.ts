/**
 * Reading and verifying certificates and keys: the facts that src/identity decides upon.
 *
 * Only node:crypto is needed here, so that a connection costs no more than that; making
 * certificates is in certificate-authority.ts. Whatever a stranger sends may be passed in: what is
 * not a certificate throws ClusterError `authentication`, and no statement of a certificate is
 * taken for proven unless the function says so. Keys never appear in a message.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  timingSafeEqual,
  X509Certificate,
} from 'node:crypto';
import type { DetailedPeerCertificate } from 'node:tls';
import { equalBytes } from '../base/bytes.ts';
import { ClusterError } from '../base/errors.ts';
import { nameInAltNames, nodeIdentity } from '../identity/certificate-names.ts';
import { checkPeer, isRefusal } from '../identity/checks.ts';
import type { CertificateFacts, Refusal } from '../identity/checks.ts';
import type { NodeIdentity } from '../ports.ts';

/** A certificate as PEM text, as DER bytes, or read already. */
export type CertificateSource = string | Uint8Array | X509Certificate;

/**
 * Largest certificate that is read, DER or PEM: ours have under 1 KiB, and nobody else's matter.
 */
const CERTIFICATE_BYTES_MAX = 16 * 1024;

/** Most certificates taken from a peer's chain: a leaf and its authority, and room to complain. */
const CHAIN_LENGTH_MAX = 4;

/**
 * Reads a certificate.
 * @param authority certificate of the cluster's authority; given one, `issuerFingerprint` tells
 * whether its key has signed the certificate
 * @throws ClusterError `authentication` where it is not a certificate
 */
export function readCertificate(
  source: CertificateSource,
  authority?: CertificateSource,
): CertificateFacts {
  const certificate = parseCertificate(source);
  const issuer = authority === undefined ? undefined : parseCertificate(authority);
  return {
    identity: nodeIdentity(nameInAltNames(certificate.subjectAltName)),
    serial: certificate.serialNumber.toLowerCase(),
    fingerprint: fingerprint(certificate),
    keyFingerprint: publicKeyFingerprint(publicKeySpki(certificate)),
    notBeforeMs: certificate.validFromDate.getTime(),
    notAfterMs: certificate.validToDate.getTime(),
    issuerFingerprint: issuer !== undefined && isIssuedBy(certificate, issuer)
      ? fingerprint(issuer)
      : undefined,
  };
}

/** SHA-256 of a certificate (DER), 64 lower-case hexadecimal digits. */
export function fingerprint(source: CertificateSource): string {
  return hexOf(sha256(parseCertificate(source).raw));
}

/** Whether an authority's key has signed a node's certificate; proven, by its signature. */
export function isIssuedBy(source: CertificateSource, authority: CertificateSource): boolean {
  const certificate = parseCertificate(source);
  const issuer = parseCertificate(authority);
  // Authorities issue to nodes only: a chain of authorities is none of ours.
  if (certificate.ca || !issuer.ca || !certificate.checkIssued(issuer)) return false;
  try {
    return certificate.verify(issuer.publicKey);
  } catch {
    // A key of a kind that the runtime does not know cannot have signed anything of ours.
    return false;
  }
}

/** The cluster of an authority's certificate; undefined for any other certificate. */
export function authorityCluster(source: CertificateSource): string | undefined {
  const certificate = parseCertificate(source);
  const name = nameInAltNames(certificate.subjectAltName);
  return certificate.ca && name?.role === 'authority' ? name.cluster : undefined;
}

/** Whether a private key (PKCS#8 PEM) is that of a certificate. */
export function certificateMatchesKey(source: CertificateSource, keyPem: string): boolean {
  return timingSafeEqualBytes(publicKeySpki(parseCertificate(source)), spkiOfKey(keyPem));
}

/** SHA-256 of a public key (SPKI DER), 64 lower-case hexadecimal digits. */
export function publicKeyFingerprint(spki: Uint8Array): string {
  return hexOf(sha256(spki));
}

/** A certificate as PEM text, one line feed at the end. */
export function certificatePem(source: CertificateSource): string {
  return `${parseCertificate(source).toString().trim()}\n`;
}

/** The part of a TLS socket that shows what its peer presented. */
export interface TlsPeer {
  getPeerCertificate(detailed: true): DetailedPeerCertificate | undefined;
}

/**
 * The certificates of a TLS peer (DER), its own first, then what follows in its chain; empty
 * where it showed none. Nothing about them is verified except that the peer holds the first's key,
 * which every handshake proves. A runtime may complete the chain from its own trusted
 * certificates, so that only the first is sure to come from the peer.
 */
export function presentedChain(socket: TlsPeer): Uint8Array[] {
  const chain: Uint8Array[] = [];
  let link = socket.getPeerCertificate(true);
  while (link?.raw !== undefined && chain.length < CHAIN_LENGTH_MAX) {
    const certificate = new Uint8Array(link.raw);
    // A self-signed certificate is its own issuer: the same object, or on deno a copy of it.
    const last = chain.at(-1);
    if (last !== undefined && equalBytes(last, certificate)) break;
    chain.push(certificate);
    link = link.issuerCertificate;
  }
  return chain;
}

/** The outcome of meeting a master whose authority is known by fingerprint only. */
export type PresentedChainVerdict =
  | {
    readonly kind: 'accepted';
    readonly identity: NodeIdentity;
    /** Certificate of the cluster's authority, PEM. */
    readonly authorityPem: string;
  }
  | Refusal;

/**
 * For joining: whether the peer is a master of the cluster whose authority has the fingerprint in
 * the token. Its chain must contain that authority's certificate, and the authority must have
 * issued the peer's own. Call this on the connection that the token is about to be sent on, before
 * sending it.
 * @param chain the peer's certificates (DER), its own first, as from `presentedChain`
 */
export function verifyPresentedChain(
  chain: readonly Uint8Array[],
  expected: { readonly authorityFingerprint: string; readonly cluster: string },
  nowMs: number,
): PresentedChainVerdict {
  const [leaf, ...above] = chain;
  if (leaf === undefined) return { kind: 'noCertificate' };
  const authority = above.slice(0, CHAIN_LENGTH_MAX).find((certificate) =>
    hexOf(sha256(certificate)) === expected.authorityFingerprint
  );
  const verdict = checkPeer(
    readCertificate(leaf, authority),
    { ...expected, role: 'master' },
    nowMs,
  );
  if (isRefusal(verdict)) return verdict;
  if (authority === undefined) return { kind: 'unknownAuthority' };
  return { ...verdict, authorityPem: certificatePem(authority) };
}

/** SHA-256 of some bytes. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(bytes).digest());
}

/** Whether two byte strings are equal, in a time that depends on their lengths only. */
export function timingSafeEqualBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && timingSafeEqual(left, right);
}

/** The public key (SPKI DER) that belongs to a private key (PKCS#8 PEM). */
export function spkiOfKey(keyPem: string): Uint8Array {
  try {
    // By way of the private key: createPublicKey alone would take a certificate for a key, too.
    const key = createPublicKey(createPrivateKey(keyPem));
    return new Uint8Array(key.export({ type: 'spki', format: 'der' }));
  } catch (cause) {
    throw new ClusterError('authentication', 'Cannot read private key: it is not a PKCS#8 PEM', {
      cause,
    });
  }
}

// --- internals -------------------------------------------------------------------------------

function parseCertificate(source: CertificateSource): X509Certificate {
  if (source instanceof X509Certificate) return source;
  if (source.length > CERTIFICATE_BYTES_MAX) {
    throw new ClusterError(
      'authentication',
      `Cannot read certificate: it has over ${CERTIFICATE_BYTES_MAX} bytes`,
    );
  }
  try {
    return new X509Certificate(source);
  } catch (cause) {
    throw new ClusterError(
      'authentication',
      'Cannot read certificate: it is neither PEM nor DER of one',
      { cause },
    );
  }
}

function publicKeySpki(certificate: X509Certificate): Uint8Array {
  try {
    return new Uint8Array(certificate.publicKey.export({ type: 'spki', format: 'der' }));
  } catch (cause) {
    throw new ClusterError(
      'authentication',
      'Cannot read certificate: its key is of no known kind',
      {
        cause,
      },
    );
  }
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
