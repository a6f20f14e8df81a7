/** A network that is cut and heals: one session again, everything in step, nothing left over. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { SeededRandom } from '../sim/random.ts';
import { type TestNode, withCluster } from './cluster.ts';
import { cannotNetwork, type TwoMachines, withTwoMachines } from './privileged.ts';
import { pause, until } from './program.ts';
import { assertMirror, assertNothingStaged, filesBelow, namesIn, write } from './tree.ts';

/** How long the network is cut, ms. */
const cutMs = 30_000;

const settings = {
  'keep_alive.interval': '500ms',
  'keep_alive.misses_max': '2',
  'keep_alive.silence_max': '2s',
  'worker.connect_timeout': '1s',
  'worker.reconnect_max': '1s',
  'integrity.interval': '2s',
  'local_integrity.interval': '2s',
};

test('a network cut for 30 s during traffic is in step two rounds after it healed', {
  skip: cannotNetwork,
}, async () => {
  await withTwoMachines((machines) =>
    withCluster(async (cluster) => {
      const { left, right } = machines;
      const listen = `${left.address}:1517`;
      const master = await cluster.master({ listen, settings, prefix: left.prefix });
      await master.start();
      const worker = await cluster.worker(master, 'worker-1', { settings, prefix: right.prefix });
      await worker.start();
      await worker.status((status) => status.master !== null);
      await cutDuringTraffic(machines, master, worker);
      const healedMs = performance.now();
      machines.plug(true);
      await worker.inSync(await master.published());
      assertMirror(master.root, worker.root);
      // Reconnecting takes a second and its timeout another, two rounds take four.
      const tookMs = performance.now() - healedMs;
      assert.ok(tookMs < 15_000, `in step only after ${tookMs} ms`);
      const { peers } = await master.status(({ peers: [peer] }) => peer?.in_sync === true);
      assert.deepEqual(peers.map(({ node }) => node), ['worker-1']);
      await worker.stop();
      assertNothingStaged(worker.directory);
      await master.status((status) => status.peers.length === 0);
    })
  );
});

/** Contents are under way when the network goes; both sides change before it is back. */
async function cutDuringTraffic(
  { plug }: TwoMachines,
  master: TestNode,
  worker: TestNode,
): Promise<void> {
  const random = new SeededRandom('cut');
  for (let i = 0; i < 200; i++) write(master.path(`etc/rules/${i}.xml`), `rule ${i}\n`);
  for (let i = 0; i < 60; i++) write(master.path(`etc/lists/${i}`), random.bytes(1_500_000));
  const staging = join(worker.directory, 'staging');
  await until('contents arrive', () => namesIn(staging).length > 0);
  plug(false);
  const cutAtMs = performance.now();
  // Both ends notice, each by itself.
  await master.status(({ peers }) => peers.length === 0);
  await worker.status((status) => status.master === null && status.last_error !== null);
  write(master.path('etc/rules/0.xml'), 'changed while the network was cut\n');
  rmSync(master.path('etc/rules/1.xml'));
  if (filesBelow(worker.root).has('etc/rules/2.xml')) rmSync(worker.path('etc/rules/2.xml'));
  await pause(cutMs - (performance.now() - cutAtMs));
}
