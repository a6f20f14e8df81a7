/** Native and Wazuh workers of one master in the simulated world. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeError } from '../../src/base/errors.ts';
import { Connection } from '../../src/wazuh/connection.ts';
import { fernetKeys } from '../../src/wazuh/fernet.ts';
import type { SimNode } from '../sim/node.ts';
import { World } from '../sim/world.ts';
import { baseConfig, SimCluster } from './sim-cluster.ts';

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

test('a master tells of itself and of its Wazuh workers in the phrases of the original', async () => {
  const world = new World({ seed: 1 });
  const config = `${baseConfig}[log]\nphrases = "wazuh"\n[agents]\ngroups_interval = "2s"\n`;
  const cluster = new SimCluster(world, { workersCount: 0, wazuhWorkersCount: 1, config });
  cluster.master.operator.write('etc/rules/a.xml', 'rule');
  cluster.master.operator.write('etc/client.keys', '001 a any key\n');
  cluster.startMaster();
  await world.run({ forMs: 5_000 });
  cluster.startWorker(cluster.workers[0]!);
  await cluster.converge();
  await world.run({ forMs: 12_000 });
  await world.settle(cluster.master.stop());
  const told = new Set(
    cluster.master.records.filter(({ level }) => level === 'info').map(({ tags, text }) =>
      `[${tags.join('] [')}] ${text}`
        .replace(/\d+\.\d{3}s/, 'Ns').replace(/\('[^']+', \d+\)/, "('IP', N)")
    ),
  );
  for (
    const line of [
      "[Master] [Main] Serving on ('IP', N)",
      '[Master] [Local integrity] Starting.',
      '[Master] [Local integrity] Finished in Ns. Calculated metadata of 2 files.',
      '[Master] [Local agent-groups] No clients connected. Skipping.',
      "[Worker] [Main] Connection from ('IP', N)",
      '[Worker wazuh-1] [Integrity check] Starting.',
      '[Worker wazuh-1] [Integrity check] Finished in Ns. Received metadata of 0 files. Sync required.',
      '[Worker wazuh-1] [Integrity sync] Starting.',
      '[Worker wazuh-1] [Integrity sync] Files to create in worker: 2 | ' +
      'Files to update in worker: 0 | Files to delete in worker: 0',
      '[Worker wazuh-1] [Integrity sync] Finished in Ns.',
      '[Worker wazuh-1] [Integrity check] Finished in Ns. Received metadata of 2 files. ' +
      'Sync not required.',
      '[Master] [Local agent-groups] Starting.',
      '[Master] [Local agent-groups] Finished in Ns.',
      '[Worker wazuh-1] [Agent-groups send] Starting.',
      '[Worker wazuh-1] [Agent-groups send] Finished in Ns. Updated 1 chunks.',
      '[Worker wazuh-1] [Main] Cancelling pending tasks.',
    ]
  ) assert.ok(told.has(line), `${line}\nis not in\n${[...told].join('\n')}`);
  await world.stop();
});

test('in words of muster, a round of a Wazuh worker without work is not told', async () => {
  const world = new World({ seed: 1 });
  const cluster = new SimCluster(world, { workersCount: 0, wazuhWorkersCount: 1 });
  cluster.master.operator.write('etc/rules/a.xml', 'rule');
  cluster.start();
  await cluster.converge();
  await world.run({ forMs: 20_000 });
  const told = cluster.master.records
    .filter(({ level, tags }) => level === 'info' && tags[1] === 'Worker wazuh-1')
    .map(({ text }) => text.replace(/\d+\.\d{3}s/, 'Ns').replace(/master:\d+|from \S+,/, 'PEER'));
  assert.deepEqual(told, [
    'Connected PEER Wazuh 4.14.7.',
    'Finished in Ns. Files to create: 1 | Files to update: 0 | Files to delete: 0.',
  ]);
  await world.stop();
});

test('a Wazuh worker gets the name of a native one that is dead, and of no other', async () => {
  const world = new World({ seed: 1 });
  const config = baseConfig.replace('"5s"', '"60s"').replace('"12s"', '"120s"');
  const cluster = new SimCluster(world, { workersCount: 2, wazuhWorkersCount: 1, config });
  cluster.startMaster();
  const [dead, alive] = cluster.workers;
  for (const worker of [dead!, alive!]) cluster.startWorker(worker);
  const peers = () =>
    cluster.masterNode.status().peers.map(({ node, protocol }) => [node, protocol] as const);
  await world.run({ until: () => cluster.running.size === 3, limitMs: 5_000 });
  await world.run({ until: () => peers().length === 2, limitMs: 10_000 });
  dead!.crash();
  await world.run({ forMs: 10_000 });
  assert.equal(peers().length, 2);
  assert.equal(
    await world.settle(hello(cluster.workers[2]!, dead!.name)),
    `Client ${dead!.name} added`,
  );
  assert.match(await world.settle(hello(cluster.workers[2]!, alive!.name)), /^Error 3028/);
  assert.deepEqual(new Map(peers()), new Map([[dead!.name, 'wazuh'], [alive!.name, 'native']]));
  await world.stop();
});

test('Wazuh workers keep to their own interval of keep-alives, whatever native ones have', async () => {
  const world = new World({ seed: 1 });
  const cluster = new SimCluster(world, { workersCount: 0, wazuhWorkersCount: 1 });
  cluster.startMaster();
  await world.run({ until: () => cluster.running.size === 1, limitMs: 5_000 });
  assert.equal(await world.settle(hello(cluster.workers[0]!, 'w1')), 'Client w1 added');
  const peers = () => cluster.masterNode.status().peers.length;
  await world.run({ forMs: 110_000 });
  assert.equal(peers(), 1);
  await world.run({ until: () => peers() === 0, limitMs: 80_000 });
  await world.stop();
});

/** Says hello from a machine, by the protocol of Wazuh; what the master says. */
async function hello(machine: SimNode, node: string): Promise<string> {
  const { clock, log, random, symmetricCrypto, plainNetwork } = machine.ports();
  const { signal } = new AbortController();
  const connection = new Connection({
    stream: await plainNetwork.connect('master:1516', { signal }),
    clock,
    log,
    random,
    primitives: symmetricCrypto,
    keys: fernetKeys('k'.repeat(32)),
    peerRole: 'master',
    answers: new Map(),
  });
  const said = { node, cluster: 'wazuh', nodeType: 'worker', version: '4.14.7' };
  return await connection.request('hello', said).catch(describeError);
}
