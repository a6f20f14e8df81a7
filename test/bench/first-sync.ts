/** How long an empty worker takes to get a tree of many small files. */
import { lineChart } from './chart.ts';
import { firstCopies } from './contestants.ts';
import { alternate, type Bench, type Case, type Picture } from './harness.ts';
import { count, median, type Result, resultsTable, size } from './table.ts';
import { fileBytes } from './tree.ts';

/** Smaller trees, by their share of the files, that the picture shows too. */
const pictureShares = [1 / 50, 1 / 5];

/** A larger tree, which not all can be waited for: how time grows with the number of files. */
const largerShare = 2;
const largerContestants = ['muster sync --once', 'rsync -a', 'rsync -a, then sync', 'cp -r'];

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
