import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toBytes } from '../../../src/base/bytes.ts';
import { codeOf, describeError } from '../../../src/base/errors.ts';
import { commands } from '../../../src/wazuh/commands.ts';
import { answering } from '../../../src/wazuh/connection.ts';
import { WazuhFailure } from '../../../src/wazuh/failure.ts';
import { originalTelling } from '../../../src/wazuh/master/telling.ts';
import { helloOf, MasterWorld } from './master-world.ts';

/** What a request ends with: the code of a failure that was told, or of an error here. */
function outcome(request: Promise<unknown>): Promise<unknown> {
  return request.then(
    (value) => value,
    (error: unknown) => error instanceof WazuhFailure ? error.failure.code : codeOf(error),
  );
}

test('a worker is let in, and its keep-alives are answered', async () => {
  const world = await MasterWorld.open();
  const worker = await world.connect();
  const welcome = await world.world.settle(worker.request('hello', helloOf('w1')));
  assert.equal(welcome, 'Client w1 added');
  const echo = await world.world.settle(worker.request('echo-c', toBytes('keepalive')));
  assert.deepEqual(echo, toBytes('keepalive'));
  assert.deepEqual([...world.master.peers.keys()], ['w1']);
  await world.finish();
});

test('who is refused is told why, is gone then, and leaves its name free', async () => {
  const world = await MasterWorld.open({ taken: ['native-1'] });
  const first = await world.join('w1');
  const cases = [
    [helloOf('w1'), 3028],
    [helloOf('native-1'), 3028],
    [helloOf('master-node'), 3029],
    [helloOf('w2', { cluster: 'other' }), 3030],
    [helloOf('w2', { version: '4.14.6' }), 3031],
    [helloOf('bad.name'), 3060],
  ] as const;
  for (const [hello, code] of cases) {
    const worker = await world.connect();
    assert.equal(await world.world.settle(outcome(worker.request('hello', hello))), code);
    await world.world.settle(worker.closed);
  }
  assert.deepEqual([...world.master.peers.keys()], ['w1']);
  assert.equal(first.signal.aborted, false);
  const second = await world.connect();
  assert.equal(
    await world.world.settle(outcome(second.request('hello', helloOf('w2')))),
    'Client w2 added',
  );
  await world.finish();
});

test('who comes again finds its name free, though its last connection was never closed', async () => {
  const world = await MasterWorld.open();
  const lost = await world.join('w1');
  world.network.stall('master', 'worker');
  const early = await world.connect();
  assert.equal(await world.settle(outcome(early.request('hello', helloOf('w1')))), 3028);
  await world.world.run({ forMs: 5_000 });
  const [second, third] = [await world.connect(), await world.connect()];
  const outcomes = Promise.all([
    outcome(second.request('hello', helloOf('w1'))),
    outcome(third.request('hello', helloOf('w1'))),
  ]);
  // Of several that come meanwhile the first has the name, and it is not asked in vain.
  assert.deepEqual(await world.settle(outcomes), ['Client w1 added', 3028]);
  world.network.heal();
  await world.until(() => lost.signal.aborted, 10_000);
  assert.equal(second.signal.aborted, false);
  assert.deepEqual([...world.master.peers.keys()], ['w1']);
  assert.deepEqual(
    await world.settle(second.request('echo-c', toBytes('keepalive'))),
    toBytes('keepalive'),
  );
  await world.finish();
});

test('a worker that lives keeps its name, whatever it answers when it is asked', async () => {
  const world = await MasterWorld.open();
  const answers = [[], [answering('echo-m', (bytes) => bytes)]];
  for (const [i, entries] of answers.entries()) {
    const first = await world.join(`w${i}`, entries);
    await world.world.run({ forMs: 10_000 });
    const second = await world.connect();
    const hello = second.request('hello', helloOf(`w${i}`));
    assert.equal(await world.settle(outcome(hello)), 3028);
    assert.equal(first.signal.aborted, false);
  }
  await world.finish();
});

test('who leaves before it is clear whether its name is free takes nothing', async () => {
  const world = await MasterWorld.open();
  const lost = await world.join('w1');
  world.network.stall('master', 'worker');
  await world.world.run({ forMs: 5_000 });
  const second = await world.connect();
  const hello = outcome(second.request('hello', helloOf('w1')));
  await world.world.run({ forMs: 1000 });
  second.close();
  await world.settle(hello);
  await world.until(() => world.master.peers.size === 0, 10_000);
  world.network.heal();
  await world.until(() => lost.signal.aborted, 10_000);
  assert.equal(world.master.peers.size, 0);
  await world.finish();
});

test('nothing is known before the hello', async () => {
  const world = await MasterWorld.open();
  for (const name of ['get_nodes', 'syn_a_w_m_p', 'echo', 'syn_i_w_m'] as const) {
    const worker = await world.connect();
    const asked = name === 'echo' || name === 'get_nodes'
      ? worker.request(name, toBytes('{}'))
      : worker.request(name, undefined);
    assert.equal(await world.world.settle(outcome(asked)), 'unreachable', name);
  }
  await world.finish();
});

test('who does not have the key gets no answer, and the log tells', async () => {
  const world = await MasterWorld.open();
  const stranger = await world.connect([], { key: 'x'.repeat(32) });
  const asked = stranger.request('hello', helloOf('w1'));
  assert.equal(await world.world.settle(outcome(asked)), 'unreachable');
  assert.match(world.logged('warning').join('\n'), /left before it was known/);
  await world.finish();
});

test('who may not come in is told of in the phrases of the original', async () => {
  const world = await MasterWorld.open({ telling: originalTelling });
  const tell = async (hello: ReturnType<typeof helloOf>, key?: string) => {
    const worker = await world.connect([], key === undefined ? {} : { key });
    await world.settle(outcome(worker.request('hello', hello)));
    await world.settle(worker.closed);
  };
  await tell(helloOf('w1'), 'x'.repeat(32));
  await tell(helloOf('master-node'));
  await tell(helloOf('w1', { version: '4.14.6' }));
  const told = world.node.records.filter(({ level }) => level === 'error')
    .map(({ tags, text }) => `[${tags.join('] [')}] ${text}`);
  const refused = "Internal error processing request 'b'hello'': Error";
  assert.deepEqual(told, [
    '[Worker] [Main] Error during handshake with incoming connection: ' +
    'Error 3025 - Could not decrypt message.',
    `[Worker] [Main] ${refused} 3029 - Connected worker with same name as the master`,
    `[Worker w1] [Main] ${refused} 3031 - Worker and master versions are not the same`,
  ]);
  await world.finish();
});

test('who says nothing is gone after a while', async () => {
  const world = await MasterWorld.open();
  const stranger = await world.connect();
  await world.world.run({ until: () => stranger.signal.aborted, limitMs: 11_000 });
  await world.finish();
});

test('a connection has one name', async () => {
  const world = await MasterWorld.open();
  const worker = await world.join('w1');
  assert.equal(await world.world.settle(outcome(worker.request('hello', helloOf('w2')))), 3028);
  assert.deepEqual([...world.master.peers.keys()], ['w1']);
  worker.close();
  await world.world.run({ until: () => world.master.peers.size === 0, limitMs: 1000 });
  await world.finish();
});

test('a worker without keep-alives is given up, whatever else it sends', async () => {
  const world = await MasterWorld.open();
  const [silent, lively] = [await world.join('w1'), await world.join('w2')];
  for (let minute = 0; minute < 5; minute++) {
    await world.world.run({ forMs: 60_000 });
    if (!silent.signal.aborted) {
      await world.world.settle(outcome(silent.request('echo', toBytes('x'))));
    }
    await world.world.settle(lively.request('echo-c', toBytes('keepalive')));
  }
  assert.deepEqual([...world.master.peers.keys()], ['w2']);
  assert.equal(silent.signal.aborted, true);
  assert.match(world.logged('error').join('\n'), /w1 has sent no keep-alive for 120 s/);
  await world.finish();
});

test('a worker may be silent for as long as is configured', async () => {
  const world = await MasterWorld.open({ silenceMaxMs: 300_000 });
  const worker = await world.join('w1');
  await world.world.run({ forMs: 290_000 });
  assert.equal(worker.signal.aborted, false);
  await world.until(() => worker.signal.aborted, 80_000);
  await world.finish();
});

test('a silent worker is let go of at once, though what it was sent has not left', async () => {
  const world = await MasterWorld.open();
  const worker = await world.join('w1');
  const [stream] = world.network.streams('master', 'worker');
  world.network.cutOneWay('master', 'worker');
  worker.request('echo', new Uint8Array(2_000_000)).catch(() => {});
  await world.world.run({ forMs: 60_000 });
  assert.ok(stream!.outstandingBytes > 0);
  await world.until(() => world.master.peers.size === 0, 180_000);
  assert.equal(stream!.isOver, true);
  world.network.heal();
  await world.finish();
});

test('more workers than the master takes are refused', async () => {
  const world = await MasterWorld.open({ peersMax: 1 });
  await world.join('w1');
  const second = await world.connect();
  const refused = await world.world.settle(outcome(second.request('hello', helloOf('w2'))));
  assert.equal(refused, 1000);
  await world.finish();
});

test('every command that a worker may send is answered', async () => {
  const world = await MasterWorld.open();
  const worker = await world.join('w1');
  for (const [name, { from }] of Object.entries(commands)) {
    if (from === 'master') continue;
    const text = await world.settle(
      worker.ask(name, new Uint8Array(0)).then(() => '', describeError),
    );
    assert.doesNotMatch(text, /unknown command/, name);
  }
  for (const name of ['nosuch', 'syn_m_c', 'get_config', 'echo-m']) {
    const asked = world.settle(worker.ask(name, new Uint8Array(0)));
    await assert.rejects(asked, new RegExp(`Error 3000 - Cluster: unknown command 'b'${name}''`));
  }
  await world.finish();
});

test('what a master does not do is refused: files of workers, calls, messages for daemons', async () => {
  const world = await MasterWorld.open();
  const worker = await world.join('w1');
  const settled = (request: Promise<unknown>) => world.world.settle(outcome(request));
  assert.equal(await settled(worker.request('syn_e_w_m', undefined)), 1000);
  const archive = { task: 't', path: 'queue/cluster/w1/x.zip' };
  assert.equal(await settled(worker.request('syn_e_w_m_e', archive)), 1000);
  assert.equal(await settled(worker.request('new_file', '/queue/cluster/w2/x.zip')), 3000);
  assert.equal(await settled(worker.request('new_file', '/queue/cluster/w1/../w1/x')), 3000);
  assert.equal(await settled(worker.request('dapi_res', { client: '7', id: '8' })), 3032);
  await world.finish();
});
