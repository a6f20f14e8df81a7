import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterError, codeOf } from '../../src/base/errors.ts';
import type { Network } from '../../src/ports.ts';
import { Dialer } from '../../src/session/dialer.ts';
import type { SimNode } from '../sim/node.ts';
import { Door, masterAddress, masterHandlers, selfOf } from './door.ts';
import { outcome, RawEnd, WatchedStream } from './session-pair.ts';

/** Times at which a node tried to connect, from the first on, ms; addresses besides. */
function watchAttempts(node: SimNode, door: Door): { atMs: number[]; addresses: string[] } {
  const seen: { atMs: number[]; addresses: string[] } = { atMs: [], addresses: [] };
  const network = node.ports().network as { connect: Network['connect'] };
  const connect = network.connect.bind(network);
  network.connect = (address, options) => {
    seen.atMs.push(door.world.nowMs);
    seen.addresses.push(address);
    return connect(address, options);
  };
  return seen;
}

/** A dialer that runs until `stop`. */
function running(dialer: Dialer): { ended: Promise<void>; stop: () => void } {
  const controller = new AbortController();
  const ended = dialer.run(controller.signal);
  return { ended, stop: () => controller.abort(new ClusterError('aborted', 'Stopping')) };
}

test('Dialer.connect() publishes the link before it resolves', async () => {
  const door = await new Door().listen();
  const dialer = door.dialer(door.worker('worker-1'));
  assert.equal(dialer.link.value, undefined);
  const { signal } = new AbortController();
  const link = await door.world.settle(dialer.connect(signal));
  assert.equal(dialer.link.value, link);
  assert.equal(link.session.peer, 'master');
  link.session.close('finished', 'Done');
  await door.finish();
});

test('Dialer.run() keeps trying, with growing pauses, until a master is there', async () => {
  const door = new Door();
  const node = door.worker('worker-1');
  const attempts = watchAttempts(node, door);
  const dialer = door.dialer(node);
  const { ended, stop } = running(dialer);
  await door.world.run({ forMs: 200_000 });
  const pauses = attempts.atMs.slice(1).map((atMs, i) => atMs - attempts.atMs[i]!);
  const expected = [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000];
  assert.ok(pauses.length >= expected.length);
  expected.forEach((wholeMs, i) => {
    // Half to whole, and the time that it takes to be refused.
    assert.ok(
      pauses[i]! >= wholeMs / 2 && pauses[i]! < wholeMs + 100,
      `pause ${i}: ${pauses[i]} ms`,
    );
  });
  assert.match(dialer.lastError!.message, /refused/);
  await door.listen();
  await door.world.run({ until: () => dialer.link.value !== undefined, limitMs: 61_000 });
  assert.equal(dialer.lastError, undefined);
  stop();
  await door.world.settle(ended, 0);
  await door.finish();
});

test('Dialer.run() starts with short pauses again after a session that lasted, and only then', async () => {
  const door = new Door();
  const node = door.worker('worker-1');
  const attempts = watchAttempts(node, door);
  const dialer = door.dialer(node);
  const { ended, stop } = running(dialer);
  const isConnected = () => dialer.link.value !== undefined;
  const pauseAfterSession = async (lengthMs: number): Promise<number> => {
    await door.listen();
    await door.world.run({ until: isConnected, limitMs: 61_000 });
    await door.world.run({ forMs: lengthMs });
    await door.unlisten();
    const count = attempts.atMs.length;
    door.acceptor.close('The master stops');
    await door.world.run({ until: () => !isConnected(), limitMs: 1000 });
    const endMs = door.world.nowMs;
    await door.world.run({ until: () => attempts.atMs.length > count, limitMs: 61_000 });
    return attempts.atMs[count]! - endMs;
  };
  await door.world.run({ forMs: 200_000 });
  assert.ok(await pauseAfterSession(1000) >= 30_000, 'a session that did not last proves nothing');
  assert.ok(await pauseAfterSession(11_000) <= 1000);
  stop();
  await door.world.settle(ended);
  await door.finish();
});

test('Dialer.run() does not take long attempts for sessions that lasted', async () => {
  const door = await new Door().listen();
  const node = door.worker('worker-1');
  const attempts = watchAttempts(node, door);
  door.network.cut('worker-1', 'master');
  const { ended, stop } = running(door.dialer(node, { connectTimeoutMs: 15_000 }));
  await door.world.run({ until: () => attempts.atMs.length === 6, limitMs: 1_000_000 });
  const lastPause = attempts.atMs[5]! - attempts.atMs[4]!;
  assert.ok(lastPause > 8000 + 10_000, `${lastPause} ms`);
  stop();
  await door.world.settle(ended);
  await door.finish();
});

test('Dialer.run() goes through the addresses in turn, and resolves each anew', async () => {
  const door = await new Door().listen();
  const node = door.worker('worker-1');
  const attempts = watchAttempts(node, door);
  const addresses = ['old:1516', 'unknown:1516', 'name:1516'];
  const dialer = door.dialer(node, { addresses });
  const { ended, stop } = running(dialer);
  await door.world.run({ until: () => attempts.addresses.length === 4, limitMs: 60_000 });
  assert.deepEqual(attempts.addresses, [...addresses, 'old:1516']);
  door.network.setAddress('name', 'master');
  await door.world.run({ until: () => dialer.link.value !== undefined, limitMs: 60_000 });
  assert.equal(attempts.addresses.at(-1), 'name:1516');
  stop();
  await door.world.settle(ended);
  await door.finish();
});

test('Dialer.run() waits long where a rival with its own identity took over', async () => {
  const door = await new Door().listen();
  const node = door.worker('worker-1');
  const attempts = watchAttempts(node, door);
  const dialer = door.dialer(node);
  const { ended, stop } = running(dialer);
  await door.world.run({ until: () => dialer.link.value !== undefined, limitMs: 1000 });
  const rival = await door.world.settle(door.dialer(node).connect(new AbortController().signal));
  await door.world.run({ until: () => dialer.link.value === undefined, limitMs: 1000 });
  assert.equal(codeOf(dialer.lastError), 'superseded');
  const endMs = door.world.nowMs;
  const count = attempts.atMs.length;
  await door.world.run({ until: () => attempts.atMs.length > count, limitMs: 61_000 });
  assert.equal(attempts.atMs[count]! - endMs, 60_000);
  await door.world.settle(rival.session.closed);
  stop();
  await door.world.settle(ended);
  await door.finish();
});

test('Dialer.run() tells of every refusal by the master in its words', async () => {
  const door = await new Door({ self: { ...selfOf('master', 'master'), algorithm: 'blake2b' } })
    .listen();
  const node = door.worker('worker-1');
  const dialer = door.dialer(node);
  const { ended, stop } = running(dialer);
  await door.world.run({ until: () => dialer.lastError !== undefined, limitMs: 1000 });
  assert.equal(codeOf(dialer.lastError), 'incompatible');
  stop();
  await door.world.settle(ended);
  const lines = node.records.filter(({ level }) => level === 'error').map(({ text }) => text);
  assert.deepEqual(lines, [
    'Not connected to the master: The master hashes with blake2b, the node with md5: ' +
    'set local_integrity.algorithm = "blake2b" on the node',
  ]);
  await door.finish();
});

test('Dialer.run() takes an orderly stop of the master for no failure, and connects again', async () => {
  const door = await new Door().listen();
  const node = door.worker('worker-1');
  const dialer = door.dialer(node);
  const { ended, stop } = running(dialer);
  const isConnected = () => dialer.link.value !== undefined;
  const linesOf = (level: string) =>
    node.records.filter((line) => line.level === level).map(({ text }) => text);
  await door.world.run({ until: isConnected, limitMs: 1000 });
  door.acceptor.close('The master stops');
  await door.world.run({ until: () => !isConnected(), limitMs: 1000 });
  assert.equal(linesOf('info').at(-1), 'The master stops; connecting again until it is back.');
  await door.world.run({ until: isConnected, limitMs: 61_000 });
  assert.deepEqual(linesOf('error'), []);
  stop();
  await door.world.settle(ended);
  await door.finish();
});

test('Dialer.connect() tells a stranger in the place of the master that it goes', async () => {
  const door = await new Door().listen();
  const node = door.worker('worker-1');
  const dialer = door.dialer(node, {
    identify: () => {
      throw new ClusterError('authentication', 'That is not our master');
    },
  });
  const { signal } = new AbortController();
  assert.equal(
    await door.world.settle(outcome(dialer.connect(signal))),
    'authentication: That is not our master',
  );
  await door.world.run({ forMs: 100 });
  await door.finish();
  assert.deepEqual(door.logged('info'), [
    'worker-1 left before it was known: That is not our master',
  ]);
});

test('Dialer.connect() goes past a stranger to the next machine of the same name', async () => {
  const door = await new Door().listen();
  const stranger = door.worker('stranger');
  const visits: RawEnd[] = [];
  const listening = stranger.ports().network.listen('stranger:1516', (stream) => {
    visits.push(new RawEnd(new WatchedStream(stream, () => {})).read());
  });
  const listener = await door.world.settle(listening);
  door.network.setAddress('masters', 'stranger', 'master');
  const dialer = door.dialer(door.worker('worker-1'), { addresses: ['masters:1516'] });
  const link = await door.world.settle(dialer.connect(new AbortController().signal));
  assert.equal(link.session.peer, 'master');
  assert.deepEqual(visits.map(({ reason }) => reason), [
    'authentication: The node at masters:1516 is no master',
  ]);
  link.session.close('finished', 'Done');
  await door.world.settle(listener.close());
  await door.finish();
});

test('Dialer.connect() gives up a master that does not answer the hello', async () => {
  const door = new Door();
  const node = door.worker('worker-1');
  let silent: RawEnd | undefined;
  const listening = door.master.ports().network.listen(masterAddress, (stream) => {
    silent = new RawEnd(new WatchedStream(stream, () => {})).read();
  });
  const listener = await door.world.settle(listening);
  const startMs = door.world.nowMs;
  const connecting = outcome(door.dialer(node).connect(new AbortController().signal));
  assert.match(
    await door.world.settle(connecting),
    /^timeout: Request session.hello to the master at master:1516 took longer than 5000 ms$/,
  );
  assert.ok(door.world.nowMs - startMs < 5100);
  await door.world.run({ until: () => silent!.end !== undefined, limitMs: 1000 });
  assert.deepEqual(silent!.frames.map(({ kind }) => kind), ['request', 'cancel', 'close']);
  assert.match(silent!.reason!, /^silent: Request session.hello/);
  await door.world.settle(listener.close());
  await door.finish();
});

test('Dialer.connect() gives up a connection that is never made', async () => {
  const door = await new Door().listen();
  const node = door.worker('worker-1');
  door.network.cut('worker-1', 'master');
  const connecting = outcome(door.dialer(node).connect(new AbortController().signal));
  assert.equal(
    await door.world.settle(connecting),
    'timeout: Connecting to the master at master:1516 took longer than 5000 ms',
  );
  await door.finish();
});

test('Dialer.connect() drops a stream that comes too late', async () => {
  const door = await new Door().listen();
  const node = door.worker('worker-1');
  const ports = node.ports();
  // A network that does not heed its signal.
  const { signal: never } = new AbortController();
  const network: Network = {
    listen: (address, onStream) => ports.network.listen(address, onStream),
    connect: async (address, options) => {
      await ports.clock.sleep(7000);
      return ports.network.connect(address, { ...options, signal: never });
    },
  };
  const dialer = new Dialer({ ...ports, network }, {
    self: selfOf('worker-1', 'worker'),
    addresses: [masterAddress],
    pauseMinMs: 1,
    pauseMaxMs: 1,
    connectTimeoutMs: 5000,
    identify: () => {},
    handlers: masterHandlers,
  });
  const connecting = outcome(dialer.connect(new AbortController().signal));
  assert.match(await door.world.settle(connecting), /^timeout: Connecting to the master/);
  await door.world.run({ forMs: 4000 });
  await door.finish(); // fails where the stream is left open
});

test('Dialer.run() stops at once, whatever it is doing', async () => {
  // Of all moments in the life of a dialer: connecting, hello, session, pause.
  for (let atMs = 0; atMs < 60; atMs += 0.5) {
    const door = await new Door({ link: { latency: { minMs: 4, typicalMs: 4, maxMs: 4 } } })
      .listen();
    const dialer = door.dialer(door.worker('worker-1'));
    const { ended, stop } = running(dialer);
    await door.world.run({ forMs: atMs });
    stop();
    await door.world.settle(ended, 0);
    assert.equal(dialer.link.value, undefined);
    await door.finish();
    assert.deepEqual(door.logged('warning'), []);
  }
  const door = new Door();
  const { ended, stop } = running(door.dialer(door.worker('worker-1')));
  await door.world.run({ forMs: 100_000 });
  stop();
  await door.world.settle(ended, 0);
  await door.finish();
});

test('Dialer.run() says goodbye to the master when it stops', async () => {
  const door = await new Door().listen();
  const dialer = door.dialer(door.worker('worker-1'));
  const { ended, stop } = running(dialer);
  await door.world.run({ until: () => dialer.link.value !== undefined, limitMs: 1000 });
  stop();
  await door.world.settle(ended);
  const reason = await door.world.settle(door.arrivals[0]!.session.closed);
  assert.deepEqual(reason, { code: 'shutdown', text: 'The worker stops', by: 'peer' });
  await door.finish();
});

test('Dialer.connect() with no address says which setting is missing', async () => {
  const door = new Door();
  const dialer = door.dialer(door.worker('worker-1'), { addresses: [] });
  const connecting = dialer.connect(new AbortController().signal);
  assert.match(await door.world.settle(outcome(connecting)), /^configuration: No address/);
  await door.finish();
});
