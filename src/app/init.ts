/** Making a master: configuration, authority, certificate. Overwrites nothing. */
import type { InitRequest, InitResult } from '../cli/host.ts';
import { layoutOf } from '../config/location.ts';
import { masterTemplate } from '../config/template.ts';
import { createAuthority, selfIssueMaster } from '../runtime/certificate-authority.ts';
import { fingerprint } from '../runtime/certificates.ts';
import { systemClock } from '../runtime/clock.ts';
import { writeNodeFiles } from './node-files.ts';
import { joinPair, tlsFiles } from './tls-files.ts';

/** Makes a master. */
export async function initMaster(request: InitRequest): Promise<InitResult> {
  const { directory, node, cluster, listen, root, isWholeTree } = request;
  const nowMs = systemClock.nowMs();
  const configFile = `${directory}/muster.toml`;
  const files = tlsFiles(layoutOf(configFile, {}).tls);
  const authority = await createAuthority({ cluster, nowMs });
  const own = await selfIssueMaster({ authority, node, nowMs });
  const { isRootNew } = await writeNodeFiles({
    directory,
    root,
    secrets: [
      [files.authorityKey, authority.keyPem],
      [files.node, joinPair(own.keyPem, own.certificatePem)],
    ],
    texts: [[files.authorityCertificate, authority.certificatePem]],
    config: [configFile, masterTemplate({ name: node, cluster, root, listen, isWholeTree })],
  });
  return {
    configFile,
    authorityFingerprint: fingerprint(authority.certificatePem),
    isRootNew,
  };
}
