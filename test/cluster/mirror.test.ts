/** The main job in the simulated world: workers mirror their master's files. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { World } from '../sim/world.ts';
import { SimCluster } from './sim-cluster.ts';

test('workers mirror the master: first synchronisation, a change, a deletion', async () => {
  const world = new World({ seed: 1 });
  const cluster = new SimCluster(world);
  for (let i = 0; i < 50; i++) cluster.master.operator.write(`etc/rules/${i}.xml`, `rule ${i}`);
  cluster.master.operator.write('etc/client.keys', '001 a any key\n');
  cluster.start();
  await cluster.converge();

  cluster.master.operator.write('etc/rules/7.xml', 'another rule');
  await cluster.converge(10_000);
  cluster.master.operator.remove('etc/rules/8.xml');
  cluster.master.operator.write('etc/shared/default/agent.conf', '<agent_config/>');
  await cluster.converge(10_000);
  assert.deepEqual(cluster.logged('warning'), []);
  await world.stop();
});
