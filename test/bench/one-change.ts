/** How long one changed file takes from the master's disk to the worker's. */
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import type { TestNode } from '../e2e/cluster.ts';
import { pause } from '../e2e/program.ts';
import { repeatedCopies } from './contestants.ts';
import { alternate, type Bench, bytesExchanged, type Case, startInStep } from './harness.ts';
import { DaemonWatch } from './processes.ts';
import { count, duration, median, percentile, resultsTable, size, type Table } from './table.ts';
import { treePath, treeText, wordsFrom, writeTree } from './tree.ts';

/** A change that has not arrived after this long is lost, ms. */
const arrivalLimitMs = 30_000;

/** Pause between two looks at the worker's disk, ms; the error of each latency. */
const lookMs = 0.25;

const words = wordsFrom(2);

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
    const pushed = await pushedChanges(bench, master, worker);
    await bench.stopNodes();
    return {
      title: 'One change',
      parts: [
        `Both daemons run, with ${
          count(filesCount)
        } files. A file is replaced on the master by a ` +
        'rename; the time ends when the new file is in its place on the worker, verified and ' +
        'durable.',
        pushed,
        'A new process that finds one file changed:',
        passes,
      ],
    };
  },
};

async function pushedChanges(bench: Bench, master: TestNode, worker: TestNode): Promise<Table> {
  const { filesCount, isQuick } = bench.options;
  const changesCount = isQuick ? 10 : 100;
  const watches = [master, worker].map((node) => new DaemonWatch(node.daemon.pid));
  const startBytes = await bytesExchanged(master);
  const latenciesMs: number[] = [];
  for (let i = 0; i < changesCount; i++) {
    // Not in step with any interval of the daemons.
    await pause(100 + (i * 37) % 400);
    // Far apart in the tree: 7919 is prime.
    latenciesMs.push(await changeArrives(bench, master.root, worker.root, i * 7919 % filesCount));
  }
  const bytes = await bytesExchanged(master) - startBytes;
  const [served, asked] = await Promise.all(watches.map((watch) => watch.end()));
  return {
    head: ['', 'median', 'p99', 'min–max', 'CPU of worker', 'CPU of master', 'on the wire'],
    rows: [[
      `a change (${changesCount} measured)`,
      duration(median(latenciesMs)),
      duration(percentile(latenciesMs, 0.99)),
      `${duration(Math.min(...latenciesMs))}–${duration(Math.max(...latenciesMs))}`,
      duration(asked!.cpuMs / changesCount),
      duration(served!.cpuMs / changesCount),
      size(bytes / changesCount),
    ]],
  };
}

async function changeArrives(bench: Bench, from: string, to: string, index: number) {
  const path = treePath(to, index);
  const before = statSync(path).ino;
  const startMs = changeFile(bench, from, index);
  const cell = new Int32Array(new SharedArrayBuffer(4));
  while (statSync(path).ino === before) {
    // Blocks: a timer would be up to 2 ms late.
    Atomics.wait(cell, 0, 0, lookMs);
    if (performance.now() - startMs > arrivalLimitMs) {
      throw new Error(`A change did not arrive at "${path}" within ${arrivalLimitMs} ms`);
    }
  }
  const latencyMs = performance.now() - startMs;
  if (readFileSync(path, 'utf8') === readFileSync(treePath(from, index), 'utf8')) return latencyMs;
  throw new Error(`"${path}" is not what was put in place on the master`);
}

/** Replaces a file whole and gives the moment before. */
function changeFile(bench: Bench, root: string, index: number): number {
  // Beside the tree, so that the rename is all that happens in it.
  const draft = bench.freshPath('draft');
  writeFileSync(draft, treeText(words, draft));
  const startMs = performance.now();
  renameSync(draft, treePath(root, index));
  return startMs;
}
