/** The main job in the simulated world: workers mirror their master's files. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { World } from '../sim/world.ts';
import { baseConfig, noGuards, SimCluster } from './sim-cluster.ts';

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

test('files become directories and directories files, whatever stays empty', async () => {
  const world = new World({ seed: 1 });
  const config = `${baseConfig}${noGuards}`;
  const cluster = new SimCluster(world, { workersCount: 1, wazuhWorkersCount: 1, config });
  const { operator } = cluster.master;
  for (let i = 0; i < 10; i++) operator.write(`etc/rules/${i}.xml`, `rule ${i}`);
  operator.write('etc/rules/file', 'a file');
  operator.write('etc/rules/directory/below/deep/a.xml', 'deep');
  operator.write('etc/shared/pruned/below/a.conf', 'deep');
  cluster.start();
  await cluster.converge();
  operator.write('etc/rules/file/now/below.xml', 'below');
  for (const path of ['etc/rules/directory', 'etc/shared/pruned']) {
    operator.remove(path);
    operator.write(path, 'now a file');
  }
  await cluster.converge(30_000);
  operator.remove('etc/rules/file');
  operator.write('etc/rules/file', 'a file again');
  await cluster.converge(30_000);
  assert.deepEqual(cluster.logged('warning'), []);
  await world.stop();
});

test('a directory with something of its own in it makes no room for a file', async () => {
  const world = new World({ seed: 1 });
  const cluster = new SimCluster(world, { workersCount: 1 });
  const worker = cluster.workers[0]!;
  cluster.master.operator.write('etc/rules/a.xml', 'rule');
  worker.operator.makeDirectory('etc/rules/b.xml/empty');
  worker.operator.symlink('etc/rules/b.xml/own/link', '/somewhere');
  cluster.start();
  await cluster.converge();
  cluster.master.operator.write('etc/rules/b.xml', 'rule');
  await world.run({ forMs: 10_000 });
  assert.match(cluster.logged('warning').join('\n'), /b\.xml": a directory stands in its place/);
  const kept = await world.settle(worker.ports().files.facts('etc/rules/b.xml/empty'));
  assert.equal(kept?.kind, 'directory');
  worker.operator.remove('etc/rules/b.xml/own');
  await cluster.converge(10_000);
  await world.stop();
});

test('a check leaves links and devices alone, unless they are where the master has a file', async () => {
  const world = new World({ seed: 2 });
  const cluster = new SimCluster(world, { workersCount: 1 });
  const { master, workers: [worker] } = cluster;
  master.operator.write('etc/rules/a.xml', 'rule a');
  master.operator.write('etc/rules/sub/b.xml', 'rule b');
  master.operator.symlink('etc/rules/link.xml', 'a.xml');
  cluster.start();
  await cluster.converge();
  worker!.operator.symlink('etc/rules/link.xml', '/somewhere');
  const { signal } = new AbortController();
  const check = () => world.settle(cluster.workerNode(worker!).check({ offline: false }, signal));
  const beside = await check();
  assert.deepEqual([beside.in_sync, beside.problems, beside.differences], [true, [], []]);
  assert.deepEqual(beside.unmanaged, [
    { path: 'etc/rules/link.xml', reason: 'symbolic links are not followed' },
  ]);
  const onMaster = await world.settle(cluster.masterNode.check(signal));
  assert.deepEqual([onMaster.in_sync, onMaster.unmanaged], [true, beside.unmanaged]);

  worker!.operator.remove('etc/rules/a.xml');
  worker!.operator.symlink('etc/rules/a.xml', '/somewhere');
  worker!.operator.remove('etc/rules/sub');
  worker!.operator.symlink('etc/rules/sub', '/somewhere');
  const hiding = await check();
  assert.deepEqual([hiding.in_sync, hiding.problems.length, hiding.unmanaged.length], [
    false,
    0,
    3,
  ]);
  assert.deepEqual(
    new Set(hiding.differences.map(({ path, action }) => `${action} ${path}`)),
    new Set([
      'create etc/rules/a.xml',
      'create etc/rules/sub/b.xml',
    ]),
  );

  // What was known of a whole set cannot be looked at any more.
  worker!.operator.rename('etc/rules', 'moved');
  worker!.operator.symlink('etc/rules', '/moved');
  const unreadable = await check();
  assert.deepEqual([unreadable.in_sync, unreadable.problems.length], [false, 1]);
  await world.stop();
});

test('a watcher that loses everything delays changes by the time of a sweep, no more', async () => {
  const world = new World({ seed: 1 });
  const config = baseConfig.replace('interval = "2s"', 'interval = "2s"\nsweep_every = "4m"');
  const cluster = new SimCluster(world, { config, node: { watcher: { lossShare: 1 } } });
  for (let i = 0; i < 200; i++) cluster.master.operator.write(`etc/rules/${i % 20}/${i}`, 'rule');
  cluster.start();
  await cluster.converge();

  const limitMs = 5 * 60_000;
  cluster.master.operator.write('etc/rules/7/7', 'another rule');
  cluster.master.operator.write('etc/rules/new/1', 'rule');
  cluster.master.operator.remove('etc/rules/8/8');
  await cluster.converge(limitMs);
  const [worker] = cluster.workers;
  worker!.operator.write('etc/rules/9/9', 'an edit where none is wanted');
  await cluster.converge(limitMs);
  await world.stop();
});

test('a small change takes the way to a worker once; one who has another state asks', async () => {
  const world = new World({ seed: 4 });
  const aSecond = { minMs: 1_000, typicalMs: 1_000, maxMs: 1_000 };
  const link = { latency: aSecond, fragmentShare: 0, coalesceShare: 0 };
  // No round of its own falls into what is measured here.
  const config = baseConfig.replace('interval = "3s"', 'interval = "10m"')
    .replace('connect_timeout = "3s"', 'connect_timeout = "30s"');
  const cluster = new SimCluster(world, { config, workersCount: 2, link });
  const { master, workers: [first] } = cluster;
  for (let i = 0; i < 20; i++) master.operator.write(`etc/rules/${i}.xml`, `rule ${i}`);
  cluster.start();
  await cluster.converge(60_000);
  await world.run({ forMs: 30_000 });
  const msUntilMirrored = async () => {
    const beganMs = world.nowMs;
    await cluster.converge(60_000);
    const takenMs = world.nowMs - beganMs;
    await world.run({ forMs: 10_000 }); // the workers report
    return takenMs;
  };
  master.operator.write('etc/rules/7.xml', 'another rule');
  master.operator.write('etc/rules/new.xml', 'a new rule');
  master.operator.remove('etc/rules/8.xml');
  const announcedMs = await msUntilMirrored();
  assert.ok(announcedMs >= 1_000 && announcedMs < 2_000, `${announcedMs} ms`);

  // What is larger is asked for: what changed, then the contents.
  master.operator.write('etc/rules/large.xml', 'x'.repeat(70_000));
  const fetchedMs = await msUntilMirrored();
  assert.ok(fetchedMs >= 3_000 && fetchedMs < 4_000, `${fetchedMs} ms`);

  first!.operator.write('etc/rules/9.xml', 'an edit that the master does not know');
  master.operator.write('etc/rules/7.xml', 'yet another rule');
  const askedMs = await msUntilMirrored();
  assert.ok(askedMs >= 5_000 && askedMs < 12_000, `${askedMs} ms`);
  assert.deepEqual(cluster.logged('warning'), []);
  await world.stop();
});

test('a round that finds nothing is one exchange; a master that was restarted is told anew', async () => {
  const world = new World({ seed: 3 });
  const config = `${baseConfig}\n[[sets]]\nname = "rules"\npath = "etc/rules"\n`;
  const cluster = new SimCluster(world, { config, workersCount: 1 });
  cluster.master.operator.write('etc/rules/a.xml', 'rule a');
  cluster.start();
  await cluster.converge();
  const [worker] = cluster.workers;
  const told = () => cluster.masterNode.status().peers[0]?.in_sync === true;
  const rounds = () =>
    cluster.workerNode(worker!).status().tasks.find(({ name }) => name === 'integrity')!.rounds;
  await world.run({ until: told, limitMs: 30_000, what: 'the master knows' });
  const bytes = () => {
    const { bytes_received: received, bytes_sent: sent } = cluster.masterNode.status().peers[0]!;
    return received + sent;
  };
  const before = { rounds: rounds(), bytes: bytes() };
  const isLater = () => rounds() >= before.rounds + 10;
  await world.run({ until: isLater, limitMs: 60_000, what: 'ten rounds' });
  const each = (bytes() - before.bytes) / (rounds() - before.rounds);
  assert.ok(each < 400, `${each} bytes`);

  const generation = () => cluster.masterNode.status().generation;
  const published = generation();
  cluster.master.kill();
  cluster.startMaster();
  await world.run({ until: told, limitMs: 60_000, what: 'the new process knows' });
  assert.equal(generation(), published);
  cluster.master.operator.write('etc/rules/a.xml', 'another rule');
  await cluster.converge();
  assert.equal(generation(), published! + 1);
  await world.stop();
});
