/** Whether the other end of a stream is who it must be, from the certificate that it showed. */
import type { NodeRegistry } from '../identity/node-registry.ts';
import { checkPeer, codeOfRefusal, type Expectation, isRefusal } from '../identity/checks.ts';
import { explainRefusal } from '../identity/refusal-text.ts';
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
  if (!isRefusal(verdict)) return verdict.identity;
  const us = expected.role === 'master' ? 'the worker' : 'the master';
  throw new PeerRefusal(
    codeOfRefusal(verdict),
    explainRefusal(verdict, 'checker', peer),
    explainRefusal(verdict, 'holder', us),
  );
}
