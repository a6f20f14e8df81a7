/**
 * Whole nodes of a Wazuh cluster against others that mean harm: the master, the worker, and the local
 * socket of both, from fixed seeds.
 *
 * Whatever comes is answered, refused, or ends the connection. Nothing is written but what the sets
 * of files have a place for, nothing is left open, no defect shows, and who means well is served.
 * MUSTER_FUZZ_RUNS is how many frames there are in all.
 */
import assert from 'node:assert/strict';
import process from 'node:process';
import { test } from 'node:test';
import { AgentViews } from '../../src/agents/store/views.ts';
import { fromBytes, toBytes } from '../../src/base/bytes.ts';
import { fernetKeys } from '../../src/wazuh/fernet.ts';
import { defaultClusterJson } from '../../src/wazuh/cluster-json.ts';
import { LocalSocket } from '../../src/wazuh/local/local-socket.ts';
import { masterAnswers } from '../../src/wazuh/local/master-answers.ts';
import { nativeTelling } from '../../src/wazuh/master/telling.ts';
import { SyncedFiles } from '../../src/wazuh/synced-files.ts';
import type { LogRecord } from '../sim/log.ts';
import { localSocketPort } from '../sim/network-port.ts';
import { SimNode } from '../sim/node.ts';
import { SeededRandom } from '../sim/random.ts';
import type { World } from '../sim/world.ts';
import { dumpKey } from '../wazuh/dumps.ts';
import { fileOf, helloOf, MasterWorld } from '../wazuh/master/master-world.ts';
import { PlayedWorker } from '../wazuh/master/played-worker.ts';
import { PlayedMaster } from '../wazuh/worker/played-master.ts';
import { Assailant, type Guise } from './assailant.ts';

/** How many frames in all, and in one world. */
const runs = Number(process.env['MUSTER_FUZZ_RUNS'] ?? 6_000);
const episodeFrames = 1_000;

const keys = fernetKeys(dumpKey);

/** How many requests had a good reply, and how many had not. */
type Tally = Assailant['tally'];

/** Says things until a connection is over, or so many frames were said. */
async function pester(
  world: World,
  assailant: Assailant,
  tally: Tally,
  framesMax: number,
): Promise<number> {
  let count = 0;
  while (count < framesMax && !assailant.isOver) {
    const steps = Promise.all(Array.from({ length: 8 }, () => assailant.step()));
    for (const frames of await world.settle(steps)) count += frames;
  }
  tally.accepted += assailant.tally.accepted;
  tally.refused += assailant.tally.refused;
  return count;
}

/** Fails where a node has met with something that it did not foresee. */
function assertNoDefect(records: readonly LogRecord[], seed: string): void {
  const defect = /Cannot answer|is not a function|is not iterable|undefined|Invariant|RangeError/;
  const found = records.filter(({ text }) => defect.test(text)).map(({ text }) => text);
  assert.deepEqual(found, [], seed);
}

/** Runs episodes, each in a world of its own, until all frames were said. */
async function inEpisodes(
  label: string,
  framesCount: number,
  episode: (random: SeededRandom, seed: string, tally: Tally) => Promise<number>,
): Promise<void> {
  const tally = { accepted: 0, refused: 0 };
  for (let [said, number] = [0, 1]; said < framesCount; number++) {
    const seed = `${label} ${number}`;
    const count = await episode(new SeededRandom(seed), seed, tally);
    assert.ok(count > 0, seed);
    said += count;
  }
  const least = framesCount / 10;
  assert.ok(tally.accepted > least && tally.refused > least, JSON.stringify(tally));
}

test('a master outlives workers and programs that mean harm, and serves a good worker', async () => {
  await inEpisodes('fuzz wazuh master', runs / 2, async (random, seed, tally) => {
    const all = await MasterWorld.open();
    await all.publish({ 'etc/rules/a.xml': fileOf('a'), 'etc/client.keys': fileOf('k') });
    all.register('agent1', 'agent2', 'agent3');
    await all.assign({ 1: 'default' });
    const before = [...all.node.operator.snapshot().keys()];
    const { log, ...ports } = all.node.ports();
    const answerPorts = {
      view: () => Promise.resolve(all.view()),
      published: () => all.master.published.latest.value,
      views: new AgentViews(ports),
      tell: nativeTelling(log),
      section: {},
    };
    const socket = new LocalSocket(
      { ...ports, log },
      (client) => masterAnswers(answerPorts, client),
    );
    const accept = socket.accept.bind(socket);
    const listening = ports.plainNetwork.listenLocal('socket', accept);
    const listener = await all.settle(listening);
    const bad = new SimNode(all.world, all.network, { name: 'bad' });
    const dial = async (port: number, guise: Guise) => {
      const { signal } = new AbortController();
      const dialling = bad.ports().plainNetwork.connect(`master:${port}`, { signal });
      const stream = await all.settle(dialling);
      const known = guise === 'local' ? undefined : keys;
      return new Assailant({ ports: bad.ports(), stream, random, guise, keys: known });
    };
    let said = 0;
    while (said < episodeFrames) {
      const isLocal = random.chance(0.2);
      const assailant = await dial(isLocal ? localSocketPort : 1516, isLocal ? 'local' : 'worker');
      if (!isLocal && random.chance(0.9)) {
        await all.settle(assailant.connection.request('hello', helloOf('w1')).catch(() => {}));
      }
      said += await pester(all.world, assailant, tally, random.integer(20, 200));
      assailant.connection.close();
      await all.until(() => all.master.peers.size === 0, 10_000);
    }
    const good = await PlayedWorker.join(all, 'w2');
    assert.ok((await good.check(new Map()))?.orders.missing.has('etc/rules/a.xml'), seed);
    assert.deepEqual([...all.node.operator.snapshot().keys()], before, seed);
    assertNoDefect(all.node.records, seed);
    socket.close();
    await all.settle(listener.close());
    await all.finish();
    return said;
  });
});

test('a worker outlives a master and programs that mean harm, and follows a good master', async () => {
  const synced = new SyncedFiles(defaultClusterJson);
  const outside = { 'etc/ossec.conf': 'own', 'bin/program': 'own' };
  await inEpisodes('fuzz wazuh worker', runs / 2, async (random, seed, tally) => {
    const all = new PlayedMaster();
    all.write('etc/rules/a.xml', 'a');
    all.write('etc/shared/web/agent.conf', 'b');
    for (const [path, text] of Object.entries(outside)) all.worker.operator.write(path, text);
    await all.listen();
    all.startWorker();
    const bad = new SimNode(all.world, all.network, { name: 'bad' });
    let said = 0;
    while (said < episodeFrames) {
      const isConnected = () => all.connection?.signal.aborted === false;
      await all.world.run({ until: isConnected, limitMs: 20_000, what: 'the worker comes back' });
      if (random.chance(0.2)) {
        const { signal } = new AbortController();
        const address = `worker1:${localSocketPort}`;
        const dialling = bad.ports().plainNetwork.connect(address, { signal });
        const stream = await all.world.settle(dialling);
        const own = {
          ports: bad.ports(),
          stream,
          random,
          guise: 'local',
          keys: undefined,
        } as const;
        const program = new Assailant(own);
        said += await pester(all.world, program, tally, 50);
        program.connection.close();
        continue;
      }
      const ports = all.master.ports();
      const stream = all.streams.at(-1)!;
      const { connection } = all;
      const own = { ports, stream, connection, random, guise: 'master', keys } as const;
      const assailant = new Assailant(own);
      // What the worker lacks then comes with other contents, names and orders.
      all.write('etc/rules/b.xml', `${said}`);
      all.changes.archive = ({ members, table }) => ({
        members: new Map(
          [...members].map(([path, content]) => [
            random.chance(0.2) ? fromBytes(assailant.damaged(toBytes(path))) : path,
            random.chance(0.3) ? assailant.damaged(content) : content,
          ]),
        ),
        table: random.chance(0.5) ? assailant.damaged(table) : table,
      });
      said += await pester(all.world, assailant, tally, random.integer(20, 200));
      await all.world.run({ forMs: random.integer(0, 4_000) });
    }
    // What was done under false orders, and stopped by a guard, the good master puts right.
    delete all.changes.archive;
    all.tree.delete('etc/rules/b.xml');
    all.connection?.close();
    await all.world.run({ forMs: 5_000 });
    all.node?.approve(undefined);
    const isEqual = () => {
      const { ...tree } = all.workerTree();
      for (const path of Object.keys(outside)) delete tree[path];
      return JSON.stringify(tree) === '{"etc/rules/a.xml":"a","etc/shared/web/agent.conf":"b"}';
    };
    await all.world.run({
      until: isEqual,
      limitMs: 120_000,
      what: `the trees are equal (${seed})`,
    });
    const tree = all.workerTree();
    for (const [path, text] of Object.entries(outside)) assert.equal(tree[path], text, seed);
    for (const path of Object.keys(tree)) {
      assert.ok(
        Object.hasOwn(outside, path) || synced.keyOf(path) !== undefined,
        `${seed}: ${path}`,
      );
    }
    assertNoDefect(all.worker.records, seed);
    await all.stop();
    return said;
  });
});
