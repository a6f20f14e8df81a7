import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterError, codeOf } from '../../src/base/errors.ts';
import type { Ports, Stream } from '../../src/ports.ts';
import { Life } from './life.ts';
import { SimNetwork } from './network.ts';
import { type Program, SimNode, type SimNodeOptions } from './node.ts';
import { World } from './world.ts';

function oneNode(options: Partial<SimNodeOptions> = {}): { world: World; node: SimNode } {
  const world = new World({ seed: 1 });
  const node = new SimNode(world, new SimNetwork(world), { name: 'n', ...options });
  return { world, node };
}

const sleeper: Program = async ({ clock }, signal) => {
  await clock.sleep(Infinity, signal);
};

test('SimNode.stop() aborts the signal and waits for the program to end', async () => {
  const { world, node } = oneNode();
  const steps: string[] = [];
  node.start(async ({ clock }, signal) => {
    await clock.sleep(Infinity, signal).catch(() => {});
    steps.push('cleaning up');
    await clock.sleep(100);
    steps.push('done');
  });
  await world.run({ forMs: 50 });
  assert.equal(node.isRunning, true);
  await world.settle(node.stop());
  assert.deepEqual(steps, ['cleaning up', 'done']);
  assert.deepEqual([node.isRunning, world.nowMs], [false, 150]);
  await world.stop();
});

test('SimNode.kill() runs no clean-up: nothing of the program ever happens again', async () => {
  const { world, node } = oneNode();
  const steps: string[] = [];
  node.start(async (ports, signal) => {
    signal.addEventListener('abort', () => steps.push('aborted'));
    try {
      await Promise.all([
        ports.clock.sleep(100),
        ports.files.list(''),
        ports.network.connect('n:1', { protocols: ['a'], trust: 'cluster', signal }),
      ]);
    } finally {
      steps.push('clean-up');
    }
  });
  await world.run({ events: 0 });
  node.kill();
  await world.run({ forMs: 1000 });
  assert.deepEqual(steps, []);
  assert.deepEqual(world.openHandles(), []);
  await world.stop();
});

test('SimNode.kill() from inside lets code run to its next await only, and nothing through', async () => {
  const { world, node } = oneNode();
  const steps: string[] = [];
  node.start(async (ports) => {
    ports.database.exec('CREATE TABLE t (a)');
    await ports.clock.sleep(1);
    node.kill();
    steps.push('goes on');
    ports.log.log('info', 'not heard');
    assert.throws(() => ports.database.exec('INSERT INTO t VALUES (1)'), /was killed/);
    await ports.clock.sleep(1);
    steps.push('never');
  });
  await world.run({ forMs: 1000 });
  assert.deepEqual(steps, ['goes on']);
  assert.deepEqual(node.records, []);
  assert.deepEqual(node.ports().database.prepare('SELECT * FROM t').all(), []);
  await world.stop();
});

test('SimNode.kill() in the middle of an operation drops its outcome', async () => {
  const { world, node } = oneNode();
  let isSettled = false;
  node.disk.fault = ({ verb }) => {
    if (verb === 'list') node.kill();
  };
  const { files } = node.ports();
  files.list('').finally(() => isSettled = true).catch(() => {});
  await world.run({ forMs: 100 });
  const life = new Life(world, 'another');
  life.operation('ends itself', 1, () => life.end()).finally(() => isSettled = true).catch(
    () => {},
  );
  await world.run({ forMs: 100 });
  assert.equal(isSettled, false);
  await world.stop();
});

test('SimNode.restart() starts the same program anew, with the same disk and database', async () => {
  const { world, node } = oneNode();
  const starts: number[] = [];
  node.start(async ({ database, clock }, signal) => {
    database.exec('CREATE TABLE IF NOT EXISTS starts (n)');
    database.prepare('INSERT INTO starts VALUES (?)').run(1);
    starts.push(database.prepare('SELECT * FROM starts').all().length);
    database.exec('BEGIN');
    database.prepare('INSERT INTO starts VALUES (?)').run(2);
    await clock.sleep(Infinity, signal);
  });
  await world.run({ forMs: 10 });
  node.restart();
  await world.run({ forMs: 10 });
  assert.deepEqual(starts, [1, 2], 'what was committed stays, what was not is rolled back');
  await world.stop();
});

test('SimNode.restart() does nothing once the world is stopping', async () => {
  const { world, node } = oneNode();
  node.start(async ({ clock }, signal) => {
    await clock.sleep(Infinity, signal).catch(() => clock.sleep(100));
  });
  await world.run({ forMs: 10 });
  world.after(50, 'a late repair', () => node.restart());
  await world.stop();
  assert.equal(node.isRunning, false);
});

test('a program that ends with an error fails the world, unless told otherwise', async () => {
  const { world, node } = oneNode();
  const failing: Program = () => Promise.reject(new Error('cannot go on'));
  const errors: unknown[] = [];
  node.start(failing, { onFailure: (error) => errors.push(error) });
  await world.run({ forMs: 10 });
  assert.match(String(errors[0]), /cannot go on/);
  node.start(failing);
  await assert.rejects(world.run({ forMs: 10 }), /cannot go on/);
});

test('a program that is stopped may end with the error of being stopped, and with no other', async () => {
  const { world, node } = oneNode();
  node.start(sleeper);
  await world.run({ forMs: 10 });
  await world.settle(node.stop());
  node.start(async ({ clock }, signal) => {
    await clock.sleep(Infinity, signal).catch(() => {});
    throw new ClusterError('io', 'cannot tidy up');
  });
  await assert.rejects(world.settle(node.stop()), /cannot tidy up/);
});

test('World.stop() finds what a program left open when it ended', async () => {
  const { world, node } = oneNode();
  node.operator.write('a', 'content');
  node.start(async ({ files }) => {
    await files.open('a');
  });
  await assert.rejects(world.stop(), /Left open: file of n since 0 ms: a/);
  assert.throws(() => node.start(sleeper), /left open: a/);
});

test('SimNode.jumpClock() moves the wall clock only; a skew is there from the start', async () => {
  const { world, node } = oneNode({ clock: { skewMs: 5000 } });
  const exact = new SimNode(world, new SimNetwork(world), { name: 'exact' });
  const { clock } = node.ports();
  assert.equal(clock.nowMs() - exact.ports().clock.nowMs(), 5000);
  const [wallMs, monotonicMs] = [clock.nowMs(), clock.monotonicMs()];
  world.after(100, 'jump', () => node.jumpClock(-3_600_000));
  await world.settle(clock.sleep(200));
  assert.equal(clock.nowMs() - wallMs, 200 - 3_600_000);
  assert.equal(clock.monotonicMs() - monotonicMs, 200);
});

test('Clock.sleep() ends at once by its signal, with the reason', async () => {
  const { world, node } = oneNode();
  const { clock } = node.ports();
  const controller = new AbortController();
  const sleeping = clock.sleep(1000, controller.signal);
  world.at(10, 'abort', () => controller.abort(new Error('woken')));
  await assert.rejects(world.settle(sleeping), /woken/);
  assert.deepEqual([world.nowMs, world.eventsCount], [10, 1]);
  await world.run({ forMs: 5000 });
  assert.equal(world.eventsCount, 1, 'it does not wake up later');
  await assert.rejects(world.settle(clock.sleep(1, controller.signal)), /woken/);
  await world.stop();
});

test('Clock.breathe() mostly costs nothing and now and then lets others go first', async () => {
  const { world, node } = oneNode();
  const { clock } = node.ports();
  let othersCount = 0;
  for (let i = 0; i < 100; i++) world.at(i / 2, 'another', () => othersCount++);
  await world.settle((async () => {
    for (let i = 0; i < 1000; i++) await clock.breathe();
  })());
  assert.ok(othersCount > 5 && world.nowMs < 100, `${othersCount} others, ${world.nowMs} ms`);
});

/** A server that is connected to, and what its client reads. */
async function serverAndClient(): Promise<{
  world: World;
  server: SimNode;
  client: Ports;
  stream: Stream;
  outcome: () => string;
}> {
  const world = new World({ seed: 4 });
  const network = new SimNetwork(world);
  const server = new SimNode(world, network, { name: 'server', role: 'master' });
  const client = new SimNode(world, network, { name: 'client' }).ports();
  server.start(async (ports, signal) => {
    await ports.network.listen('server:1', () => {});
    await ports.clock.sleep(Infinity, signal);
  });
  await world.run({ forMs: 10 });
  const { signal } = new AbortController();
  const options = { protocols: ['a'], trust: 'cluster', signal } as const;
  const stream = await world.settle(client.network.connect('server:1', options));
  await world.run({ forMs: 50 });
  let outcome = '';
  (async () => {
    for await (const _ of stream.readable);
  })().then(() => outcome = 'end', (error) => outcome = codeOf(error));
  return { world, server, client, stream, outcome: () => outcome };
}

test('SimNode.kill() has the system end its connections', async () => {
  const { world, server, outcome } = await serverAndClient();
  server.kill();
  await world.run({ forMs: 100 });
  assert.match(outcome(), /end|unreachable/);
});

test('SimNode.crash() leaves its connections half-open, until it is back and is written to', async () => {
  const { world, server, stream, outcome } = await serverAndClient();
  server.crash();
  await stream.write(Uint8Array.of(1));
  await world.run({ forMs: 60_000 });
  assert.equal(outcome(), '');
  server.restart();
  await world.run({ forMs: 100 });
  assert.equal(outcome(), 'unreachable');
});

test('Processes.run() does what the script says, in its time, and is noted', async () => {
  const { world, node } = oneNode();
  const { processes } = node.ports();
  const { signal } = new AbortController();
  const options = { environment: { A: '1' }, timeoutMs: 1000, signal };
  node.commands.answer = ([name]) =>
    name === 'slow' ? { durationMs: 5000 } : { exitCode: 3, output: 'no', durationMs: 20 };
  assert.deepEqual(await world.settle(processes.run(['check', 'x'], options)), {
    exitCode: 3,
    output: 'no',
  });
  assert.equal(world.nowMs, 20);
  await assert.rejects(world.settle(processes.run(['slow'], options)), { code: 'timeout' });
  assert.deepEqual(node.commands.calls.map(({ command }) => command), [['check', 'x'], ['slow']]);
  await world.stop();
});

test('Logger keeps records with their tags and makes them part of the trace', () => {
  const hashes = ['one', 'two'].map((text) => {
    const { world, node } = oneNode();
    node.ports().log.child('a').child('b').log('warning', text, { count: 1 });
    assert.deepEqual(node.records, [
      { atMs: 0, level: 'warning', tags: ['a', 'b'], text, facts: { count: 1 } },
    ]);
    return world.traceHash;
  });
  assert.notEqual(hashes[0], hashes[1]);
});
