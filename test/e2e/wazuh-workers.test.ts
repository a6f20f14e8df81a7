/** A master that native and Wazuh workers are connected to at the same time. */
import assert from 'node:assert/strict';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { test } from 'node:test';
import type { NodesDocument } from '../../src/node/documents.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createHashing } from '../../src/runtime/hashing.ts';
import { createPlainNetwork } from '../../src/runtime/plain-net.ts';
import { systemRandom } from '../../src/runtime/random.ts';
import { createSymmetricCrypto } from '../../src/runtime/symmetric-crypto.ts';
import { createZlib } from '../../src/runtime/zlib.ts';
import { Connection } from '../../src/wazuh/connection.ts';
import { fernetKeys } from '../../src/wazuh/fernet.ts';
import { encodeMessage, FrameDecoder } from '../../src/wazuh/frame.ts';
import type { FileRow, FileTable } from '../../src/wazuh/file-table.ts';
import { PlayedWorker, type Stage } from '../wazuh/master/played-worker.ts';
import { freePort, type TestNode, withCluster } from './cluster.ts';
import { until } from './program.ts';
import { filesBelow, write } from './tree.ts';

const key = '0123456789abcdef0123456789abcdef';
const hashing = await createHashing();
const zlib = createZlib();
const log = { log: () => {}, child: () => log };

/** A place for Wazuh workers on this machine. */
function stageAt(address: string, clusterKey = key): Stage {
  const network = createPlainNetwork({ log, clock: systemClock });
  return {
    zlib,
    settle: (promise) => promise,
    until: async (condition, limitMs) => {
      await until('what a Wazuh worker waits for', () => Promise.resolve(condition()), limitMs);
    },
    join: async (node, answers) => {
      const { signal } = new AbortController();
      const connection = new Connection({
        stream: await network.connect(address, { signal }),
        clock: systemClock,
        random: systemRandom,
        log,
        primitives: createSymmetricCrypto(),
        keys: fernetKeys(clusterKey),
        peerRole: 'master',
        answers: new Map(answers),
      });
      const version = '4.14.7';
      await connection.request('hello', { node, cluster: 'wazuh', nodeType: 'worker', version });
      return connection;
    },
  };
}

/** A file table of some contents. */
function tableOf(contents: ReadonlyMap<string, Uint8Array>): FileTable {
  const table = new Map<string, FileRow>();
  for (const [path, content] of contents) {
    const setKey = path === 'etc/client.keys'
      ? 'etc/'
      : `${path.split('/').slice(0, 2).join('/')}/`;
    const hash = hashing.digest('blake2b', content);
    table.set(path, { setKey, mtimeS: 1, hash, isMerged: false });
  }
  return table;
}

/** Synchronises a worker's contents once. */
async function synchronise(
  worker: PlayedWorker,
  contents: Map<string, Uint8Array>,
): Promise<boolean> {
  await until('permission', () => worker.permission());
  const sync = await worker.check(tableOf(contents));
  for (const [path, content] of sync?.members ?? []) contents.set(path, content);
  for (const path of sync?.orders.extra.keys() ?? []) contents.delete(path);
  return sync === undefined;
}

/** Asks the local socket, as the programs of an installation do. */
async function askLocally(master: TestNode, command: string, body: string): Promise<unknown> {
  const socket = createConnection({ path: master.path('queue/cluster/c-internal.sock') });
  const decoder = new FrameDecoder();
  socket.write(encodeMessage({ counter: 7, command, body: new TextEncoder().encode(body) })[0]!);
  for await (const chunk of socket) {
    for (const frame of decoder.push(chunk as Uint8Array)) {
      assert.equal(frame.command, 'ok');
      return JSON.parse(new TextDecoder().decode(frame.body));
    }
  }
  throw new Error('No answer');
}

test('native and Wazuh workers see the same files, agents and groups', async () => {
  await withCluster(async (cluster) => {
    const listen = `127.0.0.1:${await freePort()}`;
    const master = await cluster.master({
      settings: {
        'wazuh.listen': listen,
        'agents.groups_interval': '1s',
        'local_integrity.interval': '500ms',
      },
    });
    writeFileSync(`${master.directory}/wazuh.key`, `${key}\n`, { mode: 0o600 });
    write(master.path('etc/client.keys'), '001 agent1 any k1\n002 agent2 any k2\n');
    write(master.path('etc/rules/local.xml'), '<group name="local"/>\n');
    write(master.path('etc/lists/large'), 'x'.repeat(300_000));
    write(master.path('etc/shared/web/agent.conf'), '<agent_config/>\n');
    write(master.path('etc/shared/default/agent.conf'), '<agent_config/>\n');
    await master.start();
    const native = await cluster.worker(master, 'native-1');
    await native.start();
    const worker = await PlayedWorker.join(stageAt(listen), 'wazuh-1');
    const contents = new Map([['etc/rules/only-here.xml', new Uint8Array(3)]]);

    assert.equal(await synchronise(worker, contents), false);
    assert.equal(await synchronise(worker, contents), true);
    const native1 = await native.inSync((await master.status()).generation!);
    assert.equal(native1.files, contents.size);
    for (const path of filesBelow(master.root).keys()) {
      if (path.startsWith('queue/')) continue;
      assert.deepEqual(contents.get(path), new Uint8Array(readFileSync(master.path(path))), path);
    }

    write(master.path('etc/rules/new.xml'), '<group name="new"/>\n');
    rmSync(master.path('etc/lists/large'));
    await master.published();
    await until('the Wazuh worker follows', async () => {
      const isInStep = await synchronise(worker, contents);
      return isInStep && contents.has('etc/rules/new.xml') && !contents.has('etc/lists/large');
    });

    await worker.tell(JSON.stringify({
      chunks: {
        syncreq: [{
          id: 1,
          name: 'agent1',
          os_name: 'Ubuntu',
          connection_status: 'active',
          last_keepalive: Math.floor(Date.now() / 1000),
        }],
      },
    }));
    const { agents } = await master.status(({ agents: seen }) =>
      seen.by_node.some(({ node, active }) => node === 'wazuh-1' && active === 1)
    );
    assert.equal(agents.total, 2);
    await master.expect(0, 'groups', 'assign', 'web', '1');
    await until(
      'the groups come',
      () => Promise.resolve(worker.strings.some(([, text]) => text.includes('web'))),
    );

    const { peers } = await master.status(({ peers: seen }) => seen.length === 2);
    assert.deepEqual(peers.map(({ node, protocol }) => [node, protocol]), [
      ['native-1', 'native'],
      ['wazuh-1', 'wazuh'],
    ]);
    const { nodes } = await master.json<NodesDocument>(0, 'nodes');
    const seen = nodes.find(({ name }) => name === 'wazuh-1');
    assert.equal(seen?.protocol, 'wazuh');
    assert.equal(seen?.certificate_expires, null);
    assert.deepEqual(await askLocally(master, 'get_nodes', '{}'), {
      items: [
        { name: 'master-1', type: 'master', version: '4.14.7', ip: '127.0.0.1' },
        { name: 'wazuh-1', type: 'worker', version: '4.14.7', ip: '127.0.0.1' },
        { name: 'native-1', type: 'worker', version: peers[0]?.version, ip: '127.0.0.1' },
      ],
      totalItems: 3,
    });
    const section = await askLocally(master, 'get_config', '');
    assert.ok(!JSON.stringify(section).includes(key));
    worker.connection.close();
    await master.status(({ peers: left }) => left.length === 1);
    assert.deepEqual(master.complaints(), []);
    assert.equal(statSync(`${master.directory}/wazuh.key`).mode & 0o077, 0);
  });
});

test('a Wazuh worker with a wrong key or a taken name is turned away', async () => {
  await withCluster(async (cluster) => {
    const listen = `127.0.0.1:${await freePort()}`;
    const master = await cluster.master({ settings: { 'wazuh.listen': listen } });
    writeFileSync(`${master.directory}/wazuh.key`, key, { mode: 0o600 });
    await master.start();
    const native = await cluster.worker(master, 'worker-1');
    await native.start();
    await master.status(({ peers }) => peers.length === 1);
    await assert.rejects(
      PlayedWorker.join(stageAt(listen, 'x'.repeat(32)), 'w1'),
      { code: 'unreachable' },
    );
    await assert.rejects(PlayedWorker.join(stageAt(listen), 'worker-1'), /Error 3028/);
    await PlayedWorker.join(stageAt(listen), 'w1');
    const { peers } = await master.status(({ peers: seen }) => seen.length === 2);
    assert.equal(peers[1]?.node, 'w1');
  });
});

test('a master for Wazuh workers without a key does not start', async () => {
  await withCluster(async (cluster) => {
    const master = await cluster.master({
      settings: { 'wazuh.listen': `127.0.0.1:${await freePort()}` },
    });
    const ending = await master.launch().ended;
    assert.equal(ending.code, 3);
    assert.match(ending.stderr, /cluster key is missing/);
  });
});
