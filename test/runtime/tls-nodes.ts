/** Nodes with certificates of a test cluster, and the network as such a node has it. */
import type { NodeIdentity } from '../../src/ports.ts';
import {
  createAuthority,
  selfIssueMaster,
  signRequest,
} from '../../src/runtime/certificate-authority.ts';
import type { KeyedCertificate } from '../../src/runtime/certificate-authority.ts';
import { createNodeKey, createRequest } from '../../src/runtime/certificate-request.ts';
import type { TlsCredentials } from '../../src/runtime/tls-credentials.ts';

const DAY_MS = 86_400_000;

/** The authority of the cluster "office"; old enough to have issued what has expired. */
export const office = await createAuthority({
  cluster: 'office',
  nowMs: Date.now() - 200 * DAY_MS,
});

/** An authority that nobody in "office" knows, of the same name. */
export const twin = await createAuthority({ cluster: 'office', nowMs: Date.now() });

/** What makes a node special. */
export interface NodeChange {
  /** Who issued its certificate. @default office */
  readonly issuer?: KeyedCertificate;
  /** Whom it trusts. @default office */
  readonly trusts?: KeyedCertificate;
  /** When its certificate was issued, days ago. @default 0 */
  readonly daysAgo?: number;
}

/** Makes a node. */
export async function makeNode(
  role: NodeIdentity['role'],
  node: string,
  change: NodeChange = {},
): Promise<TlsCredentials> {
  const { issuer = office, trusts = office, daysAgo = 0 } = change;
  const authorityPem = trusts.certificatePem;
  const options = { authority: issuer, nowMs: Date.now() - daysAgo * DAY_MS };
  if (role === 'master') return { ...await selfIssueMaster({ ...options, node }), authorityPem };
  const identity: NodeIdentity = { cluster: 'office', node, role };
  const keyPem = createNodeKey();
  const request = await createRequest({ keyPem, identity });
  const certificatePem = await signRequest({ ...options, request, identity });
  return { authorityPem, certificatePem, keyPem };
}
