import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toBytes } from '../../../src/base/bytes.ts';
import { clusterFailure, WazuhFailure } from '../../../src/wazuh/failure.ts';
import { archiveBytesMin } from '../../../src/wazuh/master/archive-limit.ts';
import { SeededRandom } from '../../sim/random.ts';
import { fileOf, MasterWorld, rowOf as row } from './master-world.ts';
import { PlayedWorker } from './played-worker.ts';

const published = { 'etc/rules/a.xml': fileOf('a'), 'etc/rules/b.xml': fileOf('b') };
const equalTable = new Map([
  ['etc/rules/a.xml', row('etc/rules/', 'a')],
  ['etc/rules/b.xml', row('etc/rules/', 'b')],
]);

test('permission is given once in each round of local-integrity, and once something is published', async () => {
  const world = await MasterWorld.open();
  const worker = await PlayedWorker.join(world);
  world.cycle++;
  assert.equal(await worker.permission(), false);
  await world.publish(published);
  assert.equal(await worker.permission(), false);
  world.cycle++;
  assert.equal(await worker.permission(), true);
  assert.equal(await worker.permission(), false);
  world.cycle++;
  await worker.begin();
  assert.equal(await worker.permission(), false);
  await world.finish();
});

test('a worker in step is told so, and a worker behind gets what it lacks', async () => {
  const world = await MasterWorld.open();
  await world.publish(published);
  const worker = await PlayedWorker.join(world);
  const sync = await worker.check(
    new Map([
      ['etc/rules/b.xml', row('etc/rules/', 'old')],
      ['etc/rules/mine.xml', row('etc/rules/', 'mine')],
      // Of no set of the master, or not to be decided by it: left alone.
      ['etc/ossec.conf', row('etc/', 'own')],
      ['ruleset/sca/x.yml', row('ruleset/sca/', 'own')],
      ['etc/rules/x.merged', row('etc/rules/', 'own')],
      ['etc/rules/../../outside', row('etc/rules/', 'own')],
    ]),
  );
  assert.deepEqual([...sync!.orders.missing.keys()], ['etc/rules/a.xml']);
  assert.deepEqual([...sync!.orders.shared.keys()], ['etc/rules/b.xml']);
  assert.deepEqual([...sync!.orders.extra.keys()], ['etc/rules/mine.xml']);
  assert.deepEqual(sync!.members.get('etc/rules/a.xml'), toBytes('a'));
  const [path, named] = worker.paths;
  assert.match(path!, /^queue\/cluster\/w1\/w1-[0-9.]+-[0-9a-f]{32}\.zip$/);
  assert.equal(named, path);
  assert.deepEqual(sync!.members.get('etc/rules/b.xml'), toBytes('b'));
  const peer = world.master.peers.get('w1')!;
  assert.equal(peer.isInStep, false);
  assert.equal(await worker.check(equalTable), undefined);
  assert.equal(await worker.check(equalTable), undefined);
  assert.deepEqual(worker.integrity, ['begin', 'done', 'ok', 'ok']);
  assert.deepEqual(peer.health.sync.counts, { missing: 1, shared: 1, extra: 1 });
  assert.equal(peer.isInStep, true);
  assert.equal(peer.inStepWith, 1);
  await world.publish({ ...published, 'etc/rules/a.xml': fileOf('new') });
  const again = await worker.check(equalTable);
  assert.deepEqual([...again!.orders.shared.keys()], ['etc/rules/a.xml']);
  await world.finish();
});

test('what has to be where another file still is comes after that has gone', async () => {
  const world = await MasterWorld.open();
  await world.publish({ 'etc/rules/x/y.xml': fileOf('y'), 'etc/rules/d': fileOf('d') });
  const worker = await PlayedWorker.join(world);
  const first = await worker.check(
    new Map([
      ['etc/rules/x', row('etc/rules/', 'x')],
      ['etc/rules/d/e/f', row('etc/rules/', 'f')],
    ]),
  );
  assert.deepEqual([...first!.orders.missing.keys()], []);
  assert.deepEqual([...first!.orders.extra.keys()], ['etc/rules/x', 'etc/rules/d/e/f']);
  const second = await worker.check(new Map());
  assert.deepEqual([...second!.orders.missing.keys()].sort(), ['etc/rules/d', 'etc/rules/x/y.xml']);
  assert.deepEqual([...second!.members.keys()].sort(), ['etc/rules/d', 'etc/rules/x/y.xml']);
  await world.finish();
});

test('a task is named as real masters name theirs', async () => {
  const world = await MasterWorld.open();
  await world.publish(published);
  const worker = await PlayedWorker.join(world);
  const names = [await worker.begin(), await worker.begin()];
  for (const name of names) assert.match(name, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.notEqual(names[0], names[1]);
  await world.finish();
});

test('a worker that tells of a failure, or begins anew, does not block itself', async () => {
  const world = await MasterWorld.open();
  await world.publish(published);
  const worker = await PlayedWorker.join(world);
  const task = await worker.begin();
  const { failure } = clusterFailure(1000, 'of the worker');
  await worker.settle(worker.connection.request('syn_i_w_m_r', { task, failure }));
  assert.equal(world.master.peers.get('w1')?.health.isIntegrityFree, true);
  const left = await worker.begin();
  await worker.begin();
  await assert.rejects(
    worker.upload(left, equalTable),
    (error: unknown) => error instanceof WazuhFailure && error.failure.code === 3027,
  );
  assert.equal(await worker.check(equalTable), undefined);
  assert.deepEqual(worker.integrity, ['ok']);
  await world.finish();
});

test('an archive that does not come is not waited for', async () => {
  const world = await MasterWorld.open();
  await world.publish(published);
  const worker = await PlayedWorker.join(world);
  await worker.begin();
  const keepAlive = async () => {
    for (let i = 0; i < 3; i++) {
      await world.world.run({ forMs: 50_000 });
      await worker.settle(worker.connection.request('echo-c', toBytes('keepalive')));
    }
  };
  await keepAlive();
  assert.deepEqual(worker.integrity, ['cancelled 3039']);
  assert.equal(world.master.peers.get('w1')?.health.isIntegrityFree, true);
  await world.finish();
});

test('a check does not go on for ever, however slowly an archive goes', async () => {
  const world = await MasterWorld.open({ silenceMaxMs: 3_600_000 });
  const random = new SeededRandom('slow');
  const large = Array.from({ length: 6 }, (_, i) => {
    const content = random.bytes(9_000_000);
    return [`etc/lists/${i}`, { content, mtimeMs: 1 }] as const;
  });
  await world.publish(Object.fromEntries(large));
  const worker = await PlayedWorker.join(world);
  let piecesCount = 0;
  const { clock } = world.node.ports();
  worker.onPiece = () => {
    piecesCount++;
    return clock.sleep(19_500);
  };
  await worker.upload(await worker.begin(), new Map());
  await world.world.run({ until: () => piecesCount > 0, limitMs: 60_000 });
  const { health } = world.master.peers.get('w1')!;
  await world.world.run({ forMs: 950_000 });
  assert.equal(health.isIntegrityFree, false);
  await world.until(() => health.isIntegrityFree, 60_000);
  assert.match(
    world.logged('error').join(),
    /The integrity check of w1 took longer than 1000000 ms/,
  );
  await world.finish();
});

test('what is no archive, or no table, ends the check and nothing else', async () => {
  const world = await MasterWorld.open();
  await world.publish(published);
  const worker = await PlayedWorker.join(world);
  for (const bytes of ['', 'no archive', 'files_metadata.json|//@@//|x']) {
    await worker.upload(await worker.begin(), toBytes(bytes));
    await world.world.run({ forMs: 1000 });
    assert.equal(world.master.peers.get('w1')?.health.isIntegrityFree, true);
  }
  assert.equal(world.logged('error').length, 3);
  assert.equal(await worker.check(equalTable), undefined);
  await world.finish();
});

test('a worker that gives up is sent smaller archives from then on', async () => {
  const world = await MasterWorld.open();
  const large = Object.fromEntries(
    Array.from({ length: 6 }, (_, i) => [
      `etc/lists/${i}`,
      { content: new Uint8Array(1_500_000).fill(i), mtimeMs: 1 },
    ]),
  );
  await world.publish(large);
  const worker = await PlayedWorker.join(world);
  const task = await worker.begin();
  await worker.upload(task, new Map());
  await world.world.run({ until: () => worker.integrity.includes('begin'), limitMs: 10_000 });
  const { failure } = clusterFailure(3039);
  const cancelled = { task: 'task-of-the-worker', failure };
  await worker.settle(worker.connection.request('cancel_task', cancelled));
  await world.world.run({ until: () => worker.archives.length > 0, limitMs: 60_000 });
  await world.world.run({ forMs: 1000 });
  assert.deepEqual(worker.integrity, ['begin', '1000']);
  assert.ok(worker.archives[0]!.length < archiveBytesMin);
  const sync = await worker.check(new Map());
  assert.equal(sync?.members.size, 6);
  await world.finish();
});
