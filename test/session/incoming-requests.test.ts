import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deferred } from '../../src/base/async.ts';
import { ClusterError, codeOf, ProtocolError } from '../../src/base/errors.ts';
import type { Handlers, RequestContext } from '../../src/session/handlers.ts';
import { encodePayload } from '../../src/wire/codec.ts';
import { eventFrame, readFailure, requestFrame } from '../../src/wire/compose.ts';
import { encodeFrame } from '../../src/wire/frame.ts';
import { payloadSamples } from '../wire/samples.ts';
import { outcome, SessionPair } from './session-pair.ts';

const rows = payloadSamples['integrity.rows'].valid[0]!;

/** What a worker gets for a ping that is answered like this, and what the master logged. */
async function pinged(handlers: Handlers): Promise<{ answer: string; logged: string[] }> {
  const pair = await SessionPair.connect();
  const worker = pair.session('worker');
  pair.session('master', handlers);
  const answer = await pair.world.settle(outcome(worker.request('session.ping', {})));
  worker.close('finished', 'Done');
  await pair.finish();
  return { answer, logged: pair.logged('master') };
}

test('a handler that throws one of our errors answers with its code and text', async () => {
  const thrown = new ClusterError('noSpace', 'Cannot write\n"a"', { cause: new Error('ENOSPC') });
  for (const ping of [() => Promise.reject(thrown), () => fail(thrown)]) {
    assert.deepEqual(await pinged({ 'session.ping': ping }), {
      answer: 'noSpace: Cannot write\\n"a": ENOSPC',
      logged: [],
    });
  }
});

test('a handler with a defect answers that it failed, and the log says why', async () => {
  for (
    const ping of [() => Promise.reject(new TypeError('oops')), () => fail(new TypeError('oops'))]
  ) {
    assert.deepEqual(await pinged({ 'session.ping': ping }), {
      answer: 'failed: session.ping failed on the other node, see its log',
      logged: ['Cannot answer session.ping of worker: oops'],
    });
  }
});

test('a reply that our own table refuses is a defect of ours, and no reason to part', async () => {
  const { answer, logged } = await pinged({ 'session.ping': () => 'pong' as never });
  assert.equal(answer, 'failed: session.ping failed on the other node, see its log');
  assert.match(logged[0]!, /Cannot answer session.ping of worker: Cannot send session.ping: /);
});

test('a request that this node does not answer fails, and the session goes on', async () => {
  const { answer } = await pinged({});
  assert.equal(answer, 'unknownMessage: This node does not answer session.ping');
});

test('a handler that finds the peer breaking the protocol ends the session', async () => {
  const broken = new ProtocolError('unexpected', 'That was not asked for');
  const { answer } = await pinged({ 'session.ping': () => Promise.reject(broken) });
  assert.equal(answer, 'protocol: That was not asked for');
});

test('an unknown request is answered, an unknown event is skipped', async () => {
  const pair = await SessionPair.connect();
  const session = pair.session('master', { 'session.ping': () => ({}) });
  const raw = pair.raw('worker').read();
  raw.send(
    encodeFrame('event', 4000, 0, Uint8Array.of(0xc1)),
    encodeFrame('request', 4001, 7, Uint8Array.of(0xc1)),
    encodeFrame('request', 10, 8, encodePayload({ generation: 1 })), // an event sent as request
    requestFrame('session.ping', 9, {}),
  );
  await pair.world.run({ forMs: 100 });
  // Number 8 broke the direction; up to there all was well.
  assert.deepEqual(raw.frames.map(({ kind, stream }) => `${kind} ${stream}`), [
    'failure 7',
    'close 0',
  ]);
  const failure = readFailure(raw.frames[0]!.payload);
  assert.deepEqual(failure, { code: 'unknownMessage', message: 'Unknown request 4001' });
  assert.match(raw.reason!, /A worker may not send integrity.published/);
  assert.ok(session.signal.aborted);
  await pair.finish();
});

test('an event sent as a request is answered as unknown', async () => {
  const pair = await SessionPair.connect();
  const session = pair.session('worker');
  const raw = pair.raw('master').read();
  raw.send(encodeFrame('request', 10, 8, encodePayload({ generation: 1 })));
  await pair.world.run({ forMs: 100 });
  assert.equal(readFailure(raw.frames[0]!.payload).code, 'unknownMessage');
  session.close('finished', 'Done');
  await pair.finish();
});

test('an event reaches its handler, and one that has none is dropped', async () => {
  const pair = await SessionPair.connect();
  const heard: unknown[] = [];
  const worker = pair.session('worker', {
    'integrity.published': (payload, { peer }) => void heard.push(peer, payload),
  });
  const master = pair.session('master');
  master.event('integrity.published', { generation: 7 });
  await pair.world.run({ forMs: 10 });
  assert.deepEqual(heard, ['master', { generation: 7 }]);
  worker.close('finished', 'Done');
  await pair.finish();
  const deaf = await SessionPair.connect();
  const session = deaf.session('worker');
  deaf.raw('master').read().send(eventFrame('integrity.published', { generation: 7 }));
  await deaf.world.run({ forMs: 10 });
  assert.equal(session.signal.aborted, false);
  session.close('finished', 'Done');
  await deaf.finish();
});

test('an event whose handler fails is logged, and the session goes on', async () => {
  const pair = await SessionPair.connect();
  let context: RequestContext | undefined;
  const worker = pair.session('worker', {
    'integrity.published': (_, given) => {
      context = given;
      throw new TypeError('oops');
    },
  });
  const master = pair.session('master', { 'session.ping': () => ({}) });
  master.event('integrity.published', { generation: 7 });
  assert.deepEqual(await pair.world.settle(worker.request('session.ping', {})), {});
  assert.deepEqual(pair.logged('worker'), ['Cannot answer integrity.published of master: oops']);
  assert.match(await outcome(context!.send(Uint8Array.of(1))), /An event cannot be answered/);
  worker.close('finished', 'Done');
  await pair.finish();
});

test('a handler that answers after the session ended is not heard, and complains of nothing', async () => {
  for (const ends of ['by the peer', 'by itself', 'by a reset'] as const) {
    const pair = await SessionPair.connect();
    const worker = pair.session('worker');
    const late = deferred<Record<string, never>>();
    let signal: AbortSignal | undefined;
    const master = pair.session('master', {
      'session.ping': (_, context) => {
        signal = context.signal;
        return late.promise;
      },
    });
    const asked = outcome(worker.request('session.ping', {}));
    await pair.world.run({ until: () => signal !== undefined, limitMs: 100 });
    if (ends === 'by the peer') worker.close('shutdown', 'Bye');
    else if (ends === 'by itself') master.close('shutdown', 'Bye');
    else pair.network.reset();
    await pair.world.settle(master.closed);
    assert.ok(signal!.aborted, ends);
    if (ends === 'by itself') late.reject(new Error('too late'));
    else late.resolve({});
    assert.match(await pair.world.settle(asked), /^unreachable: /);
    await pair.finish();
    assert.ok(!pair.kinds('master').includes('reply'));
    assert.deepEqual(pair.logged('master'), []);
  }
});

test('a handler is told that its request was given up, and its answer is dropped', async () => {
  const pair = await SessionPair.connect();
  const controller = new AbortController();
  const worker = pair.session('worker');
  let told: unknown;
  pair.session('master', {
    'session.ping': (_, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          told = signal.reason;
          reject(new TypeError('stopped'));
        });
      }),
  });
  const asked = outcome(worker.request('session.ping', {}, { signal: controller.signal }));
  await pair.world.run({ forMs: 10 });
  controller.abort(new Error('enough'));
  assert.equal(await asked, 'error: enough');
  await pair.world.run({ forMs: 10 });
  assert.equal(codeOf(told), 'aborted');
  assert.deepEqual(pair.kinds('master'), []);
  assert.deepEqual(pair.logged('master'), []);
  worker.close('finished', 'Done');
  await pair.finish();
});

test('a handler that waits for credit is given up after a while, and its peer is told', async () => {
  const pair = await SessionPair.connect();
  let thrown: unknown;
  const master = pair.session('master', {
    'integrity.rows': async (_, context) => {
      await context.send(new Uint8Array(2 * 1024 * 1024)).catch((error) => {
        thrown = error;
        throw error;
      });
      return {};
    },
    'session.ping': () => ({}),
  });
  const raw = pair.raw('worker').read();
  raw.send(requestFrame('integrity.rows', 1, rows));
  const startMs = pair.world.nowMs;
  // It answers pings all the while, so that nothing else would end it.
  await pair.world.run({ until: () => thrown !== undefined, limitMs: 200_000 });
  assert.equal(Math.round((pair.world.nowMs - startMs) / 1000), 120);
  await pair.world.run({ forMs: 10 });
  const failure = readFailure(raw.frames.find(({ kind }) => kind === 'failure')!.payload);
  assert.equal(failure.code, 'timeout');
  assert.match(failure.message, /Waiting for worker to take more of integrity.rows/);
  assert.equal(master.signal.aborted, false);
  master.close('finished', 'Done');
  await pair.finish();
});

function fail(error: Error): never {
  throw error;
}
