/** How long an empty worker takes to get the whole tree, files made durable included. */
import { lineChart } from './chart.ts';
import {
  alternate,
  assertCopy,
  type Bench,
  type Case,
  type Contestant,
  measureMuster,
  missingProgram,
  type Picture,
} from './harness.ts';
import { type Command, measure, type Run } from './processes.ts';
import { count, median, type Result, resultsTable } from './table.ts';

/** Parts of the tree that the picture shows too. */
const pictureShares = [1 / 50, 1 / 5];

export const firstSync: Case = {
  name: 'first-sync',
  summary: 'the whole tree to an empty worker',
  run: async (bench) => {
    const { filesCount, hasPictures } = bench.options;
    const sizes = hasPictures ? pictureShares.map((share) => Math.round(filesCount * share)) : [];
    const series: [number, Result[]][] = [];
    for (const size of [...sizes, filesCount]) series.push([size, await firstSyncs(bench, size)]);
    const tables = series.map(([size, results]) => resultsTable(results, `${count(size)} files`));
    return {
      title: 'First synchronisation',
      parts: [
        `\`muster sync --once\` on a worker with an empty tree, against a running master. muster ` +
        'transfers over mutual TLS, verifies what it received, puts each file in place by a ' +
        'rename and has all of it on the disk when it ends; so has only the row "then sync" of ' +
        'the others.',
        ...tables,
      ],
      picture: hasPictures ? picture(series) : undefined,
    };
  },
};

async function firstSyncs(bench: Bench, filesCount: number): Promise<Result[]> {
  const tree = bench.tree(filesCount);
  const master = await bench.master(tree);
  await master.start();
  const muster: Contestant = {
    name: 'muster sync --once',
    run: async () => {
      const worker = await bench.worker(master);
      return checked(tree, worker.root, measureMuster(worker, ['sync', '--once'], master));
    },
  };
  const rsync = (name: string, adapt: (command: Command) => Command): Contestant => ({
    name,
    missing: missingProgram('rsync'),
    run: async () => {
      const copy = bench.freshPath('rsync');
      const daemon = await bench.rsyncDaemon();
      return checked(tree, copy, measure(adapt(daemon.mirror(tree, copy))));
    },
  });
  const cp: Contestant = {
    name: 'cp -r',
    run: () => {
      const copy = bench.freshPath('cp');
      return checked(tree, copy, measure({ program: 'cp', args: ['-r', tree, copy] }));
    },
  };
  const others = [rsync('rsync -a', (one) => one), rsync('rsync -a, then sync', thenSync), cp];
  const results = await alternate([muster, ...others], bench.options.roundsCount);
  await bench.stopNodes();
  return results;
}

async function checked(tree: string, copy: string, measured: Promise<Run>): Promise<Run> {
  const run = await measured;
  await assertCopy(tree, copy);
  return run;
}

function thenSync({ program, args, ...rest }: Command): Command {
  return { ...rest, program: 'sh', args: ['-c', '"$@" && sync', 'sh', program, ...args] };
}

function picture(series: readonly (readonly [number, readonly Result[]])[]): Picture {
  const lines = series[0]![1]
    .filter(({ runs }) => runs.length > 0)
    .map(({ name }) => ({
      name,
      points: series.map(([size, results]) => {
        const { runs } = results.find((result) => result.name === name)!;
        return { x: size, y: median(runs.map(({ wallMs }) => wallMs)) / 1000 };
      }),
    }));
  return {
    fileName: 'first-sync.svg',
    alt: 'Time of a first synchronisation over the number of files',
    svg: lineChart({ title: 'First synchronisation', x: 'files', y: 'seconds', lines }),
  };
}
