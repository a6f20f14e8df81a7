/** What it costs to bring to the master what many agents report. */
import type { TestNode } from '../e2e/cluster.ts';
import { pause } from '../e2e/program.ts';
import { type Bench, bytesExchanged, type Case, startInStep } from './harness.ts';
import { DaemonWatch } from './processes.ts';
import {
  arrivalLimitMs,
  changed,
  firstReport,
  handOver,
  keepalive,
  numbers,
  settled,
  writeAgentTree,
} from './reports.ts';
import { count, duration, size, type Table } from './table.ts';

/** Keep-alives of one second. */
const keepalivesPerSecond = 10_000;

export const agents: Case = {
  name: 'agents',
  summary: 'reports of many agents, from a worker to the master',
  run: async (bench) => {
    const agentsCount = bench.options.isQuick ? 2_000 : 100_000;
    const master = await bench.runningMaster(
      writeAgentTree(bench.freshPath('agents'), agentsCount),
      '',
    );
    const worker = await bench.worker(master);
    await startInStep(worker, master);
    for (const node of [master, worker]) {
      await node.status((status) => status.agents.total === agentsCount, arrivalLimitMs);
    }
    const measured = new Measured(master, worker);
    const reports = numbers(agentsCount).map(firstReport);
    const rows = [
      await measured.row(
        `${count(agentsCount)} first reports`,
        () => reported(worker, master, agentsCount, reports),
      ),
      await measured.row(
        `${count(agentsCount)} keep-alives`,
        () => reported(worker, master, 0, numbers(agentsCount).map(keepalive)),
      ),
      await measured.row(
        'one changed of each hundred',
        () => reported(worker, master, 0, numbers(agentsCount, 100).map(changed)),
      ),
      ...await sustained(bench, measured, worker, agentsCount),
    ];
    await bench.stopNodes();
    return {
      title: 'Agents',
      parts: [
        `${count(agentsCount)} agents report to one worker over its control socket, one line of ` +
        'JSON each. The time is from the first line handed over to the moment in which the master ' +
        'has committed, and the worker has heard so of, all of them; "handed over" is when the ' +
        'worker had accepted the last line. The longest hold of the event loop is that since the ' +
        'start of the process.',
        { head, rows },
      ],
    };
  },
};

const head = [
  '',
  'handed over',
  'all confirmed',
  'CPU of worker',
  'CPU of master',
  'peak RSS of worker',
  'peak RSS of master',
  'on the wire',
  'longest hold',
];

interface Reported {
  readonly acceptedMs: number;
  readonly confirmedMs: number;
}

/** Measures what the daemons take meanwhile. */
class Measured {
  readonly #master: TestNode;
  readonly #worker: TestNode;

  constructor(master: TestNode, worker: TestNode) {
    this.#master = master;
    this.#worker = worker;
  }

  async row(name: string, work: () => Promise<Reported>): Promise<Table['rows'][number]> {
    const nodes = [this.#worker, this.#master];
    const watches = nodes.map((node) => new DaemonWatch(node.daemon.pid));
    const startBytes = await bytesExchanged(this.#master);
    const { acceptedMs, confirmedMs } = await work();
    const [worker, master] = await Promise.all(watches.map((watch) => watch.end()));
    const bytes = await bytesExchanged(this.#master) - startBytes;
    const holds = await Promise.all(nodes.map(async (node) => {
      const { longest_loop_hold_ms: holdMs } = await node.status();
      return duration(holdMs);
    }));
    return [
      name,
      duration(acceptedMs),
      duration(confirmedMs),
      duration(worker!.cpuMs),
      duration(master!.cpuMs),
      size(worker!.rssBytes!),
      size(master!.rssBytes!),
      size(bytes),
      holds.join(' / '),
    ];
  }
}

/** Many keep-alives every second, for a while. */
async function sustained(
  bench: Bench,
  measured: Measured,
  worker: TestNode,
  agentsCount: number,
): Promise<Table['rows']> {
  const seconds = bench.options.isQuick ? 3 : 30;
  const perSecond = Math.min(keepalivesPerSecond, agentsCount);
  const name = `${count(perSecond)} keep-alives a second for ${seconds} s`;
  const row = await measured.row(name, async () => {
    const startMs = performance.now();
    for (let second = 0; second < seconds; second++) {
      const from = second * perSecond % agentsCount;
      const lines = Array.from({ length: perSecond }, (_, i) => keepalive(from + i + 1));
      await handOver(worker, lines);
      await pause(Math.max(0, startMs + (second + 1) * 1000 - performance.now()));
    }
    const acceptedMs = performance.now() - startMs;
    await settled(worker);
    return { acceptedMs, confirmedMs: performance.now() - startMs };
  });
  return [row];
}

/** Hands reports over and waits until the master has them. */
async function reported(
  worker: TestNode,
  master: TestNode,
  activeCount: number,
  lines: readonly string[],
): Promise<Reported> {
  const startMs = performance.now();
  await handOver(worker, lines);
  const acceptedMs = performance.now() - startMs;
  await settled(worker);
  const confirmedMs = performance.now() - startMs;
  const { agents: { by_status: counts } } = await master.status();
  if (counts.active < activeCount) throw new Error(`Only ${counts.active} agents have arrived`);
  return { acceptedMs, confirmedMs };
}
