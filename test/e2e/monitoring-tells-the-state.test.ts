/** The admin address: what a monitoring system and a load balancer get to see. */
import assert from 'node:assert/strict';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { freePort, type TestNode, withCluster } from './cluster.ts';
import { until } from './program.ts';
import { write } from './tree.ts';

/** Gives a node an admin address; the base of its URLs. */
async function withAdmin(node: TestNode): Promise<string> {
  const admin = `127.0.0.1:${await freePort()}`;
  node.settings = { ...node.settings, 'node.admin': admin };
  return `http://${admin}`;
}

async function ask(base: string, path: string): Promise<{ status: number; text: string }> {
  const response = await fetch(base + path);
  return { status: response.status, text: await response.text() };
}

test('metrics and readiness follow a worker through connection, halt and approval', async () => {
  await withCluster(async (cluster) => {
    const master = await cluster.master();
    const masterUrl = await withAdmin(master);
    for (let i = 0; i < 20; i++) write(master.path(`etc/rules/${i}.xml`), `rule ${i}`);
    await master.start();
    assert.deepEqual(await ask(masterUrl, '/readyz'), { status: 200, text: 'ok\n' });
    const worker = await cluster.worker(master, 'worker-1');
    const workerUrl = await withAdmin(worker);
    await master.stop();
    await worker.start();
    await until('the worker answers', () => ask(workerUrl, '/livez').catch(() => undefined));
    assert.deepEqual(await ask(workerUrl, '/livez'), { status: 200, text: 'ok\n' });
    const early = await ask(workerUrl, '/readyz');
    assert.equal(early.status, 503);
    assert.match(early.text, /^not ready: not connected: /);

    await master.start();
    await worker.inSync(1);
    assert.deepEqual(await ask(workerUrl, '/readyz'), { status: 200, text: 'ok\n' });
    const metrics = await ask(workerUrl, '/metrics');
    for (
      const line of ['muster_in_sync 1', 'muster_files{set="rules"} 20', 'muster_generation 1']
    ) {
      assert.ok(metrics.text.includes(`${line}\n`), line);
    }
    await until('the master sees its worker', async () => {
      return (await ask(masterUrl, '/metrics')).text.includes(
        'muster_peer_in_sync{node="worker-1"} 1\n',
      );
    });

    renameSync(master.path('etc/rules'), join(cluster.directory, 'gone'));
    await until('the master halts', async () => {
      return (await ask(masterUrl, '/metrics')).text.includes('muster_set_halted{set="rules"} 1\n');
    });
    assert.equal((await ask(masterUrl, '/readyz')).status, 200, 'it goes on serving what it has');
    assert.equal((await ask(masterUrl, '/v1/status')).status, 200);
    const response = await fetch(`${masterUrl}/v1/approve`, { method: 'POST', body: '{}' });
    assert.equal(response.status, 404, 'the admin address is read only');
  });
});

test('a log that logrotate has moved away is begun anew at SIGHUP', async () => {
  await withCluster(async (cluster) => {
    const master = await cluster.master();
    await master.start();
    const file = join(master.directory, 'logs/cluster.log');
    renameSync(file, `${file}.1`);
    write(master.path('etc/rules/a.xml'), 'a rule');
    await until('the round is over', async () => (await master.status()).generation === 2);
    assert.ok(!existsSync(file));
    master.daemon.kill('SIGHUP');
    await until('the log is begun anew', () => existsSync(file));
    rmSync(`${file}.1`);
    write(master.path('etc/rules/b.xml'), 'another rule');
    await master.says('Generation 3');
    assert.ok(!master.log().includes('Generation 2'));
  });
});
