/** Native and Wazuh workers of one master in the simulated world. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { World } from '../sim/world.ts';
import { SimCluster } from './sim-cluster.ts';
import { clusterTrouble } from './trouble.ts';

test('native and Wazuh workers mirror the same master', async () => {
  const world = new World({ seed: 1 });
  const cluster = new SimCluster(world, { workersCount: 1, wazuhWorkersCount: 2 });
  for (let i = 0; i < 50; i++) cluster.master.operator.write(`etc/rules/${i}.xml`, `rule ${i}`);
  cluster.master.operator.write('etc/client.keys', '001 a any key\n');
  cluster.start();
  await cluster.converge();
  cluster.master.operator.write('etc/rules/7.xml', 'another rule');
  cluster.master.operator.remove('etc/rules/8.xml');
  await cluster.converge();
  await world.run({ forMs: 20_000 });
  assert.deepEqual(cluster.logged('warning'), []);
  const { peers } = cluster.masterNode.status();
  assert.deepEqual(peers.map(({ node, protocol }) => `${node} ${protocol}`).sort(), [
    'wazuh-1 wazuh',
    'wazuh-2 wazuh',
    'worker-1 native',
  ]);
  assert.ok(peers.every((peer) => peer.in_sync === true));
  await world.stop();
});

// More by `npm run simulate -- --scenario wazuh-trouble`.
for (const seed of [1, 4]) {
  test(`Wazuh workers equal the master again after faults of all kinds, seed ${seed}`, async () => {
    await clusterTrouble(new World({ seed }), { workersCount: 1, wazuhWorkersCount: 2 });
  });
}
