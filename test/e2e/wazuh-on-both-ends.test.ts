/** muster as the master and as a worker of a Wazuh cluster, with restarts and kills on both sides. */
import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { test } from 'node:test';
import type { CheckDocument, SyncDocument } from '../../src/node/documents.ts';
import { encodeMessage, FrameDecoder } from '../../src/wazuh/frame.ts';
import { type Cluster, freePort, type TestNode, withCluster } from './cluster.ts';
import { writeSampleTree } from './sample-tree.ts';
import { filesBelow, write } from './tree.ts';
import { muster, until } from './program.ts';

const key = 'abcdef0123456789ABCDEF_123456789';

const quick = {
  'local_integrity.interval': '500ms',
  'integrity.interval': '1s',
  'agents.groups_interval': '1s',
  'agents.info_interval': '1s',
};

/** A running master with the sample tree, and a worker that is not started. */
async function openCluster(cluster: Cluster, prepare: (master: TestNode) => void = () => {}) {
  const listen = `127.0.0.1:${await freePort()}`;
  const master = await cluster.master({ settings: { ...quick, 'wazuh.listen': listen } });
  writeFileSync(`${master.directory}/wazuh.key`, key, { mode: 0o600 });
  await writeSampleTree(master.root);
  prepare(master);
  await master.start();
  const worker = cluster.wazuhWorker('wazuh-1', listen, key, { settings: quick });
  return { master, worker, listen };
}

/** Contents by path of what a Wazuh cluster keeps the same. */
function contentsOf(node: TestNode): Map<string, string> {
  const shared =
    /^etc\/(client\.keys$|rules\/|decoders\/|lists\/|shared\/)|^var\/multigroups\/.*merged\.mg$/;
  return new Map(
    [...filesBelow(node.root)]
      .filter(([path]) =>
        shared.test(path) && !/(~|\.tmp|\.lock|\.swp|ar\.conf|ossec\.conf)$/.test(path)
      )
      .map(([path, { hash }]) => [path, hash]),
  );
}

async function becomeEqual(master: TestNode, worker: TestNode): Promise<void> {
  const text = (node: TestNode) => JSON.stringify([...contentsOf(node)].sort(byPath));
  await until('both trees are equal', () => Promise.resolve(text(master) === text(worker)));
}

function byPath([left]: readonly [string, string], [right]: readonly [string, string]): number {
  return left < right ? -1 : 1;
}

/** Asks the local socket of a worker as programs do; what its master says. */
async function askWorker(worker: TestNode, command: string, text: string): Promise<string> {
  const socket = createConnection({ path: worker.path('queue/cluster/c-internal.sock') });
  const decoder = new FrameDecoder();
  socket.write(encodeMessage({ counter: 7, command, body: new TextEncoder().encode(text) })[0]!);
  for await (const chunk of socket) {
    for (const { counter, body } of decoder.push(chunk as Uint8Array)) {
      if (counter !== 7) return new TextDecoder().decode(body);
    }
  }
  throw new Error('No answer');
}

/** Whether a line of a log is an error that a master which is down does not explain. */
function isError(line: string): boolean {
  return line.includes('ERROR: ') && !line.includes('connection refused');
}

test('a worker follows its master through restarts and kills of either', async () => {
  await withCluster(async (cluster) => {
    const { master, worker } = await openCluster(cluster);
    await worker.start();
    await becomeEqual(master, worker);
    // Files become directories and directories files, with empty ones left in between.
    write(master.path('etc/rules/d/below/deep.xml'), 'deep\n');
    write(master.path('etc/rules/x'), 'a file\n');
    await becomeEqual(master, worker);
    for (const path of ['etc/rules/d', 'etc/rules/x']) {
      rmSync(master.path(path), { recursive: true });
    }
    write(master.path('etc/rules/d'), 'now a file\n');
    write(master.path('etc/rules/x/y.xml'), 'now a directory\n');
    await becomeEqual(master, worker);
    const steps = [
      () => master.stop(),
      () => worker.stop(),
      () => master.crash(),
      () => worker.crash(),
    ];
    for (const [i, end] of steps.entries()) {
      write(master.path(`etc/rules/step-${i}.xml`), `<group name="${i}"/>\n`);
      await end();
      write(master.path('etc/lists/changing'), `step:${i}\n`);
      rmSync(master.path(`etc/rules/step-${i - 1}.xml`), { force: true });
      if (!master.isRunning) await master.start();
      if (!worker.isRunning) await worker.start();
      await becomeEqual(master, worker);
    }
    await master.status(({ peers }) => peers.length === 1 && peers[0]?.in_sync === true);
    for (const node of [worker, master]) {
      assert.equal((await node.stop()).code, 143);
      assert.deepEqual(node.complaints().filter(isError), []);
    }
  });
});

test('a worker that comes again is let in, and one whose name is in use is not', async () => {
  await withCluster(async (cluster) => {
    const { master, worker, listen } = await openCluster(cluster);
    await worker.start();
    await becomeEqual(master, worker);
    const namesake = cluster.wazuhWorker('namesake', listen, key);
    writeFileSync(
      namesake.configFile,
      readFileSync(namesake.configFile, 'utf8').replace('"namesake"', '"wazuh-1"'),
    );
    const refused = await namesake.muster('sync', '--once');
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /Error 3028 - Worker node ID already exists: wazuh-1/);
    // As good as without power: its system still holds the connection, and nobody answers.
    worker.daemon.kill('SIGSTOP');
    await until('the dead connection is given up', async () => {
      const { code } = await namesake.muster('sync', '--once');
      return code === 0;
    });
    assert.deepEqual(contentsOf(namesake), contentsOf(master));
    worker.daemon.kill('SIGCONT');
    write(master.path('etc/rules/later.xml'), '<group name="later"/>\n');
    await becomeEqual(master, worker);
  });
});

test('agents and groups go their ways', async () => {
  await withCluster(async (cluster) => {
    const { master, worker } = await openCluster(cluster, (node) => {
      write(node.path('etc/client.keys'), '001 agent1 any k1\n002 agent2 any k2\n');
      write(node.path('etc/shared/web/agent.conf'), '<agent_config/>\n');
    });
    await worker.start();
    await becomeEqual(master, worker);
    await until('the worker knows its agents', async () => {
      const { total } = (await worker.status()).agents;
      return total === 2;
    });
    const report = '{"id":"001","os_name":"Debian","connection_status":"active","last_keepalive":' +
      `${Math.floor(Date.now() / 1000)}}\n`;
    const words = ['agents', 'report', '--dir', worker.directory];
    const ending = await muster(words, { ...worker.startOptions(), input: report });
    assert.equal(ending.code, 0, ending.stderr);
    await master.status(({ agents }) =>
      agents.by_node.some(({ node, active }) => node === 'wazuh-1' && active === 1)
    );
    await master.expect(0, 'groups', 'assign', 'web', '002');
    await until('the worker has the groups', async () => {
      const { stdout } = await worker.muster('agents', 'list', '--group', 'web');
      return stdout.includes('agent2');
    });
    const nodes = await askWorker(worker, 'get_nodes', '{"select": ["name"]}');
    assert.equal(nodes, '{"items": [{"name": "master-1"}, {"name": "wazuh-1"}], "totalItems": 2}');
    const daemon = await askWorker(worker, 'sendsync', '{"daemon_name": "authd", "message": {}}');
    assert.match(daemon, /^Error 3009/);
  });
});

test('one-shot commands look and synchronise, and say what is wrong', async () => {
  await withCluster(async (cluster) => {
    const { master, worker, listen } = await openCluster(cluster);
    const before = await worker.json<CheckDocument>(4, 'check');
    assert.ok(before.differences.length > 100);
    assert.equal(contentsOf(worker).size, 0);
    const synced = await worker.json<SyncDocument>(0, 'sync', '--once');
    assert.equal(synced.created, contentsOf(master).size);
    await becomeEqual(master, worker);
    await worker.json<CheckDocument>(0, 'check');
    await cluster.wazuhWorker('w2', listen, 'x'.repeat(32)).expect(8, 'sync', '--once');
    const other = cluster.wazuhWorker('w3', listen, key, { config: 'version = "4.14.6"\n' });
    await other.expect(9, 'sync', '--once');
    await master.status(({ peers }) => peers.length === 0);
  });
});
