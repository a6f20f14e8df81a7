import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deferred } from '../../src/base/async.ts';
import { concatBytes } from '../../src/base/bytes.ts';
import { ClusterError, codeOf } from '../../src/base/errors.ts';
import { closeFrame, ourReason } from '../../src/session/close-reason.ts';
import { windowBytes } from '../../src/session/flow.ts';
import type { Handlers } from '../../src/session/handlers.ts';
import { writeTimeoutMs } from '../../src/session/outbox.ts';
import { encodePayload } from '../../src/wire/codec.ts';
import { creditFrame, requestFrame } from '../../src/wire/compose.ts';
import { encodeFrame, type FrameKind, headerBytes } from '../../src/wire/frame.ts';
import { type MessageName, messages } from '../../src/wire/messages.ts';
import { payloadSamples } from '../wire/samples.ts';
import { outcome, SessionPair, type Side } from './session-pair.ts';

const pong: Handlers = { 'session.ping': () => ({}) };
const ping = requestFrame('session.ping', 1, {});
const names = Object.keys(messages) as MessageName[];

/** A frame of a message with any payload. */
function frameOf(kind: FrameKind, name: MessageName, stream: number, payload: unknown): Uint8Array {
  return encodeFrame(kind, messages[name].id, stream, encodePayload(payload));
}

/** A header that announces a payload, and nothing of it. */
function announcement(kind: FrameKind, message: number, length: number): Uint8Array {
  const bytes = encodeFrame(kind, message, 1).slice(0, headerBytes);
  new DataView(bytes.buffer).setUint32(0, length);
  return bytes;
}

/** What a session at `side` says to a peer that sends these frames, as `code: text`. */
async function answerTo(
  side: Side,
  frames: readonly Uint8Array[],
  handlers: Handlers = {},
  isOpen = true,
): Promise<string | undefined> {
  const pair = await SessionPair.connect();
  const session = pair.session(side, handlers, { isOpen });
  const raw = pair.raw(side === 'worker' ? 'master' : 'worker').read();
  raw.send(...frames);
  const reason = await pair.world.settle(session.closed, 10_000);
  await pair.finish();
  assert.equal(raw.reason, `${reason.code}: ${reason.text}`, 'the same words at both ends');
  return raw.reason;
}

test('Session.request() is answered in both directions at once, whatever the order', async () => {
  const pair = await SessionPair.connect();
  const handlers = (side: Side): Handlers => ({
    'session.ping': async () => {
      await pair.ports(side).clock.sleep(side === 'worker' ? 10 : 3);
      return {};
    },
    'join.authority': () => ({ authority: 'PEM' }),
  });
  const worker = pair.session('worker', handlers('worker'));
  const master = pair.session('master', handlers('master'), { peerRole: 'joiner' });
  const answers = await pair.world.settle(Promise.all([
    worker.request('session.ping', {}),
    master.request('session.ping', {}),
    worker.request('join.authority', {}),
    worker.request('session.ping', {}),
  ]));
  assert.deepEqual(answers, [{}, {}, { authority: 'PEM' }, {}]);
  worker.close('finished', 'Done');
  await pair.finish();
});

test('Session.close() ends both ends with one reason, and settles all that waits', async () => {
  const pair = await SessionPair.connect();
  let handled: unknown;
  const hanging: Handlers = {
    'session.ping': (_, { signal }) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          handled = signal.reason;
          resolve({});
        });
      }),
  };
  const worker = pair.session('worker', hanging);
  const master = pair.session('master', hanging);
  const waiting = [worker, master].map((session) => outcome(session.request('session.ping', {})));
  await pair.world.run({ forMs: 50 });
  handled = undefined;
  worker.close('superseded', 'A newer one took over');
  worker.close('shutdown', 'Too late');
  assert.deepEqual(await pair.world.settle(worker.closed), {
    code: 'superseded',
    text: 'A newer one took over',
    by: 'us',
  });
  assert.deepEqual(await pair.world.settle(master.closed), {
    code: 'superseded',
    text: 'A newer one took over',
    by: 'peer',
  });
  assert.equal(codeOf(handled), 'superseded');
  for (const text of await pair.world.settle(Promise.all(waiting))) {
    assert.equal(text, 'superseded: A newer one took over');
  }
  master.close('shutdown', 'Too late');
  assert.ok(worker.signal.aborted && master.signal.aborted);
  assert.equal(pair.kinds('worker').filter((kind) => kind === 'close').length, 1);
  assert.deepEqual(pair.kinds('master').filter((kind) => kind === 'close'), []);
  await pair.finish();
});

test('Session: nothing can be asked or told after the end', async () => {
  const pair = await SessionPair.connect();
  const worker = pair.session('worker');
  const master = pair.session('master');
  worker.close('shutdown', 'The worker stops');
  await pair.world.settle(master.closed);
  for (const session of [worker, master]) {
    assert.equal(
      await pair.world.settle(outcome(session.request('session.ping', {}))),
      'unreachable: The worker stops',
    );
    assert.throws(
      () => session.requestBulk('integrity.rows', payloadSamples['integrity.rows'].valid[0]!),
      /The worker stops/,
    );
  }
  master.event('integrity.published', { generation: 1 });
  await pair.finish();
  assert.deepEqual(pair.frames.map(({ frame }) => frame.kind), ['close']);
});

test('Session hears nothing after it has ended, though the peer goes on', async () => {
  const pair = await SessionPair.connect();
  let handledCount = 0;
  const session = pair.session('master', {
    'session.ping': () => {
      handledCount += 1;
      return {};
    },
  });
  const raw = pair.raw('worker').read();
  session.close('shutdown', 'The master stops');
  raw.send(ping, encodeFrame('data', 0, 99), new Uint8Array(100).fill(255));
  await pair.finish();
  assert.equal(handledCount, 0);
  assert.equal(raw.reason, 'shutdown: The master stops');
  assert.deepEqual(pair.kinds('master'), ['close']);
});

test('Session hears no frame behind the one that ended it, though they come in one piece', async () => {
  const pair = await SessionPair.connect();
  let handledCount = 0;
  const session = pair.session('master', {
    'session.ping': (_, context) => {
      handledCount += 1;
      context.session.close('finished', 'Enough');
      return {};
    },
  });
  const raw = pair.raw('worker').read();
  raw.send(Uint8Array.of(...ping, ...requestFrame('session.ping', 2, {})));
  await pair.world.settle(session.closed);
  await pair.finish();
  assert.equal(handledCount, 1);
});

test('Session reads on after its last word, which a reset would take with it', async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const pair = await SessionPair.connect({ seed });
    const session = pair.session('master', pong);
    const raw = pair.raw('worker');
    raw.send(ping);
    session.close('shutdown', 'The master stops');
    await pair.world.run({ forMs: 100 });
    raw.read();
    await pair.finish();
    assert.equal(raw.reason, 'shutdown: The master stops', `seed ${seed}`);
  }
});

test('Session ends as lost at both ends when the connection is reset', async () => {
  const pair = await SessionPair.connect();
  const worker = pair.session('worker', pong);
  const master = pair.session('master', { 'session.ping': () => new Promise(() => {}) });
  const waiting = outcome(worker.request('session.ping', {}));
  await pair.world.run({ forMs: 10 });
  pair.network.reset();
  for (const session of [worker, master]) {
    const reason = await pair.world.settle(session.closed);
    assert.equal(reason.code, 'lost');
    assert.equal(reason.by, 'network');
  }
  assert.match(await waiting, /^unreachable: /);
  await pair.finish();
});

test('Session ends as lost when the peer hangs up without a word', async () => {
  const pair = await SessionPair.connect();
  const session = pair.session('master');
  pair.streams.worker.close();
  assert.deepEqual(await pair.world.settle(session.closed), {
    code: 'lost',
    text: 'worker closed the connection',
    by: 'network',
  });
  pair.raw('worker').read();
  await pair.finish();
});

test('Session gives the reason that the peer sent, though writing to it fails first', async () => {
  const pair = await SessionPair.connect();
  const session = pair.session('worker', pong);
  const raw = pair.raw('master').read();
  raw.send(closeFrame(ourReason('authentication', 'The certificate was revoked')));
  // The system knows that the peer is gone before the reader gets to its last words.
  pair.streams.worker.writeError = new ClusterError('unreachable', 'The peer ended it');
  const asked = await pair.world.settle(outcome(session.request('session.ping', {})));
  assert.equal(asked, 'authentication: The certificate was revoked');
  const reason = await pair.world.settle(session.closed);
  assert.deepEqual(reason, {
    code: 'authentication',
    text: 'The certificate was revoked',
    by: 'peer',
  });
  await pair.finish();
});

test('Session ends as lost when writing fails and no reason comes', async () => {
  const pair = await SessionPair.connect();
  const session = pair.session('worker', pong);
  pair.streams.worker.writeError = new ClusterError('unreachable', 'The line is down');
  const asked = session.request('session.ping', {});
  const startMs = pair.world.nowMs;
  assert.equal(await pair.world.settle(outcome(asked)), 'unreachable: The line is down');
  assert.equal(pair.world.nowMs - startMs, 5000);
  assert.equal((await pair.world.settle(session.closed)).by, 'network');
  assert.ok(pair.streams.worker.isAborted);
  pair.raw('master').read();
  await pair.finish();
});

test('Session.lastHeardMs and traffic follow what passes', async () => {
  const pair = await SessionPair.connect();
  const worker = pair.session('worker', pong);
  const master = pair.session('master', pong);
  await pair.world.run({ forMs: 5000 });
  const beforeMs = pair.ports('master').clock.monotonicMs();
  assert.equal(master.lastHeardMs, beforeMs - 5000);
  await pair.world.settle(worker.request('session.ping', {}));
  assert.ok(master.lastHeardMs > beforeMs);
  assert.deepEqual(worker.traffic, { bytesRead: 13, bytesWritten: 13 });
  assert.deepEqual(master.traffic, worker.traffic);
  worker.close('finished', 'Done');
  await pair.finish();
});

// --- before the peer is known ----------------------------------------------------------------

test('Session takes only the hello before it is open', async () => {
  const early = 'protocol: The peer speaks before it has said hello';
  for (const name of names) {
    if (name === 'session.hello') continue;
    const kind = messages[name].answer === 'reply' ? 'request' : 'event';
    const frame = frameOf(kind, name, 1, payloadSamples[name].valid[0]);
    if (frame.length > 4096) continue;
    assert.equal(await answerTo('master', [frame], pong, false), early, name);
  }
  for (const kind of ['request', 'event'] as const) {
    assert.equal(await answerTo('master', [encodeFrame(kind, 999, 1)], {}, false), early);
  }
});

test('Session takes no frame above 4 KiB before it is open, and looks at its header only', async () => {
  for (const length of [4097, 262_144, 2 ** 32 - 1]) {
    assert.equal(
      await answerTo('master', [announcement('request', 1, length)], {}, false),
      `protocol: A request frame announces ${length} bytes: the limit is 4096`,
    );
  }
});

test('Session takes frames of full length as soon as it is open', async () => {
  const pair = await SessionPair.connect();
  const sizes: number[] = [];
  const session = pair.session('master', {
    'session.hello': (_, context) => {
      context.session.open('worker-7');
      return replyToHello;
    },
    'content.fetch': ({ items }) => {
      sizes.push(items.length);
      return {};
    },
  }, { isOpen: false });
  const raw = pair.raw('worker').read();
  const large = payloadSamples['content.fetch'].valid[0]!;
  const hello = payloadSamples['session.hello'].valid[0]!;
  raw.send(concatBytes([
    requestFrame('session.hello', 1, hello),
    requestFrame('content.fetch', 2, large),
  ]));
  await pair.world.run({ until: () => raw.frames.length === 2, limitMs: 1000 });
  assert.deepEqual(sizes, [large.items.length]);
  assert.equal(session.peer, 'worker-7');
  session.close('finished', 'Done');
  await pair.finish();
});

const replyToHello = {
  protocol: 1,
  features: [],
  version: '1',
  node: 'master',
  epoch: 'e',
  nowMs: 0,
};

// --- what breaks the protocol ----------------------------------------------------------------

test('Session takes every message from those alone who may send it', async () => {
  for (const name of names) {
    const { sender, answer } = messages[name];
    if (sender === 'both') continue;
    const kind = answer === 'reply' ? 'request' : 'event';
    const frame = frameOf(kind, name, 1, payloadSamples[name].valid[0]);
    const side = sender === 'master' ? 'master' : 'worker';
    const peer = side === 'master' ? 'worker' : 'master';
    assert.equal(
      await answerTo(side, [frame]),
      `protocol: A ${peer} may not send ${name}`,
    );
  }
});

test('Session takes every message up to its limit and none above it', async () => {
  for (const name of names) {
    const { sender, answer, bytesMax, id } = messages[name];
    const kind = answer === 'reply' ? 'request' : 'event';
    const peerRole = sender === 'both' ? 'worker' : sender;
    const valid = payloadSamples[name].valid[0]!;
    // Filled up with a field that a newer peer might have added.
    const empty = encodePayload({ ...valid, filler: new Uint8Array(0) }).length;
    const padded = (length: number) => {
      const overhead = length - empty > 65_535 ? 3 : length - empty > 255 ? 1 : 0;
      return encodePayload({ ...valid, filler: new Uint8Array(length - empty - overhead) });
    };
    const pair = await SessionPair.connect();
    const handled: string[] = [];
    const handlers = { [name]: () => void handled.push(name) } as Handlers;
    const session = pair.session('master', handlers, { peerRole });
    const raw = pair.raw('worker').read();
    const longest = padded(bytesMax);
    assert.equal(longest.length, bytesMax, name);
    raw.send(encodeFrame(kind, id, 1, longest));
    await pair.world.run({ until: () => handled.length > 0, limitMs: 1000 });
    raw.send(encodeFrame(kind, id, 2, padded(bytesMax + 1)));
    const reason = await pair.world.settle(session.closed);
    assert.equal(reason.code, 'protocol');
    assert.equal(reason.text, `${name} has ${bytesMax + 1} bytes: the limit is ${bytesMax}`);
    assert.deepEqual(handled, [name]);
    await pair.finish();
  }
});

test('Session ends for a peer that sends what no reader takes, for every message', async () => {
  for (const name of names) {
    const { sender, answer } = messages[name];
    const side = sender === 'master' ? 'worker' : 'master';
    if (sender === 'joiner') continue;
    const kind = answer === 'reply' ? 'request' : 'event';
    const [where, payload] = payloadSamples[name].refused[0]!;
    const reason = await answerTo(side, [frameOf(kind, name, 1, payload)]);
    assert.match(reason!, /^protocol: /);
    assert.ok(reason!.includes(where), reason);
  }
});

test('Session ends for frames that cannot be', async () => {
  const table: readonly (readonly [readonly Uint8Array[], RegExp])[] = [
    [[announcement('data', 0, 262_145)], /data frame announces 262145 bytes: the limit is 262144/],
    [[Uint8Array.of(0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0)], /unknown kind 9/],
    [[encodeFrame('reply', 2, 1)], /reply frame answers no request of ours/],
    [[encodeFrame('failure', 0, 0)], /failure frame answers no request of ours/],
    [[encodeFrame('data', 0, 5, Uint8Array.of(1))], /data frame answers no request of ours/],
    [[encodeFrame('credit', 0, 1, Uint8Array.of(1))], /Credit is not 4 bytes/],
    [[encodeFrame('close', 0, 0, Uint8Array.of(0xc1))], /not plain data/],
    [[encodeFrame('close', 0, 0)], /ends too early/],
    [[encodeFrame('request', 2, 0, encodePayload({}))], /Request number 0 is not free/],
    [[encodeFrame('event', 2, 0, encodePayload({}))], /session.ping must be sent as a request/],
    [[encodeFrame('request', 2, 1, Uint8Array.of(0x80, 0x80))], /has bytes after its end/],
  ];
  for (const [frames, why] of table) {
    const reason = await answerTo('worker', frames, pong);
    assert.match(reason!, /^protocol: /);
    assert.match(reason!, why);
  }
});

test('Session ends for a request number that is used twice at once', async () => {
  const hanging: Handlers = { 'session.ping': () => new Promise(() => {}) };
  assert.equal(
    await answerTo('master', [ping, ping], hanging),
    'protocol: Request number 1 is not free',
  );
});

test('Session ends for more requests at once than a peer may have', async () => {
  const hanging: Handlers = { 'session.ping': () => new Promise(() => {}) };
  const many = (count: number) =>
    Array.from({ length: count }, (_, i) => requestFrame('session.ping', i + 1, {}));
  assert.equal(
    await answerTo('master', many(65), hanging),
    'protocol: More than 64 requests at once',
  );
  // Those that were answered do not count.
  const pair = await SessionPair.connect();
  const session = pair.session('master', pong);
  const raw = pair.raw('worker').read();
  raw.send(...many(200));
  await pair.world.run({ until: () => raw.frames.length === 200, limitMs: 1000 });
  session.close('finished', 'Done');
  await pair.finish();
});

test('Session ignores cancels and credit for requests that are over', async () => {
  const pair = await SessionPair.connect();
  const session = pair.session('master', pong);
  const raw = pair.raw('worker').read();
  raw.send(ping);
  await pair.world.run({ until: () => raw.frames.length === 1, limitMs: 1000 });
  raw.send(encodeFrame('cancel', 0, 1), creditFrame(1, 1000), encodeFrame('cancel', 0, 77), ping);
  await pair.world.run({ until: () => raw.frames.length === 2, limitMs: 1000 });
  session.close('finished', 'Done');
  await pair.finish();
});

test('Session settles all that waits when an answer breaks the protocol', async () => {
  const answers: readonly Uint8Array[] = [
    encodeFrame('reply', 2, 1, Uint8Array.of(0xc1)),
    encodeFrame('reply', 2, 1, encodePayload([])),
    encodeFrame('failure', 0, 1, encodePayload({ code: 7 })),
    encodeFrame('data', 0, 1, Uint8Array.of(1)),
  ];
  for (const answer of answers) {
    const pair = await SessionPair.connect();
    const session = pair.session('worker');
    const waiting = [1, 2].map(() => outcome(session.request('session.ping', {})));
    const raw = pair.raw('master').read();
    raw.send(answer);
    for (const text of await pair.world.settle(Promise.all(waiting), 1000)) {
      assert.match(text, /^protocol: /);
    }
    await pair.finish();
    assert.match(raw.reason!, /^protocol: /);
  }
});

// --- peers that do not read ------------------------------------------------------------------

test('Session ends for a peer that takes nothing while bulk data wait for the line', async () => {
  const pair = await SessionPair.connect({ link: { windowBytes: 65_536 } });
  const ended = deferred<unknown>();
  const session = pair.session('master', {
    'integrity.rows': async (_, context) => {
      await context.send(new Uint8Array(windowBytes)).catch((error) => {
        ended.resolve(error);
        throw error;
      });
      return {};
    },
  });
  const raw = pair.raw('worker'); // never reads
  raw.send(requestFrame('integrity.rows', 1, payloadSamples['integrity.rows'].valid[0]!));
  const startMs = pair.world.nowMs;
  const reason = await pair.world.settle(session.closed);
  assert.equal(reason.code, 'silent');
  assert.match(reason.text, /^Writing to worker:\d+ took longer than 60000 ms$/);
  assert.ok(pair.world.nowMs - startMs < writeTimeoutMs + 100);
  assert.ok(codeOf(await ended.promise) === 'timeout');
  assert.ok(pair.streams.master.isAborted);
  raw.read();
  await pair.finish();
});

test('Session ends for a peer that asks and asks and takes no answer', async () => {
  const pair = await SessionPair.connect({ link: { windowBytes: 4096 } });
  const session = pair.session('master', {
    'integrity.digests': () => ({ digests: new Uint8Array(65_536) }),
  });
  const raw = pair.raw('worker');
  const asked = payloadSamples['integrity.digests'].valid[0]!;
  for (let i = 1; i <= 65; i++) raw.send(requestFrame('integrity.digests', i, asked));
  const reason = await pair.world.settle(session.closed, 5000);
  assert.equal(reason.text, 'More than 64 requests at once');
  raw.read();
  await pair.finish();
});

test('Session.close() lets go of a stream on which no write ever ends', async () => {
  const pair = await SessionPair.connect();
  const session = pair.session('master');
  pair.streams.master.isStuck = true;
  const waiting = outcome(session.request('session.ping', {}));
  session.close('shutdown', 'The master stops');
  assert.equal(await pair.world.settle(waiting, 0), 'unreachable: The master stops');
  assert.equal(pair.streams.master.isAborted, false, 'the last words get a moment');
  await pair.world.run({ forMs: 5000 });
  assert.equal(pair.streams.master.isAborted, true);
  pair.raw('worker').read();
  await pair.finish();
});

test('Session.close() during bulk data sends no more of them', async () => {
  const pair = await SessionPair.connect({ link: { windowBytes: 1 } });
  const sending = deferred<unknown>();
  const master = pair.session('master', {
    'integrity.rows': async (_, context) => {
      await context.send(new Uint8Array(windowBytes)).catch((error) => sending.resolve(error));
      return {};
    },
  });
  const worker = pair.session('worker');
  const { data, reply } = worker.requestBulk(
    'integrity.rows',
    payloadSamples['integrity.rows'].valid[0]!,
  );
  await pair.world.run({ until: () => pair.kinds('master').length > 0, limitMs: 100 });
  master.close('shutdown', 'The master stops');
  assert.equal(codeOf(await pair.world.settle(sending.promise, 1000)), 'unreachable');
  assert.equal(
    await pair.world.settle(outcome((async () => {
      for await (const _ of data);
    })())),
    'unreachable: The master stops',
  );
  assert.equal(await pair.world.settle(outcome(reply)), 'unreachable: The master stops');
  await pair.finish();
  assert.deepEqual(pair.kinds('master'), ['data', 'close']);
});

test('Session refused at once still tells why', async () => {
  const pair = await SessionPair.connect();
  const session = pair.session('master', {}, { isOpen: false });
  session.close('overloaded', 'Too many');
  const raw = pair.raw('worker').read();
  raw.send(requestFrame('session.hello', 1, payloadSamples['session.hello'].valid[0]!));
  await pair.finish();
  assert.equal(raw.reason, 'overloaded: Too many');
  assert.equal(raw.end, 'ended');
});
