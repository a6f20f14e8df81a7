/** Certificates that a test needs and no master would issue today: from the past or the future. */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NodeIdentity } from '../../src/ports.ts';
import { joinPair, tlsFiles } from '../../src/app/tls-files.ts';
import {
  createAuthority,
  type KeyedCertificate,
  selfIssueMaster,
  signRequest,
} from '../../src/runtime/certificate-authority.ts';
import { createNodeKey, createRequest } from '../../src/runtime/certificate-request.ts';
import type { TestNode } from './cluster.ts';

const dayMs = 86_400_000;

/** When a certificate is valid, from now, ms. */
export interface Validity {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** Valid until yesterday. */
export const expired: Validity = { fromMs: -90 * dayMs, untilMs: -dayMs };

/** Valid from tomorrow on. */
export const notYetValid: Validity = { fromMs: dayMs, untilMs: 90 * dayMs };

/** Gives a node that is not running another certificate of its cluster's authority. */
export async function recertify(
  node: TestNode,
  master: TestNode,
  { fromMs, untilMs }: Validity,
): Promise<void> {
  const authority = authorityOf(master);
  const options = {
    authority,
    nowMs: Date.now() + fromMs,
    days: (untilMs - fromMs) / dayMs,
  };
  if (node === master) {
    const { keyPem, certificatePem } = await selfIssueMaster({ ...options, node: node.name });
    writeFileSync(filesOf(node).node, joinPair(keyPem, certificatePem));
    return;
  }
  const identity: NodeIdentity = { cluster: 'muster', node: node.name, role: 'worker' };
  const keyPem = createNodeKey();
  const request = await createRequest({ keyPem, identity });
  const certificatePem = await signRequest({ ...options, identity, request });
  writeFileSync(filesOf(node).node, joinPair(keyPem, certificatePem));
}

/** Gives a node that is not running the certificate of another one, and the trust that goes with it. */
export function impersonate(node: TestNode, other: TestNode): void {
  copyFileSync(filesOf(other).node, filesOf(node).node);
  copyFileSync(filesOf(other).authorityCertificate, filesOf(node).authorityCertificate);
}

/** Gives a node that is not running a certificate of an authority that its cluster does not know. */
export async function recertifyByStranger(node: TestNode): Promise<void> {
  const authority = await createAuthority({ cluster: 'muster', nowMs: Date.now() });
  const identity: NodeIdentity = { cluster: 'muster', node: node.name, role: 'worker' };
  const keyPem = createNodeKey();
  const request = await createRequest({ keyPem, identity });
  const certificatePem = await signRequest({ authority, identity, request, nowMs: Date.now() });
  writeFileSync(filesOf(node).node, joinPair(keyPem, certificatePem));
}

// ---

function authorityOf(master: TestNode): KeyedCertificate {
  const files = filesOf(master);
  return {
    certificatePem: readFileSync(files.authorityCertificate, 'utf8'),
    keyPem: readFileSync(files.authorityKey, 'utf8'),
  };
}

function filesOf(node: TestNode) {
  return tlsFiles(join(node.directory, 'tls'));
}
