/** How long an empty worker takes to get a tree of many small files. */
import { lineChart } from './chart.ts';
import { firstCopies } from './contestants.ts';
import { alternate, type Bench, type Case, type Picture } from './harness.ts';
import { flushDisks } from './processes.ts';
import { count, duration, median, type Result, resultsTable, size, type Table } from './table.ts';
import { fileBytes } from './tree.ts';

/** Smaller trees, by their share of the files, that the picture shows too. */
const pictureShares = [1 / 50, 1 / 5];

/** A larger tree, which not all can be waited for: how time grows with the number of files. */
const largerShare = 2;
const largerContestants = ['muster sync --once', 'rsync -a', 'rsync -a, then sync', 'cp -r'];

/** A worker that is not in step after this long never will be, ms. */
const inStepLimitMs = 300_000;

export const firstSync: Case = {
  name: 'first-sync',
  summary: 'the whole tree to an empty worker',
  run: async (bench) => {
    const { filesCount, hasPictures } = bench.options;
    const smaller = hasPictures ? pictureShares.map((share) => Math.round(filesCount * share)) : [];
    const series: (readonly [number, Result[]])[] = [];
    for (const number of [...smaller, filesCount, filesCount * largerShare]) {
      series.push([number, await firstCopiesOf(bench, number)]);
    }
    return {
      title: 'First synchronisation',
      parts: [
        `\`muster sync --once\` on a worker with an empty tree, against a running master, with ` +
        `files of ${size(fileBytes)}. muster transfers over mutual TLS, verifies what it ` +
        'received, puts each file in its place by a rename, and has everything on the disk when ' +
        'it ends. Of the others only the row "then sync" has that.',
        ...series.map(([number, results]) => resultsTable(results, `${count(number)} files`)),
        'The event loops meanwhile, from the start of both daemons until a worker that began with ' +
        'nothing says that it is in step: how long each did nothing else, at most.',
        await holdsTable(bench),
      ],
      picture: hasPictures ? picture(series) : undefined,
    };
  },
};

async function firstCopiesOf(bench: Bench, filesCount: number): Promise<Result[]> {
  const tree = bench.tree(filesCount);
  const master = await bench.runningMaster(tree);
  const contestants = firstCopies(bench, tree, master).filter(({ name }) =>
    filesCount <= bench.options.filesCount || largerContestants.includes(name)
  );
  const results = await alternate(contestants, bench.options.roundsCount);
  await bench.stopNodes();
  return results;
}

/** The longest hold of both ends while a worker's daemon gets its first copy. */
async function holdsTable(bench: Bench): Promise<Table> {
  const { filesCount, roundsCount } = bench.options;
  const rows: Table['rows'][number][] = [];
  for (let round = 1; round <= roundsCount; round++) {
    const master = await bench.runningMaster(bench.tree(filesCount));
    const worker = await bench.worker(master);
    await flushDisks();
    worker.launch();
    const published = await master.status();
    const inStep = await worker.inSync(published.generation!, inStepLimitMs);
    const served = await master.status();
    const holdsMs = [served, inStep].map((status) => status.longest_loop_hold_ms);
    rows.push([`${count(filesCount)} files, turn ${round}`, ...holdsMs.map(duration)]);
    await bench.stopNodes();
  }
  return { head: ['longest hold', 'master', 'worker'], rows };
}

function picture(series: readonly (readonly [number, readonly Result[]])[]): Picture {
  const contestants = series[0]![1].filter(({ skipped }) => skipped === undefined);
  const lines = contestants.map(({ name }) => ({
    name,
    points: series.flatMap(([x, results]) => {
      const runs = results.find((result) => result.name === name)?.runs ?? [];
      return runs.length === 0 ? [] : [{ x, y: median(runs.map(({ wallMs }) => wallMs)) / 1000 }];
    }),
  }));
  const title = 'First synchronisation: seconds over number of files';
  return { fileName: 'first-sync.svg', alt: title, svg: lineChart({ title, lines }) };
}
