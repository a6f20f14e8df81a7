/** Where the binary gets its settings from, and where not; its log and its control socket. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { StatusDocument } from '../../src/node/documents.ts';
import { withCluster } from './cluster.ts';
import { control } from './control.ts';
import { muster, until } from './program.ts';
import { assertMirror, write } from './tree.ts';

test('the binary loads neither .env nor bunfig.toml nor modules of the current directory', async () => {
  await withCluster(async (cluster) => {
    const cwd = join(cluster.directory, 'trap');
    const trace = join(cwd, 'loaded');
    mkdirSync(join(cwd, 'node_modules/cac'), { recursive: true });
    const trap = `require('node:fs').writeFileSync(${JSON.stringify(trace)}, 'x');\n`;
    writeFileSync(join(cwd, 'trap.js'), trap);
    writeFileSync(join(cwd, 'node_modules/cac/index.js'), trap);
    writeFileSync(join(cwd, 'bunfig.toml'), 'preload = ["./trap.js"]\n');
    writeFileSync(join(cwd, 'package.json'), '{"type":"module","imports":{"#x":"./trap.js"}}\n');
    for (const name of ['.env', '.env.local', '.env.production']) {
      writeFileSync(join(cwd, name), 'MUSTER_NODE__CLUSTER=trap\nMUSTER_NONSENSE=1\n');
    }
    const master = await cluster.master();
    const words = ['config', 'show', '--dir', master.directory];
    const { code, stdout } = await muster(words, { cwd });
    assert.equal(code, 0);
    assert.match(stdout, /^cluster = "muster"/m);
    assert.ok(!existsSync(trace));
    // A variable that is really set counts, and a misspelt one is told.
    const set = await muster(words, { cwd, environment: { MUSTER_NODE__CLUSTER: 'other' } });
    assert.match(set.stdout, /^cluster = "other"/m);
    const wrong = await muster(words, { cwd, environment: { MUSTER_NONSENSE: '1' } });
    assert.equal(wrong.code, 3);
    assert.match(wrong.stderr, /MUSTER_NONSENSE/);
  });
});

test('muster.toml is found in the current directory, and $MUSTER_CONFIG comes before it', async () => {
  await withCluster(async (cluster) => {
    const [first, second] = [await cluster.master({}, 'm-1'), await cluster.master({}, 'm-2')];
    const here = await muster(['config', 'check'], { cwd: first.directory });
    assert.match(here.stdout, /master "m-1"/);
    const environment = { MUSTER_CONFIG: second.configFile };
    const there = await muster(['config', 'check'], { cwd: first.directory, environment });
    assert.match(there.stdout, /master "m-2"/);
    assert.equal((await muster(['config', 'check'])).code, 3);
  });
});

test('sets come from included files too', async () => {
  await withCluster(async (cluster) => {
    const master = await cluster.master();
    const config = readFileSync(master.configFile, 'utf8');
    writeFileSync(master.configFile, `include = ["conf.d/*.toml"]\n${config}`);
    const setOf = (name: string) => `[[sets]]\nname = "${name}"\npath = "${name}"\nmode = "0604"\n`;
    for (const name of ['alpha', 'beta']) {
      write(join(master.directory, 'conf.d', `${name}.toml`), setOf(name));
      write(master.path(`${name}/file`), name);
    }
    write(master.path('etc/rules/default.xml'), 'no default sets where there are others');
    await master.start();
    const worker = await cluster.worker(master, 'worker-1');
    await worker.expect(0, 'sync', '--once');
    assertMirror(master.root, worker.root, { isLeftOut: (path) => path.startsWith('etc/') });
    write(join(master.directory, 'conf.d', 'wrong.toml'), '[log]\nlevel = "debug"\n');
    const { stderr } = await master.expect(3, 'config', 'check');
    assert.match(stderr, /wrong\.toml/);
  });
});

test('SIGHUP opens the log anew after it was rotated', async () => {
  await withCluster(async (cluster) => {
    const master = await cluster.master();
    await master.start();
    const file = join(master.directory, 'logs/cluster.log');
    const rotated = `${file}.1`;
    renameSync(file, rotated);
    write(master.path('etc/rules/a.xml'), 'before');
    await master.published();
    assert.match(readFileSync(rotated, 'utf8'), /1 created/);
    master.daemon.kill('SIGHUP');
    await until('the log is begun anew', () => existsSync(file));
    write(master.path('etc/rules/b.xml'), 'after');
    await master.published();
    await master.says(/1 created/);
    assert.ok(master.daemon.isRunning);
    assert.equal(statSync(file).mode & 0o077 & ~0o040, 0);
  });
});

test('the control socket answers requests, also wrong ones, and only its owner', async () => {
  await withCluster(async (cluster) => {
    const master = await cluster.master();
    await master.start();
    assert.equal(statSync(master.controlSocket).mode & 0o777, 0o600);
    const { status, body } = await control(master.controlSocket, '/v1/status');
    assert.equal(status, 200);
    assert.equal((body as StatusDocument).node, 'master-1');
    for (
      const [path, sent, expected] of [
        ['/v1/nothing', undefined, 404],
        ['/v1/status', {}, 405],
        ['/v1/sync', { dryRun: 'yes' }, 400],
        ['/v1/nodes/revoke', { node: 'nobody' }, 404],
        ['/v1/sync', { dryRun: false }, 403],
      ] as const
    ) {
      const answer = await control(master.controlSocket, path, sent);
      assert.equal(answer.status, expected, `${path}: ${JSON.stringify(answer.body)}`);
      assert.ok((answer.body as { error: { message: string } }).error.message.length > 0);
    }
    const token = await control(master.controlSocket, '/v1/tokens', { addresses: ['a:1'] });
    assert.match((token.body as { token: string }).token, /^muster1\./);
  });
});
