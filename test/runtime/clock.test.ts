/** Time on a real machine. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { ClusterError } from '../../src/base/errors.ts';
import { systemClock } from '../../src/runtime/clock.ts';

/** Keeps the processor busy. */
function spin(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}

test('systemClock.sleep() resolves, at once for times that have passed', async () => {
  await systemClock.sleep(1);
  await systemClock.sleep(0);
  await systemClock.sleep(-5);
});

test('systemClock.sleep() rejects with the reason of its signal, and leaves no listener', async () => {
  const controller = new AbortController();
  const { signal } = controller;
  let listenersCount = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listenersCount++;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listenersCount--;
    remove(...args);
  };
  await systemClock.sleep(1, signal);
  assert.equal(listenersCount, 0);

  const reason = new ClusterError('aborted', 'Enough');
  const sleeping = assert.rejects(systemClock.sleep(60_000, signal), reason);
  controller.abort(reason);
  await sleeping;
  await assert.rejects(systemClock.sleep(1, signal), reason);
});

test('systemClock.sleep() does not take a month for no time at all', async () => {
  for (const ms of [2 ** 31, 2 ** 40, Infinity]) {
    const controller = new AbortController();
    let isOver = false;
    const sleeping = systemClock.sleep(ms, controller.signal).then(
      () => (isOver = true),
      () => undefined,
    );
    // A timer that overflows fires before this one.
    await systemClock.sleep(5);
    assert.equal(isOver, false, `sleep(${ms})`);
    controller.abort();
    await sleeping;
  }
});

test('systemClock.breathe() lets the network and timers in while tasks are busy', async () => {
  const server = createServer((socket) => socket.pipe(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  let echoesCount = 0;
  client.on('connect', () => client.write('x'));
  client.on('data', () => {
    echoesCount++;
    client.write('x');
  });
  let ticksCount = 0;
  const timer = setInterval(() => ticksCount++, 1);
  const stepsCounts = [0, 0, 0];
  // The time in this loop is that of its work: about 150 slices.
  await Promise.all(stepsCounts.map(async (_, task) => {
    for (let step = 0; step < 400; step++) {
      spin(1);
      stepsCounts[task]!++;
      await systemClock.breathe();
      if (task === 0 && step === 399) {
        // Turns go round: the others are about as far.
        assert.ok(stepsCounts.every((count) => count > 300), `steps ${stepsCounts.join()}`);
      }
    }
  }));
  clearInterval(timer);
  client.destroy();
  server.close();
  await once(server, 'close');
  assert.ok(echoesCount >= 10, `only ${echoesCount} echoes`);
  assert.ok(ticksCount >= 50, `only ${ticksCount} ticks`);
});

test('systemClock.breathe() does not give the loop away where nobody held it for long', async () => {
  await systemClock.sleep(0);
  let hasTurned = false;
  setImmediate(() => (hasTurned = true));
  await systemClock.breathe();
  await systemClock.breathe();
  assert.equal(hasTurned, false);
});
