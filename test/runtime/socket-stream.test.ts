/** Streams over real TLS sockets. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';
import type { ClusterError } from '../../src/base/errors.ts';
import type { Stream } from '../../src/ports.ts';
import { eventually, ManualClock } from './manual-clock.ts';
import {
  bytesOf,
  cleanups,
  dial,
  failure,
  master,
  openDoor,
  PROTOCOL,
  readAll,
} from './net-doors.ts';

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
