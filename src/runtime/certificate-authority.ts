/**
 * Making certificates: the cluster's own authority.
 *
 * The authority decides what a certificate says. From a request it takes the public key and the
 * proof that the requester holds the private one, and ignores every name in it. The role decides
 * what a certificate is good for: a master's for both ends of a TLS connection, a worker's for the
 * client's only, so that no TLS library takes a worker for a master.
 *
 * Private keys are PKCS#8 PEM and never part of a message.
 */
import { randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import type { Extension, JsonGeneralName } from '@peculiar/x509';
import { ClusterError } from '../base/errors.ts';
import { AUTHORITY_NODE, identityUri, nameProblem } from '../identity/certificate-names.ts';
import type { CertificateName } from '../identity/certificate-names.ts';
import type { NodeIdentity } from '../ports.ts';
import { checkRequest, createNodeKey } from './certificate-request.ts';
import { importKeys, KEY_ALGORITHM, loadX509, subjectOf, tidyPem } from './certificate-x509.ts';
import type { X509 } from './certificate-x509.ts';
import { authorityCluster, readCertificate, spkiOfKey } from './certificates.ts';

/** A certificate together with its private key, both PEM. */
export interface KeyedCertificate {
  readonly certificatePem: string;
  /** A secret: goes to a file of mode 0600 and nowhere else. */
  readonly keyPem: string;
}

/** What a new authority is for. */
export interface AuthorityOptions {
  readonly cluster: string;
  readonly nowMs: number;
  /** How long its certificate is valid, days. @default 3650 */
  readonly days?: number;
}

/** What a certificate for a node shall say. */
export interface NodeCertificateOptions {
  readonly authority: KeyedCertificate;
  readonly identity: NodeIdentity;
  /** Host names and addresses to write into a master's certificate, for other tools. @default none */
  readonly hosts?: readonly string[];
  readonly nowMs: number;
  /** How long it is valid, days; never longer than the authority. @default 90 */
  readonly days?: number;
}

/** A request as it came from a node. */
export interface SignOptions extends NodeCertificateOptions {
  /** PEM text or DER bytes. */
  readonly request: string | Uint8Array;
}

/** Ten years: an authority is replaced by a new cluster, not by renewal. */
export const AUTHORITY_DAYS_DEFAULT = 3650;

/** Three months: short enough to matter, long enough to survive a master's absence. */
export const NODE_DAYS_DEFAULT = 90;

/** Certificates begin a little in the past, as clocks within a cluster differ by minutes. */
export const CLOCK_SKEW_MS = 5 * 60 * 1000;

const DAY_MS = 24 * 60 * 60 * 1000;
const SERIAL_BYTES = 16;
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

/** Makes the authority of a new cluster. */
export async function createAuthority(options: AuthorityOptions): Promise<KeyedCertificate> {
  const { cluster, nowMs, days = AUTHORITY_DAYS_DEFAULT } = options;
  const x509 = await loadX509();
  const name: CertificateName = { cluster, role: 'authority', node: AUTHORITY_NODE };
  requireName('cluster', cluster);
  const keyPem = createNodeKey();
  const certificatePem = await issue(x509, {
    name,
    issuer: name,
    spki: spkiOfKey(keyPem),
    signerPem: keyPem,
    notBeforeMs: nowMs - CLOCK_SKEW_MS,
    notAfterMs: nowMs + days * DAY_MS,
    hosts: [],
    usage: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
    ],
  });
  return { certificatePem, keyPem };
}

/**
 * Issues the certificate that a request asks a key to be certified for; PEM.
 * What it says is what `options` say: the names in the request are ignored.
 * @throws ClusterError `authentication` where the request is not in order
 */
export async function signRequest(options: SignOptions): Promise<string> {
  const x509 = await loadX509();
  const { spki } = await checkRequest(options.request);
  return issueToNode(x509, options, spki);
}

/** Makes key and certificate of the master that holds the authority. */
export async function selfIssueMaster(
  options: Omit<NodeCertificateOptions, 'identity'> & { readonly node: string },
): Promise<KeyedCertificate> {
  const x509 = await loadX509();
  const keyPem = createNodeKey();
  const cluster = clusterOf(options.authority);
  const identity: NodeIdentity = { cluster, node: options.node, role: 'master' };
  const certificatePem = await issueToNode(x509, { ...options, identity }, spkiOfKey(keyPem));
  return { certificatePem, keyPem };
}

// --- internals -------------------------------------------------------------------------------

async function issueToNode(
  x509: X509,
  options: NodeCertificateOptions,
  spki: Uint8Array,
): Promise<string> {
  const { authority, identity, hosts = [], nowMs, days = NODE_DAYS_DEFAULT } = options;
  requireName('node', identity.node);
  const isMaster = identity.role === 'master';
  if (!isMaster && hosts.length > 0) {
    throw new Error('Host names belong in the certificate of a master only');
  }
  const cluster = clusterOf(authority);
  if (identity.cluster !== cluster) {
    throw new Error(`The authority of cluster "${cluster}" cannot issue for "${identity.cluster}"`);
  }
  const { notAfterMs: authorityEndMs } = readCertificate(authority.certificatePem);
  if (nowMs >= authorityEndMs) {
    throw new ClusterError('authentication', 'The certificate of the authority has expired', {
      remedy: 'Make a new cluster with "muster init" and join the nodes to it',
    });
  }
  return issue(x509, {
    name: identity,
    issuer: { cluster, role: 'authority', node: AUTHORITY_NODE },
    spki,
    signerPem: authority.keyPem,
    notBeforeMs: nowMs - CLOCK_SKEW_MS,
    notAfterMs: Math.min(nowMs + days * DAY_MS, authorityEndMs),
    hosts,
    usage: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(isMaster ? [SERVER_AUTH, CLIENT_AUTH] : [CLIENT_AUTH]),
    ],
  });
}

function clusterOf(authority: KeyedCertificate): string {
  const cluster = authorityCluster(authority.certificatePem);
  if (cluster !== undefined) return cluster;
  throw new ClusterError(
    'configuration',
    'Cannot issue a certificate: the certificate of the authority is not one that muster made',
  );
}

/** Everything that goes into a certificate. */
interface Contents {
  readonly name: CertificateName;
  readonly issuer: CertificateName;
  readonly spki: Uint8Array;
  readonly signerPem: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly hosts: readonly string[];
  readonly usage: readonly Extension[];
}

async function issue(x509: X509, contents: Contents): Promise<string> {
  const { name, issuer, spki, signerPem } = contents;
  const publicKey = new Uint8Array(spki);
  const signer = await importKeys(signerPem);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: randomSerial(),
    subject: subjectOf(name),
    issuer: subjectOf(issuer),
    notBefore: new Date(contents.notBeforeMs),
    notAfter: new Date(contents.notAfterMs),
    signingAlgorithm: KEY_ALGORITHM,
    publicKey,
    signingKey: signer.privateKey,
    extensions: [
      ...contents.usage,
      new x509.SubjectAlternativeNameExtension([
        { type: 'url', value: identityUri(name) },
        ...contents.hosts.map(hostName),
      ]),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(signer.publicKey),
    ],
  });
  return tidyPem(certificate.toString('pem'));
}

function hostName(host: string): JsonGeneralName {
  if (isIP(host) !== 0) return { type: 'ip', value: host };
  if (!/^(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*$/.test(host) || host.length > 253) {
    throw new ClusterError(
      'configuration',
      `Cannot write "${host}" into a certificate: it is neither a host name nor an IP address`,
    );
  }
  return { type: 'dns', value: host };
}

/** 127 random bits; the first byte is never zero, so that all are written with 32 digits. */
function randomSerial(): string {
  const serial = randomBytes(SERIAL_BYTES);
  serial[0] = (serial[0]! & 0x3f) | 0x40;
  return serial.toString('hex');
}

function requireName(what: 'cluster' | 'node', name: string): void {
  const problem = nameProblem(name);
  if (problem === undefined) return;
  throw new ClusterError('configuration', `Cannot use "${name}" as the ${what} name: ${problem}`);
}
