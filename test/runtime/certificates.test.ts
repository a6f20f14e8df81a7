/** Certificates as they are made and read here, without a network. */
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync, webcrypto, X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import * as x509 from '@peculiar/x509';
import { ClusterError } from '../../src/base/errors.ts';
import type { NodeIdentity } from '../../src/ports.ts';
import {
  CLOCK_SKEW_MS,
  createAuthority,
  selfIssueMaster,
  signRequest,
} from '../../src/runtime/certificate-authority.ts';
import type { KeyedCertificate } from '../../src/runtime/certificate-authority.ts';
import {
  checkRequest,
  createNodeKey,
  createRequest,
} from '../../src/runtime/certificate-request.ts';
import {
  authorityCluster,
  certificateMatchesKey,
  certificatePem,
  fingerprint,
  isIssuedBy,
  presentedChain,
  readCertificate,
  timingSafeEqualBytes,
  verifyPresentedChain,
} from '../../src/runtime/certificates.ts';
import type { TlsPeer } from '../../src/runtime/certificates.ts';

const NOW_MS = Date.UTC(2026, 10, 23, 12, 0, 0);
const DAY_MS = 86_400_000;
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

const authority = await createAuthority({ cluster: 'office', nowMs: NOW_MS });
const master = await selfIssueMaster({
  authority,
  node: 'm1',
  hosts: ['master.example', '10.0.0.1', '::1'],
  nowMs: NOW_MS,
});
const workerIdentity: NodeIdentity = { cluster: 'office', node: 'w1', role: 'worker' };
const worker = await enrol(workerIdentity);

async function enrol(identity: NodeIdentity, by = authority): Promise<KeyedCertificate> {
  const keyPem = createNodeKey();
  const request = await createRequest({ keyPem, identity });
  const certificatePem = await signRequest({ authority: by, request, identity, nowMs: NOW_MS });
  return { certificatePem, keyPem };
}

function der(pem: string): Uint8Array {
  return new Uint8Array(new X509Certificate(pem).raw);
}

function caOf({ certificatePem: pem }: KeyedCertificate): X509Certificate {
  return new X509Certificate(pem);
}

function purposes(pem: string): string[] {
  const extension = new x509.X509Certificate(pem).getExtension(x509.ExtendedKeyUsageExtension);
  return Array.from(extension?.usages ?? [], String);
}

function isAuthenticationError(pattern: RegExp): (error: unknown) => boolean {
  return (error) =>
    error instanceof ClusterError && error.code === 'authentication' && pattern.test(error.message);
}

test('createAuthority() makes a certificate that may sign nodes and nothing below them', () => {
  const certificate = new x509.X509Certificate(authority.certificatePem);
  const constraints = certificate.getExtension(x509.BasicConstraintsExtension);
  assert.equal(constraints?.ca, true);
  assert.equal(constraints?.pathLength, 0);
  assert.equal(constraints?.critical, true);
  const usage = certificate.getExtension(x509.KeyUsagesExtension);
  assert.equal(usage?.usages, x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign);
  const facts = readCertificate(authority.certificatePem);
  assert.equal(facts.notBeforeMs, NOW_MS - CLOCK_SKEW_MS);
  assert.equal(facts.notAfterMs, NOW_MS + 3650 * DAY_MS);
  assert.equal(facts.identity, undefined, 'an authority is no node');
  assert.equal(authorityCluster(authority.certificatePem), 'office');
  assert.equal(authorityCluster(master.certificatePem), undefined);
  assert.ok(certificateMatchesKey(authority.certificatePem, authority.keyPem));
});

test('signRequest() writes what the authority decided and ignores the names in the request', async () => {
  const keyPem = createNodeKey();
  const asked: NodeIdentity = { cluster: 'other', node: 'boss', role: 'master' };
  const request = await createRequest({ keyPem, identity: asked });
  assert.match(new x509.Pkcs10CertificateRequest(request).subject, /boss/);
  const pem = await signRequest({ authority, request, identity: workerIdentity, nowMs: NOW_MS });
  const facts = readCertificate(pem, authority.certificatePem);
  assert.deepEqual(facts.identity, workerIdentity);
  assert.equal(facts.notBeforeMs, NOW_MS - CLOCK_SKEW_MS);
  assert.equal(facts.notAfterMs, NOW_MS + 90 * DAY_MS);
  assert.equal(facts.issuerFingerprint, fingerprint(authority.certificatePem));
  assert.equal(facts.keyFingerprint, (await checkRequest(request)).keyFingerprint);
  const text = `${new X509Certificate(pem).subject} ${new X509Certificate(pem).subjectAltName}`;
  assert.ok(!/boss|other|master/.test(text), text);
  assert.ok(certificateMatchesKey(pem, keyPem));
});

test('signRequest() takes PEM and DER, and makes another serial each time', async () => {
  const request = await createRequest({ keyPem: createNodeKey(), identity: workerIdentity });
  const bytes = new Uint8Array(x509.PemConverter.decodeFirst(request));
  const serials = new Set<string>();
  for (const form of [request, bytes, bytes]) {
    const options = { authority, request: form, identity: workerIdentity, nowMs: NOW_MS };
    const { serial } = readCertificate(await signRequest(options));
    assert.match(serial, /^[4-7][0-9a-f]{31}$/);
    serials.add(serial);
  }
  assert.equal(serials.size, 3);
});

test("signRequest() lets a worker's certificate be a client only, a master's both", () => {
  assert.deepEqual(purposes(worker.certificatePem), [CLIENT_AUTH]);
  assert.deepEqual(purposes(master.certificatePem), [SERVER_AUTH, CLIENT_AUTH]);
  for (const { certificatePem: pem } of [worker, master]) {
    const constraints = new x509.X509Certificate(pem).getExtension(x509.BasicConstraintsExtension);
    assert.equal(constraints?.ca, false);
  }
});

test('selfIssueMaster() adds host names and addresses beside the identity', async () => {
  const facts = readCertificate(master.certificatePem, authority.certificatePem);
  assert.deepEqual(facts.identity, { cluster: 'office', node: 'm1', role: 'master' });
  const certificate = new X509Certificate(master.certificatePem);
  assert.equal(certificate.checkHost('master.example'), 'master.example');
  assert.equal(certificate.checkIP('10.0.0.1'), '10.0.0.1');
  for (const host of ['a b', '', 'a,URI:muster://office/master/x', '-x', 'ä.example', '*']) {
    const attempt = selfIssueMaster({ authority, node: 'm', hosts: [host], nowMs: NOW_MS });
    await assert.rejects(attempt, /neither a host name nor an IP address/, host);
  }
});

test('signRequest() never issues beyond the end of the authority, nor after it', async () => {
  const request = await createRequest({ keyPem: createNodeKey(), identity: workerIdentity });
  const short = await createAuthority({ cluster: 'office', nowMs: NOW_MS, days: 10 });
  const options = { authority: short, request, identity: workerIdentity };
  const facts = readCertificate(await signRequest({ ...options, nowMs: NOW_MS }));
  assert.equal(facts.notAfterMs, NOW_MS + 10 * DAY_MS);
  const late = signRequest({ ...options, nowMs: NOW_MS + 10 * DAY_MS });
  await assert.rejects(late, isAuthenticationError(/authority has expired/));
});

test('signRequest() refuses identities that are not its to give', async () => {
  const request = await createRequest({ keyPem: createNodeKey(), identity: workerIdentity });
  const issueTo = (identity: NodeIdentity, by = authority) =>
    signRequest({ authority: by, request, identity, nowMs: NOW_MS });
  await assert.rejects(issueTo({ ...workerIdentity, cluster: 'lab' }), /cannot issue for "lab"/);
  await assert.rejects(issueTo({ ...workerIdentity, node: 'a/b' }), /only letters/);
  await assert.rejects(issueTo(workerIdentity, master), /not one that muster made/);
  await assert.rejects(createAuthority({ cluster: 'a b', nowMs: NOW_MS }), /cluster name/);
});

test('checkRequest() refuses a request that was not signed with the key in it', async () => {
  const request = await createRequest({ keyPem: createNodeKey(), identity: workerIdentity });
  const good = new Uint8Array(x509.PemConverter.decodeFirst(request));
  await checkRequest(good);
  // A name in the signed part is changed, as by someone who passes the request on.
  const renamed = good.slice();
  renamed[Buffer.from(good).indexOf('w1') + 1] = '2'.charCodeAt(0);
  await assert.rejects(checkRequest(renamed), isAuthenticationError(/not signed with its own key/));
  // The key is replaced by a stranger's: its holder never asked for anything.
  const other = new x509.Pkcs10CertificateRequest(
    await createRequest({ keyPem: createNodeKey(), identity: workerIdentity }),
  );
  const own = Buffer.from(new x509.Pkcs10CertificateRequest(request).publicKey.rawData);
  const swapped = good.slice();
  swapped.set(new Uint8Array(other.publicKey.rawData), Buffer.from(good).indexOf(own));
  await assert.rejects(checkRequest(swapped), isAuthenticationError(/not signed with its own key/));
});

test('checkRequest() survives every cut and every changed byte, and accepts none of them', async () => {
  const request = await createRequest({ keyPem: createNodeKey(), identity: workerIdentity });
  const good = new Uint8Array(x509.PemConverter.decodeFirst(request));
  for (let at = 0; at < good.length; at++) {
    const changed = good.slice();
    changed[at] = changed[at]! ^ 0x55;
    await assert.rejects(checkRequest(changed), isAuthenticationError(/request/), `byte ${at}`);
    await assert.rejects(checkRequest(good.slice(0, at)), isAuthenticationError(/request/));
  }
});

test('checkRequest() refuses keys of another kind, long requests and other texts', async () => {
  for (
    const algorithm of [
      { ...P256, namedCurve: 'P-384' },
      {
        name: 'RSASSA-PKCS1-v1_5',
        hash: 'SHA-256',
        modulusLength: 2048,
        publicExponent: new Uint8Array([1, 0, 1]),
      },
    ]
  ) {
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const request = await x509.Pkcs10CertificateRequestGenerator.create(
      { keys: keys as CryptoKeyPair, signingAlgorithm: algorithm },
      webcrypto as unknown as Crypto,
    );
    await assert.rejects(
      checkRequest(request.toString('pem')),
      isAuthenticationError(/not an ECDSA P-256 key/),
    );
  }
  const nested = new Uint8Array(4096).fill(0x30);
  for (const text of ['', 'hello', 'AAAA', '00', authority.certificatePem, authority.keyPem]) {
    await assert.rejects(checkRequest(text), isAuthenticationError(/neither PEM nor DER/));
  }
  await assert.rejects(checkRequest(nested), isAuthenticationError(/neither PEM nor DER/));
  await assert.rejects(checkRequest('x'.repeat(4097)), isAuthenticationError(/over 4096/));
});

test('isIssuedBy() believes a signature and not a name', async () => {
  assert.equal(isIssuedBy(worker.certificatePem, authority.certificatePem), true);
  // Another authority that calls itself the same.
  const twin = await createAuthority({ cluster: 'office', nowMs: NOW_MS });
  assert.equal(isIssuedBy(worker.certificatePem, twin.certificatePem), false);
  const stranger = await enrol(workerIdentity, twin);
  assert.equal(isIssuedBy(stranger.certificatePem, authority.certificatePem), false);
  const facts = readCertificate(stranger.certificatePem, authority.certificatePem);
  assert.equal(facts.issuerFingerprint, undefined);
  // Issuer's name and key identifier are right, the signature is somebody else's.
  const forged = await forgeMaster(authority.certificatePem, twin.keyPem);
  assert.equal(new X509Certificate(forged).checkIssued(caOf(authority)), true);
  assert.equal(isIssuedBy(forged, authority.certificatePem), false);
  // A worker signs with its own key, and the signature is right.
  const byWorker = await forgeMaster(worker.certificatePem, worker.keyPem);
  assert.equal(new X509Certificate(byWorker).verify(caOf(worker).publicKey), true);
  assert.equal(isIssuedBy(byWorker, worker.certificatePem), false);
  // Neither is an authority a node, nor a node an authority.
  assert.equal(isIssuedBy(authority.certificatePem, authority.certificatePem), false);
  assert.equal(isIssuedBy(worker.certificatePem, worker.certificatePem), false);
});

test('certificateMatchesKey() tells keys apart and takes nothing but a private key', () => {
  assert.equal(certificateMatchesKey(worker.certificatePem, worker.keyPem), true);
  assert.equal(certificateMatchesKey(worker.certificatePem, master.keyPem), false);
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
    .export({ type: 'pkcs8', format: 'pem' }).toString();
  assert.equal(certificateMatchesKey(worker.certificatePem, rsa), false);
  for (const text of ['', 'hello', worker.certificatePem, worker.keyPem.slice(0, 100)]) {
    assert.throws(
      () => certificateMatchesKey(worker.certificatePem, text),
      isAuthenticationError(/Cannot read private key/),
    );
  }
});

test('readCertificate() refuses what is no certificate, and says so without repeating it', () => {
  const secret = worker.keyPem.split('\n')[1]!;
  for (const text of ['', 'hello', worker.keyPem, worker.certificatePem.slice(0, 200)]) {
    assert.throws(() => readCertificate(text), (error: unknown) => {
      assert.ok(isAuthenticationError(/neither PEM nor DER/)(error));
      assert.ok(!String(error).includes(secret));
      return true;
    });
  }
  assert.throws(() => readCertificate(new Uint8Array(20_000)), isAuthenticationError(/over/));
});

test('readCertificate() gives the same facts for PEM and DER', () => {
  const facts = readCertificate(worker.certificatePem, authority.certificatePem);
  assert.deepEqual(
    readCertificate(der(worker.certificatePem), der(authority.certificatePem)),
    facts,
  );
  assert.match(facts.fingerprint, /^[0-9a-f]{64}$/);
  assert.equal(certificatePem(der(worker.certificatePem)), worker.certificatePem);
});

test('verifyPresentedChain() trusts a master whose authority has the fingerprint', () => {
  const chain = [der(master.certificatePem), der(authority.certificatePem)];
  const expected = {
    authorityFingerprint: fingerprint(authority.certificatePem),
    cluster: 'office',
  };
  assert.deepEqual(verifyPresentedChain(chain, expected, NOW_MS), {
    kind: 'accepted',
    identity: { cluster: 'office', node: 'm1', role: 'master' },
    authorityPem: authority.certificatePem,
  });
});

test('verifyPresentedChain() refuses everybody else', async () => {
  const authorityFingerprint = fingerprint(authority.certificatePem);
  const expected = { authorityFingerprint, cluster: 'office' };
  const twin = await createAuthority({ cluster: 'office', nowMs: NOW_MS });
  const impostor = await selfIssueMaster({ authority: twin, node: 'm1', nowMs: NOW_MS });
  const byWorker = await forgeMaster(worker.certificatePem, worker.keyPem);
  const byStranger = await forgeMaster(authority.certificatePem, createNodeKey());
  const ca = authority.certificatePem;
  const cases: [string, string[], string][] = [
    ['nothing', [], 'noCertificate'],
    ['a leaf alone', [master.certificatePem], 'unknownAuthority'],
    ['the authority alone', [ca], 'unknownAuthority'],
    ['the authority as a leaf', [ca, ca], 'unknownAuthority'],
    ['another authority', [impostor.certificatePem, twin.certificatePem], 'unknownAuthority'],
    ["another authority's leaf beside ours", [impostor.certificatePem, ca], 'unknownAuthority'],
    ['a worker', [worker.certificatePem, ca], 'wrongRole'],
    ['one signed by a worker', [byWorker, worker.certificatePem, ca], 'unknownAuthority'],
    ['one that only names our authority', [byStranger, ca], 'unknownAuthority'],
  ];
  for (const [what, chain, kind] of cases) {
    assert.equal(verifyPresentedChain(chain.map(der), expected, NOW_MS).kind, kind, what);
  }
  const good = [master.certificatePem, ca].map(der);
  assert.equal(verifyPresentedChain(good, expected, NOW_MS + 91 * DAY_MS).kind, 'expired');
  assert.equal(verifyPresentedChain(good, expected, NOW_MS - DAY_MS).kind, 'notYetValid');
  const lab = { authorityFingerprint, cluster: 'lab' };
  assert.equal(verifyPresentedChain(good, lab, NOW_MS).kind, 'wrongCluster');
});

/** What anyone can make with some key: a master's certificate that names an issuer of choice. */
async function forgeMaster(issuerPem: string, signerKeyPem: string): Promise<string> {
  const { subtle } = webcrypto;
  const issuer = new x509.X509Certificate(issuerPem);
  const pkcs8 = createPrivateKey(signerKeyPem).export({ type: 'pkcs8', format: 'der' });
  const signingKey = await subtle.importKey('pkcs8', pkcs8, P256, false, ['sign']);
  const keys = await subtle.generateKey(P256, true, ['sign', 'verify']);
  const crypto = webcrypto as unknown as Crypto;
  const forged = await x509.X509CertificateGenerator.create({
    subject: 'CN=m1,O=office,OU=master',
    issuer: issuer.subjectName,
    notBefore: new Date(NOW_MS - DAY_MS),
    notAfter: new Date(NOW_MS + DAY_MS),
    signingAlgorithm: P256,
    signingKey: signingKey as CryptoKey,
    publicKey: (keys as CryptoKeyPair).publicKey,
    extensions: [
      new x509.SubjectAlternativeNameExtension([
        { type: 'url', value: 'muster://office/master/m1' },
      ]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey, false, crypto),
    ],
  }, crypto);
  return forged.toString('pem');
}

test('presentedChain() ends at a certificate that is its own issuer, and at the fourth', () => {
  type Link = { raw?: Buffer; issuerCertificate?: Link };
  const peer = (link: Link | undefined): TlsPeer =>
    ({ getPeerCertificate: () => link }) as unknown as TlsPeer;
  assert.deepEqual(presentedChain(peer(undefined)), []);
  assert.deepEqual(presentedChain(peer({})), []);
  const root: Link = { raw: Buffer.from([2]) };
  root.issuerCertificate = root;
  const leaf: Link = { raw: Buffer.from([1]), issuerCertificate: root };
  assert.deepEqual(presentedChain(peer(leaf)).map((raw) => raw[0]), [1, 2]);
  const a: Link = { raw: Buffer.from([1]) };
  a.issuerCertificate = { raw: Buffer.from([2]), issuerCertificate: a };
  assert.equal(presentedChain(peer(a)).length, 4);
});

test('timingSafeEqualBytes() compares arrays of any lengths', () => {
  const bytes = new Uint8Array([1, 2, 3]);
  assert.equal(timingSafeEqualBytes(bytes, bytes.slice()), true);
  assert.equal(timingSafeEqualBytes(bytes, new Uint8Array([1, 2, 4])), false);
  assert.equal(timingSafeEqualBytes(bytes, new Uint8Array([1, 2])), false);
});
