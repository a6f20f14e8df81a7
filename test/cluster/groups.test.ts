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

test('a group is made with its directory on every node, and removed with it', async () => {
  const cluster = await startedCluster(33);
  const { world, master, workers } = cluster;
  const { groups } = cluster.masterNode.agents;
  await world.settle(groups.createGroup('new', signal));
  const made = await world.settle(groups.groups(signal));
  assert.ok(made.some(({ name, files }) => name === 'new' && files === 1));
  await world.settle(groups.assign('new', { ids: [1, 2] }, signal));
  await world.run({ forMs: 2_000 });
  for (const worker of workers) {
    assert.ok(worker.operator.read('etc/shared/new/agent.conf') !== undefined);
    assert.equal(groupsOn(worker, 1), 'new');
  }
  await assert.rejects(world.settle(groups.createGroup('new', signal)), /group "new" already/);
  await assert.rejects(world.settle(groups.createGroup('a/b', signal)), /cannot be a group/);

  const remove = (name: string, isForced: boolean) =>
    world.settle(groups.removeGroup(name, { isForced }, signal));
  master.operator.write('etc/shared/new/own.conf', 'mine');
  await world.run({ forMs: 3_000 });
  const files = await world.settle(groups.groupFiles('new'));
  assert.deepEqual(files?.map(({ path }) => path), ['agent.conf', 'own.conf']);
  await assert.rejects(remove('new', false), /holds files, such as "etc\/shared\/new\/own.conf"/);
  await assert.rejects(remove('default', true), /cannot be removed/);
  await assert.rejects(remove('none', true), /no group "none"/);
  assert.equal(await remove('new', true), 2);
  await world.run({ forMs: 3_000 });
  for (const node of [master, ...workers]) {
    assert.equal(groupsOn(node, 1), 'default');
    const paths = [...node.operator.snapshot().keys()];
    assert.deepEqual(paths.filter((path) => path.startsWith('etc/shared/new')), []);
  }
  await world.stop();
});

test('a group that was only made is removed without force', async () => {
  const cluster = await startedCluster(34);
  const { world, master } = cluster;
  const { groups } = cluster.masterNode.agents;
  await world.settle(groups.createGroup('new', signal));
  assert.equal(await world.settle(groups.removeGroup('new', { isForced: false }, signal)), 0);
  const left = await world.settle(groups.groups(signal));
  assert.equal(left.some(({ name }) => name === 'new'), false);
  master.operator.write('etc/shared/web/agent.conf', '<agent_config>edited</agent_config>');
  await world.run({ forMs: 3_000 });
  await assert.rejects(
    world.settle(groups.removeGroup('web', { isForced: false }, signal)),
    /has been edited/,
  );
  await world.stop();
});

test('a directory that is removed by hand takes its group from all agents', async () => {
  const cluster = await startedCluster(35);
  const { world, master, workers } = cluster;
  await world.settle(cluster.masterNode.agents.groups.assign('web', { all: true }, signal));
  await world.run({ forMs: 1_000 });
  master.operator.remove('etc/shared/web');
  await world.run({ forMs: 4_000 });
  for (const node of [master, ...workers]) assert.equal(groupsOn(node, 3), 'default');
  assert.ok(cluster.logged('warning').some((line) => /taken from 5 agents: "web"/.test(line)));
  await world.stop();
});

test('an agent that is removed from the keys file is gone everywhere, while it still reports', async () => {
  const cluster = await startedCluster(36);
  const { world, master, workers } = cluster;
  await report(cluster, workers[0]!, 5, 'ubuntu');
  await world.run({ forMs: 4_000 });
  assert.equal(groupsOn(workers[1]!, 5), 'default');
  writeKeys(cluster, 4);
  for (let i = 0; i < 10; i++) {
    await world.run({ forMs: 1_000 });
    const facts = { os_platform: `changed ${i}` };
    await world.settle(cluster.workerNode(workers[0]!).agents.report([{ id: 5, facts }]));
  }
  for (const worker of workers) assert.equal(groupsOn(worker, 5), undefined);
  const left = master.ports().database.prepare('SELECT group_names FROM assignment WHERE id = 5');
  assert.deepEqual(left.all().map((row) => row['group_names']), [null]);
  for (const node of [master, ...workers]) {
    const facts = node.ports().database.prepare('SELECT 1 FROM agent WHERE id = 5').all();
    assert.deepEqual(facts, [], node.name);
  }
  assert.deepEqual(cluster.logged('error'), []);
  await world.stop();
});

test('assignments wait for the directory of their group on a worker whose disk is full', async () => {
  const cluster = await startedCluster(37);
  const { world, master, workers: [worker] } = cluster;
  const node = cluster.workerNode(worker!);
  worker!.disk.quotaBytes = 1_000_000;
  master.operator.write('etc/shared/late/agent.conf', '<agent_config/>');
  await world.run({ forMs: 5_000 });
  assert.equal(worker!.operator.read('etc/shared/late/agent.conf'), undefined);
  await world.settle(cluster.masterNode.agents.groups.assign('late', { ids: [1] }, signal));
  await world.run({ forMs: 3_000 });
  assert.equal(groupsOn(worker!, 1), '');
  assert.match(node.agents.groups.mirror.waitingFor ?? '', /late|generation/);
  assert.equal(groupsOn(cluster.workers[1]!, 1), 'late');
  worker!.disk.quotaBytes = Infinity;
  await world.run({ forMs: 30_000 });
  assert.equal(groupsOn(worker!, 1), 'late');
  await world.stop();
});
