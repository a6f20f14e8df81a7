/** A worker that an installation of Wazuh describes alone, with the database of that installation. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { CheckDocument, SyncDocument } from '../../src/node/documents.ts';
import { freePort, withCluster } from './cluster.ts';
import { muster, until } from './program.ts';
import { filesBelow, write } from './tree.ts';

const key = 'abcdef0123456789ABCDEF_123456789';

function section(port: string, nodeKey: string): string {
  return `<ossec_config><cluster>
  <name>wazuh</name><node_name>wazuh-1</node_name><node_type>worker</node_type>
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
