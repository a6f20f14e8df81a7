/** Connecting and listening over real sockets, on whatever runtime runs this. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';
import { ClusterError } from '../../src/base/errors.ts';
import { fingerprint, readCertificate } from '../../src/runtime/certificates.ts';
import type { Stream } from '../../src/ports.ts';
import type { TlsCredentials } from '../../src/runtime/net.ts';
import { eventually, ManualClock } from './manual-clock.ts';
import {
  bytesOf,
  cleanups,
  dial,
  failure,
  master,
  networkOf,
  openDoor,
  PROTOCOL,
  readAll,
  worker,
} from './net-doors.ts';
import { makeNode, office, twin } from './tls-nodes.ts';

// --- who is who ------------------------------------------------------------------------------
test('connect() and listen() give both ends a stream with the verified certificate', async () => {
  const door = await openDoor();
  const near = await dial(door.listener.address);
  const far = await door.next();
  assert.equal(near.protocol, PROTOCOL);
  assert.equal(far.protocol, PROTOCOL);
  assert.deepEqual(near.certificate?.identity, { cluster: 'office', node: 'm1', role: 'master' });
  assert.deepEqual(far.certificate?.identity, { cluster: 'office', node: 'w1', role: 'worker' });
  assert.equal(far.certificate?.serial, readCertificate(worker.certificatePem).serial);
  assert.equal(far.rejection, undefined);
  assert.equal(near.remote, door.listener.address);
  assert.match(far.remote, /^127\.0\.0\.1:\d+$/);

  await near.write(bytesOf('to the master'));
  near.close();
  assert.deepEqual(await readAll(far), bytesOf('to the master'));
});

test('listen() lets a refused certificate through as no certificate, with the reason', async () => {
  const door = await openDoor();
  const cases: [NonNullable<Parameters<typeof makeNode>[2]>, RegExp][] = [
    [{ issuer: twin }, /^(UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED_CERT_IN_CHAIN)$/],
    // deno knows one reason only.
    [{ daysAgo: 100 }, /^(CERT_HAS_EXPIRED|UNABLE_TO_VERIFY_LEAF_SIGNATURE)$/],
    [{ daysAgo: -1 }, /^(CERT_NOT_YET_VALID|UNABLE_TO_VERIFY_LEAF_SIGNATURE)$/],
  ];
  for (const [change, rejection] of cases) {
    const stranger = await makeNode('worker', 'w9', change);
    const near = await dial(door.listener.address, stranger);
    const far = await door.next();
    assert.equal(far.certificate, undefined);
    assert.match(far.rejection ?? '', rejection);
    assert.equal(fingerprint(far.presentedChain![0]!), fingerprint(stranger.certificatePem));
    // The explanation reaches it.
    void far.write(bytesOf('go away'));
    far.close();
    assert.deepEqual(await readAll(near), bytesOf('go away'));
  }
});

test('listen() hands over a peer without a certificate', async () => {
  const door = await openDoor();
  await dial(door.listener.address, undefined, { trust: 'anyone' });
  const far = await door.next();
  assert.equal(far.certificate, undefined);
  assert.equal(far.rejection, undefined);
  assert.deepEqual(far.presentedChain, []);
});

test('connect() to anyone shows the chain and believes nothing', async () => {
  const door = await openDoor();
  for (const credentials of [undefined, worker]) {
    const near = await dial(door.listener.address, credentials, { trust: 'anyone' });
    assert.equal(near.certificate, undefined);
    assert.equal(near.rejection, undefined);
    assert.deepEqual(
      near.presentedChain!.map((der) => fingerprint(der)),
      [master.certificatePem, office.certificatePem].map((pem) => fingerprint(pem)),
    );
    // Whom it does not trust it does not tell who it is.
    assert.deepEqual((await door.next()).presentedChain, []);
  }
});

test('connect() gives a master that the authority does not vouch for no certificate', async () => {
  const cases: [TlsCredentials, RegExp][] = [
    [
      await makeNode('master', 'm1', { issuer: twin, trusts: twin }),
      /^(UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED_CERT_IN_CHAIN)$/,
    ],
    // deno knows one reason only.
    [
      await makeNode('master', 'm1', { daysAgo: 100 }),
      /^(CERT_HAS_EXPIRED|UNABLE_TO_VERIFY_LEAF_SIGNATURE)$/,
    ],
    [await makeNode('worker', 'w2'), /^(INVALID_PURPOSE|UNABLE_TO_VERIFY_LEAF_SIGNATURE)$/],
  ];
  for (const [credentials, rejection] of cases) {
    const door = await openDoor(credentials);
    const near = await dial(door.listener.address);
    assert.equal(near.certificate, undefined);
    assert.match(near.rejection ?? '', rejection);
    // For whoever turns it away.
    assert.equal(fingerprint(near.presentedChain![0]!), fingerprint(credentials.certificatePem));
  }
});

test('connect() and listen() need a certificate of this node', async () => {
  const network = networkOf(undefined);
  await assert.rejects(
    network.listen('127.0.0.1:0', () => {}),
    failure('authentication', /^Cannot listen on 127.0.0.1:0: this node has no certificate$/),
  );
  const { signal } = new AbortController();
  await assert.rejects(
    network.connect('127.0.0.1:9', { protocols: [PROTOCOL], trust: 'cluster', signal }),
    failure('authentication', /^Cannot connect to 127.0.0.1:9: this node has no certificate$/),
  );
});

test('connect() says that there is no protocol in common', async () => {
  const door = await openDoor();
  await assert.rejects(
    dial(door.listener.address, worker, { protocols: ['muster/9'] }),
    failure('incompatible', /have no protocol in common/),
  );
  const http = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', () => {});
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
  }).listen(0, '127.0.0.1');
  cleanups.push(() => http.close());
  await once(http, 'listening');
  await assert.rejects(
    dial(`127.0.0.1:${(http.address() as AddressInfo).port}`),
    failure('incompatible', /have no protocol in common/),
  );
});

test('connect() prefers the protocol that the listener prefers', async () => {
  const door = await openDoor(master, { protocols: ['muster/2', 'muster/1'] });
  const near = await dial(door.listener.address, worker, { protocols: ['muster/1', 'muster/2'] });
  assert.equal(near.protocol, 'muster/2');
  assert.equal((await door.next()).protocol, 'muster/2');
});

test('listen() takes neither TLS 1.2 nor a peer that names no protocol, also after reload()', async () => {
  const door = await openDoor();
  for (const isReloaded of [false, true]) {
    if (isReloaded) door.network.reload(master);
    for (const options of [{ maxVersion: 'TLSv1.2' } as const, { ALPNProtocols: undefined }]) {
      const socket = connectTls({
        host: '127.0.0.1',
        port: door.port,
        rejectUnauthorized: false,
        ALPNProtocols: [PROTOCOL],
        ...options,
      } as ConnectionOptions);
      socket.on('error', () => {});
      socket.on('data', () => {});
      await new Promise((resolve) => socket.once('close', resolve));
    }
    await dial(door.listener.address);
    const far = await door.next();
    assert.notEqual(far.certificate, undefined, 'the first stream is that of the good peer');
  }
});

// --- reaching it -----------------------------------------------------------------------------
test('connect() says why an address cannot be reached', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  await assert.rejects(dial(`127.0.0.1:${port}`), (error: ClusterError) => {
    assert.equal(error.code, 'unreachable');
    assert.equal(error.message, `Cannot connect to 127.0.0.1:${port}: connection refused`);
    assert.match(error.remedy ?? '', /master runs there/);
    return true;
  });
  await assert.rejects(dial('nowhere'), failure('configuration', /^Cannot use address "nowhere"$/));
});

test('connect() tries all addresses of a name', async () => {
  const door = await openDoor();
  // "localhost" is ::1 as well, where nobody listens on this port, or 127.0.0.1 alone.
  const near = await dial(`localhost:${door.port}`);
  assert.equal(near.remote, `127.0.0.1:${door.port}`);
});

test('connect() goes on to the next address of a name where a stranger answers', async () => {
  const ours = await openDoor(master, { address: '127.0.0.2:0' });
  const stranger = await openDoor(await makeNode('master', 'm1', { issuer: twin, trusts: twin }), {
    address: `127.0.0.1:${ours.port}`,
  });
  const lookUp = async () => ['127.0.0.1', '127.0.0.2', '127.0.0.3'];
  const judge = (stream: Stream) => {
    if (stream.certificate !== undefined) return;
    stream.abort();
    throw new ClusterError('authentication', `A stranger at ${stream.remote}`);
  };
  const near = await dial(`both:${ours.port}`, worker, { lookUp, judge });
  assert.equal(near.remote, ours.listener.address);
  // Nobody is left: who answered tells more than who did not.
  await ours.listener.close();
  await assert.rejects(
    dial(`both:${ours.port}`, worker, { lookUp, judge }),
    failure('authentication', /^A stranger at 127\.0\.0\.1:/),
  );
  await stranger.listener.close();
});

test('connect() leaves time for the other addresses of a name where the first is silent', async () => {
  const door = await openDoor(master, { address: '127.0.0.2:0' });
  const sockets: Socket[] = [];
  const silent = createServer((socket) => void sockets.push(socket));
  silent.listen(door.port, '127.0.0.1');
  cleanups.push(() => silent.close());
  await once(silent, 'listening');
  const clock = new ManualClock();
  const lookUp = async () => ['127.0.0.1', '127.0.0.2'];
  const dialled = dial(`both:${door.port}`, worker, { clock, lookUp, limits: { connectMs: 5000 } });
  await eventually('the connection is accepted', () => sockets.length === 1);
  clock.advance(2500);
  assert.equal((await dialled).remote, door.listener.address);
});

test('listen() and connect() take IPv6 addresses', async (t) => {
  const network = networkOf(master);
  const listening = network.listen('[::1]:0', (stream) => stream.close());
  const listener = await listening.catch(() => undefined);
  if (listener === undefined) {
    t.skip('no IPv6 here');
    return;
  }
  assert.match(listener.address, /^\[::1\]:\d+$/);
  const near = await dial(listener.address);
  assert.equal(near.remote, listener.address);
  await readAll(near);
  await listener.close();
});

test('listen() says that the address is taken, and close() frees it at once', async () => {
  const door = await openDoor();
  const near = await dial(door.listener.address);
  const far = await door.next();
  await assert.rejects(
    networkOf(master).listen(door.listener.address, () => {}),
    failure('failed', /^Cannot listen on 127.0.0.1:\d+: another program listens there already$/),
  );
  await door.listener.close();
  const again = await networkOf(master).listen(door.listener.address, () => {});
  await again.close();
  // Streams outlive their listener.
  await near.write(bytesOf('still here'));
  near.close();
  assert.deepEqual(await readAll(far), bytesOf('still here'));
});

test('connect() gives up when stopped and at its deadline, and leaves nothing behind', async () => {
  const silent = createServer((socket) => void sockets.push(socket)).listen(0, '127.0.0.1');
  const sockets: Socket[] = [];
  cleanups.push(() => silent.close());
  await once(silent, 'listening');
  const address = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const clock = new ManualClock();

  const controller = new AbortController();
  const stopped = dial(address, worker, { clock, signal: controller.signal });
  await eventually('the connection is accepted', () => sockets.length === 1);
  const reason = new ClusterError('aborted', 'Enough');
  controller.abort(reason);
  await assert.rejects(stopped, reason);

  const late = dial(address, worker, { clock, limits: { connectMs: 5000 } });
  await eventually('the connection is accepted', () => sockets.length === 2);
  clock.advance(5000);
  await assert.rejects(late, failure('unreachable', /^Cannot connect to .*: no answer$/));

  assert.equal(clock.sleepersCount, 0);
  for (const socket of sockets) {
    socket.on('error', () => {});
    socket.resume();
    await eventually('the connection is gone', () => socket.destroyed);
  }
  await assert.rejects(dial(address, worker, { signal: controller.signal }), reason);
});
