/** How long one changed file takes from the master's disk to the worker's. */
import type { TestNode } from '../e2e/cluster.ts';
import { pause } from '../e2e/program.ts';
import { changeArrives, changeFile } from './change.ts';
import { repeatedCopies } from './contestants.ts';
import {
  alternate,
  type Bench,
  bytesExchanged,
  type Case,
  missingProgram,
  startInStep,
} from './harness.ts';
import { DaemonWatch } from './processes.ts';
import { count, duration, median, percentile, resultsTable, size } from './table.ts';
import { SyncthingPair, watchDelaySeconds } from './syncthing.ts';
import { writeTree } from './tree.ts';

export const oneChange: Case = {
  name: 'one-change',
  summary: 'from a rename on the master to the rename on the worker',
  run: async (bench) => {
    const { filesCount } = bench.options;
    // Its own: this case changes it.
    const tree = bench.freshPath('tree');
    writeTree(tree, filesCount);
    const master = await bench.runningMaster(tree);
    const worker = await bench.worker(master);
    let passesCount = 0;
    const change = () => void changeFile(bench, tree, passesCount++);
    const contestants = await repeatedCopies(bench, { master, worker }, change);
    const passes = resultsTable(await alternate(contestants, bench.options.roundsCount));
    await startInStep(worker, master);
    const pushed = [await pushedByMuster(bench, master, worker)];
    await bench.stopNodes();
    const missing = missingProgram('syncthing');
    if (missing === undefined) pushed.push(await pushedBySyncthing(bench, tree));
    return {
      title: 'One change',
      parts: [
        `Both daemons run, with ${
          count(filesCount)
        } files. A file is replaced on the master by a ` +
        'rename; the time ends when the new file is in its place on the worker, verified and ' +
        'durable. ' +
        (missing ?? `syncthing waits for ${watchDelaySeconds} s after it was told of a change`) +
        '.',
        { head: pushedHead, rows: pushed },
        'A new process that finds one file changed:',
        passes,
      ],
    };
  },
};

const pushedHead = [
  '',
  'median',
  'p99',
  'min–max',
  'CPU of receiver',
  'CPU of sender',
  'on the wire',
];

async function pushedByMuster(
  bench: Bench,
  master: TestNode,
  worker: TestNode,
): Promise<string[]> {
  const changesCount = bench.options.isQuick ? 10 : 100;
  const startBytes = await bytesExchanged(master);
  const daemons = { sender: master.daemon.pid, receiver: worker.daemon.pid };
  const row = await pushedChanges(bench, [master.root, worker.root], daemons, changesCount);
  const bytes = await bytesExchanged(master) - startBytes;
  return [`muster (${changesCount} changes)`, ...row, size(bytes / changesCount)];
}

async function pushedBySyncthing(bench: Bench, tree: string): Promise<string[]> {
  const changesCount = bench.options.isQuick ? 3 : 20;
  const copy = bench.freshPath('syncthing');
  const pair = await SyncthingPair.start(bench.freshPath('syncthing-state'), {
    from: tree,
    to: copy,
    filesCount: bench.options.filesCount,
  });
  const daemons = { sender: pair.sender.pid, receiver: pair.receiver.pid };
  try {
    const row = await pushedChanges(bench, [tree, copy], daemons, changesCount);
    return [`syncthing (${changesCount} changes)`, ...row, ''];
  } finally {
    pair.stop();
  }
}

/** Times of changes from one tree to another, and what both daemons take for them. */
async function pushedChanges(
  bench: Bench,
  [from, to]: readonly [string, string],
  daemons: { readonly sender: number; readonly receiver: number },
  changesCount: number,
): Promise<string[]> {
  const { filesCount } = bench.options;
  const watches = [daemons.sender, daemons.receiver].map((pid) => new DaemonWatch(pid));
  const latenciesMs: number[] = [];
  for (let i = 0; i < changesCount; i++) {
    // Not in step with any interval of the daemons.
    await pause(100 + (i * 37) % 400);
    // Far apart in the tree: 7919 is prime.
    latenciesMs.push(await changeArrives(bench, from, [to], i * 7919 % filesCount));
  }
  const [sent, received] = await Promise.all(watches.map((watch) => watch.end()));
  return [
    duration(median(latenciesMs)),
    duration(percentile(latenciesMs, 0.99)),
    `${duration(Math.min(...latenciesMs))}–${duration(Math.max(...latenciesMs))}`,
    duration(received!.cpuMs / changesCount),
    duration(sent!.cpuMs / changesCount),
  ];
}
