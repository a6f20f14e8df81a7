/** Whether the other end of a stream is who it must be, from the certificate that it showed. */
import type { NodeRegistry } from '../identity/node-registry.ts';
import {
  checkPeer,
  codeOfRefusal,
  type Expectation,
  isRefusal,
  type Refusal,
} from '../identity/checks.ts';
import { explainRefusal } from '../identity/refusal-text.ts';
import { mapTlsFailure } from '../identity/tls-failures.ts';
import type { NodeIdentity, Stream } from '../ports.ts';
import { readCertificate } from '../runtime/certificates.ts';
import { PeerRefusal } from '../session/refusal.ts';

/** What a node knows for judging others. */
export interface Trust {
  readonly authorityPem: string;
  readonly authorityFingerprint: string;
  readonly cluster: string;
  nowMs(): number;
}

/** A worker's judgement of its master. @throws PeerRefusal */
export function identifyMaster(stream: Stream, trust: Trust): void {
  identify(stream, trust, { role: 'master' }, `the master at ${stream.remote}`);
}

/** The master's judgement of a worker. @throws PeerRefusal */
export function identifyWorker(
  stream: Stream,
  trust: Trust,
  registry: NodeRegistry,
): NodeIdentity {
  const revoked = registry.revocations();
  return identify(stream, trust, { role: 'worker', revoked }, `the node at ${stream.remote}`);
}

function identify(
  stream: Stream,
  trust: Trust,
  expected: Pick<Expectation, 'role' | 'revoked'>,
  peer: string,
): NodeIdentity {
  const { authorityFingerprint, authorityPem, cluster } = trust;
  const [leaf] = stream.presentedChain ?? [];
  const facts = leaf === undefined ? undefined : readCertificate(leaf, authorityPem);
  const verdict = checkPeer(facts, { authorityFingerprint, cluster, ...expected }, trust.nowMs());
  // Both have to agree: the TLS library has looked at the whole chain and at what it is good for.
  if (!isRefusal(verdict) && stream.certificate !== undefined) return verdict.identity;
  const refusal = isRefusal(verdict) ? verdict : refusalByTls(stream);
  const isMaster = expected.role === 'master';
  const remedy = isMaster ? masterRemedies[refusal.kind] : undefined;
  const ours = explainRefusal(refusal, 'checker', peer);
  const theirs = explainRefusal(refusal, 'holder', isMaster ? 'the worker' : 'the master');
  throw new PeerRefusal(
    codeOfRefusal(refusal),
    { ...ours, remedy: remedy ?? ours.remedy },
    { ...theirs, remedy: remedy ?? theirs.remedy },
  );
}

const otherMaster = 'Check worker.master in the configuration of the worker; if that is right, ' +
  'join the worker to that master with "muster join"';

/** What helps where it is the master who is not accepted: it never joins anybody. */
const masterRemedies: Readonly<Partial<Record<Refusal['kind'], string>>> = {
  noCertificate: otherMaster,
  unknownAuthority: otherMaster,
  noIdentity: otherMaster,
  wrongCluster: otherMaster,
  expired: 'Restart "muster run" on the master, which then renews its certificate',
};

/** Why the TLS library does not accept what passes all of our own checks. */
function refusalByTls({ rejection = '' }: Stream): Refusal {
  return mapTlsFailure(rejection, '')?.refusal ?? { kind: 'unknownAuthority' };
}
