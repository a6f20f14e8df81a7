/** Whether nodes grow while one file after the other changes, for an hour. */
import { pause } from '../e2e/program.ts';
import { changeFile } from './change.ts';
import { type Case, startInStep } from './harness.ts';
import { DaemonWatch, residentBytes } from './processes.ts';
import { count, duration, size } from './table.ts';
import { writeTree } from './tree.ts';

/** Between two changes, ms. */
const everyMs = 1_000;

/** Rows of the table. */
const partsCount = 12;

export const lastingChange: Case = {
  name: 'lasting-change',
  summary: 'CPU and memory of both daemons during an hour of one change a second',
  isLong: true,
  run: async (bench) => {
    const { filesCount, isQuick } = bench.options;
    const partMs = (isQuick ? 24_000 : 3_600_000) / partsCount;
    const tree = bench.freshPath('tree');
    writeTree(tree, filesCount);
    const master = await bench.runningMaster(tree);
    const worker = await bench.worker(master);
    await startInStep(worker, master);
    const nodes = [master, worker];
    const rows: string[][] = [];
    const startMs = performance.now();
    let changesCount = 0;
    for (let part = 1; part <= partsCount; part++) {
      const watches = nodes.map((node) => new DaemonWatch(node.daemon.pid));
      while (performance.now() - startMs < part * partMs) {
        // Far apart in the tree: 7919 is prime.
        changeFile(bench, tree, changesCount++ * 7919 % filesCount);
        await pause(Math.max(0, startMs + changesCount * everyMs - performance.now()));
      }
      const usages = await Promise.all(watches.map((watch) => watch.end()));
      rows.push([
        duration(part * partMs),
        ...nodes.flatMap((node, index) => [
          duration(usages[index]!.cpuMs * 60_000 / partMs),
          size(residentBytes(node.daemon.pid)!),
          size(usages[index]!.rssBytes!),
        ]),
      ]);
      console.error(`  ${rows.at(-1)!.join(' | ')}`);
    }
    await worker.inSync(await master.published(partMs), partMs);
    await bench.stopNodes();
    return {
      title: 'One change a second',
      parts: [
        `A master and a worker with ${count(filesCount)} files. Every second one of them is ` +
        `replaced on the master, ${count(changesCount)} in all; at the end the worker has them.`,
        {
          head: [
            'after',
            ...['master', 'worker'].flatMap((node) => [
              `CPU per minute of ${node}`,
              `RSS of ${node}`,
              'peak RSS',
            ]),
          ],
          rows,
        },
      ],
    };
  },
};
