/** How long a master takes to know what is in its tree: from nothing, again, and after a restart. */
import type { StatusDocument } from '../../src/node/documents.ts';
import type { TestNode } from '../e2e/cluster.ts';
import { pause } from '../e2e/program.ts';
import { control } from '../e2e/control.ts';
import { alternate, type Bench, type Case, type Contestant, measureMuster } from './harness.ts';
import {
  cannotForget,
  cpuOf,
  flushDisks,
  forgetFiles,
  measure,
  peakBytes,
  type Run,
} from './processes.ts';
import { count, resultsTable, type Table } from './table.ts';

/** Pause between two questions whether a daemon is ready, ms; the error of its time. */
const askMs = 5;

/** Processes that read from the disk at a time. */
const coldProcesses = [1, 2, 16];

/** A daemon that is not ready after this long never will be, ms. */
const readyLimitMs = 120_000;

export const scan: Case = {
  name: 'scan',
  summary: 'the integrity of a whole tree, computed from nothing and known after a restart',
  run: async (bench) => {
    const { filesCount } = bench.options;
    return {
      title: 'Integrity of a tree',
      parts: [
        'MD5 of files that are in the page cache. `muster check` on a master reads every file and ' +
        'compares it with what was published last. A start is from that of `muster run` until the ' +
        'master has finished its first local-integrity round, and so has a generation to offer: ' +
        'the first one computes all from nothing and stores it. "Longest hold" is how long the ' +
        'event loop did nothing else, at most.',
        await scanTable(bench, filesCount),
        await scanTable(bench, 2 * filesCount),
        'The same where nothing is in memory: each turn begins with an empty page cache.',
        await coldTable(bench, filesCount),
      ],
    };
  },
};

/** The same work by the tools that every system has, in so many processes. */
export function md5sum(tree: string, processesCount = 1): Contestant {
  const program = `find "$1" -type f -print0 | xargs -0 -P${processesCount} -n2000 md5sum`;
  const args = ['-c', program, 'sh', tree];
  const name = `find, xargs -P${processesCount}, md5sum`;
  return { name, run: () => measure({ program: 'sh', args }) };
}

// ---

async function scanTable(bench: Bench, filesCount: number): Promise<Table> {
  const tree = bench.tree(filesCount);
  const master = await bench.runningMaster(tree);
  await master.stop();
  const results = await alternate([
    { name: 'muster check', run: () => measureMuster(master, ['check']) },
    { name: 'first start', run: async () => await startUp(await bench.master(tree)) },
    { name: 'restart, nothing changed', run: () => startUp(master) },
    md5sum(tree),
    md5sum(tree, 2),
  ], bench.options.roundsCount);
  return resultsTable(results, `${count(filesCount)} files`);
}

/** The same work where each file has to come from the disk. */
async function coldTable(bench: Bench, filesCount: number): Promise<Table> {
  const tree = bench.tree(filesCount);
  const master = await bench.runningMaster(tree);
  await master.stop();
  const contestants = [
    { name: 'muster check', run: () => measureMuster(master, ['check']) },
    { name: 'first start', run: async () => await startUp(await bench.master(tree)) },
    { name: 'restart, nothing changed', run: () => startUp(master) },
    ...coldProcesses.map((count) => md5sum(tree, count)),
  ];
  const cold = contestants.map(({ name, run }): Contestant => ({
    name,
    missing: cannotForget,
    run: async () => {
      await forgetFiles();
      return await run();
    },
  }));
  const results = await alternate(cold, bench.options.roundsCount);
  return resultsTable(results, `${count(filesCount)} files, cold`);
}

/** Starts a master, waits for its first round, and stops it. */
async function startUp(master: TestNode): Promise<Run> {
  await flushDisks();
  const startMs = performance.now();
  const { pid } = master.launch();
  let status = await ask(master);
  for (; !isReady(status); status = await ask(master)) {
    if (!master.daemon.isRunning) throw new Error(`A master ended: ${master.daemon.stderr}`);
    if (performance.now() - startMs > readyLimitMs) throw new Error('A master never got ready');
    await pause(askMs);
  }
  const run = {
    wallMs: performance.now() - startMs,
    cpuMs: cpuOf(pid),
    rssBytes: peakBytes(pid),
    holdMs: status?.longest_loop_hold_ms,
  };
  await master.stop();
  return run;
}

function isReady(status: StatusDocument | undefined): boolean {
  const task = status?.tasks.find(({ name }) => name === 'local-integrity');
  return status?.generation !== null && task !== undefined && task.rounds > 0;
}

async function ask(master: TestNode): Promise<StatusDocument | undefined> {
  // Refused until the socket is there.
  const answer = await control(master.controlSocket, '/v1/status').catch(() => undefined);
  return answer?.status === 200 ? answer.body as StatusDocument : undefined;
}
