/**
 * Keys and certificate requests: made by a node that wants a certificate, checked by the master.
 *
 * A request carries a public key and a signature by its private key. That proof is all the master
 * takes from it. A request comes from a stranger: it is limited in size before it is parsed, and
 * whatever is wrong with it throws ClusterError `authentication`.
 */
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import type { Pkcs10CertificateRequest } from '@peculiar/x509';
import { ClusterError } from '../base/errors.ts';
import { identityUri } from '../identity/certificate-names.ts';
import type { NodeIdentity } from '../ports.ts';
import { importKeys, KEY_ALGORITHM, loadX509, subjectOf, tidyPem } from './certificate-x509.ts';
import { publicKeyFingerprint } from './certificates.ts';

/** Largest request taken from a stranger, bytes or characters: ours have some 600 as PEM. */
const REQUEST_BYTES_MAX = 4096;

/** Makes a private key (ECDSA P-256), PKCS#8 PEM: a secret, for a file of mode 0600. */
export function createNodeKey(): string {
  const { privateKey } = generateKeyPairSync('ec', {
    namedCurve: KEY_ALGORITHM.namedCurve,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  return tidyPem(privateKey);
}

/** Makes a certificate request (PEM) that asks for an identity and proves to hold the key. */
export async function createRequest(
  options: { readonly keyPem: string; readonly identity: NodeIdentity },
): Promise<string> {
  const { keyPem, identity } = options;
  const x509 = await loadX509();
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: subjectOf(identity),
    keys: await importKeys(keyPem),
    signingAlgorithm: KEY_ALGORITHM,
    extensions: [
      new x509.SubjectAlternativeNameExtension([{ type: 'url', value: identityUri(identity) }]),
    ],
  });
  return tidyPem(request.toString('pem'));
}

/** A request found in order. */
export interface CheckedRequest {
  /** The public key (SPKI DER) whose private half the requester holds. */
  readonly spki: Uint8Array;
  /** SHA-256 of it, hexadecimal: by this a token remembers who used it. */
  readonly keyFingerprint: string;
}

/**
 * Checks a request (PEM text or DER bytes): that it can be read, has a key of our kind, and was
 * signed with that key.
 * @throws ClusterError `authentication`
 */
export async function checkRequest(request: string | Uint8Array): Promise<CheckedRequest> {
  if (request.length > REQUEST_BYTES_MAX) {
    throw badRequest(`it has over ${REQUEST_BYTES_MAX} bytes`);
  }
  const { parsed, isOurKind } = await parseRequest(request);
  if (!isOurKind) throw badRequest('its key is not an ECDSA P-256 key');
  if (!await isSignedByItself(parsed)) throw badRequest('it was not signed with its own key');
  const spki = plainSpki(parsed);
  return { spki, keyFingerprint: publicKeyFingerprint(spki) };
}

// --- internals -------------------------------------------------------------------------------

async function parseRequest(
  request: string | Uint8Array,
): Promise<{ parsed: Pkcs10CertificateRequest; isOurKind: boolean }> {
  const x509 = await loadX509();
  try {
    const der = typeof request === 'string'
      ? x509.PemConverter.decodeFirst(request)
      : request.slice();
    const parsed = new x509.Pkcs10CertificateRequest(der);
    const { name, namedCurve } = parsed.publicKey.algorithm as EcKeyAlgorithm;
    const isOurKind = name === KEY_ALGORITHM.name && namedCurve === KEY_ALGORITHM.namedCurve;
    return { parsed, isOurKind };
  } catch (cause) {
    throw badRequest('it is neither PEM nor DER of one', cause);
  }
}

/** The key as every certificate writes it: a request may spell the same point in another way. */
function plainSpki(request: Pkcs10CertificateRequest): Uint8Array {
  const key = Buffer.from(request.publicKey.rawData);
  try {
    const plain = createPublicKey({ key, format: 'der', type: 'spki' });
    return new Uint8Array(plain.export({ format: 'der', type: 'spki' }));
  } catch (cause) {
    throw badRequest('its key is not valid', cause);
  }
}

async function isSignedByItself(request: Pkcs10CertificateRequest): Promise<boolean> {
  try {
    return await request.verify();
  } catch {
    // A signature of another kind, or a point that is not on the curve: no proof.
    return false;
  }
}

function badRequest(reason: string, cause?: unknown): ClusterError {
  return new ClusterError('authentication', `Cannot accept the certificate request: ${reason}`, {
    cause,
  });
}
