/** Where a node's certificates and keys are. */

/** Files of the TLS directory; keys are mode 0600. */
export interface TlsFiles {
  readonly directory: string;
  readonly authorityCertificate: string;
  /** Only on a master. */
  readonly authorityKey: string;
  /** The node's certificate and key in one file, so that a renewal replaces both at once. */
  readonly node: string;
}

/** The files of a TLS directory. */
export function tlsFiles(directory: string): TlsFiles {
  return {
    directory,
    authorityCertificate: `${directory}/authority.pem`,
    authorityKey: `${directory}/authority.key`,
    node: `${directory}/node.pem`,
  };
}

/** The text of `node.pem`: key first, certificate after. */
export function joinPair(keyPem: string, certificatePem: string): string {
  return `${keyPem.trim()}\n${certificatePem.trim()}\n`;
}

/** Key and certificate of a `node.pem`; undefined where one of the two is missing. */
export function splitPair(text: string): { keyPem: string; certificatePem: string } | undefined {
  const key = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----/.exec(text);
  const certificate = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(text);
  if (key === null || certificate === null) return undefined;
  return { keyPem: `${key[0]}\n`, certificatePem: `${certificate[0]}\n` };
}
