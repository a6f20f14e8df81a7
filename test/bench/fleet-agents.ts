/** The agents of many workers: what their reports cost the master, and a group for all of them. */
import { join } from 'node:path';
import { rmSync } from 'node:fs';
import process from 'node:process';
import type { GroupShowDocument } from '../../src/node/agent-documents.ts';
import { control } from '../e2e/control.ts';
import type { TestNode } from '../e2e/cluster.ts';
import { pause } from '../e2e/program.ts';
import { grow, memory } from './fleet.ts';
import type { Bench, Case, Section } from './harness.ts';
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

/** Pause between two looks at the groups of a worker, ms. */
const groupLookMs = 250;

export const fleetAgents: Case = {
  name: 'fleet-agents',
  summary: 'agents of 25 workers that report all the time, and a group for all of them',
  isLong: true,
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

// ---

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
