import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromBytes } from '../../src/base/bytes.ts';
import { codeOf, RemoteError } from '../../src/base/errors.ts';
import { windowBytes } from '../../src/session/flow.ts';
import type { Handlers } from '../../src/session/handlers.ts';
import type { BulkRequest, Session } from '../../src/session/session.ts';
import { replyFrame } from '../../src/wire/compose.ts';
import { encodeFrame, payloadBytesMax } from '../../src/wire/frame.ts';
import { countedSignal } from '../base/counted-signal.ts';
import { payloadSamples } from '../wire/samples.ts';
import { gather, outcome, patternBytes, SessionPair, unrulyLink } from './session-pair.ts';

const hanging: Handlers = { 'session.ping': () => new Promise(() => {}) };
const rows = payloadSamples['integrity.rows'].valid[0]!;

/** Asks for rows: bulk data and an empty reply. */
function askRows(
  session: Session,
  options: Parameters<Session['requestBulk']>[2] = {},
): BulkRequest<unknown> {
  return session.requestBulk('integrity.rows', rows, options);
}

/** A master that sends this for rows, in one go. */
function sends(bytes: Uint8Array): Handlers {
  return {
    'integrity.rows': async (_, context) => {
      await context.send(bytes);
      return {};
    },
  };
}

/** A worker's session and its master's, with these answers. */
async function pairOf(
  handlers: Handlers,
  options: Parameters<typeof SessionPair.connect>[0] = {},
): Promise<{ pair: SessionPair; worker: Session; master: Session }> {
  const pair = await SessionPair.connect(options);
  return { pair, worker: pair.session('worker'), master: pair.session('master', handlers) };
}

async function finish(pair: SessionPair, session: Session): Promise<void> {
  session.close('finished', 'Done');
  await pair.finish();
}

test('request() that is not answered ends at its deadline and tells the peer', async () => {
  let stopped: unknown;
  const { pair, worker } = await pairOf({
    'session.ping': (_, { signal }) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          stopped = signal.reason;
          resolve({});
        });
      }),
  });
  const startMs = pair.world.nowMs;
  const late = await pair.world.settle(outcome(worker.request('session.ping', {})));
  assert.equal(late, 'timeout: Request session.ping to master took longer than 20000 ms');
  assert.equal(pair.world.nowMs - startMs, 20_000);
  await pair.world.run({ forMs: 10 });
  assert.equal(codeOf(stopped), 'aborted');
  assert.deepEqual(pair.kinds('worker'), ['request', 'cancel']);
  assert.deepEqual(pair.kinds('master'), [], 'what was given up is not answered');
  const soon = worker.request('session.ping', {}, { timeoutMs: 50 });
  assert.match(await pair.world.settle(outcome(soon)), /took longer than 50 ms/);
  await finish(pair, worker);
});

test('request() ignores an answer that comes too late, and goes on', async () => {
  const pair = await SessionPair.connect();
  const worker = pair.session('worker');
  const raw = pair.raw('master').read();
  const late = worker.request('session.ping', {}, { timeoutMs: 50 });
  assert.match(await pair.world.settle(outcome(late)), /^timeout: /);
  raw.send(replyFrame('session.ping', 1, {}), encodeFrame('data', 0, 1, Uint8Array.of(1)));
  const next = worker.request('session.ping', {});
  await pair.world.run({ forMs: 10 });
  raw.send(replyFrame('session.ping', 2, {}));
  assert.deepEqual(await pair.world.settle(next), {});
  await finish(pair, worker);
});

test('request() ends with its signal, and sends nothing where that has been aborted', async () => {
  const { pair, worker } = await pairOf(hanging);
  const controller = new AbortController();
  const { signal } = controller;
  const running = outcome(worker.request('session.ping', {}, { signal }));
  await pair.world.run({ forMs: 10 });
  controller.abort(new Error('enough'));
  assert.equal(await running, 'error: enough');
  await pair.world.run({ forMs: 10 });
  assert.deepEqual(pair.kinds('worker'), ['request', 'cancel']);
  assert.equal(await outcome(worker.request('session.ping', {}, { signal })), 'error: enough');
  assert.throws(() => askRows(worker, { signal }), /enough/);
  await pair.world.run({ forMs: 10 });
  assert.deepEqual(pair.kinds('worker'), ['request', 'cancel']);
  await finish(pair, worker);
});

test('request() gives the reply that crossed with the abort of its signal', async () => {
  const { pair, worker } = await pairOf({ 'session.ping': () => ({}) });
  const controller = new AbortController();
  const answered = worker.request('session.ping', {}, { signal: controller.signal });
  const first = answered.then(() => {
    controller.abort(new Error('too late'));
    return 'answered';
  });
  assert.equal(await pair.world.settle(first), 'answered');
  await pair.world.run({ forMs: 10 });
  assert.deepEqual(pair.kinds('worker'), ['request'], 'there is nothing left to cancel');
  await finish(pair, worker);
});

test('request() throws what the peer reported', async () => {
  const { pair, worker } = await pairOf({
    'session.ping': () => Promise.reject(new RemoteError('noSpace', 'The disk is full')),
  });
  const asked = worker.request('session.ping', {});
  await assert.rejects(pair.world.settle(asked), (error) => {
    assert.ok(error instanceof RemoteError);
    assert.equal(error.code, 'noSpace');
    assert.equal(error.message, 'The disk is full');
    return true;
  });
  await finish(pair, worker);
});

test('request() refuses to have more under way than the peer allows, and leaves no trace', async () => {
  const { pair, worker, master } = await pairOf(hanging);
  const many = Array.from({ length: 32 }, () => outcome(worker.request('session.ping', {})));
  const refused = await pair.world.settle(outcome(worker.request('session.ping', {})));
  assert.equal(refused, 'busy: 32 requests to master are under way');
  assert.throws(() => askRows(worker), /under way/);
  await pair.world.run({ forMs: 10 });
  assert.equal(master.signal.aborted, false);
  worker.close('finished', 'Done');
  await pair.world.settle(Promise.all(many));
  await pair.finish();
});

test('request() leaves nothing behind when it has been answered', async () => {
  const { pair, worker } = await pairOf({ ...sends(Uint8Array.of(1)), 'session.ping': () => ({}) });
  const { controller, listenersCount } = countedSignal();
  const { signal } = controller;
  for (let i = 0; i < 100; i++) {
    await pair.world.settle(worker.request('session.ping', {}, { signal }));
    const { data, reply } = askRows(worker, { signal });
    await pair.world.settle(gather(data));
    await pair.world.settle(reply);
  }
  assert.equal(listenersCount(), 0);
  controller.abort();
  await pair.world.run({ forMs: 10 });
  assert.ok(!pair.kinds('worker').includes('cancel'));
  await finish(pair, worker);
});

test('request() that our own table refuses fails here, and the session goes on', async () => {
  const { pair, worker } = await pairOf({ 'session.ping': () => ({}) });
  const wrong = worker.request('integrity.digests', { generation: -1, set: 'a', branches: [] });
  assert.match(
    await pair.world.settle(outcome(wrong)),
    /Cannot send integrity.digests: .*generation/,
  );
  assert.deepEqual(await pair.world.settle(worker.request('session.ping', {})), {});
  assert.deepEqual(pair.kinds('worker'), ['request']);
  await finish(pair, worker);
});

// --- bulk data -------------------------------------------------------------------------------

test('requestBulk() brings every byte in order over any link, then the reply', async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const bytes = patternBytes(3 * windowBytes + 12_345);
    const { pair, worker } = await pairOf(sends(bytes), { seed, link: unrulyLink });
    const { data, reply } = askRows(worker);
    const received = await pair.world.settle(gather(data));
    assert.ok(received === fromBytes(bytes), `seed ${seed}`);
    assert.deepEqual(await pair.world.settle(reply), {});
    await finish(pair, worker);
  }
});

test('requestBulk() with no data at all ends with the reply', async () => {
  const { pair, worker } = await pairOf({ 'integrity.rows': () => ({}) });
  const { data, reply } = askRows(worker);
  assert.equal(await pair.world.settle(gather(data)), '');
  assert.deepEqual(await pair.world.settle(reply), {});
  await finish(pair, worker);
});

test('requestBulk() never has more than a window between sender and consumer', async () => {
  for (const [seed, pauseMs] of [[1, 0], [2, 10], [3, 100]] as const) {
    const total = 5 * windowBytes;
    let sentBytes = 0;
    let consumedBytes = 0;
    let mostBytes = 0;
    const pair = await SessionPair.connect({ seed });
    const master = pair.session('master', sends(patternBytes(total)));
    const worker = pair.session('worker');
    pair.world.check('the window holds', () => {
      sentBytes = pair.frames
        .filter(({ frame }) => frame.kind === 'data')
        .reduce((sum, { frame }) => sum + frame.payload.length, 0);
      mostBytes = Math.max(mostBytes, sentBytes - consumedBytes);
    });
    const { data, reply } = askRows(worker);
    const reading = (async () => {
      for await (const chunk of data) {
        await pair.ports('worker').clock.sleep(pauseMs);
        consumedBytes += chunk.length;
      }
    })();
    await pair.world.settle(reading);
    await pair.world.settle(reply);
    assert.equal(consumedBytes, total);
    assert.ok(mostBytes <= windowBytes, `${mostBytes} bytes under way`);
    if (pauseMs > 0) assert.equal(mostBytes, windowBytes, 'the window is used');
    assert.equal(master.signal.aborted, false);
    await finish(pair, worker);
  }
});

test('requestBulk() that is left by break is cancelled, and its handler stops', async () => {
  let handler = 'running';
  const { pair, worker } = await pairOf({
    'integrity.rows': async (_, context) => {
      try {
        await context.send(new Uint8Array(4 * windowBytes));
      } catch (error) {
        handler = codeOf(error);
        throw error;
      }
      return {};
    },
    'session.ping': () => ({}),
  });
  const { data, reply } = askRows(worker);
  const leaving = (async () => {
    for await (const chunk of data) return chunk.length;
    return 0;
  })();
  assert.equal(await pair.world.settle(leaving), payloadBytesMax);
  assert.equal(
    await pair.world.settle(outcome(reply)),
    'aborted: Request integrity.rows was given up',
  );
  await pair.world.run({ forMs: 100 });
  assert.equal(handler, 'aborted');
  assert.deepEqual(pair.kinds('worker'), ['request', 'cancel']);
  assert.deepEqual(await pair.world.settle(worker.request('session.ping', {})), {});
  await finish(pair, worker);
});

test('requestBulk() whose reader throws is cancelled, and complains of nothing else', async () => {
  const { pair, worker } = await pairOf(sends(new Uint8Array(4 * windowBytes)));
  const { data } = askRows(worker); // nobody asks for the reply
  const reading = (async () => {
    for await (const _ of data) throw new Error('no room');
  })();
  assert.equal(await pair.world.settle(outcome(reading)), 'error: no room');
  await pair.world.run({ forMs: 100 });
  assert.deepEqual(pair.kinds('worker'), ['request', 'cancel']);
  await finish(pair, worker);
});

test('requestBulk() ends with its signal, though nobody reads yet', async () => {
  const { pair, worker } = await pairOf(sends(new Uint8Array(4 * windowBytes)));
  const controller = new AbortController();
  const { data, reply } = askRows(worker, { signal: controller.signal });
  await pair.world.run({ forMs: 100 });
  controller.abort(new Error('enough'));
  assert.equal(await pair.world.settle(outcome(reply)), 'error: enough');
  await pair.world.run({ forMs: 100 });
  assert.deepEqual(pair.kinds('worker'), ['request', 'cancel']);
  assert.equal(await pair.world.settle(outcome(gather(data))), 'error: enough');
  await finish(pair, worker);
});

test('requestBulk() ends when the next part takes too long, and says which', async () => {
  let isTold = false;
  const { pair, worker } = await pairOf({
    'integrity.rows': async (_, context) => {
      context.signal.addEventListener('abort', () => isTold = true);
      await context.send(Uint8Array.of(1, 2, 3));
      return new Promise(() => {});
    },
  });
  const { data, reply } = askRows(worker, { timeoutMs: 500 });
  const late = 'timeout: The next part of integrity.rows from master took longer than 500 ms';
  assert.equal(await pair.world.settle(outcome(gather(data))), late);
  assert.equal(await pair.world.settle(outcome(reply)), late);
  await pair.world.run({ forMs: 100 });
  assert.ok(isTold);
  await finish(pair, worker);
});

test('requestBulk() goes on for as long as the parts keep coming', async () => {
  const { pair, worker } = await pairOf({
    'integrity.rows': async (_, context) => {
      for (let i = 0; i < 50; i++) {
        await pair.ports('master').clock.sleep(400);
        await context.send(Uint8Array.of(i));
      }
      return {};
    },
  });
  const { data, reply } = askRows(worker, { timeoutMs: 500 });
  assert.equal((await pair.world.settle(gather(data))).length, 50);
  await pair.world.settle(reply);
  await finish(pair, worker);
});

test('requestBulk() gives what came before a failure, then the failure', async () => {
  const { pair, worker } = await pairOf({
    'integrity.rows': async (_, context) => {
      await context.send(Uint8Array.of(1, 2, 3));
      throw new RemoteError('stale', 'Too old');
    },
  });
  const { data, reply } = askRows(worker);
  let received = 0;
  const reading = (async () => {
    for await (const chunk of data) received += chunk.length;
  })();
  assert.equal(await pair.world.settle(outcome(reading)), 'stale: Too old');
  assert.equal(await pair.world.settle(outcome(reply)), 'stale: Too old');
  assert.equal(received, 3);
  await pair.world.run({ forMs: 100 });
  assert.deepEqual(pair.kinds('worker'), ['request'], 'there is nothing left to cancel');
  await finish(pair, worker);
});

test('requestBulk() gives what came before the connection was lost, then the loss', async () => {
  const { pair, worker } = await pairOf(sends(patternBytes(2 * windowBytes)));
  const { data, reply } = askRows(worker);
  await pair.world.run({ forMs: 100 });
  pair.network.reset();
  await pair.world.run({ forMs: 100 });
  let received = 0;
  const reading = (async () => {
    for await (const chunk of data) received += chunk.length;
  })();
  assert.match(await pair.world.settle(outcome(reading)), /^unreachable: /);
  assert.match(await pair.world.settle(outcome(reply)), /^unreachable: /);
  assert.equal(received, windowBytes);
  await pair.finish();
});

test('requestBulk() ends the session of a peer that sends more than it was granted', async () => {
  const pair = await SessionPair.connect();
  const worker = pair.session('worker');
  const { data, reply } = askRows(worker);
  const raw = pair.raw('master').read();
  for (let i = 0; i < 5; i++) {
    raw.send(encodeFrame('data', 0, 1, new Uint8Array(payloadBytesMax)));
  }
  assert.match(
    await pair.world.settle(outcome(reply)),
    /^protocol: .*more bulk data than was granted/,
  );
  await pair.world.settle(outcome(gather(data)));
  await pair.finish();
});

test('requestBulk() ends the session of a peer that sends empty parts', async () => {
  const pair = await SessionPair.connect();
  const worker = pair.session('worker');
  const { data, reply } = askRows(worker);
  pair.raw('master').read().send(encodeFrame('data', 0, 1));
  assert.match(await pair.world.settle(outcome(reply)), /^protocol: A data frame is empty/);
  await pair.world.settle(outcome(gather(data)));
  await pair.finish();
});

test('requestBulk() of several at once share the line, each with a window of its own', async () => {
  const { pair, worker } = await pairOf(sends(patternBytes(2 * windowBytes)));
  const all = [1, 2, 3].map(() => askRows(worker));
  // One that nobody reads does not stop the others.
  const [first, second] = all;
  await pair.world.settle(Promise.all([gather(first!.data), gather(second!.data)]));
  const order = pair.frames.filter(({ frame }) => frame.kind === 'data');
  const firstTwelve = order.slice(0, 12).map(({ frame }) => frame.stream);
  assert.deepEqual(firstTwelve.slice().sort((a, b) => a - b), [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3]);
  assert.deepEqual(firstTwelve.slice(0, 6), [1, 2, 3, 1, 2, 3]);
  await finish(pair, worker);
});

test('a ping during bulk data waits for the chunk that is being written and for nothing else', async () => {
  const link = { windowBytes: 1, bytesPerMs: 1000 };
  const { pair, worker, master } = await pairOf(
    { ...sends(patternBytes(4 * windowBytes)), 'session.ping': () => ({}) },
    { link },
  );
  const { data } = askRows(worker);
  const reading = gather(data);
  await pair.world.run({ forMs: 400 });
  for (let i = 0; i < 5; i++) {
    const before = pair.frames.length;
    const startMs = pair.world.nowMs;
    await pair.world.settle(worker.request('session.ping', {}));
    const between = pair.frames.slice(before).filter(({ from }) => from === 'master');
    const at = between.findIndex(({ frame }) => frame.kind === 'reply');
    const chunks = between.slice(0, at).filter(({ frame }) => frame.kind === 'data').length;
    assert.ok(chunks <= 1, `${chunks} chunks went before the answer`);
    // The chunk on the line, and the one whose write it was waiting for: 262 ms each.
    assert.ok(pair.world.nowMs - startMs < 600);
  }
  assert.equal(master.signal.aborted, false);
  await pair.world.settle(reading);
  await finish(pair, worker);
});

test('a session ends as silent where its own requests never leave', async () => {
  const pair = await SessionPair.connect();
  const worker = pair.session('worker');
  pair.streams.worker.isStuck = true;
  const asked = outcome(worker.request('session.ping', {}));
  assert.match(await pair.world.settle(asked), /^timeout: Request session.ping/);
  const reason = await pair.world.settle(worker.closed);
  assert.equal(reason.code, 'silent');
  assert.equal(reason.by, 'us');
  pair.raw('master').read();
  await pair.finish();
});
