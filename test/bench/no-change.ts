/** What it costs to find out that nothing has changed. */
import type { StatusDocument } from '../../src/node/documents.ts';
import type { TestNode } from '../e2e/cluster.ts';
import { pause } from '../e2e/program.ts';
import { repeatedCopies } from './contestants.ts';
import { alternate, type Bench, bytesExchanged, type Case, startInStep } from './harness.ts';
import { DaemonWatch } from './processes.ts';
import { count, duration, resultsTable, size, spread, type Table } from './table.ts';

/** Pause between two rounds of the daemons: short, so that many rounds fit into a minute. */
const steadyInterval = '1s';

/** Pause between two looks, ms: none misses a round, and they cost the worker next to nothing. */
const lookMs = 900;

/** A round that takes longer, its interval included, never ends, ms. */
const roundLimitMs = 10_000;

/** After its start a worker still gets to know its tree, ms. */
const settleMs = 5_000;

export const noChange: Case = {
  name: 'no-change',
  summary: 'a synchronisation that finds nothing to do',
  run: async (bench) => {
    const master = await bench.runningMaster(bench.tree());
    const worker = await bench.worker(master, { 'integrity.interval': steadyInterval });
    const contestants = await repeatedCopies(bench, { master, worker });
    const passes = resultsTable(await alternate(contestants, bench.options.roundsCount));
    const steady = await steadyRounds(bench, master, worker);
    await bench.stopNodes();
    return {
      title: 'Nothing has changed',
      parts: [
        `A new process, which looks at each of its ${count(bench.options.filesCount)} files, ` +
        'asks the master, and finds everything in step:',
        passes,
        `Rounds between two running daemons, with an interval of ${steadyInterval}. CPU is that ` +
        'of the whole daemon over the time measured, divided by the rounds, so it holds the ' +
        "master's scans of its tree; bytes are those inside of TLS.",
        steady,
      ],
    };
  },
};

async function steadyRounds(bench: Bench, master: TestNode, worker: TestNode): Promise<Table> {
  const wantedCount = bench.options.isQuick ? 5 : 40;
  await startInStep(worker, master);
  await pause(settleMs);
  const watches = [master, worker].map((node) => new DaemonWatch(node.daemon.pid));
  const startBytes = await bytesExchanged(master);
  const first = integrityOf(await worker.status()).rounds;
  const durationsMs = new Map<number, number>();
  const endMs = performance.now() + wantedCount * roundLimitMs;
  let rounds = 0;
  while (rounds < wantedCount) {
    await pause(lookMs);
    const task = integrityOf(await worker.status());
    rounds = task.rounds - first;
    if (rounds > 0) durationsMs.set(rounds, task.last_duration_ms!);
    if (performance.now() > endMs) throw new Error(`Only ${rounds} rounds were made`);
  }
  const bytes = await bytesExchanged(master) - startBytes;
  const [served, asked] = await Promise.all(watches.map((watch) => watch.end()));
  return {
    head: ['', 'time, median (min–max)', 'CPU of worker', 'CPU of master', 'on the wire'],
    rows: [[
      `a round (of ${rounds})`,
      spread([...durationsMs.values()], duration),
      duration(asked!.cpuMs / rounds),
      duration(served!.cpuMs / rounds),
      size(bytes / rounds),
    ]],
  };
}

function integrityOf({ tasks }: StatusDocument) {
  const task = tasks.find(({ name }) => name === 'integrity');
  if (task === undefined) throw new Error('A worker tells of no task "integrity"');
  return task;
}
