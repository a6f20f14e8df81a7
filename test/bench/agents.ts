/** What it costs to bring to the master what many agents report. */
import { request } from 'node:http';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestNode } from '../e2e/cluster.ts';
import { pause } from '../e2e/program.ts';
import { type Bench, bytesExchanged, type Case, startInStep } from './harness.ts';
import { DaemonWatch } from './processes.ts';
import { count, duration, size, type Table } from './table.ts';

/** A worker that has not brought its agents to the master by then never does, ms. */
const arrivalLimitMs = 120_000;

/** Pause between two looks at the master, ms: each of them costs it something. */
const lookMs = 100;

/** Keep-alives of one second. */
const keepalivesPerSecond = 10_000;

export const agents: Case = {
  name: 'agents',
  summary: 'reports of many agents, from a worker to the master',
  run: async (bench) => {
    const agentsCount = bench.options.isQuick ? 2_000 : 100_000;
    const master = await bench.runningMaster(agentTree(bench, agentsCount), '');
    const worker = await bench.worker(master);
    await startInStep(worker, master);
    for (const node of [master, worker]) {
      await node.status((status) => status.agents.total === agentsCount, arrivalLimitMs);
    }
    const measured = new Measured(master, worker);
    const reports = numbers(agentsCount, 1).map((id) => firstReport(id, now()));
    const rows = [
      await measured.row(
        `${count(agentsCount)} first reports`,
        () => reported(worker, master, agentsCount, reports),
      ),
      await measured.row(
        `${count(agentsCount)} keep-alives`,
        () =>
          reported(worker, master, 0, numbers(agentsCount, 1).map((id) => keepalive(id, now()))),
      ),
      await measured.row(
        'one changed of each hundred',
        () =>
          reported(worker, master, 0, numbers(agentsCount, 100).map((id) => changed(id, now()))),
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
      const lines = Array.from({ length: perSecond }, (_, i) => keepalive(from + i + 1, now()));
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

async function settled(worker: TestNode): Promise<void> {
  const endMs = performance.now() + arrivalLimitMs;
  while ((await worker.status()).agents.unconfirmed > 0) {
    if (performance.now() > endMs) throw new Error('The reports did not arrive at the master');
    await pause(lookMs);
  }
}

/** Posts lines as any program can; all of them must be accepted. */
function handOver(worker: TestNode, lines: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/x-ndjson', connection: 'close' };
    const options = {
      socketPath: worker.controlSocket,
      path: '/v1/agents',
      method: 'POST',
      headers,
    };
    const call = request(options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.on('end', () => {
        const { accepted } = JSON.parse(text) as { accepted?: number };
        if (accepted === lines.length) resolve();
        else reject(new Error(`Not all reports were accepted: ${text.slice(0, 300)}`));
      });
    });
    call.on('error', reject);
    call.end(`${lines.join('\n')}\n`);
  });
}

function agentTree(bench: Bench, agentsCount: number): string {
  const root = bench.freshPath('agents');
  mkdirSync(join(root, 'etc/shared/default'), { recursive: true });
  writeFileSync(join(root, 'etc/shared/default/agent.conf'), '<agent_config>\n</agent_config>\n');
  const key = '0123456789abcdef'.repeat(4);
  const lines = numbers(agentsCount, 1).map((id) => `${text(id)} ${nameOf(id)} any ${key}\n`);
  writeFileSync(join(root, 'etc/client.keys'), lines.join(''));
  return root;
}

function numbers(last: number, step: number): number[] {
  return Array.from({ length: Math.floor(last / step) }, (_, i) => (i + 1) * step);
}

const text = (id: number) => String(id).padStart(3, '0');
const nameOf = (id: number) => `agent-${id}`;
const now = () => Math.floor(Date.now() / 1000);

function firstReport(id: number, seconds: number): string {
  return JSON.stringify({
    id,
    name: nameOf(id),
    ip: `10.${id >> 16 & 255}.${id >> 8 & 255}.${id & 255}`,
    version: 'Wazuh v4.14.7',
    os_name: 'Debian GNU/Linux',
    os_version: '12',
    os_major: '12',
    os_codename: 'bookworm',
    os_platform: 'debian',
    os_uname: `Linux |${nameOf(id)} |6.1.0-18-amd64 |#1 SMP PREEMPT_DYNAMIC |x86_64`,
    os_arch: 'x86_64',
    config_sum: 'ab73af41699f13fdd81903b5f23d8d00',
    merged_sum: 'f8d49771911ed9d5c45b03a40babd065',
    labels: { environment: 'production', rack: `r${id % 50}` },
    connection_status: 'active',
    last_keepalive: seconds - 1,
  });
}

const keepalive = (id: number, seconds: number) =>
  JSON.stringify({ id, last_keepalive: seconds, connection_status: 'active' });

const changed = (id: number, seconds: number) =>
  JSON.stringify({ id, last_keepalive: seconds + 1, version: 'Wazuh v4.14.8' });
