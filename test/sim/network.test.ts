import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concatBytes } from '../../src/base/bytes.ts';
import { codeOf } from '../../src/base/errors.ts';
import type { Stream } from '../../src/ports.ts';
import { simCertificate } from './host.ts';
import type { LinkProfile } from './link.ts';
import { SimNetwork } from './network.ts';
import { SimNode } from './node.ts';
import { World } from './world.ts';

interface Pair {
  readonly world: World;
  readonly network: SimNetwork;
  readonly server: SimNode;
  readonly client: SimNode;
  /** Streams that the server accepted. */
  readonly accepted: Stream[];
  readonly connect: (trust?: 'cluster' | 'anyone', signal?: AbortSignal) => Promise<Stream>;
}

async function pair(profile: Partial<LinkProfile> = {}, seed = 1): Promise<Pair> {
  const world = new World({ seed });
  const network = new SimNetwork(world, profile);
  const server = new SimNode(world, network, { name: 'server', role: 'master' });
  const client = new SimNode(world, network, { name: 'client' });
  const accepted: Stream[] = [];
  await world.settle(server.ports().network.listen('server:1', (stream) => accepted.push(stream)));
  const connect = (
    trust: 'cluster' | 'anyone' = 'cluster',
    signal: AbortSignal = new AbortController().signal,
  ): Promise<Stream> =>
    client.ports().network.connect('server:1', { protocols: ['b', 'a'], trust, signal });
  return { world, network, server, client, accepted, connect };
}

/** A connection with both ends. */
async function connected(all: Pair): Promise<[Stream, Stream]> {
  const before = all.accepted.length;
  const near = await all.world.settle(all.connect());
  await all.world.run({ until: () => all.accepted.length > before, limitMs: 1000 });
  return [near, all.accepted[before]!];
}

interface Reading {
  readonly chunks: Uint8Array[];
  outcome: string;
}

/** Reads a stream in the background. */
function read(stream: Stream): Reading {
  const reading: Reading = { chunks: [], outcome: '' };
  const run = async (): Promise<void> => {
    for await (const chunk of stream.readable) reading.chunks.push(chunk);
  };
  run().then(() => reading.outcome = 'end', (error) => reading.outcome = codeOf(error));
  return reading;
}

const latency = { minMs: 1, typicalMs: 1, maxMs: 1 };

test('a stream delivers all bytes in order, however they are broken up', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const all = await pair({ fragmentShare: 0.8, coalesceShare: 0.3, pieceBytesMax: 700 }, seed);
    const [near, far] = await connected(all);
    const reading = read(far);
    const written: Uint8Array[] = [];
    for (let i = 0; i < 30; i++) {
      const bytes = all.world.random.bytes(all.world.random.integer(1, 2000));
      written.push(bytes);
      await all.world.settle(near.write(bytes));
    }
    near.close();
    await all.world.run({ until: () => reading.outcome === 'end', limitMs: 1000 });
    assert.deepEqual(concatBytes(reading.chunks), concatBytes(written));
    const sizes = reading.chunks.map(({ length }) => length);
    assert.ok(sizes.includes(1) && Math.max(...sizes) > 600, 'pieces of all sizes');
  }
});

test('pieceBytesMax 1 delivers byte by byte', async () => {
  const all = await pair({ pieceBytesMax: 1, coalesceShare: 0 });
  const [near, far] = await connected(all);
  const reading = read(far);
  await near.write(Uint8Array.of(1, 2, 3, 4));
  await all.world.run({ forMs: 100 });
  assert.deepEqual(reading.chunks.map((chunk) => [...chunk]), [[1], [2], [3], [4]]);
});

test('write() copies: the array may be used again once it has resolved', async () => {
  const all = await pair();
  const [near, far] = await connected(all);
  const reading = read(far);
  const bytes = Uint8Array.of(1, 2);
  await near.write(bytes);
  bytes.fill(9);
  await all.world.run({ forMs: 100 });
  assert.deepEqual([...concatBytes(reading.chunks)], [1, 2]);
});

test('bytesPerMs holds back what follows, on all streams of the link', async () => {
  const all = await pair({ latency, bytesPerMs: 100, fragmentShare: 0, coalesceShare: 0 });
  const [near, far] = await connected(all);
  const [otherNear, otherFar] = await connected(all);
  const reading = read(far);
  const other = read(otherFar);
  const startMs = all.world.nowMs;
  await near.write(new Uint8Array(10_000));
  await otherNear.write(Uint8Array.of(1));
  await all.world.run({ until: () => other.chunks.length > 0, limitMs: 1000 });
  assert.ok(all.world.nowMs - startMs >= 101, `${all.world.nowMs - startMs}`);
  assert.equal(concatBytes(reading.chunks).length, 10_000);
});

test('write() waits while the reader does not read, and goes on when it does', async () => {
  const all = await pair({ windowBytes: 1000 });
  const [near, far] = await connected(all);
  await near.write(new Uint8Array(1000));
  let isWritten = false;
  const writing = near.write(new Uint8Array(1)).then(() => isWritten = true);
  await all.world.run({ forMs: 60_000 });
  assert.equal(isWritten, false);
  read(far);
  await all.world.settle(writing);
});

test('close() ends both directions after what was written; nothing is left open', async () => {
  const all = await pair();
  const [near, far] = await connected(all);
  const nearReading = read(near);
  const farReading = read(far);
  await near.write(Uint8Array.of(1));
  near.close();
  await assert.rejects(near.write(Uint8Array.of(2)), { code: 'unreachable' });
  await all.world.run({ forMs: 200 });
  assert.deepEqual([nearReading.outcome, farReading.outcome], ['end', 'end']);
  assert.deepEqual(farReading.chunks, [Uint8Array.of(1)]);
  await assert.rejects(far.write(Uint8Array.of(2)), { code: 'unreachable' });
  assert.deepEqual(all.world.openHandles().map(({ kind }) => kind), ['listener']);
});

test('close() waits two seconds for the end of a peer that does not answer', async () => {
  const all = await pair();
  const [near] = await connected(all);
  const reading = read(near);
  all.network.cut('client', 'server');
  near.close();
  await all.world.run({ forMs: 1900 });
  assert.equal(reading.outcome, '');
  await all.world.run({ forMs: 200 });
  assert.equal(reading.outcome, 'end');
});

test('abort() and a broken-off reading loop are a loss for both ends', async () => {
  const all = await pair();
  const [near, far] = await connected(all);
  const readings = [read(near), read(far)];
  near.abort();
  await all.world.run({ forMs: 100 });
  assert.deepEqual(readings.map(({ outcome }) => outcome), ['unreachable', 'unreachable']);
  await assert.rejects(far.write(Uint8Array.of(1)), { code: 'unreachable' });

  const [other, otherFar] = await connected(all);
  await otherFar.write(Uint8Array.of(1));
  const leaving = (async () => {
    for await (const _ of other.readable) break;
  })();
  await all.world.settle(leaving);
  const otherReading = read(otherFar);
  await all.world.run({ forMs: 100 });
  assert.equal(otherReading.outcome, 'unreachable');
});

test('a stream has one reader', async () => {
  const all = await pair();
  const [near] = await connected(all);
  read(near);
  assert.throws(() => near.readable[Symbol.asyncIterator](), /being read already/);
});

test('network.cut() holds back what is sent until heal(), and then nothing is missing', async () => {
  const all = await pair();
  const [near, far] = await connected(all);
  const reading = read(far);
  all.network.cut('server', 'client');
  await near.write(Uint8Array.of(1));
  await near.write(Uint8Array.of(2));
  await all.world.run({ forMs: 60_000 });
  assert.deepEqual(reading, { chunks: [], outcome: '' });
  all.network.heal('client', 'server');
  await all.world.run({ forMs: 100 });
  assert.deepEqual([...concatBytes(reading.chunks)], [1, 2]);
});

test('network.cutOneWay() lets the other direction through', async () => {
  const all = await pair();
  const [near, far] = await connected(all);
  const [nearReading, farReading] = [read(near), read(far)];
  all.network.cutOneWay('server', 'client');
  await near.write(Uint8Array.of(1));
  await far.write(Uint8Array.of(2));
  await all.world.run({ forMs: 1000 });
  assert.deepEqual([nearReading.chunks.length, farReading.chunks.length], [0, 1]);
});

test('a connection that gets nothing through is lost for its sender after a quarter hour', async () => {
  const all = await pair();
  const [near, far] = await connected(all);
  const [nearReading, farReading] = [read(near), read(far)];
  all.network.cut('client', 'server');
  await near.write(Uint8Array.of(1));
  await all.world.run({ forMs: 890_000 });
  assert.equal(nearReading.outcome, '');
  await all.world.run({ forMs: 20_000 });
  assert.deepEqual([nearReading.outcome, farReading.outcome], ['unreachable', '']);
});

test('network.stall() makes connections half-open while new ones get through', async () => {
  const all = await pair();
  const [near, far] = await connected(all);
  const reading = read(far);
  all.network.stall('client', 'server');
  await near.write(Uint8Array.of(1));
  const [newNear, newFar] = await connected(all);
  const newReading = read(newFar);
  await newNear.write(Uint8Array.of(2));
  await all.world.run({ forMs: 60_000 });
  assert.deepEqual([reading.chunks.length, reading.outcome], [0, '']);
  assert.deepEqual(newReading.chunks, [Uint8Array.of(2)]);
});

test('network.partition() cuts every pair across, and nobody within', async () => {
  const all = await pair();
  const third = new SimNode(all.world, all.network, { name: 'third' });
  all.network.partition(['server'], ['client', 'elsewhere']);
  const { signal } = new AbortController();
  const options = { protocols: ['a'], trust: 'cluster', signal } as const;
  await all.world.settle(third.ports().network.connect('server:1', options));
  await assert.rejects(all.world.settle(all.connect()), { code: 'unreachable' });
});

test('network.reset() drops connections at once', async () => {
  const all = await pair();
  const [near, far] = await connected(all);
  const readings = [read(near), read(far)];
  all.network.reset('client', 'server');
  await all.world.run({ forMs: 1 });
  assert.deepEqual(readings.map(({ outcome }) => outcome), ['unreachable', 'unreachable']);
});

test('connect() waits while the way is cut, is ended by its signal, and goes on when healed', async () => {
  const all = await pair();
  all.network.cut('client', 'server');
  const controller = new AbortController();
  const stopped = all.connect('cluster', controller.signal);
  const patient = all.connect();
  all.world.after(500, 'stop', () => controller.abort(new Error('enough')));
  await assert.rejects(all.world.settle(stopped), /enough/);
  assert.equal(all.world.nowMs < 600, true);
  all.network.heal();
  const stream = await all.world.settle(patient);
  assert.equal(stream.protocol, 'b');
  await assert.rejects(all.world.settle(all.connect('cluster', controller.signal)), /enough/);
});

test('connect() fails where nobody listens, a firewall refuses, the name or the way is unknown', async () => {
  const all = await pair();
  const { world, network, client, server } = all;
  const { signal } = new AbortController();
  const dial = (address: string): Promise<Stream> =>
    world.settle(
      client.ports().network.connect(address, { protocols: ['a'], trust: 'cluster', signal }),
    );
  await assert.rejects(dial('server:2'), { code: 'unreachable', message: /refused/ });
  await assert.rejects(dial('nobody:1'), { code: 'unreachable', message: /no host of that name/ });
  await assert.rejects(dial('server'), { code: 'configuration' });
  server.host.isRefusing = true;
  await assert.rejects(dial('server:1'), { code: 'unreachable', message: /refused/ });
  server.host.isRefusing = false;
  server.host.isUp = false;
  await assert.rejects(dial('server:1'), { code: 'unreachable', message: /no answer/ });
  server.host.isUp = true;
  network.setAddress('alias', 'server');
  assert.equal((await dial('alias:1')).remote, 'alias:1');
  network.setAddress('alias', undefined);
  await assert.rejects(dial('alias:1'), { code: 'unreachable' });
});

test('connect() gives both ends what the certificates say, and trusts as it was told', async () => {
  const all = await pair();
  const { world, server, client } = all;
  const [near, far] = await connected(all);
  assert.deepEqual(near.certificate?.identity, { cluster: 'sim', node: 'server', role: 'master' });
  assert.deepEqual(far.certificate?.identity, { cluster: 'sim', node: 'client', role: 'worker' });
  assert.deepEqual(Object.keys(near.certificate), [
    'identity',
    'serial',
    'notBeforeMs',
    'notAfterMs',
  ]);

  server.host.trustedAuthority = 'authority-2';
  const [, refused] = await connected(all);
  assert.equal(refused.certificate, undefined);
  assert.equal(refused.rejection, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');

  const identity = { cluster: 'sim', node: 'server', role: 'master' } as const;
  server.host.certificate = simCertificate(identity, { authority: 'authority-2' });
  await assert.rejects(world.settle(all.connect()), { code: 'authentication' });
  const open = await world.settle(all.connect('anyone'));
  assert.deepEqual([open.certificate, open.rejection], [undefined, undefined]);

  server.host.certificate = simCertificate(identity);
  client.jumpClock(400 * 86_400_000);
  await assert.rejects(world.settle(all.connect()), { message: /CERT_HAS_EXPIRED/ });
  server.host.protocols = ['c'];
  await assert.rejects(world.settle(all.connect('anyone')), { code: 'incompatible' });
});

test('listen() gives a free port, refuses one that is taken, and close() frees it', async () => {
  const { world, server, accepted, connect } = await pair();
  const { network } = server.ports();
  const listener = await world.settle(network.listen('server:0', () => {}));
  assert.match(listener.address, /^server:\d{5}$/);
  await assert.rejects(world.settle(network.listen('server:1', () => {})), /port is taken/);
  await world.settle(listener.close());
  await world.settle(network.listen(listener.address, () => {}));
  await world.settle(connect());
  await world.run({ forMs: 100 });
  assert.equal(accepted.length, 1);
});
