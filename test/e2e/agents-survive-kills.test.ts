/** Reports and groups while nodes are killed: what was accepted arrives, and all nodes agree. */
import assert from 'node:assert/strict';
import process from 'node:process';
import { test } from 'node:test';
import type { AgentsDocument, ReportDocument } from '../../src/node/agent-documents.ts';
import { SeededRandom } from '../sim/random.ts';
import { type Cluster, type TestNode, withCluster } from './cluster.ts';
import { control } from './control.ts';
import { pause, until } from './program.ts';
import { write } from './tree.ts';

const agentsCount = 200;
const stepsCount = 60;
const groups = ['default', 'web', 'db', 'edge'];

/** Nothing waits for its interval. */
const settings = {
  'local_integrity.interval': '500ms',
  'integrity.interval': '500ms',
  'agents.info_interval': '300ms',
  'agents.groups_interval': '500ms',
};

interface Run {
  readonly master: TestNode;
  readonly workers: readonly TestNode[];
  readonly random: SeededRandom;
  /** The last report of each agent that was accepted, and the last that was tried. */
  readonly accepted: Map<number, number>;
  readonly tried: Map<number, number>;
}

async function startRun(cluster: Cluster, random: SeededRandom): Promise<Run> {
  const master = await cluster.master({ settings });
  const lines = Array.from({ length: agentsCount }, (_, i) => `${i + 1} agent-${i + 1} any key\n`);
  write(master.path('etc/client.keys'), lines.join(''));
  for (const group of groups) {
    write(master.path(`etc/shared/${group}/agent.conf`), '<agent_config/>');
  }
  await master.start();
  const workers: TestNode[] = [];
  for (const name of ['worker-1', 'worker-2']) {
    const worker = await cluster.worker(master, name, { settings });
    await worker.start();
    workers.push(worker);
  }
  return { master, workers, random, accepted: new Map(), tried: new Map() };
}

/** An agent reports to the worker that it always reports to. */
async function report({ workers, random, accepted, tried }: Run): Promise<void> {
  const id = random.integer(1, agentsCount);
  const worker = workers[id % workers.length]!;
  const number = (tried.get(id) ?? 0) + 1;
  tried.set(id, number);
  const body = { id, os_version: String(number), connection_status: 'active' };
  const answer = await control(worker.controlSocket, '/v1/agents', body).catch(() => undefined);
  if ((answer?.body as ReportDocument | undefined)?.accepted === 1) accepted.set(id, number);
}

async function regroup({ master, random }: Run): Promise<void> {
  const ids = Array.from({ length: 5 }, () => random.integer(1, agentsCount));
  const verb = random.chance(0.6) ? 'assign' : 'unassign';
  const path = `/v1/groups/${random.pick(groups)}/${verb}`;
  await control(master.controlSocket, path, { ids }).catch(() => undefined);
}

/** Kills a node on the spot, and starts it again. */
async function killOne({ master, workers, random }: Run): Promise<void> {
  const node = random.pick([master, ...workers]);
  await node.crash();
  node.launch();
}

/** What a node says of the groups of every agent. */
async function groupsOf(node: TestNode): Promise<string> {
  const { body } = await control(node.controlSocket, `/v1/agents?limit=${agentsCount}`);
  const { agents } = body as AgentsDocument;
  return agents.map(({ id, groups: of }) => `${id}: ${of.join(',')}`).join('\n');
}

test('reports and groups survive kills of any node', async () => {
  const seed = Number(process.env['MUSTER_E2E_SEED'] ?? Date.now() % 100_000);
  await withCluster(async (cluster) => {
    const run = await startRun(cluster, new SeededRandom(seed));
    const { master, workers, accepted, tried } = run;
    for (let step = 0; step < stepsCount; step++) {
      await Promise.all([report(run), report(run), report(run), regroup(run)]);
      if (step % 6 === 5) await killOne(run);
      await pause(run.random.integer(0, 80));
    }
    // On a busy machine, nodes that were killed are away for most of the time.
    await until('many agents have reported', async () => {
      await report(run);
      return accepted.size > 50;
    });
    await until('the workers have the groups of the master', async () => {
      const wanted = await groupsOf(master).catch(() => undefined);
      const all = await Promise.all(workers.map((worker) => groupsOf(worker).catch(() => '')));
      return wanted !== undefined && all.every((one) => one === wanted);
    }, 60_000);
    assert.match(await groupsOf(master), /web/, 'groups were given');
    await until('the master has what was accepted', async () => {
      const { body } = await control(master.controlSocket, `/v1/agents?limit=${agentsCount}`);
      const stored = new Map(
        (body as AgentsDocument).agents.map((agent) => [Number(agent.id), agent]),
      );
      return [...accepted].every(([id, number]) => {
        const found = Number(stored.get(id)?.os_version ?? 0);
        return found >= number && found <= tried.get(id)!;
      });
    }, 30_000);
  }).catch((error: unknown) => {
    throw new Error(`With MUSTER_E2E_SEED=${seed}`, { cause: error });
  });
});
