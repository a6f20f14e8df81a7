/** A worker that an installation of Wazuh describes alone, with the database of that installation. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { CheckDocument, SyncDocument } from '../../src/node/documents.ts';
import { freePort, withCluster } from './cluster.ts';
import type { StatusDocument } from '../../src/node/documents.ts';
import { muster, Program, until } from './program.ts';
import { filesBelow, write } from './tree.ts';

const key = 'abcdef0123456789ABCDEF_123456789';

function section(port: string, nodeKey: string, type: 'master' | 'worker' = 'worker'): string {
  const name = type === 'master' ? 'master' : 'wazuh-1';
  return `<ossec_config><cluster>
  <name>wazuh</name><node_name>${name}</node_name><node_type>${type}</node_type>
  <key>${nodeKey}</key><port>${port}</port><nodes><node>127.0.0.1</node></nodes>
  <disabled>no</disabled>
</cluster></ossec_config>
`;
}

test('an installation alone makes a worker, whose agents its database tells', async () => {
  await withCluster(async (cluster) => {
    const port = String(await freePort());
    const listen = `127.0.0.1:${port}`;
    const master = await cluster.master({
      settings: { 'local_integrity.interval': '500ms', 'wazuh.listen': listen },
    });
    writeFileSync(`${master.directory}/wazuh.key`, key, { mode: 0o600 });
    write(master.path('etc/client.keys'), '001 agent1 any k1\n');
    write(master.path('etc/rules/local.xml'), '<group/>\n');
    await master.start();

    const top = mkdtempSync(join(tmpdir(), 'muster-home-'));
    const home = join(top, 'ossec');
    const environment = { STATE_DIRECTORY: join(top, 'state') };
    mkdirSync(join(home, 'etc'), { recursive: true });
    for (const directory of ['queue/db', 'queue/sockets']) {
      mkdirSync(join(home, directory), { recursive: true });
    }
    writeFileSync(join(home, 'etc/ossec.conf'), section(port, key));
    let news = '{"syncreq":[{"id":1,"name":"agent1","version":"Wazuh v4.14.7","os_name":"Debian",' +
      '"last_keepalive":1700000000,"connection_status":"active"}]}';
    const http = createHttpServer((_, response) => {
      response.end(news);
      news = '{}';
    });
    const text = createServer((socket) => socket.on('error', () => {}));
    http.listen(join(home, 'queue/sockets/wdb-http.sock'));
    text.listen(join(home, 'queue/db/wdb'));
    try {
      const run = (...words: string[]) =>
        muster([...words, '--wazuh-home', home, '--json'], { environment });
      const check = await run('check');
      assert.equal(check.code, 4, check.stderr);
      const { differences } = JSON.parse(check.stdout) as CheckDocument;
      assert.deepEqual(differences.map(({ path }) => path).sort(), [
        'etc/client.keys',
        'etc/rules/local.xml',
      ]);
      const sync = await run('sync', '--once');
      assert.equal(sync.code, 0, sync.stderr);
      assert.equal((JSON.parse(sync.stdout) as SyncDocument).created, 2);
      assert.ok([...filesBelow(home)].some(([path]) => path === 'etc/rules/local.xml'));
      await until('the master knows the agent', async () => {
        const { stdout } = await muster(['agents', 'list', '--json', '--dir', master.directory]);
        return stdout.includes('"os_name":"Debian"') || /"os_name": "Debian"/.test(stdout);
      });

      writeFileSync(join(home, 'etc/ossec.conf'), section(port, key.toLowerCase()));
      const wrongKey = await run('sync', '--once');
      assert.equal(wrongKey.code, 8, wrongKey.stderr);
      writeFileSync(join(home, 'etc/ossec.conf'), section('99', 'short'));
      const invalid = await run('check');
      assert.equal(invalid.code, 3);
      assert.match(invalid.stdout, /Key must be 32 characters long/);
      assert.match(invalid.stdout, /Port must be higher than 1024 and lower than 65535/);
    } finally {
      http.close();
      text.close();
      rmSync(top, { recursive: true });
    }
  });
});

test('two installations make a master and a worker, by one command each', async () => {
  const top = mkdtempSync(join(tmpdir(), 'muster-homes-'));
  const port = String(await freePort());
  const nodes = (['master', 'worker'] as const).map((type) => {
    const home = join(top, type);
    write(join(home, 'etc/ossec.conf'), section(port, key, type));
    const options = { environment: { STATE_DIRECTORY: join(top, `${type}-state`) } };
    return { home, options };
  });
  const [master, worker] = [nodes[0]!, nodes[1]!];
  write(join(master.home, 'etc/client.keys'), '001 agent1 any k1\n');
  write(join(master.home, 'etc/rules/local.xml'), '<group/>\n');
  const programs = nodes.map(({ home, options }) =>
    new Program(['run', '--wazuh-home', home], options)
  );
  try {
    const status = async ({ home, options }: typeof master): Promise<StatusDocument> => {
      const words = ['status', '--json', '--wazuh-home', home];
      return JSON.parse((await muster(words, options)).stdout) as StatusDocument;
    };
    await until(
      'the worker has the files',
      () => Promise.resolve(existsSync(join(worker.home, 'etc/rules/local.xml'))),
      60_000,
    );
    const { peers, certificate_expires: expires } = await status(master);
    assert.deepEqual(peers.map(({ node, protocol }) => [node, protocol]), [['wazuh-1', 'wazuh']]);
    assert.equal(expires, null);
    const log = readFileSync(join(master.home, 'logs/cluster.log'), 'utf8');
    assert.match(log, /INFO: \[Master\] \[Local integrity\] Finished in .*metadata of 2 files\./);
    assert.match(log, /INFO: \[Worker wazuh-1\] \[Integrity sync\] Files to create in worker: 2 /);
    assert.doesNotMatch(log, /ERROR/);
  } finally {
    for (const program of programs) program.kill('SIGTERM');
    for (const program of programs) assert.equal((await program.ended).code, 143);
    rmSync(top, { recursive: true });
  }
});
