/** A worker that has the key and means harm: nothing it sends leaves a trace or holds anybody up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concatBytes, toBytes } from '../../../src/base/bytes.ts';
import { commands } from '../../../src/wazuh/commands.ts';
import type { Connection } from '../../../src/wazuh/connection.ts';
import { internalFailure, writeFailure } from '../../../src/wazuh/failure.ts';
import { writeTable } from '../../../src/wazuh/file-table.ts';
import { SeededRandom } from '../../sim/random.ts';
import { simHashing } from '../../sim/hashing.ts';
import { simZlib } from '../../sim/zlib.ts';
import { fileOf, MasterWorld } from './master-world.ts';
import { PlayedWorker } from './played-worker.ts';

const random = new SeededRandom('hostile worker');

/** Payloads of all kinds, good and bad, whole and damaged. */
function payload(): Uint8Array {
  const texts = [
    '',
    '5',
    '999999999999999',
    '-1',
    '/queue/cluster/w1/x.zip',
    '../../etc/passwd',
    '/queue/cluster/w1/x.zip ' + 'y'.repeat(100),
    `/queue/cluster/w1/x.zip ${'\0'.repeat(32)}`,
    `None ${writeFailure(internalFailure('x').failure)}`,
    'task queue/cluster/w1/x.zip',
    '{}',
    '[]',
    'null',
    '{"filter_node": [1], "limit": -1}',
    '{"updated_chunks": 1, "error_messages": ["\\u0000"], "time_spent": 1e999}',
    '{"chunks": {"syncreq": [{"id": 1, "labels": [{"key": "__proto__", "value": "x"}]}]}}',
    '12 {"f": {}}',
    'a b',
  ];
  const bytes = toBytes(random.pick(texts));
  const kind = random.integer(0, 3);
  if (kind === 0) return random.bytes(random.integer(0, 300));
  if (kind === 1 && bytes.length > 0) {
    const damaged = bytes.slice();
    damaged[random.integer(0, damaged.length - 1)]! ^= 1 << random.integer(0, 7);
    return damaged;
  }
  return bytes;
}

const names = Object.entries(commands)
  .filter(([name, { from }]) => from !== 'master' && name !== 'echo-c')
  .map(([name]) => name);

/** Sends many requests; gives how many were answered. */
async function pester(world: MasterWorld, connection: Connection, count: number): Promise<number> {
  let answered = 0;
  for (let at = 0; at < count; at += 20) {
    const asked = Array.from({ length: 20 }, () => {
      const name = random.float() < 0.05 ? 'nosuchthing' : random.pick(names);
      return connection.ask(name, payload()).then(() => answered++, () => answered++);
    });
    await world.settle(Promise.all(asked));
  }
  return answered;
}

test('2000 requests that make no sense are all answered, and a good worker is served beside', async () => {
  const world = await MasterWorld.open();
  await world.publish({ 'etc/rules/a.xml': fileOf('a') });
  world.register('agent1');
  await world.assign({ 1: 'default' });
  const [bad, good] = [await PlayedWorker.join(world, 'w1'), await PlayedWorker.join(world, 'w2')];
  const before = [...world.node.operator.snapshot().keys()];
  assert.equal(await pester(world, bad.connection, 2000), 2000);
  assert.equal(bad.connection.signal.aborted, false);
  assert.ok((await good.check(new Map()))?.orders.missing.has('etc/rules/a.xml'));
  assert.deepEqual([...world.node.operator.snapshot().keys()], before);
  assert.deepEqual(Object.getPrototypeOf({}), Object.prototype);
  await world.finish();
});

test('tables and archives that are damaged, hostile or too long end the check and nothing else', async () => {
  const world = await MasterWorld.open();
  await world.publish({ 'etc/rules/a.xml': fileOf('a') });
  const worker = await PlayedWorker.join(world);
  const row = {
    setKey: 'etc/rules/',
    mtimeS: 1,
    hash: simHashing.digest('blake2b', toBytes('a')),
    isMerged: false,
  };
  const good = concatBytes([
    toBytes('files_metadata.json|//@@//|'),
    simZlib.deflate(writeTable(new Map([['etc/rules/a.xml', row]]))),
  ]);
  for (let i = 0; i < 200; i++) {
    const damaged = good.slice(0, random.integer(1, good.length));
    damaged[random.integer(0, damaged.length - 1)]! ^= 1 << random.integer(0, 7);
    await worker.upload(await worker.begin(), damaged);
    await world.until(() => world.master.peers.get('w1')?.health.isIntegrityFree === true, 10_000);
  }
  // What unpacks to a thousand times its length.
  const bomb = concatBytes([
    toBytes('files_metadata.json|//@@//|'),
    simZlib.deflate(new Uint8Array(8 * 1024 * 1024)),
  ]);
  await worker.upload(await worker.begin(), bomb);
  await world.until(() => world.master.peers.get('w1')?.health.isIntegrityFree === true, 10_000);
  assert.equal(await worker.check(new Map([['etc/rules/a.xml', row]])), undefined);
  assert.equal(worker.integrity.at(-1), 'ok');
  await world.finish();
});
