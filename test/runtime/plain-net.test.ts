import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fromBytes, toBytes } from '../../src/base/bytes.ts';
import type { Listener, Logger, PlainNetwork, Stream } from '../../src/ports.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createPlainNetwork, type PlainNetworkLimits } from '../../src/runtime/plain-net.ts';
import { eventually } from './manual-clock.ts';
import { failure, readAll } from './net-doors.ts';

const cleanups: (() => unknown)[] = [];
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

interface Door {
  readonly network: PlainNetwork;
  readonly listener: Listener;
  readonly came: Stream[];
  readonly lines: string[];
}

async function openDoor(limits: Partial<PlainNetworkLimits> = {}): Promise<Door> {
  const lines: string[] = [];
  const log: Logger = { log: (_, text) => void lines.push(text), child: () => log };
  const network = createPlainNetwork({ log, clock: systemClock, limits });
  const came: Stream[] = [];
  const listener = await network.listen('127.0.0.1:0', (stream) => {
    came.push(stream);
    cleanups.push(() => stream.abort());
  });
  cleanups.push(() => listener.close());
  return { network, listener, came, lines };
}

async function dial(door: Door, signal = new AbortController().signal): Promise<Stream> {
  const stream = await door.network.connect(door.listener.address, { signal });
  cleanups.push(() => stream.abort());
  return stream;
}

test('what one end writes the other reads, to the end of both', async () => {
  const door = await openDoor();
  const near = await dial(door);
  await eventually('it is accepted', () => door.came.length === 1);
  const far = door.came[0]!;
  assert.equal(near.remote, door.listener.address);
  assert.equal(far.protocol, '');
  assert.equal(far.certificate, undefined);

  const large = new Uint8Array(3_000_000).map((_, i) => i % 251);
  const read = readAll(far);
  await near.write(toBytes('hello '));
  await near.write(large);
  near.close();
  const got = await read;
  assert.equal(fromBytes(got.subarray(0, 6)), 'hello ');
  assert.ok(Buffer.from(got.subarray(6)).equals(large));
  assert.equal((await readAll(near)).length, 0);
});

test('where nobody listens the address is named', async () => {
  const door = await openDoor();
  await door.listener.close();
  await assert.rejects(
    () => dial(door),
    failure('unreachable', /Cannot connect to 127\.0\.0\.1:\d+: connection refused/),
  );
});

test('an attempt that is called off ends with the reason', async () => {
  const door = await openDoor();
  const reason = new Error('no more');
  await assert.rejects(() => dial(door, AbortSignal.abort(reason)), reason);
});

test('one address has no more connections than its places, and gets them back', async () => {
  const door = await openDoor({ connectionsPerAddressMax: 2 });
  const first = await dial(door);
  await dial(door);
  await eventually('both are in', () => door.came.length === 2);
  const third = await dial(door);
  // Dropped at once: what the other end reads is the end, or a reset.
  await readAll(third).catch(() => {});
  assert.equal(door.came.length, 2);
  assert.deepEqual(door.lines, ['Dropped connections: too many from 127.0.0.1']);

  first.abort();
  await readAll(door.came[0]!).catch(() => {});
  await dial(door);
  await eventually('the place is taken anew', () => door.came.length === 3);
});

test('programs on the machine connect by a socket that its user and group may open', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'muster-local-'));
  cleanups.push(() => rmSync(directory, { recursive: true }));
  const { network } = await openDoor();
  const path = join(directory, 'queue/cluster/c-internal.sock');
  const came: Stream[] = [];
  const listener = await network.listenLocal(path, (stream) => came.push(stream));
  assert.equal(statSync(path).mode & 0o777, 0o660);
  await assert.rejects(network.listenLocal(path, () => {}), failure('locked', /answers on/));
  const socket = connect({ path });
  socket.write('hello');
  await eventually('it has come', () => came.length === 1);
  for await (const chunk of came[0]!.readable) {
    assert.equal(fromBytes(chunk), 'hello');
    break;
  }
  came[0]!.abort();
  socket.destroy();
  await listener.close();
  assert.equal(existsSync(path), false);
  writeFileSync(path, 'a file');
  await assert.rejects(network.listenLocal(path, () => {}), failure('refused', /is a file/));
});
