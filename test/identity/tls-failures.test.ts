/** Errors of TLS libraries, as bun (BoringSSL), deno (rustls) and OpenSSL word them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mapTlsFailure } from '../../src/identity/tls-failures.ts';

/** Code and text as seen in real handshakes; the outcome as "end kind". */
const cases: [code: string, text: string, outcome: string][] = [
  // bun, and node: what this end found
  ['CERT_HAS_EXPIRED', 'certificate has expired', 'checker expired'],
  ['CERT_NOT_YET_VALID', 'certificate is not yet valid', 'checker notYetValid'],
  ['CERT_REVOKED', 'certificate revoked', 'checker revoked'],
  ['CERT_SIGNATURE_FAILURE', 'certificate signature failure', 'checker unknownAuthority'],
  [
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'unable to verify the first certificate',
    'checker unknownAuthority',
  ],
  [
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'unable to get local issuer certificate',
    'checker unknownAuthority',
  ],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'self signed certificate in chain', 'checker unknownAuthority'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'self signed certificate', 'checker unknownAuthority'],
  ['INVALID_PURPOSE', 'unsupported certificate purpose', 'checker wrongRole'],
  ['ERR_SSL_BAD_SIGNATURE', 'error:10000072:SSL routines::BAD_SIGNATURE', 'checker badSignature'],
  [
    'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE',
    'error:100000c0:SSL routines:OPENSSL_internal:PEER_DID_NOT_RETURN_A_CERTIFICATE',
    'checker noCertificate',
  ],
  [
    'ERR_SSL_NO_APPLICATION_PROTOCOL',
    "peer doesn't support any known protocol",
    'checker noCommonProtocol',
  ],
  ['ERR_SSL_HTTP_REQUEST', 'error:1000009c:SSL routines::HTTP_REQUEST', 'checker noCommonProtocol'],
  [
    'ERR_SSL_WRONG_VERSION_NUMBER',
    'error:100000f7:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER',
    'checker noCommonProtocol',
  ],
  ['ERR_SSL_UNSUPPORTED_PROTOCOL', 'UNSUPPORTED_PROTOCOL', 'checker noCommonProtocol'],
  // deno, whose own finding comes under the code of the alert it sends
  [
    'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE',
    'peer is incompatible: Tls12NotOfferedOrEnabled',
    'checker noCommonProtocol',
  ],
  // alerts: what the peer found
  [
    'ERR_SSL_TLSV1_ALERT_CERTIFICATE_REQUIRED',
    'error:1000045c:SSL routines:OPENSSL_internal:TLSV1_ALERT_CERTIFICATE_REQUIRED',
    'holder noCertificate',
  ],
  [
    'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
    'received fatal alert: CertificateRequired',
    'holder noCertificate',
  ],
  [
    'ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED',
    'received fatal alert: CertificateExpired',
    'holder expired',
  ],
  [
    'ERR_SSL_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE',
    'received fatal alert: UnsupportedCertificate',
    'holder wrongRole',
  ],
  [
    'ERR_SSL_SSLV3_ALERT_DECRYPT_ERROR',
    'received fatal alert: DecryptError',
    'holder badSignature',
  ],
  ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'tlsv1 alert unknown ca', 'holder unknownAuthority'],
  [
    'EPROTO',
    'error:0A000415:SSL routines::sslv3 alert certificate expired:SSL alert number 45',
    'holder expired',
  ],
  ['EPROTO', 'something:SSL alert number 120', 'holder noCommonProtocol'],
  [
    'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
    'received fatal alert: ProtocolVersion',
    'holder noCommonProtocol',
  ],
  // hung up without a word
  ['ECONNRESET', 'socket hang up', 'holder closedEarly'],
  [
    'ECONNRESET',
    'Client network socket disconnected before secure TLS connection was established',
    'holder closedEarly',
  ],
  ['EPIPE', 'write EPIPE', 'holder closedEarly'],
];

test('mapTlsFailure() reads what each library says, and whose certificate it is about', () => {
  for (const [code, text, outcome] of cases) {
    const failure = mapTlsFailure(code, text);
    assert.equal(`${failure?.end} ${failure?.refusal.kind}`, outcome, `${code} ${text}`);
  }
});

test('mapTlsFailure() leaves failures of the network and of the disk alone', () => {
  for (
    const [code, text] of [
      ['ECONNREFUSED', 'connect ECONNREFUSED 127.0.0.1:1'],
      ['ENOTFOUND', 'getaddrinfo ENOTFOUND certificate-required.example'],
      ['ETIMEDOUT', 'connect ETIMEDOUT'],
      ['ENOENT', 'no such file'],
      ['', ''],
      ['EPROTO', 'SSL alert number 80'],
    ] as const
  ) assert.equal(mapTlsFailure(code, text), undefined, `${code} ${text}`);
});
