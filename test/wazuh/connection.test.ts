import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toBytes } from '../../src/base/bytes.ts';
import { ClusterError, codeOf, describeError } from '../../src/base/errors.ts';
import { refusalOf } from '../../src/wazuh/admission.ts';
import { answering, type Connection } from '../../src/wazuh/connection.ts';
import { clusterFailure, WazuhFailure } from '../../src/wazuh/failure.ts';
import { chunkBytes, encodeMessage, headerBytes } from '../../src/wazuh/frame.ts';
import { keepAlive } from '../../src/wazuh/keep-alive.ts';
import { welcomeText } from '../../src/wazuh/replies.ts';
import { orderlyLink, unrulyLink } from '../session/session-pair.ts';
import { ConnectionPair } from './connection-pair.ts';

const echo = answering('echo', (payload) => payload);
const permit = answering('syn_i_w_m_p', () => true);

/** The answer of a master to hellos. */
const admit = answering('hello', (hello, connection) => {
  const facts = { master: 'm', cluster: 'wazuh', version: '4.14.7', isConnected: () => false };
  const refusal = refusalOf(hello, facts);
  if (refusal !== undefined) throw refusal;
  connection.open();
  return welcomeText(hello.node);
});

const hello = { node: 'w1', cluster: 'wazuh', nodeType: 'worker', version: '4.14.7' };

/** Closes both and checks that nothing is left. */
async function finish(pair: ConnectionPair, ...connections: Connection[]): Promise<void> {
  for (const connection of connections) connection.close();
  await pair.finish();
}

test('both ends ask and answer, whatever becomes of the bytes on the way', async () => {
  for (const link of [orderlyLink, unrulyLink]) {
    const pair = await ConnectionPair.connect(link);
    const worker = pair.connection('worker', [echo]);
    const master = pair.connection('master', [echo, permit, admit]);
    const [permission, theirs, ours, welcome] = await pair.world.settle(Promise.all([
      worker.request('syn_i_w_m_p', undefined),
      master.request('echo', toBytes('from the master')),
      worker.request('echo', new Uint8Array(70_000)),
      worker.request('hello', hello),
    ]));
    assert.equal(permission, true);
    assert.deepEqual(theirs, toBytes('from the master'));
    assert.equal(ours.length, 70_000);
    assert.equal(welcome, 'Client w1 added');
    await finish(pair, worker, master);
  }
});

test('what is too long for a frame is divided', async () => {
  const pair = await ConnectionPair.connect();
  const worker = pair.connection('worker');
  const master = pair.connection('master', [echo]);
  const payload = new Uint8Array(chunkBytes + 1).fill(7);
  const back = await pair.world.settle(worker.request('echo', payload));
  assert.deepEqual(back, payload);
  await finish(pair, worker, master);
});

test('a request that cannot be answered is told why, and the connection goes on', async () => {
  const pair = await ConnectionPair.connect();
  const master = pair.connection('master', [
    answering('new_file', () => {
      throw clusterFailure(3027, 't');
    }),
    answering('echo', () => {
      throw new TypeError('a defect with a secret');
    }),
    answering('str_upd', () => 'String updated'),
  ]);
  const raw = pair.raw('worker');
  raw.say(1, 'nosuch', 'x');
  raw.say(2, 'syn_m_c_ok');
  raw.say(3, 'new_file', '/x');
  raw.say(4, 'echo', 'x');
  raw.say(5, 'str_upd', 'nospace');
  raw.say(6, 'str_upd', '1 x');
  await pair.world.run({ until: () => raw.heard.length === 6, limitMs: 1000 });
  const failureOf = (className: string, title: string, code: number, detail: string) =>
    `{"__wazuh_exception__": {"__class__": "${className}", "__object__": {"type": "about:blank", "title": "${title}", "code": ${code}, "extra_message": "${detail}", "extra_remediation": null, "cmd_error": false, "dapi_errors": {}}}}`;
  const internal = (detail: string) =>
    failureOf('WazuhInternalError', 'Wazuh Internal Error', 1000, detail);
  assert.deepEqual([...raw.heard].sort(), [
    "1 err unknown command 'b'nosuch''",
    "2 err unknown command 'b'syn_m_c_ok''",
    `3 err ${failureOf('WazuhClusterError', 'Wazuh Cluster Error', 3027, 't')}`,
    `4 err ${internal('Unexpected failure')}`,
    `5 err ${internal('A payload is not several arguments')}`,
    '6 ok String updated',
  ]);
  assert.match(pair.logged('master').join(), /Cannot answer echo .*: a defect with a secret/);
  await finish(pair, master);
});

test('a failure that the peer tells is thrown', async () => {
  const pair = await ConnectionPair.connect();
  const master = pair.connection('master', [admit], { isOpen: false });
  const worker = pair.connection('worker');
  const outcome = worker.request('hello', { ...hello, version: '4.14.6' }).then(
    () => undefined,
    (error: unknown) => error,
  );
  const error = await pair.world.settle(outcome);
  assert.ok(error instanceof WazuhFailure);
  assert.equal(error.code, 'incompatible');
  // Who is not let in is not kept.
  assert.equal((await pair.world.settle(master.closed)).message, `${master.remote} was not let in`);
  assert.equal(codeOf(await pair.world.settle(worker.closed)), 'unreachable');
  await pair.finish();
});

test('nothing but a hello is answered before the hello', async () => {
  const pair = await ConnectionPair.connect();
  const master = pair.connection('master', [admit, echo], { isOpen: false });
  const raw = pair.raw('worker');
  raw.say(1, 'echo', 'x');
  const reason = await pair.world.settle(master.closed);
  assert.match(reason.message, /echo comes before the hello/);
  await pair.world.run({ until: () => raw.hasEnded, limitMs: 1000 });
  assert.deepEqual(raw.heard, []);
  await pair.finish();
});

test('before the hello no frame is long and none is divided', async () => {
  const body = new Uint8Array(5000);
  for (const frameBytesMax of [undefined, 100]) {
    const pair = await ConnectionPair.connect();
    const master = pair.connection('master', [admit], { isOpen: false });
    const raw = pair.raw('worker');
    raw.send(...encodeMessage({ counter: 1, command: 'hello', body }, frameBytesMax));
    const reason = await pair.world.settle(master.closed);
    assert.match(reason.message, /announces 5000 bytes|More than 0 divided/);
    await pair.finish();
  }
});

test('who does not know the key gets no word', async () => {
  const pair = await ConnectionPair.connect();
  const master = pair.connection('master', [admit], { isOpen: false, key: 'a'.repeat(32) });
  const raw = pair.raw('worker');
  raw.say(1, 'hello', 'w1 wazuh worker 4.14.7');
  const reason = await pair.world.settle(master.closed);
  assert.ok(reason instanceof ClusterError && reason.code === 'authentication');
  await pair.world.run({ until: () => raw.hasEnded, limitMs: 1000 });
  assert.deepEqual(raw.heard, []);
  await pair.finish();
});

test('a request ends after 20 s, and a late reply is nobody’s', async () => {
  const pair = await ConnectionPair.connect();
  const worker = pair.connection('worker');
  const raw = pair.raw('master');
  let outcome: unknown;
  worker.request('echo', toBytes('x')).catch((error: unknown) => {
    assert.equal(codeOf(error), 'timeout');
    outcome = describeError(error);
  });
  await pair.world.run({ forMs: 19_000 });
  assert.deepEqual([raw.heard.length, outcome], [1, undefined]);
  await pair.world.run({ forMs: 2000 });
  assert.equal(outcome, 'Error 3020 - Timeout sending request: echo');
  const counter = Number(raw.heard[0]!.split(' ')[0]);
  raw.say(counter, 'ok', 'x');
  const next = worker.request('echo', toBytes('y'));
  await pair.world.run({ until: () => raw.heard.length === 2, limitMs: 1000 });
  raw.say((counter + 1) >>> 0, 'ok', 'y');
  assert.deepEqual(await pair.world.settle(next), toBytes('y'));
  await finish(pair, worker);
});

test('a request of the peer is one though its counter is that of a request of ours', async () => {
  const pair = await ConnectionPair.connect();
  const worker = pair.connection('worker', [echo]);
  const raw = pair.raw('master');
  const asked = worker.request('echo', toBytes('ours'));
  await pair.world.run({ until: () => raw.heard.length === 1, limitMs: 1000 });
  const counter = Number(raw.heard[0]!.split(' ')[0]);
  raw.say(counter, 'echo', 'theirs');
  await pair.world.run({ until: () => raw.heard.length === 2, limitMs: 1000 });
  assert.equal(raw.heard[1], `${counter} ok theirs`);
  raw.say(counter, 'ok', 'ours');
  assert.deepEqual(await pair.world.settle(asked), toBytes('ours'));
  await finish(pair, worker);
});

test('a frame that is not finished within 30 s ends the connection', async () => {
  const pair = await ConnectionPair.connect();
  const master = pair.connection('master');
  const raw = pair.raw('worker');
  raw.send(
    encodeMessage({ counter: 1, command: 'echo', body: new Uint8Array(9) })[0]!.slice(0, 24),
  );
  await pair.world.run({ forMs: 29_000 });
  assert.equal(master.signal.aborted, false);
  await pair.world.run({ forMs: 2000 });
  assert.match(String(master.signal.reason), /did not finish a frame/);
  await pair.finish();
});

test('a frame leaves in one write, header and body', async () => {
  const pair = await ConnectionPair.connect();
  const writes: Uint8Array[] = [];
  for (const side of ['worker', 'master'] as const) {
    const stream = pair.stream(side);
    const write = stream.write.bind(stream);
    stream.write = (bytes) => {
      writes.push(bytes.slice());
      return write(bytes);
    };
  }
  const worker = pair.connection('worker');
  const master = pair.connection('master', [echo, permit]);
  await pair.world.settle(worker.request('syn_i_w_m_p', undefined));
  await pair.world.settle(worker.request('echo', new Uint8Array(chunkBytes + 1)));
  // Both messages and their replies, two of them in two parts.
  assert.equal(writes.length, 6);
  for (const bytes of writes) {
    const { buffer, byteOffset } = bytes;
    assert.equal(new DataView(buffer, byteOffset).getUint32(4), bytes.length - headerBytes);
  }
  await finish(pair, worker, master);
});

test('each end numbers its requests from a beginning of its own', async () => {
  const pair = await ConnectionPair.connect();
  const counters = { worker: [] as number[], master: [] as number[] };
  for (const side of ['worker', 'master'] as const) {
    const stream = pair.stream(side);
    const write = stream.write.bind(stream);
    stream.write = (bytes) => {
      counters[side].push(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0));
      return write(bytes);
    };
  }
  const [worker, master] = [pair.connection('worker'), pair.connection('master')];
  for (let i = 0; i < 3; i++) worker.say('echo', toBytes('x'));
  master.say('echo', toBytes('x'));
  const { worker: ours, master: theirs } = counters;
  await pair.world.run({ until: () => ours.length > 2 && theirs.length > 0, limitMs: 1000 });
  const [first] = ours;
  assert.deepEqual(ours.slice(0, 3), [0, 1, 2].map((i) => (first! + i) >>> 0));
  assert.notEqual(theirs[0], first);
  await finish(pair, worker, master);
});

test('a header above the limit, or too many divided messages, end a connection that is open', async () => {
  const cases = [
    [/announces 268435457 bytes/, () => {
      const frame = encodeMessage({ counter: 1, command: 'echo', body: new Uint8Array(0) })[0]!;
      new DataView(frame.buffer).setUint32(4, 256 * 1024 * 1024 + 1);
      return [frame];
    }],
    [
      /More than 10 divided messages/,
      () =>
        Array.from(
          { length: 11 },
          (_, counter) =>
            encodeMessage({ counter, command: 'echo', body: new Uint8Array(200) }, 100)[0]!,
        ),
    ],
  ] as const;
  for (const [reason, frames] of cases) {
    const pair = await ConnectionPair.connect();
    const master = pair.connection('master', [echo]);
    const raw = pair.raw('worker');
    raw.send(...frames());
    assert.match((await pair.world.settle(master.closed)).message, reason);
    await pair.world.run({ until: () => raw.hasEnded, limitMs: 1000 });
    assert.deepEqual(raw.heard, []);
    await pair.finish();
  }
});

test('what cannot leave does not keep a connection that is closed', async () => {
  const pair = await ConnectionPair.connect();
  const worker = pair.connection('worker');
  const raw = pair.raw('master');
  pair.stream('worker').isStuck = true;
  worker.request('echo', toBytes('x')).catch(() => {});
  await pair.world.run({ forMs: 100 });
  worker.close();
  await pair.world.run({ forMs: 1000 });
  assert.equal(raw.hasEnded, false);
  await pair.world.run({ until: () => raw.hasEnded, limitMs: 5000 });
  await pair.finish();
});

test('requests end with the connection', async () => {
  const pair = await ConnectionPair.connect();
  const worker = pair.connection('worker');
  const master = pair.connection('master', [answering('echo', () => new Promise(() => {}))]);
  const outcome = worker.request('echo', toBytes('x')).catch(codeOf);
  await pair.world.run({ forMs: 100 });
  master.close();
  assert.equal(await pair.world.settle(outcome), 'unreachable');
  assert.equal(
    await pair.world.settle(worker.request('echo', toBytes('x')).catch(codeOf)),
    'unreachable',
  );
  await pair.finish();
});

test('a peer that asks without end is cut off', async () => {
  const pair = await ConnectionPair.connect();
  const master = pair.connection('master', [answering('echo', () => new Promise(() => {}))]);
  const raw = pair.raw('worker');
  for (let counter = 0; counter < 65; counter++) raw.say(counter, 'echo', 'x');
  assert.match((await pair.world.settle(master.closed)).message, /More than 64 requests at once/);
  await pair.finish();
});

test('keepAlive() asks at intervals and gives up after two silences', async () => {
  const pair = await ConnectionPair.connect();
  const worker = pair.connection('worker');
  const raw = pair.raw('master');
  let answersCount = 0;
  const { clock } = pair.ports('worker');
  const done = keepAlive(worker, { clock, onAnswer: () => answersCount++ });
  await pair.world.run({ forMs: 60_500 });
  assert.match(raw.heard[0]!, /^\d+ echo-c keepalive$/);
  raw.say(Number(raw.heard[0]!.split(' ')[0]), 'ok-m ', 'keepalive');
  await pair.world.run({ forMs: 1000 });
  assert.equal(answersCount, 1);
  await pair.world.run({ forMs: 158_000 });
  assert.equal(worker.signal.aborted, false);
  await pair.world.run({ forMs: 3000 });
  assert.match(String(worker.signal.reason), /answers no keep-alive/);
  await pair.world.settle(done);
  await pair.finish();
});
