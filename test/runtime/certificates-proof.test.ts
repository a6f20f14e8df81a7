/**
 * Every handshake proves that a peer holds the key of the certificate it shows, even where the TLS
 * library is told to accept any certificate: all that muster decides itself rests on that.
 *
 * The liar is OpenSSL's command line tool. It is given somebody else's certificate and a key file
 * that claims to belong to it: the public half is the victim's, the private half is not. Skipped
 * where there is no such tool.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import * as tls from 'node:tls';
import { mapTlsFailure } from '../../src/identity/tls-failures.ts';
import { createAuthority, selfIssueMaster } from '../../src/runtime/certificate-authority.ts';
import { createNodeKey } from '../../src/runtime/certificate-request.ts';

const POINT_BYTES = 65;
const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
const nowMs = Date.now();
const authority = await createAuthority({ cluster: 'office', nowMs });
const victim = await selfIssueMaster({ authority, node: 'm1', nowMs });

const directory = mkdtempSync(join(tmpdir(), 'muster-proof-'));
after(() => rmSync(directory, { recursive: true }));
const certificateFile = write('victim.pem', victim.certificatePem);
const honestKeyFile = write('honest.key', victim.keyPem);
const forgedKeyFile = write('forged.key', forgeKey(victim.keyPem));

function write(name: string, text: string): string {
  const file = join(directory, name);
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

/** A key file with the public point of the victim and the secret of somebody else. */
function forgeKey(victimPem: string): string {
  const der = (pem: string) => createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' });
  const forged = der(createNodeKey());
  forged.set(der(victimPem).subarray(-POINT_BYTES), forged.length - POINT_BYTES);
  const lines = forged.toString('base64').replace(/(.{64})/g, '$1\n').trim();
  return `-----BEGIN PRIVATE KEY-----\n${lines}\n-----END PRIVATE KEY-----\n`;
}

const identification = ['-cert', certificateFile, '-key'];

/** What our server makes of a client with the victim's certificate and some key. */
async function clientSeenByServer(keyFile: string): Promise<string> {
  const server = tls.createServer({
    cert: victim.certificatePem,
    key: victim.keyPem,
    ca: authority.certificatePem,
    minVersion: 'TLSv1.3',
    requestCert: true,
    rejectUnauthorized: false,
  });
  const seen = new Promise<string>((resolve) => {
    server.on('secureConnection', (socket) => {
      socket.on('error', () => undefined);
      socket.destroy();
      resolve('accepted');
    });
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
      socket.destroy();
      resolve(
        mapTlsFailure(error.code ?? '', error.message) === undefined ? 'unmapped' : 'refused',
      );
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = spawn('openssl', ['s_client', '-connect', address, ...identification, keyFile], {
    stdio: 'ignore',
  });
  const closed = once(client, 'close');
  const outcome = await seen;
  client.kill();
  await closed;
  server.close();
  await once(server, 'close');
  return outcome;
}

/** What our client makes of a server with the victim's certificate and some key. */
async function serverSeenByClient(keyFile: string): Promise<string> {
  const server = spawn(
    'openssl',
    ['s_server', '-accept', '127.0.0.1:0', '-naccept', '1', ...identification, keyFile],
    { stdio: ['pipe', 'pipe', 'ignore'] },
  );
  const closed = once(server, 'close');
  const port = await listeningPort(server.stdout);
  const socket = tls.connect({
    host: '127.0.0.1',
    port,
    minVersion: 'TLSv1.3',
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  });
  const outcome = await new Promise<string>((resolve) => {
    socket.once('secureConnect', () => resolve('accepted'));
    socket.once('error', () => resolve('refused'));
  });
  socket.destroy();
  server.kill();
  server.stdout.resume();
  await closed;
  return outcome;
}

async function listeningPort(output: NodeJS.ReadableStream): Promise<number> {
  let text = '';
  return await new Promise((resolve, reject) => {
    output.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const [, port] = /ACCEPT 127\.0\.0\.1:(\d+)/.exec(text) ?? [];
      if (port !== undefined) resolve(Number(port));
    });
    output.on('end', () => reject(new Error(`openssl does not listen: ${text}`)));
  });
}

test('a server refuses a client that does not hold the key of its certificate', {
  skip: !hasOpenssl,
}, async () => {
  assert.equal(await clientSeenByServer(honestKeyFile), 'accepted');
  assert.equal(await clientSeenByServer(forgedKeyFile), 'refused');
});

test('a client refuses a server that does not hold the key of its certificate', {
  skip: !hasOpenssl,
}, async () => {
  assert.equal(await serverSeenByClient(honestKeyFile), 'accepted');
  assert.equal(await serverSeenByClient(forgedKeyFile), 'refused');
});
