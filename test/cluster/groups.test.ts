/** Agents and their groups in a whole cluster: from the keys file and the operator to every worker. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentId } from '../../src/agents/agent.ts';
import { World } from '../sim/world.ts';
import type { SimNode } from '../sim/node.ts';
import { baseConfig, SimCluster } from './sim-cluster.ts';

const config = `${baseConfig}\n[agents]\ninfo_interval = "2s"\n`;
const { signal } = new AbortController();

async function startedCluster(seed: number, rules = ''): Promise<SimCluster> {
  const cluster = new SimCluster(new World({ seed }), { workersCount: 2, config: config + rules });
  writeKeys(cluster, 5);
  cluster.master.operator.write('etc/shared/default/agent.conf', '<agent_config/>');
  cluster.master.operator.write('etc/shared/web/agent.conf', '<agent_config/>');
  cluster.start();
  await cluster.converge();
  await cluster.world.run({ forMs: 5_000 });
  return cluster;
}

function writeKeys(cluster: SimCluster, count: number): void {
  const lines = Array.from({ length: count }, (_, i) => `00${i + 1} agent-${i + 1} any key\n`);
  cluster.master.operator.write('etc/client.keys', lines.join(''), { isReplacing: true });
}

/** The groups that a machine's database has for an agent; undefined where it has none of it. */
function groupsOn(node: SimNode, id: AgentId): string | undefined {
  const row = node.ports().database.prepare('SELECT group_names FROM assignment WHERE id = ?')
    .get(id);
  return row === undefined ? undefined : String(row['group_names']);
}

async function report(cluster: SimCluster, worker: SimNode, id: AgentId, platform: string) {
  const facts = { os_platform: platform };
  const problems = await cluster.world.settle(
    cluster.workerNode(worker).agents.report([{ id, facts }]),
  );
  assert.deepEqual(problems, []);
}

test('an agent gets its groups when it reports for the first time, on every node', async () => {
  const rules = `
[[group_rules]]
os_platform = "ubuntu"
groups = ["web", "none"]
`;
  const cluster = await startedCluster(31, rules);
  const { world, workers: [first, second] } = cluster;
  for (const worker of [first!, second!]) assert.equal(groupsOn(worker, 1), '');
  await report(cluster, first!, 1, 'ubuntu');
  await report(cluster, second!, 2, 'debian');
  await world.run({ forMs: 4_000 });
  for (const node of [cluster.master, first!, second!]) {
    assert.equal(groupsOn(node, 1), 'web');
    assert.equal(groupsOn(node, 2), 'default');
    assert.equal(groupsOn(node, 3), '');
  }
  const warnings = cluster.logged('warning');
  assert.equal(warnings.filter((line) => /names the group "none"/.test(line)).length, 1);
  await world.stop();
});

test('an assignment is on every connected worker within a second', async () => {
  const cluster = await startedCluster(32);
  const { world, master, workers } = cluster;
  const { groups } = cluster.masterNode.agents;
  const outcome = await world.settle(groups.assign('web', { ids: [1, 2, 77] }, signal));
  assert.equal(outcome.changed, 2);
  assert.deepEqual(outcome.refused.map(({ id }) => id), [77]);
  await world.run({ forMs: 1_000 });
  for (const node of [master, ...workers]) assert.equal(groupsOn(node, 2), 'web');
  await world.settle(groups.assign('default', { all: true }, signal));
  await world.settle(groups.unassign('web', { group: 'web' }, signal));
  await world.run({ forMs: 1_000 });
  for (const node of [master, ...workers]) {
    assert.deepEqual([1, 2, 3].map((id) => groupsOn(node, id)), ['default', 'default', 'default']);
  }
  await assert.rejects(
    world.settle(groups.assign('none', { all: true }, signal)),
    /no group "none"/,
  );
  await world.stop();
});
