/** The network over real sockets on loopback, on whatever runtime runs this. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectTcp, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';
import { concatBytes } from '../../src/base/bytes.ts';
import { ClusterError } from '../../src/base/errors.ts';
import { parseAddress } from '../../src/base/address.ts';
import type { Clock, Listener, LogLevel, Logger, Stream } from '../../src/ports.ts';
import { fingerprint, readCertificate } from '../../src/runtime/certificates.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createTlsNetwork } from '../../src/runtime/net.ts';
import type { NetworkLimits, TlsCredentials, TlsNetwork } from '../../src/runtime/net.ts';
import { eventually, ManualClock } from './manual-clock.ts';
import { makeNode, office, twin } from './tls-nodes.ts';

const PROTOCOL = 'muster/1';
const master = await makeNode('master', 'm1');
const worker = await makeNode('worker', 'w1');

interface Line {
  readonly level: LogLevel;
  readonly text: string;
}

/** A network of a node, with what it logged. */
function networkOf(
  credentials: TlsCredentials | undefined,
  change: { clock?: Clock; limits?: Partial<NetworkLimits>; protocols?: string[] } = {},
): TlsNetwork & { readonly lines: Line[] } {
  const { clock = systemClock, limits = {}, protocols = [PROTOCOL] } = change;
  const lines: Line[] = [];
  const log: Logger = { log: (level, text) => void lines.push({ level, text }), child: () => log };
  const readPeer = (der: Uint8Array) => readCertificate(der, credentials?.authorityPem);
  const options = { credentials, protocols, readPeer, limits, log, clock };
  return Object.assign(createTlsNetwork(options), { lines });
}

/** A listening node and the streams that came in. */
interface Door {
  readonly network: TlsNetwork & { readonly lines: Line[] };
  readonly listener: Listener;
  readonly port: number;
  /** The next stream that comes in. */
  next(): Promise<Stream>;
}

const cleanups: (() => unknown)[] = [];
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

async function openDoor(
  credentials: TlsCredentials = master,
  change: Parameters<typeof networkOf>[1] = {},
): Promise<Door> {
  const network = networkOf(credentials, change);
  const came: Stream[] = [];
  const listener = await network.listen('127.0.0.1:0', (stream) => {
    came.push(stream);
    cleanups.push(() => stream.abort());
  });
  cleanups.push(() => listener.close());
  const next = async (): Promise<Stream> => {
    await eventually('a stream comes in', () => came.length > 0);
    return came.shift()!;
  };
  return { network, listener, port: parseAddress(listener.address)!.port, next };
}

function dial(
  address: string,
  credentials: TlsCredentials | undefined = worker,
  change: Parameters<typeof networkOf>[1] & { trust?: 'cluster' | 'anyone'; signal?: AbortSignal } =
    {},
): Promise<Stream> {
  const { trust = 'cluster', signal = new AbortController().signal } = change;
  const protocols = change.protocols ?? [PROTOCOL];
  const dialled = networkOf(credentials, change).connect(address, { protocols, trust, signal });
  dialled.then((stream) => cleanups.push(() => stream.abort()), () => {});
  return dialled;
}

async function readAll(stream: Stream): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream.readable) chunks.push(chunk);
  return concatBytes([...chunks, new Uint8Array()]);
}

/** A TCP connection that says nothing by itself. */
async function knock(port: number): Promise<Socket> {
  const socket = connectTcp(port, '127.0.0.1');
  cleanups.push(() => socket.destroy());
  socket.on('error', () => {});
  socket.on('data', () => {});
  await once(socket, 'connect');
  return socket;
}

function failure(code: string, message: RegExp): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof ClusterError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  };
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

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

test('connect() refuses a master that the authority of the cluster does not vouch for', async () => {
  const cases: [TlsCredentials, RegExp][] = [
    [await makeNode('master', 'm1', { issuer: twin, trusts: twin }), /not issued by the authority/],
    // deno knows one reason only.
    [await makeNode('master', 'm1', { daysAgo: 100 }), /its certificate (expired|was not issued)/],
    [await makeNode('worker', 'w2'), /certificate (is not for the role it plays|was not issued)/],
  ];
  for (const [credentials, message] of cases) {
    const door = await openDoor(credentials);
    await assert.rejects(dial(door.listener.address), failure('authentication', message));
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
  await assert.rejects(dial(door.listener.address), failure('authentication', /not issued by/));
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

// --- bytes -----------------------------------------------------------------------------------

test('a stream carries many bytes both ways, whatever the pace of the reader', async () => {
  const door = await openDoor();
  const near = await dial(door.listener.address);
  const far = await door.next();
  const block = Uint8Array.from({ length: 250_007 }, (_, index) => index * 31 + (index >> 8));
  const blocksCount = 40;
  const send = async (stream: Stream): Promise<void> => {
    for (let i = 0; i < blocksCount; i++) await stream.write(block);
  };
  const receive = async (stream: Stream): Promise<void> => {
    let position = 0;
    for await (const chunk of stream.readable) {
      for (const byte of chunk) {
        if (byte !== block[position++ % block.length]) throw new Error(`Wrong at ${position}`);
      }
      // Slower than the sender: the queue fills, the socket is paused.
      await new Promise((resolve) => void setTimeout(resolve, 0));
      if (position === block.length * blocksCount) return;
    }
    throw new Error(`Ended after ${position} bytes`);
  };
  await Promise.all([send(near), send(far), receive(near), receive(far)]);
});

test('a stream holds a bounded number of bytes for a reader that does not read', async () => {
  const door = await openDoor();
  const near = await dial(door.listener.address);
  const far = await door.next();
  const block = new Uint8Array(1024 * 1024);
  let blocksWritten = 0;
  let error: unknown;
  const writing = (async () => {
    for (; blocksWritten < 512; blocksWritten++) await near.write(block);
  })().catch((caught: unknown) => (error = caught));
  let seenCount = -1;
  let quietTurns = 0;
  // Until nothing has moved for a while: the writer waits, or has been cut off.
  await eventually('the writer is stopped', () => {
    quietTurns = seenCount === blocksWritten ? quietTurns + 1 : 0;
    seenCount = blocksWritten;
    return error !== undefined || quietTurns > 200;
  });
  assert.ok(blocksWritten < 100, `${blocksWritten} MiB were accepted`);
  far.abort();
  near.abort();
  await writing;
  assert.equal((error as ClusterError).code, 'unreachable');
});

test('close() sends what was written before it ends', async () => {
  const door = await openDoor();
  const near = await dial(door.listener.address);
  const far = await door.next();
  const block = new Uint8Array(3_000_000).fill(7);
  void near.write(block).catch(() => {});
  near.close();
  near.close();
  assert.deepEqual(await readAll(far), block);
  assert.deepEqual(await readAll(near), new Uint8Array());
  await assert.rejects(near.write(block), failure('unreachable', /is lost: it was closed here$/));
  await assert.rejects(far.write(block), failure('unreachable', /^Connection to 127/));
});

test('close() drops a peer that does not end within two seconds', async () => {
  const clock = new ManualClock();
  const door = await openDoor(master, { clock });
  const socket = connectTls({
    host: '127.0.0.1',
    port: door.port,
    rejectUnauthorized: false,
    ALPNProtocols: [PROTOCOL],
    // Does not answer the end of the other side with its own, nor read on.
    allowHalfOpen: true,
  } as ConnectionOptions);
  cleanups.push(() => socket.destroy());
  socket.on('error', () => {});
  const far = await door.next();
  socket.pause();
  const writing = far.write(new Uint8Array(64 * 1024 * 1024));
  const lost = assert.rejects(writing, failure('unreachable', /is lost/));
  far.close();
  assert.equal(clock.sleepersCount, 1);
  clock.advance(1999);
  await clock.breathe();
  assert.equal(clock.sleepersCount, 1);
  clock.advance(1);
  await lost;
});

test('abort() ends both directions at once, here and at the peer', async () => {
  const door = await openDoor();
  const near = await dial(door.listener.address);
  const far = await door.next();
  const reading = assert.rejects(readAll(near), failure('unreachable', /it was dropped here$/));
  near.abort();
  await reading;
  await assert.rejects(near.write(bytesOf('x')), failure('unreachable', /it was dropped here$/));
  await readAll(far).catch(failure('unreachable', /^Connection to 127/));
  await assert.rejects(far.write(bytesOf('x')), failure('unreachable', /^Connection to 127/));
});

test('a stream has one reader, and whoever stops reading drops the connection', async () => {
  const door = await openDoor();
  const near = await dial(door.listener.address);
  const far = await door.next();
  await near.write(bytesOf('first'));
  for await (const chunk of far.readable) {
    assert.ok(chunk.length > 0);
    break;
  }
  assert.throws(() => far.readable[Symbol.asyncIterator](), /is being read already/);
  await assert.rejects(far.write(bytesOf('x')), failure('unreachable', /it was dropped here$/));
  await readAll(near).catch(failure('unreachable', /^Connection to 127/));
});
