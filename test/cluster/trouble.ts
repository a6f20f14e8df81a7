/**
 * The scenario that everything is about: a cluster under edits and faults of every kind, which has
 * to converge once they stop, without ever showing a torn file.
 */
import type { SimNode } from '../sim/node.ts';
import type { SeededRandom } from '../sim/random.ts';
import type { World } from '../sim/world.ts';
import { baseConfig, noGuards, SimCluster, type SimClusterOptions } from './sim-cluster.ts';

/** For how long things go wrong, and how long everything may take to be right again after that. */
const troubleMs = 60_000;
const convergenceMs = 60_000;

const directories = ['etc/rules', 'etc/decoders', 'etc/shared/default', 'etc/lists/a/b'];

/** Something that goes wrong, or that somebody does. */
export type Trouble = (cluster: SimCluster, random: SeededRandom) => void;

/** Runs a cluster through trouble, of which there may be more than usual. */
export async function clusterTrouble(
  world: World,
  options: Pick<SimClusterOptions, 'workersCount' | 'wazuhWorkersCount' | 'link'> = {
    workersCount: 3,
  },
  more: readonly Trouble[] = [],
): Promise<void> {
  const cluster = new SimCluster(world, {
    ...options,
    link: { fragmentShare: 0.3, ...options.link },
    config: `${baseConfig}${noGuards}`,
    node: { disk: { quotaBytes: 600_000_000 } },
  });
  const random = world.random.fork('trouble');
  for (let i = 0; i < 40; i++) writeSomething(cluster.master, random);
  for (const trouble of more) trouble(cluster, random);
  cluster.start();
  const all = [...troubles, ...more];
  for (let atMs = 500; atMs < troubleMs; atMs += random.between(50, 1500)) {
    world.at(atMs, 'trouble', () => random.pick(all)(cluster, random));
  }
  await world.run({ untilMs: troubleMs });
  endTrouble(cluster);
  await cluster.converge(convergenceMs);
  await mustStayConverged(cluster);
  await world.stop();
}

/** Faults stop: the network heals, disks have room, all nodes run. */
function endTrouble(cluster: SimCluster): void {
  cluster.network.heal();
  for (const node of [cluster.master, ...cluster.workers]) {
    node.disk.quotaBytes = Infinity;
    if (!node.isRunning) node.restart();
  }
}

/** A rescan may still find something after the first moment of equality: it must not. */
async function mustStayConverged(cluster: SimCluster): Promise<void> {
  await cluster.world.run({ forMs: 15_000 });
  const differences = cluster.differences();
  if (differences.length > 0) throw new Error(`Diverged again: ${differences.join('; ')}`);
  for (const worker of cluster.workers) {
    // A download that was cut is kept for a while, though its content may not be wanted any more.
    const left = [...worker.disk.staging.children.keys()].filter((name) =>
      !name.startsWith('part-')
    );
    if (left.length > 0) throw new Error(`${worker.name} left ${left.join()} in staging`);
  }
}

function writeSomething(node: SimNode, random: SeededRandom): void {
  const path = `${random.pick(directories)}/${random.integer(0, 30)}.xml`;
  const size = random.chance(0.05) ? random.integer(1_000_000, 3_000_000) : random.integer(0, 4000);
  node.operator.write(path, random.bytes(size), { isReplacing: random.chance(0.5) });
}

const edit: Trouble = ({ master }, random) => writeSomething(master, random);

const troubles: readonly Trouble[] = [
  edit,
  edit,
  edit,
  ({ master }, random) => {
    const paths = [...master.operator.snapshot().keys()];
    if (paths.length > 20) master.operator.remove(random.pick(paths));
  },
  ({ master, world }, random) =>
    master.operator.writeSlowly(world, `etc/rules/slow-${random.integer(0, 3)}`, ['a', 'b'], 700),
  (cluster, random) => {
    const worker = random.pick(cluster.workers);
    const paths = [...worker.operator.snapshot().keys()];
    if (paths.length > 0) worker.operator.tamper(random.pick(paths), random.bytes(10));
  },
  (cluster, random) => random.pick(cluster.workers).operator.write('etc/rules/own.xml', 'mine'),
  (cluster, random) => random.pick(cluster.workers).operator.remove(random.pick(directories)),
  (cluster, random) => random.pick(cluster.workers).restart(),
  (cluster, random) => powerFailure(cluster, random.pick(cluster.workers), random),
  (cluster, random) => {
    if (random.chance(0.3)) powerFailure(cluster, cluster.master, random);
  },
  ({ network, workers }, random) => network.cut('master', random.pick(workers).name),
  ({ network, workers }, random) => network.cutOneWay('master', random.pick(workers).name),
  ({ network, workers }, random) => network.stall('master', random.pick(workers).name),
  ({ network, workers }, random) => network.reset('master', random.pick(workers).name),
  ({ network }) => network.heal(),
  ({ network }) => network.heal(),
  ({ master, workers }, random) =>
    random.pick([master, ...workers]).jumpClock(random.between(-60_000, 60_000)),
  ({ workers, world }, random) => {
    const worker = random.pick(workers);
    worker.disk.quotaBytes = 70_000_000;
    world.after(random.between(1000, 5000), 'space', () => {
      worker.disk.quotaBytes = 600_000_000;
    });
  },
];

function powerFailure(cluster: SimCluster, node: SimNode, random: SeededRandom): void {
  node.crash();
  cluster.world.after(random.between(10, 3000), `power for ${node.name}`, () => {
    if (!node.isRunning) node.restart();
  });
}
