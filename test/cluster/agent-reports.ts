/**
 * The scenario of agent-info: agents report to workers, move between them, come and go, under faults
 * of every kind. What a worker has accepted reaches the master, and nothing older replaces it.
 */
import type { AgentId } from '../../src/agents/agent.ts';
import type { SimNode } from '../sim/node.ts';
import type { SeededRandom } from '../sim/random.ts';
import type { World } from '../sim/world.ts';
import { baseConfig, SimCluster } from './sim-cluster.ts';

const troubleMs = 60_000;
const settledMs = 60_000;

/** An agent that moves reports to nobody for so long: as one does that connects elsewhere. */
const moveMs = 3_000;

const config = `${baseConfig}\n[agents]\ninfo_interval = "2s"\n`;

/** What is known of an agent outside of the cluster. */
interface Agent {
  readonly id: AgentId;
  worker: SimNode;
  isRegistered: boolean;
  /** It was registered and is no more; it does not come back. */
  isRemoved: boolean;
  /** The master knew it: of one that came and went while it was down nobody can be told. */
  isRemovedFromMaster: boolean;
  /** Reports count up; the last that was tried, and the last that was accepted. */
  tried: number;
  accepted: number;
  lastMs: number;
}

/** Runs a cluster whose agents report all the time. */
export async function agentReports(world: World): Promise<void> {
  const cluster = new SimCluster(world, { workersCount: 3, config, link: { fragmentShare: 0.2 } });
  const random = world.random.fork('agents');
  const agents = Array.from({ length: 40 }, (_, i): Agent => ({
    id: i + 1,
    worker: random.pick(cluster.workers),
    isRegistered: random.chance(0.7),
    isRemoved: false,
    isRemovedFromMaster: false,
    tried: 0,
    accepted: 0,
    lastMs: -moveMs,
  }));
  for (const node of [cluster.master, ...cluster.workers]) {
    node.jumpClock(random.between(-3_600_000, 3_600_000));
  }
  writeKeys(cluster, agents);
  cluster.start();
  for (let atMs = 500; atMs < troubleMs; atMs += random.between(5, 200)) {
    world.at(atMs, 'report', () => report(cluster, random.pick(agents), random));
  }
  for (let atMs = 500; atMs < troubleMs; atMs += random.between(50, 3000)) {
    world.at(atMs, 'agent trouble', () => random.pick(troubles)(cluster, agents, random));
  }
  await world.run({ untilMs: troubleMs });
  endTrouble(cluster, agents);
  await world.run({
    until: () => wrongs(cluster, agents).length === 0,
    limitMs: settledMs,
    what: 'the master knows what was accepted',
  }).catch((error: unknown) => {
    throw new Error(wrongs(cluster, agents).slice(0, 10).join('\n'), { cause: error });
  });
  await world.run({ forMs: 10_000 });
  const later = wrongs(cluster, agents);
  if (later.length > 0) throw new Error(`Wrong again: ${later.join('; ')}`);
  await world.stop();
}

function report(cluster: SimCluster, agent: Agent, random: SeededRandom): void {
  const { world } = cluster;
  if (random.chance(0.1) && world.nowMs - agent.lastMs > moveMs) {
    agent.worker = random.pick(cluster.workers);
  }
  if (!agent.worker.isRunning) return;
  const node = cluster.running.get(agent.worker.name);
  if (node === undefined) return;
  agent.lastMs = world.nowMs;
  const number = ++agent.tried;
  const facts = {
    os_version: String(number),
    last_keepalive: Math.floor(agent.worker.host.nowMs() / 1000),
  };
  // Where the worker dies meanwhile it has not accepted it.
  void Promise.resolve()
    .then(() => node.agents.report([{ id: agent.id, facts }]))
    .then((problems) => {
      if (problems.length === 0) agent.accepted = Math.max(agent.accepted, number);
    }, () => {});
}

function endTrouble(cluster: SimCluster, agents: readonly Agent[]): void {
  cluster.network.heal();
  for (const node of [cluster.master, ...cluster.workers]) {
    if (!node.isRunning) restart(cluster, node);
  }
  writeKeys(cluster, agents);
}

/** In what the tables of the nodes are not what they should be. */
function wrongs(cluster: SimCluster, agents: readonly Agent[]): string[] {
  if (cluster.running.size <= cluster.workers.length) return ['not all nodes have started'];
  const { registrations, facts } = cluster.masterNode.agents.parts;
  return agents.flatMap(({ id, isRegistered, isRemovedFromMaster, accepted, tried }) => {
    if (!isRegistered) {
      const holders = [...cluster.running].filter(([, node]) =>
        node.agents.parts.registrations.existence(id) === 'registered' ||
        // A worker keeps what it has of an agent that nobody knows yet.
        (isRemovedFromMaster || node === cluster.masterNode) &&
          node.agents.parts.facts.get(id) !== undefined
      );
      return holders.map(([name]) => `${name} still has agent ${id}`);
    }
    if (registrations.existence(id) !== 'registered') return [`agent ${id} is not registered`];
    const known = Number(facts.get(id)?.data.os_version ?? 0);
    return known >= accepted && known <= tried
      ? []
      : [`agent ${id} has report ${known}, accepted was ${accepted} of ${tried}`];
  });
}

function writeKeys(cluster: SimCluster, agents: readonly Agent[]): void {
  const lines = agents.filter(({ isRegistered }) => isRegistered)
    .map(({ id }) => `${String(id).padStart(3, '0')} agent-${id} any key\n`);
  cluster.master.operator.write('etc/client.keys', lines.join(''), { isReplacing: true });
}

/** Whether the master has an agent registered, running or not. */
function isKnown({ master }: SimCluster, { id }: Agent): boolean {
  const row = master.ports().database.prepare('SELECT source FROM registration WHERE id = ?')
    .get(id);
  return row !== undefined && row['source'] !== 'removed';
}

type Trouble = (cluster: SimCluster, agents: readonly Agent[], random: SeededRandom) => void;

const troubles: readonly Trouble[] = [
  (cluster, agents, random) => {
    const agent = random.pick(agents);
    if (agent.isRemoved || agent.isRegistered && random.chance(0.7)) return;
    agent.isRemoved = agent.isRegistered;
    agent.isRemovedFromMaster = agent.isRemoved && isKnown(cluster, agent);
    agent.isRegistered = !agent.isRegistered;
    writeKeys(cluster, agents);
  },
  (cluster, _, random) => restart(cluster, random.pick(cluster.workers)),
  (cluster, _, random) => kill(cluster, random.pick(cluster.workers), random),
  (cluster, _, random) => {
    if (random.chance(0.5)) kill(cluster, cluster.master, random);
  },
  ({ network, workers }, _, random) => network.cut('master', random.pick(workers).name),
  ({ network, workers }, _, random) => network.stall('master', random.pick(workers).name),
  ({ network, workers }, _, random) => network.reset('master', random.pick(workers).name),
  ({ network }) => network.heal(),
  ({ network }) => network.heal(),
];

/** Starts a machine's program anew; the one before can be asked nothing any more. */
function restart(cluster: SimCluster, node: SimNode): void {
  cluster.running.delete(node.name);
  node.restart();
}

function kill(cluster: SimCluster, node: SimNode, random: SeededRandom): void {
  cluster.running.delete(node.name);
  node.kill();
  node.world.after(random.between(10, 3000), `start of ${node.name}`, () => {
    if (!node.isRunning) restart(cluster, node);
  });
}
