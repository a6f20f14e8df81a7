/** The node's own key and certificate, in one file that a renewal replaces as a whole. */
import { displayText } from '../base/bytes.ts';
import { ClusterError, reasonFor } from '../base/errors.ts';
import { certificateMatchesKey, readCertificate } from '../runtime/certificates.ts';
import { createNodeKey, createRequest } from '../runtime/certificate-request.ts';
import type { TlsCredentials } from '../runtime/tls-credentials.ts';
import { readTextFile, writeSecretFile } from '../runtime/system.ts';
import type { OwnCertificate } from '../identity/issuing.ts';
import type { CertificateFacts } from '../identity/checks.ts';
import type { NodeIdentity } from '../ports.ts';
import { joinPair, splitPair, type TlsFiles } from './tls-files.ts';

/** The credentials of a node that has been initialised or has joined. */
export interface NodeCredentials {
  readonly tls: TlsCredentials;
  readonly facts: CertificateFacts;
}

/** Reads a node's credentials. @throws ClusterError('authentication') with what to do */
export async function readCredentials(files: TlsFiles): Promise<NodeCredentials> {
  const authorityPem = await read(files.authorityCertificate);
  const pair = splitPair(await read(files.node));
  if (pair === undefined || !certificateMatchesKey(pair.certificatePem, pair.keyPem)) {
    throw new ClusterError(
      'authentication',
      `Cannot use "${files.node}": it does not hold a key and the certificate for it`,
      { remedy: 'Restore the file, or join anew with "muster join"' },
    );
  }
  return {
    tls: { authorityPem, ...pair },
    facts: readCertificate(pair.certificatePem, authorityPem),
  };
}

/**
 * The node's certificate as the tasks see it.
 * @param onInstall uses the new credentials for new connections
 */
export function ownCertificate(
  files: TlsFiles,
  identity: NodeIdentity,
  credentials: NodeCredentials,
  onInstall: (tls: TlsCredentials) => void,
): OwnCertificate {
  let facts = credentials.facts;
  const { authorityPem } = credentials.tls;
  return {
    facts: () => facts,
    request: async () => {
      const keyPem = createNodeKey();
      return { keyPem, requestPem: await createRequest({ keyPem, identity }) };
    },
    install: async (keyPem, certificatePem) => {
      const renewed = readCertificate(certificatePem, authorityPem);
      const isOurs = renewed.identity?.node === identity.node &&
        renewed.identity.cluster === identity.cluster && renewed.identity.role === identity.role;
      if (!isOurs || !certificateMatchesKey(certificatePem, keyPem)) {
        throw new ClusterError('authentication', 'The renewed certificate is not for this node');
      }
      await writeSecretFile(files.node, joinPair(keyPem, certificatePem), { replace: true });
      facts = renewed;
      onInstall({ authorityPem, keyPem, certificatePem });
    },
  };
}

async function read(path: string): Promise<string> {
  try {
    return await readTextFile(path);
  } catch (error) {
    const reason = reasonFor(displayText(path), error);
    throw new ClusterError('authentication', `Cannot read certificate "${path}": ${reason}`, {
      source: error,
      remedy: 'Make a master with "muster init", or a worker with "muster join TOKEN"',
    });
  }
}
