/**
 * Reads the failures that TLS libraries report as the refusals of checks.ts.
 *
 * The runtimes differ: OpenSSL's names, BoringSSL's, the wording of rustls, and bare numbers of
 * alerts all occur, some in the code of an error and some in its text. An alert was sent by the
 * peer, so it is about *our* certificate; anything else is what this end found wrong with the
 * peer. Details such as dates are lost here: where they matter, check the certificate itself.
 */
import type { Refusal } from './checks.ts';
import type { RefusalEnd } from './refusal-text.ts';

/** A failed handshake as a refusal, and which part this end had in it. */
export interface TlsFailure {
  readonly refusal: Refusal;
  /** `checker`: this end refused the peer. `holder`: the peer refused this end. */
  readonly end: RefusalEnd;
}

const refusals = {
  noCertificate: { kind: 'noCertificate' },
  unknownAuthority: { kind: 'unknownAuthority' },
  wrongRole: { kind: 'wrongRole', expected: undefined, actual: undefined },
  noIdentity: { kind: 'noIdentity' },
  revoked: { kind: 'revoked', what: undefined },
  expired: { kind: 'expired', notAfterMs: undefined, lateMs: undefined },
  notYetValid: { kind: 'notYetValid', notBeforeMs: undefined, earlyMs: undefined },
  badSignature: { kind: 'badSignature' },
  noCommonProtocol: { kind: 'noCommonProtocol' },
  closedEarly: { kind: 'closedEarly' },
} as const satisfies Readonly<Record<string, Refusal>>;

/** Alerts by the number that RFC 8446 gives them, with their name as libraries spell it. */
const alerts: readonly (readonly [number: number, name: string, refusal: Refusal])[] = [
  [40, 'handshakefailure', refusals.noCommonProtocol],
  [42, 'badcertificate', refusals.unknownAuthority],
  [43, 'unsupportedcertificate', refusals.wrongRole],
  [44, 'certificaterevoked', refusals.revoked],
  [45, 'certificateexpired', refusals.expired],
  [46, 'certificateunknown', refusals.unknownAuthority],
  [48, 'unknownca', refusals.unknownAuthority],
  [49, 'accessdenied', refusals.noIdentity],
  [51, 'decrypterror', refusals.badSignature],
  [70, 'protocolversion', refusals.noCommonProtocol],
  [116, 'certificaterequired', refusals.noCertificate],
  [120, 'noapplicationprotocol', refusals.noCommonProtocol],
];

/** What this end found: a piece of the code or text, letters and digits only, lower case. */
const findings: readonly (readonly [piece: string, refusal: Refusal])[] = [
  ['certhasexpired', refusals.expired],
  ['certificatehasexpired', refusals.expired],
  ['certnotyetvalid', refusals.notYetValid],
  ['certificateisnotyetvalid', refusals.notYetValid],
  ['certrevoked', refusals.revoked],
  ['invalidpurpose', refusals.wrongRole],
  ['unabletoverifyleafsignature', refusals.unknownAuthority],
  ['unabletogetissuercert', refusals.unknownAuthority],
  ['selfsignedcertinchain', refusals.unknownAuthority],
  ['depthzeroselfsignedcert', refusals.unknownAuthority],
  ['certsignaturefailure', refusals.unknownAuthority],
  ['certuntrusted', refusals.unknownAuthority],
  ['certrejected', refusals.unknownAuthority],
  ['invalidca', refusals.unknownAuthority],
  ['unknownissuer', refusals.unknownAuthority],
  ['certaltnameinvalid', refusals.noIdentity],
  ['peerdidnotreturnacertificate', refusals.noCertificate],
  ['peersentnocertificates', refusals.noCertificate],
  ['badsignature', refusals.badSignature],
  ['noapplicationprotocol', refusals.noCommonProtocol],
  ['unsupportedprotocol', refusals.noCommonProtocol],
  ['wrongversionnumber', refusals.noCommonProtocol],
  ['httprequest', refusals.noCommonProtocol],
  ['peerisincompatible', refusals.noCommonProtocol],
  ['invalidcontenttype', refusals.noCommonProtocol],
];

/** The peer hung up on this end. */
const hangUps: readonly string[] = ['econnreset', 'epipe', 'sockethangup'];

/**
 * Reads the code and the text of an error of a TLS socket or server; undefined where they tell of
 * something else, e.g. that a host cannot be reached. To be asked only about connections that
 * were made: `closedEarly` says that the peer closed during or right after the handshake.
 */
export function mapTlsFailure(code: string, text: string): TlsFailure | undefined {
  const said = plain(`${code} ${text}`);
  const number = /alert number (\d+)/i.exec(text)?.[1];
  const alert = alerts.find(([alertNumber]) => number === String(alertNumber)) ??
    alerts.find(([, name]) => said.includes(`alert${name}`));
  // rustls reports its own refusal to negotiate under the code of the alert that it sends.
  const isOwnFinding = said.includes('peerisincompatible');
  if (alert !== undefined && !isOwnFinding) return { refusal: alert[2], end: 'holder' };
  const finding = findings.find(([piece]) => said.includes(piece));
  if (finding !== undefined) return { refusal: finding[1], end: 'checker' };
  const isHangUp = hangUps.some((piece) => said.includes(piece));
  return isHangUp ? { refusal: refusals.closedEarly, end: 'holder' } : undefined;
}

// --- internals -------------------------------------------------------------------------------

function plain(text: string): string {
  return text.toLowerCase().replace(/[^a-z0-9]/g, '');
}
