/** How long one changed file takes to the last of many workers. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import type { TestNode } from '../e2e/cluster.ts';
import { pause } from '../e2e/program.ts';
import { changeArrives } from './change.ts';
import { grow, memory } from './fleet.ts';
import type { Case } from './harness.ts';
import { DaemonWatch } from './processes.ts';
import { count, duration, median, percentile } from './table.ts';
import { writeTree } from './tree.ts';

export const fleetChange: Case = {
  name: 'fleet-change',
  summary: 'from a rename on the master to the rename on the last of 25 workers',
  run: async (bench) => {
    const { filesCount, isQuick } = bench.options;
    const workersCount = isQuick ? 3 : 25;
    const changesCount = isQuick ? 10 : 100;
    const places = join(memory, `muster-fleet-change-${process.pid}`);
    const latenciesMs: number[] = [];
    try {
      const tree = bench.freshPath('tree');
      writeTree(tree, filesCount);
      const master = await bench.runningMaster(tree);
      const workers: TestNode[] = [];
      await grow(bench, master, workers, workersCount, places);
      const watch = new DaemonWatch(master.daemon.pid);
      for (let i = 0; i < changesCount; i++) {
        // Not in step with any interval of the daemons.
        await pause(400 + (i * 37) % 400);
        const copies = workers.map(({ root }) => root);
        latenciesMs.push(await changeArrives(bench, tree, copies, i * 7919 % filesCount));
      }
      const { cpuMs } = await watch.end();
      return {
        title: 'One change for a fleet',
        parts: [
          `${count(workersCount)} workers, each a process of its own with all that is its own in ` +
          `memory, have a tree of ${
            count(filesCount)
          } files. A file is replaced on the master by ` +
          'a rename; the time ends when the last of the workers has the new one in its place. ' +
          'All of them share the processors of this one machine.',
          {
            head: ['', 'median', 'p99', 'min–max', 'CPU of master'],
            rows: [[
              `${count(changesCount)} changes, to the last worker`,
              duration(median(latenciesMs)),
              duration(percentile(latenciesMs, 0.99)),
              `${duration(Math.min(...latenciesMs))}–${duration(Math.max(...latenciesMs))}`,
              duration(cpuMs / changesCount),
            ]],
          },
        ],
      };
    } finally {
      await bench.stopNodes();
      rmSync(places, { recursive: true, force: true });
    }
  },
};
