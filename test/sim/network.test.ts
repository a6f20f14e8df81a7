import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concatBytes } from '../../src/base/bytes.ts';
import { SimNode } from './node.ts';
import { connected, pair, read } from './pair.ts';
import { SendWindow } from './send-window.ts';
import { turn } from './turn.ts';

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

test('SendWindow lets writers go on only when no more than the window is outstanding', async () => {
  const window = new SendWindow(() => 100);
  await window.take(100);
  let isResumed = false;
  const waiting = window.take(50).then(() => isResumed = true);
  window.free(49);
  await turn();
  assert.equal(isResumed, false);
  window.free(1);
  await waiting;
  const failing = window.take(1);
  window.fail(new Error('lost'));
  await assert.rejects(failing, /lost/);
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
