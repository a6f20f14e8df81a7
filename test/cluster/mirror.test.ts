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
  const calculated = cluster.master.records.map(({ text }) => text)
    .filter((line) => line.includes('Calculated metadata'))
    .map((line) => line.replace(/^Finished in [\d.]+s\. /, ''));
  assert.deepEqual(calculated, [
    'Calculated metadata of 51 files. Generation 1: 51 created, 0 changed, 0 deleted.',
    'Calculated metadata of 51 files. Generation 2: 0 created, 1 changed, 0 deleted.',
    'Calculated metadata of 50 files. Generation 3: 0 created, 0 changed, 1 deleted.',
    'Calculated metadata of 51 files. Generation 4: 1 created, 0 changed, 0 deleted.',
  ]);
  await world.stop();
});
