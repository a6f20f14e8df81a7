/**
 * The X.509 library: loaded when first needed, with what its callers share.
 *
 * It takes 30 ms to load (100 from source), which whoever makes no certificate shall not pay, nor a
 * master before a node joins; so nothing else imports it, except for types. It depends on a polyfill that must be loaded before it.
 */
import { createPrivateKey, webcrypto } from 'node:crypto';
import type * as Library from '@peculiar/x509';
import { subjectFields } from '../identity/certificate-names.ts';
import type { CertificateName } from '../identity/certificate-names.ts';
import { spkiOfKey } from './certificates.ts';

/** The library. */
export type X509 = typeof Library;

/** The one kind of key and signature that muster makes. */
export const KEY_ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

let loading: Promise<X509> | undefined;

/** The library, loaded at the first call. */
export function loadX509(): Promise<X509> {
  loading ??= load();
  return loading;
}

/** A key pair for the library, from a private key (PKCS#8 PEM). */
export async function importKeys(keyPem: string): Promise<CryptoKeyPair> {
  const { subtle } = webcrypto;
  const spki = spkiOfKey(keyPem);
  const pkcs8 = createPrivateKey(keyPem).export({ type: 'pkcs8', format: 'der' });
  const privateKey = await subtle.importKey('pkcs8', pkcs8, KEY_ALGORITHM, false, ['sign']);
  const publicKey = await subtle.importKey('spki', spki, KEY_ALGORITHM, true, ['verify']);
  // The runtimes' own keys are those of the browsers' API; only the declarations are two.
  return { privateKey, publicKey } as CryptoKeyPair;
}

/** The library's form of a subject; as objects, so that no character in a name has a meaning. */
export function subjectOf(name: CertificateName): { [field: string]: string[] }[] {
  const { CN, O, OU } = subjectFields(name);
  return [{ CN: [CN] }, { O: [O] }, { OU: [OU] }];
}

/** PEM text as we write it to files: one line feed at the end. */
export function tidyPem(pem: string): string {
  return `${pem.trim()}\n`;
}

// --- internals -------------------------------------------------------------------------------

async function load(): Promise<X509> {
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  x509.cryptoProvider.set(webcrypto as unknown as Crypto);
  return x509;
}
