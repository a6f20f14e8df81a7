/** No catastrophe propagates: guards on both ends, approvals, and rollbacks, in a whole cluster. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { World } from '../sim/world.ts';
import { SimCluster } from './sim-cluster.ts';

async function startedCluster(seed: number): Promise<SimCluster> {
  const cluster = new SimCluster(new World({ seed }), { workersCount: 2 });
  for (let i = 0; i < 40; i++) cluster.master.operator.write(`etc/rules/${i}.xml`, `rule ${i}`);
  cluster.master.operator.write('etc/client.keys', '001 a any key\n002 b any key\n003 c any k\n');
  cluster.start();
  await cluster.converge();
  await cluster.world.run({ forMs: 5_000 }); // the round that placed the last file has ended
  return cluster;
}

test('a master that lost half of a set publishes nothing of it until that is approved', async () => {
  const cluster = await startedCluster(11);
  const { world, master, workers } = cluster;
  for (let i = 0; i < 30; i++) master.operator.remove(`etc/rules/${i}.xml`);
  await world.run({ forMs: 20_000 });
  for (const worker of workers) assert.equal(worker.operator.snapshot().size, 41);
  const [halt] = cluster.masterNode.status().halted;
  assert.equal(halt?.set, 'rules');
  assert.match(halt.reason, /30 of 40 files \(75 %\) would be deleted/);

  // What is not concerned goes on.
  master.operator.write('etc/decoders/new.xml', 'decoder');
  await world.run({ forMs: 10_000 });
  for (const worker of workers) assert.ok(worker.operator.snapshot().has('etc/decoders/new.xml'));

  assert.equal(cluster.masterNode.approve(undefined).approved.length, 1);
  await cluster.converge();
  await world.stop();
});

test('a rebuilt master with an emptied tree halts its workers, each until it is approved', async () => {
  const cluster = await startedCluster(12);
  const { world, master, workers } = cluster;
  await world.settle(master.stop());
  // The machine is new: neither tree nor database are what they were.
  for (const path of master.operator.snapshot().keys()) master.operator.remove(path);
  const database = master.ports().database;
  for (const table of ['published_leaves', 'scan_leaves', 'index_values']) {
    database.exec(`DELETE FROM ${table}`);
  }
  master.operator.write('etc/rules/only.xml', 'the only rule');
  master.kill();
  cluster.startMaster();
  await world.run({ forMs: 20_000 });
  for (const worker of workers) {
    assert.ok(worker.operator.snapshot().has('etc/client.keys'), 'the keys are still there');
    assert.ok(worker.operator.snapshot().has('etc/rules/7.xml'), 'the rules are still there');
    const halted = cluster.workerNode(worker).status().halted.map(({ set }) => set);
    assert.deepEqual(halted, ['agent-keys', 'rules']);
    cluster.workerNode(worker).approve(undefined);
  }
  await cluster.converge();
  await world.stop();
});

test('a key file that lost more than half of its size does not reach the workers', async () => {
  const cluster = await startedCluster(13);
  cluster.master.operator.write('etc/client.keys', '001\n');
  await cluster.world.run({ forMs: 15_000 });
  for (const worker of cluster.workers) {
    assert.equal(worker.operator.read('etc/client.keys')?.length, 40);
  }
  cluster.masterNode.approve('agent-keys');
  await cluster.converge();
  await cluster.world.stop();
});

test('a rollback holds its set at the older state until something newer comes', async () => {
  const cluster = await startedCluster(14);
  const { world, master } = cluster;
  const worker = cluster.workers[0]!;
  const node = cluster.workerNode(worker);
  const before = node.status().generation ?? 0;
  master.operator.write('etc/rules/7.xml', 'a bad rule');
  await cluster.converge();
  await world.run({ forMs: 5_000 });
  const undone = await world.settle(node.rollback({ generation: before + 1 }));
  assert.deepEqual(undone.held, ['rules']);
  await world.run({ forMs: 20_000 });
  assert.equal(text(worker.operator.read('etc/rules/7.xml')), 'rule 7');
  assert.match(node.status().halted[0]?.reason ?? '', /rolled back/);

  master.operator.write('etc/rules/7.xml', 'a good rule');
  await cluster.converge();
  assert.deepEqual(node.status().halted, []);
  await world.stop();
});

test('a rollback of one change undoes that alone, also where it created the file', async () => {
  const cluster = await startedCluster(16);
  const { world, master } = cluster;
  const worker = cluster.workers[0]!;
  const node = cluster.workerNode(worker);
  master.operator.write('etc/rules/new.xml', 'a new rule');
  master.operator.write('etc/rules/7.xml', 'a bad rule');
  await cluster.converge();
  await world.run({ forMs: 5_000 });
  const undo = async (path: string) => {
    const [newest] = node.versions(path).versions;
    return await world.settle(node.rollback({ version: newest!.id }));
  };
  assert.deepEqual((await undo('etc/rules/new.xml')).removed, 1);
  assert.deepEqual((await undo('etc/rules/7.xml')).restored, 1);
  const tree = worker.operator.snapshot();
  assert.equal(tree.has('etc/rules/new.xml'), false);
  assert.equal(text(worker.operator.read('etc/rules/7.xml')), 'rule 7');
  // What the rollback replaced was the master's content, as the node knew it.
  const lines = worker.records.map((record) => record.text);
  assert.deepEqual(lines.filter((line) => line.includes('was changed on this node')), []);
  assert.equal(lines.filter((line) => line.startsWith('Rolled back version')).length, 2);
  await assert.rejects(world.settle(node.rollback({ version: 4711 })), { code: 'notFound' });
  await world.stop();
});

function text(bytes: Uint8Array | undefined): string {
  return new TextDecoder().decode(bytes);
}

test('a set that vanishes file by file is stopped like one that vanishes at once', async () => {
  const cluster = await startedCluster(15);
  const { world, master, workers } = cluster;
  for (let i = 0; i < 40; i++) {
    master.operator.remove(`etc/rules/${i}.xml`);
    await world.run({ forMs: 2_500 }); // each one alone is noticed and published
  }
  await world.run({ forMs: 10_000 });
  const [halt] = cluster.masterNode.status().halted;
  assert.match(halt?.reason ?? '', /40 files .*would be deleted within some minutes/);
  for (const worker of workers) {
    const rules = [...worker.operator.snapshot().keys()].filter((path) => /rules/.test(path));
    assert.equal(rules.length, 20);
  }
  cluster.masterNode.approve('rules');
  await cluster.converge();
  await world.stop();
});

test('a set that vanishes bit by bit is stopped also where the nodes restart in between', async () => {
  const cluster = await startedCluster(17);
  const { world, master, workers } = cluster;
  for (let i = 0; i < 40; i += 10) {
    for (let j = i; j < i + 10; j++) master.operator.remove(`etc/rules/${j}.xml`);
    await world.run({ forMs: 10_000 });
    for (const node of [master, ...workers]) {
      await world.settle(node.stop());
      node.restart();
    }
    await world.run({ forMs: 10_000 });
  }
  const [halt] = cluster.masterNode.status().halted;
  assert.match(halt?.reason ?? '', /^all 40 files .*within some minutes/);
  for (const worker of workers) assert.equal(worker.operator.snapshot().size, 21);
  await world.stop();
});

test('a key file that loses its entries one by one is stopped like one that loses them at once', async () => {
  const cluster = await startedCluster(18);
  const { world, master, workers } = cluster;
  const keys = text(master.operator.read('etc/client.keys'));
  for (let length = keys.length - 5; length > 0; length -= 5) {
    master.operator.write('etc/client.keys', keys.slice(0, length));
    await world.run({ forMs: 5_000 });
  }
  const [halt] = cluster.masterNode.status().halted;
  assert.match(halt?.reason ?? '', /"etc\/client.keys" would shrink from 40 to 5 bytes within/);
  for (const worker of workers) {
    assert.equal(worker.operator.read('etc/client.keys')?.length, 20);
  }
  cluster.masterNode.approve('agent-keys');
  await cluster.converge();
  await world.stop();
});
