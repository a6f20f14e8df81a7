/**
 * Scenarios of the toy cluster: proof that the world, its faults and its checkers work, and the
 * pattern for scenarios of the real thing.
 */
import { SimNetwork } from './network.ts';
import { SimNode } from './node.ts';
import { treeDifferences } from './operator.ts';
import type { Scenario } from './scenarios.ts';
import { TornFileChecker } from './torn-file-checker.ts';
import { toyMaster, toyWorker } from './toy.ts';
import type { World } from './world.ts';

/** For how long things go wrong, and how long everything may take to be right again after that. */
const TROUBLE_MS = 20_000;
const CONVERGENCE_LIMIT_MS = 120_000;

/** A toy cluster under faults of every kind; where workers do not flush, it must fail. */
export async function toyTrouble(world: World, flushes: boolean): Promise<void> {
  const network = new SimNetwork(world, { fragmentShare: 0.3 });
  const master = new SimNode(world, network, { name: 'master', role: 'master' });
  const workers = ['w1', 'w2'].map((name) => {
    return new SimNode(world, network, { name, disk: { quotaBytes: 1_000_000 } });
  });
  new TornFileChecker(world, master.disk, workers.map(({ disk }) => disk));
  for (let i = 0; i < 5; i++) master.operator.write(`etc/rules/${i}.xml`, `rule ${i}`);
  master.start(toyMaster);
  for (const worker of workers) worker.start(toyWorker({ flushes }));

  scheduleTrouble(world, network, master, workers);
  await world.run({ untilMs: TROUBLE_MS });
  network.heal();
  for (const node of [master, ...workers]) if (!node.isRunning) node.restart();
  await world.run({
    until: () => workers.every((worker) => differences(master, worker).length === 0),
    limitMs: CONVERGENCE_LIMIT_MS,
    what: 'all workers equal the master',
  });
  await world.stop();
}

/** The scenarios of the toy cluster. */
export const toyScenarios: readonly Scenario[] = [
  {
    name: 'toy-trouble',
    summary: 'A toy cluster converges after edits, kills, power failures and cuts; no torn file',
    run: (world) => toyTrouble(world, true),
  },
];

// ---

function differences(master: SimNode, worker: SimNode): string[] {
  return treeDifferences(master.operator.snapshot(), worker.operator.snapshot());
}

/** One piece of trouble about every 300 ms. */
function scheduleTrouble(
  world: World,
  network: SimNetwork,
  master: SimNode,
  workers: readonly SimNode[],
): void {
  const random = world.random.fork('trouble');
  const kinds: ((worker: SimNode) => void)[] = [
    () => master.operator.write(`etc/rules/${random.integer(0, 9)}.xml`, random.bytes(5000)),
    () => master.operator.remove(`etc/rules/${random.integer(0, 9)}.xml`),
    (worker) => worker.operator.write(`etc/rules/${random.integer(0, 9)}.xml`, 'tampered'),
    (worker) => worker.restart(),
    (worker) => {
      worker.crash();
      world.after(random.between(10, 2000), `power for ${worker.name}`, () => {
        if (!worker.isRunning) worker.restart();
      });
    },
    (worker) => network.cut('master', worker.name),
    (worker) => network.stall('master', worker.name),
    (worker) => network.reset('master', worker.name),
    () => network.heal(),
    () => network.heal(),
    () => master.jumpClock(random.between(-5000, 5000)),
    (worker) => worker.operator.remove('etc/rules'),
  ];
  for (let atMs = 300; atMs < TROUBLE_MS; atMs += random.between(10, 600)) {
    world.at(atMs, 'trouble', () => random.pick(kinds)(random.pick(workers)));
  }
}
