/** Many workers of one master: what they cost it, with files and with agents. */
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import type { GroupShowDocument } from '../../src/node/agent-documents.ts';
import { control } from '../e2e/control.ts';
import type { TestNode } from '../e2e/cluster.ts';
import { pause } from '../e2e/program.ts';
import { lineChart } from './chart.ts';
import type { Bench, Case, Picture, Section } from './harness.ts';
import { DaemonWatch, residentBytes } from './processes.ts';
import {
  arrivalLimitMs,
  firstReport,
  handOver,
  keepalive,
  numbers,
  settled,
  writeAgentTree,
} from './reports.ts';
import { count, duration, size, type Table } from './table.ts';
import { treePath, treeText, wordsFrom, writeTree } from './tree.ts';

/** The largest time that a fleet takes to be in step, ms. */
const stepLimitMs = 300_000;

/** Pause between two looks at who is in step, ms. */
const arrivalLookMs = 100;

/** A master that has published nothing for so long has published all that was changed, ms. */
const settledMs = 3_000;

/** Pause between two looks at the groups of a worker, ms. */
const groupLookMs = 250;

/** Where workers have all that is theirs: in memory, so that one disk does not serve them all. */
const memory = '/dev/shm';

export const fanOut: Case = {
  name: 'fan-out',
  summary: 'many files changed at once, for more and more workers',
  run: async (bench) => {
    const { isQuick, hasPictures } = bench.options;
    const filesCount = isQuick ? 500 : 10_000;
    const fleets = isQuick ? [2, 4] : [10, 25, 50, 100];
    const tree = join(memory, `muster-fan-out-${process.pid}`);
    const found: {
      readonly workersCount: number;
      readonly cpuMs: number;
      readonly row: string[];
    }[] = [];
    try {
      writeTree(join(tree, 'master'), filesCount);
      const master = await bench.runningMaster(join(tree, 'master'));
      const workers: TestNode[] = [];
      for (const workersCount of fleets) {
        await grow(bench, master, workers, workersCount, tree);
        found.push(await changeAll(master, workers, filesCount));
      }
    } finally {
      await bench.stopNodes();
      rmSync(tree, { recursive: true, force: true });
    }
    return {
      title: 'Fan-out',
      parts: [
        `${count(filesCount)} files of a tree change at once, and all workers get them. Each ` +
        'worker is a process of its own; all that is theirs is in memory, and all processes share the ' +
        'processors of this one machine, so that the time says little and the CPU of the master ' +
        'much. What it reads, hashes and packs it does once for all.',
        {
          head: [
            'workers',
            'first in step',
            'last in step',
            'CPU of master',
            'CPU of master for each worker',
            'peak RSS of master',
          ],
          rows: found.map(({ row }) => row),
        },
      ],
      picture: hasPictures ? picture(found) : undefined,
    };
  },
};

export const fleetAgents: Case = {
  name: 'fleet-agents',
  summary: 'agents of 25 workers that report all the time, and a group for all of them',
  run: async (bench) => {
    const places = join(memory, `muster-fleet-${process.pid}`);
    try {
      return await measureFleet(bench, places);
    } finally {
      await bench.stopNodes();
      rmSync(places, { recursive: true, force: true });
    }
  },
};

async function measureFleet(bench: Bench, places: string): Promise<Section> {
  const { isQuick } = bench.options;
  const [workersCount, agentsCount] = isQuick ? [3, 600] : [25, 50_000];
  const root = writeAgentTree(bench.freshPath('agents'), agentsCount, ['default', 'web']);
  const master = await bench.runningMaster(root, '');
  const workers: TestNode[] = [];
  await grow(bench, master, workers, workersCount, places);
  await everywhere([master, ...workers], ({ agents }) => agents.total === agentsCount);
  const share = agentsCount / workersCount;
  const agentsOf = (index: number) => numbers(share).map((id) => id + index * share);
  await Promise.all(
    workers.map((worker, index) => handOver(worker, agentsOf(index).map(firstReport))),
  );
  for (const worker of workers) await settled(worker);
  const steady = await reportSteadily(master, workers, agentsOf, isQuick ? 20 : 600);
  const change = await groupForAll(master, workers, agentsCount);
  return {
    title: 'Agents of a fleet',
    parts: [
      `${count(agentsCount)} agents report to ${workersCount} workers, each agent every ten ` +
      'seconds. CPU is that of the master; RSS and backlog are looked at in each tenth of the ' +
      'time.',
      steady,
      'One command gives a group to all agents; the time is until every worker has confirmed it.',
      change,
    ],
  };
}

/** Adds workers that are in step, up to such a number. */
async function grow(
  bench: Bench,
  master: TestNode,
  workers: TestNode[],
  workersCount: number,
  directory: string,
): Promise<void> {
  while (workers.length < workersCount) {
    const own = join(directory, `worker-${workers.length + 1}`);
    const place = { root: join(own, 'tree'), directory: join(own, 'state') };
    const worker = await bench.worker(master, {}, place);
    worker.launch();
    workers.push(worker);
  }
  const { generation } = await master.status();
  for (const worker of workers) await worker.inSync(generation!, stepLimitMs);
}

async function changeAll(master: TestNode, workers: readonly TestNode[], filesCount: number) {
  const before = (await master.status()).generation!;
  const words = wordsFrom(before);
  const watch = new DaemonWatch(master.daemon.pid);
  const startMs = performance.now();
  for (let index = 0; index < filesCount; index++) {
    const path = treePath(master.root, index);
    writeFileSync(path, treeText(words, `${path} ${before}`));
  }
  const timesMs = await arrivals(master, workers.length, { before, startMs });
  const { cpuMs, rssBytes } = await watch.end();
  const row = [
    count(workers.length),
    duration(Math.min(...timesMs)),
    duration(Math.max(...timesMs)),
    duration(cpuMs),
    duration(cpuMs / workers.length),
    size(rssBytes!),
  ];
  console.error(`  ${row.join(' | ')}`);
  // What was measured is that all of it arrived: nobody has to look while it is.
  assert.equal(await master.published(stepLimitMs), (await master.status()).generation);
  return { workersCount: workers.length, cpuMs, row };
}

/** When each worker had the last of the generations that follow one, ms after the start. */
async function arrivals(
  master: TestNode,
  workersCount: number,
  { before, startMs }: { readonly before: number; readonly startMs: number },
): Promise<number[]> {
  const timesMs = new Map<string, number>();
  let latest = before;
  for (let quietMs = startMs;;) {
    const { generation, peers } = await master.status();
    const nowMs = performance.now();
    if (nowMs - startMs > stepLimitMs) throw new Error(`Only ${timesMs.size} are in step`);
    if (generation !== latest) {
      latest = generation!;
      quietMs = nowMs;
      timesMs.clear();
    }
    for (const { node, in_sync: isInSync } of peers) {
      if (latest > before && isInSync === true && !timesMs.has(node)) {
        timesMs.set(node, nowMs - startMs);
      }
    }
    if (timesMs.size === workersCount && nowMs - quietMs > settledMs) return [...timesMs.values()];
    await pause(arrivalLookMs);
  }
}

function picture(
  found: readonly { readonly workersCount: number; readonly cpuMs: number }[],
): Picture {
  const title = 'Fan-out: CPU seconds of the master for each worker, over their number';
  const points = found.map(({ workersCount, cpuMs }) => ({
    x: workersCount,
    y: cpuMs / workersCount / 1000,
  }));
  return {
    fileName: 'fan-out.svg',
    alt: title,
    svg: lineChart({ title, lines: [{ name: 'muster', points }] }),
  };
}

async function reportSteadily(
  master: TestNode,
  workers: readonly TestNode[],
  agentsOf: (index: number) => readonly number[],
  seconds: number,
): Promise<Table> {
  const everyMs = 10_000;
  const rows: string[][] = [];
  const tenthMs = seconds * 100;
  const startMs = performance.now();
  let watch = new DaemonWatch(master.daemon.pid);
  let tenth = 1;
  for (let round = 0; performance.now() - startMs < seconds * 1000; round++) {
    for (const [index, worker] of workers.entries()) {
      await handOver(worker, agentsOf(index).map(keepalive));
      const dueMs = startMs + (round + (index + 1) / workers.length) * everyMs;
      await pause(Math.max(0, dueMs - performance.now()));
      if (performance.now() - startMs < tenth * tenthMs) continue;
      const { cpuMs } = await watch.end();
      watch = new DaemonWatch(master.daemon.pid);
      const backlogs = await Promise.all(
        workers.map(async (one) => (await one.status()).agents.unconfirmed),
      );
      rows.push([
        duration(tenth * tenthMs),
        `${(cpuMs / tenthMs * 100).toFixed(1)} %`,
        size(residentBytes(master.daemon.pid)!),
        size(Math.max(...workers.map((one) => residentBytes(one.daemon.pid)!))),
        count(backlogs.reduce((sum, one) => sum + one, 0)),
      ]);
      console.error(`  ${rows.at(-1)!.join(' | ')}`);
      tenth++;
    }
  }
  watch.stop();
  return {
    head: ['after', 'CPU of master', 'RSS of master', 'largest RSS of a worker', 'not confirmed'],
    rows,
  };
}

async function groupForAll(
  master: TestNode,
  workers: readonly TestNode[],
  agentsCount: number,
): Promise<Table> {
  const watch = new DaemonWatch(master.daemon.pid);
  const startMs = performance.now();
  await master.expect(0, 'groups', 'assign', 'web', '--all-agents');
  const assignedMs = performance.now() - startMs;
  for (const worker of workers) await hasGroup(worker, agentsCount);
  const confirmedMs = performance.now() - startMs;
  const { cpuMs } = await watch.end();
  return {
    head: ['', 'assigned', 'on all workers', 'CPU of master'],
    rows: [[
      `a group for ${count(agentsCount)} agents`,
      duration(assignedMs),
      duration(confirmedMs),
      duration(cpuMs),
    ]],
  };
}

async function everywhere(
  nodes: readonly TestNode[],
  isWanted: Parameters<TestNode['status']>[0],
): Promise<void> {
  await Promise.all(nodes.map((node) => node.status(isWanted, arrivalLimitMs)));
}

/** Waits until all agents have the group; not looking often, since each answer goes through all. */
async function hasGroup(worker: TestNode, agentsCount: number): Promise<void> {
  const endMs = performance.now() + arrivalLimitMs;
  for (;;) {
    const { body } = await control(worker.controlSocket, '/v1/groups/web');
    const { agents } = (body as GroupShowDocument).group;
    if (agents === agentsCount) return;
    if (performance.now() > endMs) {
      throw new Error(`Only ${agents} have the group on ${worker.name}`);
    }
    await pause(groupLookMs);
  }
}
