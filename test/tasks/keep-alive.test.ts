import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Session } from '../../src/session/session.ts';
import {
  KeepAlive,
  keepAliveHandlers,
  type KeepAliveOptions,
  SilenceSweep,
} from '../../src/tasks/keep-alive.ts';
import { Scheduler } from '../../src/tasks/scheduler.ts';
import type { Task } from '../../src/tasks/task.ts';
import { payloadSamples } from '../wire/samples.ts';
import { SessionPair, type Side } from '../session/session-pair.ts';

const options: KeepAliveOptions = { intervalMs: 60_000, missesMax: 2, silenceMaxMs: 120_000 };

/** Runs a task on one end until `stop`. */
function run(pair: SessionPair, side: Side, task: Task): { stop: () => Promise<void> } {
  const scheduler = new Scheduler(pair.ports(side));
  const controller = new AbortController();
  const ended = scheduler.start(task, controller.signal);
  return {
    stop: async () => {
      controller.abort();
      await pair.world.settle(ended);
    },
  };
}

/** The worker's keep-alive on a session. */
function keepAliveOf(pair: SessionPair, session: () => Session | undefined): KeepAlive {
  return new KeepAlive(pair.ports('worker'), options, session);
}

test('KeepAlive pings at its interval and measures the round trip', async () => {
  const pair = await SessionPair.connect();
  const worker = pair.session('worker');
  pair.session('master', keepAliveHandlers);
  const task = keepAliveOf(pair, () => worker);
  assert.equal(JSON.stringify(task.state), '{"missesInARow":0}');
  const { stop } = run(pair, 'worker', task);
  await pair.world.run({ forMs: 180_500 });
  assert.equal(pair.kinds('worker').length, 4);
  assert.equal(task.state.roundTripMs!.toFixed(3), '2.000');
  await stop();
  worker.close('finished', 'Done');
  await pair.finish();
});

test('KeepAlive gives the session up after so many misses in a row', async () => {
  const pair = await SessionPair.connect();
  const worker = pair.session('worker');
  pair.session('master', keepAliveHandlers);
  const task = keepAliveOf(pair, () => worker);
  const { stop } = run(pair, 'worker', task);
  await pair.world.run({ forMs: 1000 });
  pair.network.cut('worker', 'master');
  await pair.world.run({ forMs: 59_000 + 21_000 });
  assert.equal(task.state.missesInARow, 1);
  assert.equal(worker.signal.aborted, false);
  await pair.world.run({ forMs: 80_000 });
  const reason = await pair.world.settle(worker.closed, 0);
  assert.deepEqual(reason, {
    code: 'silent',
    text: '2 keep-alives in a row were not answered',
    by: 'us',
  });
  assert.deepEqual(pair.logged('worker', 'warning'), [
    'Request session.ping to master took longer than 20000 ms (1 of 2).',
    'Request session.ping to master took longer than 20000 ms (2 of 2).',
  ]);
  await stop();
  pair.network.heal();
  await pair.finish();
});

test('KeepAlive begins to count anew after an answer, and for a new session', async () => {
  const pair = await SessionPair.connect();
  let answers = true;
  let session = pair.session('worker');
  pair.session('master', {
    'session.ping': () => answers ? {} : new Promise(() => {}),
  });
  const task = keepAliveOf(pair, () => session);
  const { stop } = run(pair, 'worker', task);
  await pair.world.run({ forMs: 1000 });
  answers = false;
  await pair.world.run({ forMs: 80_000 });
  assert.equal(task.state.missesInARow, 1);
  answers = true;
  await pair.world.run({ forMs: 60_000 });
  assert.equal(task.state.missesInARow, 0);
  answers = false;
  await pair.world.run({ forMs: 80_000 });
  assert.equal(task.state.missesInARow, 1);
  const old = session;
  const next = await SessionPair.connect({ seed: 2 });
  session = next.session('worker');
  await pair.world.run({ forMs: 60_000 });
  assert.equal(task.state.missesInARow, 0, 'what was missed before counts no more');
  session.close('finished', 'Done');
  next.raw('master').read();
  await stop();
  old.close('finished', 'Done');
  await pair.finish();
  await next.finish();
});

test('KeepAlive takes any traffic for a sign of life', async () => {
  const pair = await SessionPair.connect();
  const worker = pair.session('worker');
  // A master whose line is so busy with bulk data that no answer gets through in time.
  const master = pair.session('master', {
    'session.ping': () => new Promise(() => {}),
    'integrity.rows': async (_, { send }) => {
      for (let i = 0; i < 60; i++) {
        await pair.ports('master').clock.sleep(10_000);
        await send(Uint8Array.of(i));
      }
      return {};
    },
  });
  const task = keepAliveOf(pair, () => worker);
  const { stop } = run(pair, 'worker', task);
  const { data, reply } = worker.requestBulk(
    'integrity.rows',
    payloadSamples['integrity.rows'].valid[0]!,
  );
  const reading = (async () => {
    let count = 0;
    for await (const _ of data) count += 1;
    return count;
  })();
  assert.equal(await pair.world.settle(reading, 700_000), 60);
  await pair.world.settle(reply);
  assert.equal(task.state.missesInARow, 0);
  assert.equal(master.signal.aborted, false);
  assert.deepEqual(pair.logged('worker', 'warning'), []);
  await stop();
  worker.close('finished', 'Done');
  await pair.finish();
});

test('KeepAlive rests while there is no session, and complains of none that has ended', async () => {
  const pair = await SessionPair.connect();
  const sessions: Session[] = [];
  const task = keepAliveOf(pair, () => sessions[0]);
  const { stop } = run(pair, 'worker', task);
  await pair.world.run({ forMs: 200_000 });
  assert.deepEqual(pair.frames, []);
  const session = pair.session('worker');
  sessions.push(session);
  pair.raw('master').read();
  session.close('finished', 'Done');
  await pair.world.run({ forMs: 200_000 });
  assert.equal(task.state.missesInARow, 0);
  assert.deepEqual(pair.logged('worker', 'warning'), []);
  await stop();
  await pair.finish();
});

test('KeepAlive that is stopped in the middle of a ping counts no miss', async () => {
  const pair = await SessionPair.connect();
  const worker = pair.session('worker');
  pair.session('master', { 'session.ping': () => new Promise(() => {}) });
  const task = keepAliveOf(pair, () => worker);
  const { stop } = run(pair, 'worker', task);
  await pair.world.run({ forMs: 5000 });
  await stop();
  assert.equal(task.state.missesInARow, 0);
  worker.close('finished', 'Done');
  await pair.finish();
});

test('KeepAlive waits no longer for an answer than its interval is', async () => {
  const pair = await SessionPair.connect();
  const worker = pair.session('worker');
  pair.session('master', { 'session.ping': () => new Promise(() => {}) });
  const hasty = { ...options, intervalMs: 3000 };
  const { stop } = run(pair, 'worker', new KeepAlive(pair.ports('worker'), hasty, () => worker));
  const startMs = pair.world.nowMs;
  await pair.world.settle(worker.closed);
  assert.equal(pair.world.nowMs - startMs, 9000);
  await stop();
  await pair.finish();
});

test('SilenceSweep ends sessions of which nothing was heard for too long, and no others', async () => {
  const silent = await SessionPair.connect({ seed: 1 });
  const master = silent.session('master', keepAliveHandlers);
  const worker = silent.session('worker');
  const sweep = new SilenceSweep(silent.ports('master'), options, () => [master]);
  const { stop } = run(silent, 'master', sweep);
  // Pings keep it alive for as long as they come.
  for (let i = 0; i < 5; i++) {
    await silent.world.run({ forMs: 100_000 });
    await silent.world.settle(worker.request('session.ping', {}));
  }
  silent.network.cut('worker', 'master');
  const startMs = silent.world.nowMs;
  const reason = await silent.world.settle(master.closed);
  const silentMs = silent.world.nowMs - startMs;
  assert.ok(silentMs > 120_000 && silentMs <= 151_000, `${silentMs} ms`);
  assert.equal(reason.code, 'silent');
  assert.match(reason.text, /^Nothing heard from worker for 1\d\d s$/);
  assert.equal(silent.logged('master', 'warning').length, 1);
  await stop();
  silent.network.heal();
  await silent.finish();
});

test('SilenceSweep spares a session whose only traffic is credit for bulk data', async () => {
  const pair = await SessionPair.connect();
  const master = pair.session('master', {
    'integrity.rows': async (_, { send }) => {
      await send(new Uint8Array(4 * 1024 * 1024));
      return {};
    },
  });
  const worker = pair.session('worker');
  const sweep = new SilenceSweep(pair.ports('master'), options, () => [master]);
  const { stop } = run(pair, 'master', sweep);
  const { data, reply } = worker.requestBulk(
    'integrity.rows',
    payloadSamples['integrity.rows'].valid[0]!,
  );
  const reading = (async () => {
    for await (const _ of data) await pair.ports('worker').clock.sleep(20_000);
  })();
  await pair.world.settle(reading, 2_000_000);
  await pair.world.settle(reply);
  assert.equal(master.signal.aborted, false);
  await stop();
  worker.close('finished', 'Done');
  await pair.finish();
});
