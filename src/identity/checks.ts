/**
 * Whether a peer's certificate is accepted, and what both ends are told if it is not.
 *
 * The TLS library proves that the peer holds the key of the certificate it shows. Everything else
 * is decided here, from the certificate's facts, on both runtimes alike: whether our authority
 * issued it, for which cluster, role and node, when it is valid, whether it was revoked. The
 * verdicts are a closed set of plain values, worded for both ends by refusal-text.ts.
 *
 * Failures that the TLS library itself reports read as the same refusals: see tls-failures.ts.
 */
import { ClusterError } from '../base/errors.ts';
import type { ErrorCode } from '../base/errors.ts';
import type { NodeIdentity, PeerCertificate } from '../ports.ts';
import { explainRefusal } from './refusal-text.ts';
import type { RefusalEnd } from './refusal-text.ts';

/** What a certificate says, and whose it is. */
export interface CertificateFacts extends PeerCertificate {
  /** SHA-256 of the certificate (DER), 64 lower-case hexadecimal digits. */
  readonly fingerprint: string;
  /** SHA-256 of its public key (SPKI DER), 64 lower-case hexadecimal digits. */
  readonly keyFingerprint: string;
  /**
   * Fingerprint of the authority whose key was found to have signed it; undefined where none of
   * those at hand did, and for a certificate that is an authority's itself.
   */
  readonly issuerFingerprint: string | undefined;
}

/** Certificates that are no longer honoured though their time has not come. */
export interface Revocations {
  /** Serial numbers, lower-case hexadecimal. */
  readonly serials: ReadonlySet<string>;
  /** Names of nodes that were expelled: every certificate they ever had. */
  readonly nodes: ReadonlySet<string>;
}

/** What a peer's certificate must be. */
export interface Expectation {
  readonly authorityFingerprint: string;
  readonly cluster: string;
  /** The role it must have; undefined for any. */
  readonly role?: NodeIdentity['role'] | undefined;
  /** The node it must stand for; undefined for any. */
  readonly node?: string | undefined;
  readonly revoked?: Revocations | undefined;
}

/** Why a peer is not accepted. What TLS does not tell is undefined. */
export type Refusal =
  | { readonly kind: 'noCertificate' }
  | { readonly kind: 'unknownAuthority' }
  | { readonly kind: 'noIdentity' }
  | { readonly kind: 'wrongCluster'; readonly expected: string; readonly actual: string }
  | {
    readonly kind: 'wrongRole';
    readonly expected: NodeIdentity['role'] | undefined;
    readonly actual: NodeIdentity['role'] | undefined;
  }
  | { readonly kind: 'wrongNode'; readonly expected: string; readonly actual: string }
  | { readonly kind: 'revoked'; readonly what: 'serial' | 'node' | undefined }
  | {
    readonly kind: 'expired';
    readonly notAfterMs: number | undefined;
    /** How long ago that was by the clock that was looked at, milliseconds. */
    readonly lateMs: number | undefined;
  }
  | {
    readonly kind: 'notYetValid';
    readonly notBeforeMs: number | undefined;
    /** How far in the future that is by the clock that was looked at, milliseconds. */
    readonly earlyMs: number | undefined;
  }
  /** The certificate is not the holder's, or its signature does not verify. */
  | { readonly kind: 'badSignature' }
  /** No TLS version or application protocol in common, or no TLS at all. */
  | { readonly kind: 'noCommonProtocol' }
  /** Closed during or right after the handshake, without a reason. */
  | { readonly kind: 'closedEarly' };

/** The outcome of a check. */
export type Verdict =
  | { readonly kind: 'accepted'; readonly identity: NodeIdentity }
  | Refusal;

/**
 * Decides about the certificate that a peer showed; undefined where it showed none. The first
 * reason counts, in the order in which the certificate's statements come to be believed.
 */
export function checkPeer(
  facts: CertificateFacts | undefined,
  expected: Expectation,
  nowMs: number,
): Verdict {
  if (facts === undefined) return { kind: 'noCertificate' };
  const { identity } = facts;
  if (identity !== undefined && identity.cluster !== expected.cluster) {
    // Before the authority: a node of another cluster is told so, whoever vouches for it.
    return { kind: 'wrongCluster', expected: expected.cluster, actual: identity.cluster };
  }
  if (facts.issuerFingerprint !== expected.authorityFingerprint) {
    return { kind: 'unknownAuthority' };
  }
  if (identity === undefined) return { kind: 'noIdentity' };
  return checkIdentity(facts, identity, expected) ?? checkTime(facts, nowMs) ??
    { kind: 'accepted', identity };
}

/** Whether a verdict is a refusal. */
export function isRefusal(verdict: Verdict): verdict is Refusal {
  return verdict.kind !== 'accepted';
}

/**
 * A refusal as an error of the end that has to report it.
 * @param end `checker`: this end refused the peer; `holder`: the peer refused this end
 * @param peer who the peer is, for people, e.g. `the master at 10.0.0.1:1600`
 */
export function refusalError(refusal: Refusal, end: RefusalEnd, peer: string): ClusterError {
  const { message, remedy } = explainRefusal(refusal, end, peer);
  return new ClusterError(codeOfRefusal(refusal), message, { remedy });
}

/** The kind of failure that a refusal is. */
export function codeOfRefusal(refusal: Refusal): ErrorCode {
  if (refusal.kind === 'noCommonProtocol') return 'incompatible';
  return refusal.kind === 'closedEarly' ? 'unreachable' : 'authentication';
}

// --- internals -------------------------------------------------------------------------------

function checkIdentity(
  facts: CertificateFacts,
  identity: NodeIdentity,
  expected: Expectation,
): Refusal | undefined {
  if (expected.role !== undefined && identity.role !== expected.role) {
    return { kind: 'wrongRole', expected: expected.role, actual: identity.role };
  }
  if (expected.node !== undefined && identity.node !== expected.node) {
    return { kind: 'wrongNode', expected: expected.node, actual: identity.node };
  }
  if (expected.revoked?.serials.has(facts.serial)) return { kind: 'revoked', what: 'serial' };
  if (expected.revoked?.nodes.has(identity.node)) return { kind: 'revoked', what: 'node' };
  return undefined;
}

function checkTime(facts: CertificateFacts, nowMs: number): Refusal | undefined {
  const { notBeforeMs, notAfterMs } = facts;
  if (nowMs < notBeforeMs) {
    return { kind: 'notYetValid', notBeforeMs, earlyMs: notBeforeMs - nowMs };
  }
  if (nowMs > notAfterMs) return { kind: 'expired', notAfterMs, lateMs: nowMs - notAfterMs };
  return undefined;
}
