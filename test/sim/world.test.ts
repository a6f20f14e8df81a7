import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import process from 'node:process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { deferred } from '../../src/base/async.ts';
import { Life } from './life.ts';
import { SimulationError, World } from './world.ts';

test('World.run() runs events by time, and at equal times in the order they were made', async () => {
  const world = new World({ seed: 1 });
  const order: string[] = [];
  for (const [atMs, name] of [[5, 'c'], [1, 'a'], [5, 'd'], [2, 'b']] as const) {
    world.at(atMs, name, () => order.push(`${name}@${world.nowMs}`));
  }
  await world.run({ untilMs: 10 });
  assert.deepEqual(order, ['a@1', 'b@2', 'c@5', 'd@5']);
  assert.equal(world.nowMs, 10);
});

test('World.run() lets all microtasks of an event finish before the next one', async () => {
  const world = new World({ seed: 1 });
  const order: string[] = [];
  world.at(1, 'first', () => {
    void (async () => {
      for (let i = 0; i < 100; i++) await Promise.resolve();
      order.push('microtasks of the first');
    })();
  });
  world.at(1, 'second', () => order.push('second'));
  await world.run({ untilMs: 1 });
  assert.deepEqual(order, ['microtasks of the first', 'second']);
});

test('World.run() keeps thousands of events in order, whichever are cancelled', async () => {
  const world = new World({ seed: 3 });
  const happened: number[] = [];
  const expected: number[] = [];
  for (let i = 0; i < 5000; i++) {
    const atMs = world.random.integer(0, 1000);
    const event = world.at(atMs, 'event', () => happened.push(world.nowMs));
    if (world.random.chance(0.7)) world.cancel(event);
    else expected.push(atMs);
  }
  await world.run({ untilMs: 2000 });
  assert.deepEqual(happened, expected.sort((left, right) => left - right));
});

test('World.run() stops after so many events, or when a condition holds', async () => {
  const world = new World({ seed: 1 });
  let count = 0;
  for (let i = 0; i < 10; i++) world.at(i, 'count', () => count++);
  await world.run({ events: 3 });
  assert.equal(count, 3);
  await world.run({ until: () => count === 7, limitMs: 100 });
  assert.equal(world.nowMs, 6);
});

test('World.run() fails when a condition does not come about in time, naming what is open', async () => {
  const world = new World({ seed: 5 });
  const life = new Life(world, 'node-1');
  life.open('stream', 'stream to nowhere');
  world.at(100, 'too late', () => {});
  await assert.rejects(
    world.run({ until: () => false, limitMs: 50, what: 'peace' }),
    (error: Error) => {
      assert.ok(error instanceof SimulationError);
      assert.match(error.message, /Seed 5 failed at 50\.000 ms/);
      assert.match(error.message, /Never came about: peace \(50 ms have passed/);
      assert.match(error.message, /stream of node-1 since 0 ms: stream to nowhere/);
      return true;
    },
  );
});

test('World.run() fails at once when nothing is left that could bring a condition about', async () => {
  const world = new World({ seed: 1 });
  await assert.rejects(
    world.run({ until: () => false, limitMs: 1e9 }),
    /nothing is left to happen/,
  );
});

test('World.run() fails when an event throws, and says which', async () => {
  const world = new World({ seed: 1 });
  world.at(1, 'the broken one', () => {
    throw new Error('broken');
  });
  await assert.rejects(world.run({ untilMs: 2 }), /after "the broken one": broken/);
  await assert.rejects(world.run({ untilMs: 3 }), /broken/);
});

test('World.run() fails when time stands still', async () => {
  const world = new World({ seed: 1 });
  const again = (): void => {
    world.after(0, 'again', again);
  };
  again();
  await assert.rejects(world.run({ untilMs: 1 }), /Time stands still/);
});

test('World.run() fails for a promise that is rejected unheard', async () => {
  // Under a test runner the runner itself would fail this test: so in a process of its own.
  const program = fileURLToPath(new URL('unheard-rejection.ts', import.meta.url));
  const args = 'bun' in process.versions ? ['run', program] : ['run', '-A', '--no-check', program];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  assert.match(stdout, /Seed 1 failed at .*: nobody listens/);
});

test('World.check() is run after every event, or every so often', async () => {
  const world = new World({ seed: 1 });
  let always = 0;
  let rarely = 0;
  for (let i = 1; i <= 100; i++) world.at(i, 'event', () => {});
  world.check('always', () => always++);
  world.check('rarely', () => rarely++, { everyMs: 10 });
  await world.run({ untilMs: 100 });
  assert.equal(always, 101);
  assert.equal(rarely, 11);
});

test('World.check() fails the run right after the event that breaks it', async () => {
  const world = new World({ seed: 1 });
  let value = 1;
  world.at(5, 'breaks it', () => {
    value = -1;
  });
  world.at(6, 'mends it', () => {
    value = 1;
  });
  world.check('positive', () => assert.ok(value > 0, 'it is negative'));
  await assert.rejects(
    world.run({ untilMs: 10 }),
    /5\.000 ms, after "breaks it": Check "positive"/,
  );
});

test('World.settle() gives the outcome of a promise that virtual time settles', async () => {
  const world = new World({ seed: 1 });
  const later = deferred<string>();
  world.at(1234, 'settles', () => later.resolve('done'));
  assert.equal(await world.settle(later.promise), 'done');
  assert.equal(world.nowMs, 1234);
  await assert.rejects(world.settle(Promise.reject(new Error('refused'))), /^Error: refused$/);
});

test('World.stop() fails for what was left open, and says what it is', async () => {
  const world = new World({ seed: 1 });
  const life = new Life(world, 'node-1');
  const handle = life.open('file', 'etc/a.xml');
  await assert.rejects(world.stop(), /Left open: file of node-1 since 0 ms: etc\/a\.xml/);
  life.close(handle);
  await world.stop();
});

test('World.traceHash differs for another order, another time and another text', async () => {
  const hash = async (events: readonly (readonly [number, string])[]): Promise<string> => {
    const world = new World({ seed: 1 });
    for (const [atMs, text] of events) world.at(atMs, 'event', () => world.trace(text));
    await world.run({ untilMs: 100 });
    return world.traceHash;
  };
  const reference = await hash([[1, 'a'], [2, 'b']]);
  assert.equal(await hash([[1, 'a'], [2, 'b']]), reference);
  assert.notEqual(await hash([[1, 'b'], [2, 'a']]), reference);
  assert.notEqual(await hash([[1, 'a'], [2.001, 'b']]), reference);
  assert.notEqual(await hash([[1, 'a'], [2, 'bb']]), reference);
});
