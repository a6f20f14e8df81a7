/** What both daemons take while nothing happens. */
import { pause } from '../e2e/program.ts';
import { bytesExchanged, type Case, startInStep } from './harness.ts';
import { DaemonWatch, residentBytes } from './processes.ts';
import { count, duration, size } from './table.ts';

/** After this long both have done what a start and a first synchronisation bring along, ms. */
const settleMs = 15_000;

/** Within this time each node looks at all of its files once, whatever the watcher has told, s. */
const wholeSeconds = 300;

export const atRest: Case = {
  name: 'at-rest',
  summary: 'CPU and memory of both daemons while nothing happens',
  run: async (bench) => {
    const { filesCount, isQuick } = bench.options;
    const seconds = isQuick ? 10 : wholeSeconds;
    const master = await bench.runningMaster(bench.tree());
    const worker = await bench.worker(master);
    await startInStep(worker, master);
    await pause(isQuick ? 1_000 : settleMs);
    const nodes = [master, worker];
    const startBytes = await bytesExchanged(master);
    const watches = nodes.map((node) => new DaemonWatch(node.daemon.pid));
    await pause(seconds * 1000);
    const usages = await Promise.all(watches.map((watch) => watch.end()));
    const bytes = await bytesExchanged(master) - startBytes;
    const rows = nodes.map((node, index) => [
      node === master ? 'master' : 'worker',
      duration(usages[index]!.cpuMs * 60 / seconds),
      size(residentBytes(node.daemon.pid)!),
      size(usages[index]!.rssBytes!),
      size(bytes * 60 / seconds),
    ]);
    await bench.stopNodes();
    return {
      title: 'At rest',
      parts: [
        `A master and a worker with ${count(filesCount)} files in step, with the intervals that ` +
        `they have by default, over ${seconds} s in which nothing changes and each looks at all of ` +
        'its files once. On the wire is the ' +
        'same for both: what they tell each other, inside of TLS.',
        {
          head: ['', 'CPU per minute', 'RSS at the end', 'peak RSS', 'on the wire per minute'],
          rows,
        },
      ],
    };
  },
};
