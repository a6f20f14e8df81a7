/**
 * `muster cert show`: the certificates of this node.
 */
import { isoTime } from '../../base/time-text.ts';
import { utcText } from '../../identity/time-text.ts';
import type { CertificateFacts } from '../../identity/checks.ts';
import { spanText } from '../amounts.ts';
import { type Handler, loadNodeConfig } from '../context.ts';
import type { CertificateDocument, CertificatesDocument } from '../documents.ts';
import { versioned } from '../output.ts';
import { type Line, styled } from '../styled-text.ts';

export const certShow: Handler = async (context) => {
  const { host } = context;
  const config = await loadNodeConfig(context);
  const { own, authority } = await host.readCertificates(config);
  const nowMs = host.clock.nowMs();
  const { name, role, cluster } = config.node;
  const document: CertificatesDocument = versioned({
    // What the certificate says counts; the configuration only where it says nothing.
    certificate: describe(own, own.identity ?? { node: name, role, cluster }),
    authority: describe(authority, { node: null, role: 'authority', cluster }),
  });
  return {
    document,
    lines: [
      ...certificateLines(
        `Node ${document.certificate.node}, ${document.certificate.role} of cluster ` +
          `"${document.certificate.cluster}"`,
        own,
        nowMs,
      ),
      '',
      ...certificateLines(`Authority of cluster "${cluster}"`, authority, nowMs),
    ],
    isAsked: true,
  };
};

function describe(
  facts: CertificateFacts,
  subject: Pick<CertificateDocument, 'node' | 'role' | 'cluster'>,
): CertificateDocument {
  const { serial, fingerprint, notBeforeMs, notAfterMs } = facts;
  const { node, role, cluster } = subject;
  return {
    node,
    role,
    cluster,
    serial,
    fingerprint,
    valid_from: isoTime(notBeforeMs),
    expires: isoTime(notAfterMs),
  };
}

function certificateLines(title: string, facts: CertificateFacts, nowMs: number): Line[] {
  const { serial, fingerprint, notBeforeMs, notAfterMs } = facts;
  return [
    [styled('bold', title)],
    `  Serial       ${serial}`,
    `  SHA-256      ${fingerprint}`,
    `  Valid from   ${utcText(notBeforeMs)}`,
    [`  Valid until  ${utcText(notAfterMs)}, `, validity(notBeforeMs, notAfterMs, nowMs)],
  ];
}

function validity(notBeforeMs: number, notAfterMs: number, nowMs: number) {
  if (nowMs < notBeforeMs) return styled('red', 'not yet valid');
  if (nowMs > notAfterMs) return styled('red', `expired ${spanText(nowMs - notAfterMs)} ago`);
  return `${spanText(notAfterMs - nowMs)} left`;
}
