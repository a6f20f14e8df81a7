/**
 * What people are told when a certificate is not accepted: one text for each refusal and end.
 *
 * The `checker` looked at a peer's certificate and refused it; the `holder` showed the certificate
 * and was refused. The reason is the same for both, the point of view and the remedy are not.
 * Whatever a stranger's certificate says is escaped before it is shown.
 */
import { displayText } from '../base/bytes.ts';
import type { Refusal } from './checks.ts';
import { durationText, utcText } from './time-text.ts';

/** Which of the two ends a text is for. */
export type RefusalEnd = 'checker' | 'holder';

/** A message, and what the reader can do about it. */
export interface RefusalText {
  readonly message: string;
  readonly remedy: string;
}

/**
 * Words a refusal for one end.
 * @param peer who the other end is, for people, e.g. `the master at 10.0.0.1:1600`
 */
export function explainRefusal(refusal: Refusal, end: RefusalEnd, peer: string): RefusalText {
  const who = displayText(peer);
  const message = end === 'checker'
    ? `Cannot accept ${who}: ${reasonText(refusal, 'it', 'its')}`
    : `Not accepted by ${who}: ${reasonText(refusal, 'this node', "this node's")}`;
  return { message, remedy: remedies[refusal.kind][end] };
}

// --- internals -------------------------------------------------------------------------------

const joinAgain = {
  checker: 'Have a token made with "muster token" and run "muster join" on that node',
  holder: 'Have a token made with "muster token" on the master and run "muster join" here',
} as const;

const checkAddress = {
  checker: 'Check the address of the master in the configuration of the worker',
  holder: 'Check the address of the master in the configuration of the worker',
} as const;

const setClocks = {
  checker: 'Set the clocks of both machines, for instance by NTP',
  holder: 'Set the clocks of both machines, for instance by NTP',
} as const;

const remedies: Readonly<Record<Refusal['kind'], Readonly<Record<RefusalEnd, string>>>> = {
  noCertificate: joinAgain,
  unknownAuthority: joinAgain,
  noIdentity: joinAgain,
  wrongCluster: checkAddress,
  wrongRole: checkAddress,
  wrongNode: checkAddress,
  revoked: joinAgain,
  expired: joinAgain,
  notYetValid: setClocks,
  badSignature: {
    checker: 'Check on that node that key and certificate belong together, and who that peer is',
    holder: 'Check that key and certificate in the state directory belong together',
  },
  noCommonProtocol: {
    checker: 'Check that the peer is a muster node, and update the older of the two',
    holder: 'Check that the address is that of a muster node, and update the older of the two',
  },
  closedEarly: {
    checker: 'See the log of that node',
    holder: 'See the log of the other node; it may have refused the certificate of this one',
  },
};

function reasonText(refusal: Refusal, it: string, its: string): string {
  switch (refusal.kind) {
    case 'noCertificate':
      return `${it} showed no certificate`;
    case 'unknownAuthority':
      return `${its} certificate was not issued by the authority of the cluster`;
    case 'noIdentity':
      return `${its} certificate names no node of muster`;
    case 'wrongCluster':
      return `${it} belongs to cluster "${displayText(refusal.actual)}", ` +
        `not to "${displayText(refusal.expected)}"`;
    case 'wrongRole':
      return wrongRoleText(refusal, its);
    case 'wrongNode':
      return `${it} is node "${displayText(refusal.actual)}", ` +
        `not "${displayText(refusal.expected)}"`;
    case 'revoked':
      return `${its} ${refusal.what === 'node' ? 'name' : 'certificate'} was revoked on the master`;
    case 'expired':
      return `${its} certificate expired${lateText(refusal)}`;
    case 'notYetValid':
      return `${its} certificate is not yet valid${earlyText(refusal)}`;
    case 'badSignature':
      return `${it} could not prove that its certificate is its own`;
    case 'noCommonProtocol':
      return 'the two have no protocol in common';
    case 'closedEarly':
      return 'the connection was closed without a reason';
  }
}

function wrongRoleText(refusal: Refusal & { kind: 'wrongRole' }, its: string): string {
  return refusal.expected === undefined || refusal.actual === undefined
    ? `${its} certificate is not for the role it plays`
    : `${its} certificate is that of a ${refusal.actual}, not of a ${refusal.expected}`;
}

function lateText({ notAfterMs, lateMs }: Refusal & { kind: 'expired' }): string {
  if (notAfterMs === undefined || lateMs === undefined) return '';
  return ` at ${utcText(notAfterMs)}, ${durationText(lateMs)} ago`;
}

function earlyText({ notBeforeMs, earlyMs }: Refusal & { kind: 'notYetValid' }): string {
  if (notBeforeMs === undefined || earlyMs === undefined) return '; the clocks seem to differ';
  return ` before ${utcText(notBeforeMs)}; the clocks differ by ${durationText(earlyMs)} at least`;
}
