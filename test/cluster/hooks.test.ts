/** The operator's commands around a change, in a whole cluster. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { World } from '../sim/world.ts';
import { baseConfig, SimCluster } from './sim-cluster.ts';

const hooks = `
[hooks]
validate = ["check-tree"]
reload = ["reload-all"]
`;

test('validation sees the new files before they are in place, and keeps bad ones out', async () => {
  const world = new World({ seed: 21 });
  const cluster = new SimCluster(world, { workersCount: 1, config: `${baseConfig}${hooks}` });
  const worker = cluster.workers[0]!;
  cluster.master.operator.write('etc/rules/a.xml', 'good');
  cluster.start();
  await cluster.converge();
  await world.run({ forMs: 5_000 });

  let isRefusing = true;
  worker.commands.answer = ([program]) =>
    program === 'check-tree' && isRefusing ? { exitCode: 1, output: 'a.xml is bad' } : {};
  cluster.master.operator.write('etc/rules/a.xml', 'bad');
  cluster.master.operator.write('etc/rules/b.xml', 'new');
  await world.run({ forMs: 10_000 });
  assert.equal(new TextDecoder().decode(worker.operator.read('etc/rules/a.xml')), 'good');
  assert.equal(worker.operator.read('etc/rules/b.xml'), undefined);
  assert.ok(cluster.logged('error').some((line) => /Hook validate .* a\.xml is bad/.test(line)));
  const call = worker.commands.calls.findLast(({ command }) => command[0] === 'check-tree');
  assert.match(call?.input ?? '', /^\/state\/staging\/\S+\tetc\/rules\/a\.xml$/m);
  assert.equal(call?.environment['MUSTER_SETS'], 'rules');

  isRefusing = false;
  await cluster.converge(60_000);
  await world.run({ forMs: 2_000 });
  const reloads = worker.commands.calls.filter(({ command }) => command[0] === 'reload-all');
  assert.equal(reloads.length, 2, 'once for each generation that was applied');
  await world.stop();
});
