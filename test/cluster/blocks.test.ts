/** Large files that change in parts: only the blocks that differ travel. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concatBytes } from '../../src/base/bytes.ts';
import { SeededRandom } from '../sim/random.ts';
import { World } from '../sim/world.ts';
import { baseConfig, SimCluster } from './sim-cluster.ts';

const path = 'etc/lists/large.cdb';
const random = new SeededRandom('blocks');
const content = random.bytes(12_000_000);

/** Bytes that the master has sent to its one worker in this session. */
function sentBytes(cluster: SimCluster): number {
  const { peers: [peer] } = cluster.masterNode.status();
  return peer?.bytes_sent ?? 0;
}

test('a change in the middle and an insertion send few bytes', async () => {
  const world = new World({ seed: 31 });
  const cluster = new SimCluster(world, { workersCount: 1 });
  cluster.master.operator.write(path, content);
  cluster.start();
  await cluster.converge();
  const whole = sentBytes(cluster);
  assert.ok(whole > content.length);

  const middle = concatBytes([
    content.subarray(0, 6_000_000),
    random.bytes(65_536),
    content.subarray(6_065_536),
  ]);
  cluster.master.operator.write(path, middle, { isReplacing: true });
  await cluster.converge();
  const afterMiddle = sentBytes(cluster);
  assert.ok(afterMiddle - whole < 400_000, `${afterMiddle - whole} bytes`);

  const inserted = concatBytes([
    middle.subarray(0, 100_000),
    random.bytes(65_536),
    middle.subarray(100_000),
  ]);
  cluster.master.operator.write(path, inserted, { isReplacing: true });
  await cluster.converge();
  const afterInsertion = sentBytes(cluster);
  assert.ok(afterInsertion - afterMiddle < 400_000, `${afterInsertion - afterMiddle} bytes`);
  assert.deepEqual(cluster.logged('warning'), []);
  await world.stop();
});

test('an old content that changes while it is copied from costs a whole transfer, no more', async () => {
  const world = new World({ seed: 32 });
  const config = baseConfig.replace('timeout = "60s"', 'timeout = "120s"');
  const cluster = new SimCluster(world, { workersCount: 1, config, link: { bytesPerMs: 2000 } });
  const worker = cluster.workers[0]!;
  cluster.master.operator.write(path, content);
  cluster.start();
  await cluster.converge(60_000);

  // Much is new at the front, so that it takes a while until the end is copied.
  const front = concatBytes([random.bytes(5_000_000), content.subarray(5_000_000)]);
  cluster.master.operator.write(path, front, { isReplacing: true });
  const staging = () => [...worker.disk.staging.children.values()][0]?.body.view().length ?? 0;
  await world.run({ until: () => staging() > 1_000_000, limitMs: 30_000 });
  worker.operator.tamper(path, random.bytes(content.length));
  await cluster.converge(60_000);
  await world.run({ forMs: 5_000 });
  assert.equal(worker.disk.staging.children.size, 0);
  await world.stop();
});
