/** The cluster's authority as an `Issuer`: the X.509 of the runtime behind the port. */
import { ClusterError } from '../base/errors.ts';
import type { Issuer } from '../identity/issuing.ts';
import { signRequest } from '../runtime/certificate-authority.ts';
import { checkRequest } from '../runtime/certificate-request.ts';
import { readCertificate } from '../runtime/certificates.ts';
import { readTextFile } from '../runtime/system.ts';
import type { TlsFiles } from './tls-files.ts';

/** Opens the authority of a master. Its key is read when something is signed, and not kept. */
export async function openIssuer(files: TlsFiles, days: number): Promise<Issuer> {
  const authorityPem = await readTextFile(files.authorityCertificate);
  return {
    authorityPem,
    inspect: async (requestPem) => {
      const { keyFingerprint } = await checkRequest(requestPem);
      return { keyFingerprint };
    },
    sign: async (requestPem, identity, nowMs) => {
      const keyPem = await readTextFile(files.authorityKey).catch((cause: unknown) => {
        throw new ClusterError('authentication', 'Cannot read the key of the authority', {
          cause,
          remedy: `Put it back at ${files.authorityKey}; only the master has it`,
        });
      });
      const certificatePem = await signRequest({
        authority: { certificatePem: authorityPem, keyPem },
        request: requestPem,
        identity,
        nowMs,
        days,
      });
      const { serial, notAfterMs } = readCertificate(certificatePem);
      return { certificatePem, serial, notAfterMs };
    },
  };
}
