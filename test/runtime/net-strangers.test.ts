/** What the network does about strangers, and how certificates are renewed; real sockets. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Stream } from '../../src/ports.ts';
import { readCertificate } from '../../src/runtime/certificates.ts';
import { eventually, ManualClock } from './manual-clock.ts';
import {
  bytesOf,
  cleanups,
  dial,
  knock,
  master,
  networkOf,
  openDoor,
  PROTOCOL,
  readAll,
  worker,
} from './net-doors.ts';
import { makeNode, twin } from './tls-nodes.ts';

// --- strangers -------------------------------------------------------------------------------
test('listen() drops whoever does not finish the handshake in time', async () => {
  const clock = new ManualClock();
  const door = await openDoor(master, { clock });
  const silent = await knock(door.port);
  const slow = await knock(door.port);
  slow.write(new Uint8Array([22, 3, 1]));
  await eventually('both are waited for', () => door.network.handshakesCount === 2);
  clock.advance(9999);
  await dial(door.listener.address);
  await door.next();
  assert.equal(door.network.handshakesCount, 2);
  clock.advance(1);
  await eventually('both are gone', () => silent.destroyed && slow.destroyed);
  assert.equal(door.network.handshakesCount, 0);
  assert.equal(clock.sleepersCount, 0);
});

test('listen() limits unfinished handshakes by origin and in all, and drops the rest', async () => {
  for (
    const [limits, text] of [
      [{ handshakesPerAddressMax: 3 }, 'too many unfinished handshakes of 127.0.0.1'],
      [{ handshakesMax: 3 }, 'too many unfinished handshakes'],
    ] as const
  ) {
    const door = await openDoor(master, { limits });
    const held = [await knock(door.port), await knock(door.port), await knock(door.port)];
    await eventually('three places are taken', () => door.network.handshakesCount === 3);
    const refused = await knock(door.port);
    await eventually('the fourth is dropped', () => refused.destroyed);
    assert.ok(held.every((socket) => !socket.destroyed));
    const warnings = door.network.lines.filter(({ level }) => level === 'warning');
    assert.deepEqual(warnings.map((line) => line.text), [`Dropped connections: ${text}`]);
    held[0]!.destroy();
    await eventually('a place is free', () => door.network.handshakesCount === 2);
    await dial(door.listener.address);
    await door.next();
    assert.equal(door.network.handshakesCount, 2);
  }
});

test('listen() retains nothing of those who connect and hang up, or talk nonsense', async () => {
  const clock = new ManualClock();
  const door = await openDoor(master, { clock, limits: { handshakesPerAddressMax: 500 } });
  await Promise.all(Array.from({ length: 200 }, async (_, index) => {
    const socket = await knock(door.port);
    if (index % 3 === 0) socket.destroy();
    else if (index % 3 === 1) socket.resetAndDestroy();
    else socket.write('GET / HTTP/1.1\r\n\r\n');
  }));
  await eventually('all are gone', () => door.network.handshakesCount === 0);
  await dial(door.listener.address);
  await door.next();
  assert.equal(door.network.handshakesCount, 0);
  assert.equal(clock.sleepersCount, 0);
});

// --- renewal ---------------------------------------------------------------------------------
test('reload() serves the new certificate to new connections and keeps the old ones', async () => {
  const door = await openDoor();
  const old = await dial(door.listener.address);
  const oldFar = await door.next();
  const renewed = await makeNode('master', 'm1');
  door.network.reload(renewed);

  const near = await dial(door.listener.address);
  assert.equal(near.certificate?.serial, readCertificate(renewed.certificatePem).serial);
  assert.notEqual(near.certificate?.serial, old.certificate?.serial);
  await old.write(bytesOf('old and well'));
  old.close();
  assert.deepEqual(await readAll(oldFar), bytesOf('old and well'));
});

test('reload() changes whom a listener trusts, and what a dialling node shows', async () => {
  const door = await openDoor();
  door.network.reload(await makeNode('master', 'm1', { issuer: twin, trusts: twin }));
  const strange = await makeNode('worker', 'w7', { issuer: twin, trusts: twin });
  const network = networkOf(worker);
  network.reload(strange);
  const { signal } = new AbortController();
  const options = { protocols: [PROTOCOL], trust: 'cluster', signal } as const;
  const near = await network.connect(door.listener.address, options);
  cleanups.push(() => near.abort());
  assert.equal((await door.next()).certificate?.identity?.node, 'w7');
  assert.equal((await dial(door.listener.address)).certificate, undefined);
});

test('listen() believes no certificate of an earlier handshake', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'muster-net-'));
  cleanups.push(() => rmSync(directory, { recursive: true }));
  const file = (name: string): string => join(directory, name);
  writeFileSync(file('key.pem'), worker.keyPem);
  writeFileSync(file('certificate.pem'), worker.certificatePem);
  const door = await openDoor();
  const visit = async (...options: string[]): Promise<Stream | undefined> => {
    const to = ['-connect', `127.0.0.1:${door.port}`, '-alpn', PROTOCOL, '-ign_eof'];
    const client = spawn('openssl', ['s_client', ...to, ...options], { stdio: 'pipe' });
    client.stdout.resume();
    client.stderr.resume();
    const gone = new Promise<number | null>((resolve) => {
      client.on('error', () => resolve(null));
      client.on('exit', resolve);
    });
    const far = await Promise.race([door.next(), gone.then(() => undefined)]);
    far?.close();
    await gone;
    return far;
  };
  const keys = ['-cert', file('certificate.pem'), '-key', file('key.pem')];
  const first = await visit(...keys, '-sess_out', file('session')).catch(() => undefined);
  if (first === undefined) {
    t.skip('no openssl here');
    return;
  }
  assert.equal(first.certificate?.identity?.node, 'w1');
  // Where a ticket was issued, it is of no use.
  const resumption = existsSync(file('session')) ? ['-sess_in', file('session')] : [];
  assert.equal((await visit(...resumption))?.certificate, undefined);
});
