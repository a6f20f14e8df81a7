/** Exit codes and messages of commands that cannot do what they were asked. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type TestNode, withCluster } from './cluster.ts';
import { muster, until } from './program.ts';
import { assertMirror, assertNothingStaged, write } from './tree.ts';

test('a wrong command line ends with 2 and names the nearest right one', async () => {
  const cases: [string[], RegExp][] = [
    [['snyc'], /Unknown command "snyc", did you mean "sync"\?/],
    [['sync', '--onec'], /Unknown option "--onec" of "muster sync", did you mean "--once"\?/],
    [['sync'], /--once/],
    [['join'], /needs TOKEN/],
    [['nodes', 'revoke'], /NODE/],
    [['status', 'now'], /"now"/],
    [['token', '--ttl', 'soon'], /Option "--ttl" cannot be "soon"/],
    [['completion', 'tcsh'], /tcsh/],
  ];
  for (const [words, message] of cases) {
    const { code, stdout, stderr } = await muster(words);
    assert.deepEqual([code, stdout], [2, ''], words.join(' '));
    assert.match(stderr, message);
  }
  assert.equal((await muster(['--help'])).code, 0);
  assert.equal((await muster(['sync', '--help'])).code, 0);
});

test('a wrong configuration ends with 3 and tells all problems at once', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'muster-e2e-'));
  try {
    const lines = [
      '[node]',
      'name = "w 1"',
      'role = "worker"',
      'root = "/srv/tree"',
      '[keep_alive]',
      'intervall = "5s"',
      '[integrity]',
      'batch = "lots"',
    ];
    writeFileSync(join(directory, 'muster.toml'), `${lines.join('\n')}\n`);
    const { code, stderr } = await muster(['config', 'check', '--dir', directory]);
    assert.equal(code, 3);
    const parts = ['key "node.name" must be', 'did you mean "interval"?', '"64KiB", "8MiB"'];
    for (const part of parts) assert.ok(stderr.includes(part), `${part} in ${stderr}`);
    const missing = await muster(['run', '--config', join(directory, 'none.toml')]);
    assert.equal(missing.code, 3, missing.stderr);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('without a master commands end with 7, a daemon keeps trying', async () => {
  await withCluster(async (cluster) => {
    const master = await cluster.master();
    await master.start();
    const worker = await cluster.worker(master, 'worker-1');
    await master.stop();
    for (const words of [['sync', '--once'], ['check'], ['diff']]) {
      const { stderr } = await worker.expect(7, ...words);
      assert.match(stderr, /Cannot connect to 127\.0\.0\.1:\d+: connection refused/);
    }
    const quiet = await worker.expect(7, 'sync', '--once', '--quiet');
    assert.equal(quiet.stderr.trimEnd().split('\n').length, 1, quiet.stderr);
    const { stderr } = await worker.expect(7, 'status');
    assert.match(stderr, /No daemon runs on /);
    await worker.start();
    await worker.says('Not connected to the master: Cannot connect to');
    write(master.path('etc/rules/late.xml'), 'late');
    await master.start();
    await worker.inSync((await master.status()).generation!);
  });
});

test('a second instance ends with 10 and leaves the first one alone', async () => {
  await withCluster(async (cluster) => {
    const master = await cluster.master();
    await master.start();
    const { stderr } = await master.expect(10, 'run');
    assert.match(stderr, /Another muster/);
    assert.ok(master.daemon.isRunning);
    await master.status();
    // The lock of a process that was killed does not keep anybody out.
    await master.crash();
    await master.start();
  });
});

test('SIGTERM and SIGINT end a daemon in order, with 128 + N, within five seconds', async () => {
  await withCluster(async (cluster) => {
    const master = await cluster.master();
    await master.start();
    const worker = await cluster.worker(master, 'worker-1');
    await worker.start();
    await worker.status((status) => status.master !== null);
    const startedMs = performance.now();
    const stopped = await worker.stop();
    assert.equal(stopped.code, 143);
    assert.ok(performance.now() - startedMs < 5000);
    assert.match(worker.log(), /INFO: Stopped\.\n$/);
    master.daemon.kill('SIGINT');
    assert.equal((await master.daemon.ended).code, 130);
  });
});

test('a signal during work ends it within five seconds, a second one at once', async () => {
  await withCluster(async (cluster) => {
    const master = await cluster.master();
    for (let i = 0; i < 300; i++) write(master.path(`etc/rules/${i}.xml`), `rule ${i}\n`);
    await master.start();
    const worker = await cluster.worker(master, 'worker-1');
    await startInHook(worker, 'touch $started; sleep 30');
    const startedMs = performance.now();
    assert.equal((await worker.stop()).code, 143);
    assert.ok(performance.now() - startedMs < 5000);
    assertNothingStaged(worker.directory);

    // This one is given two seconds to come to an end, which it does not use.
    const heard = join(cluster.directory, 'heard');
    await startInHook(
      worker,
      `trap "touch ${heard}" TERM; touch $started; while ! [ -e ${heard}-off ]; do sleep 0.1; done`,
    );
    worker.daemon.kill('SIGTERM');
    await until('the hook hears of it', () => existsSync(heard));
    const secondMs = performance.now();
    assert.equal((await worker.stop()).code, 143);
    assert.ok(performance.now() - secondMs < 1500);
    writeFileSync(`${heard}-off`, '');
    worker.settings = {};
    await worker.expect(0, 'sync', '--once');
    assertMirror(master.root, worker.root);
    assertNothingStaged(worker.directory);
  });
});

/** Starts the daemon and waits until it is in the middle of a round, in a hook that lasts. */
async function startInHook(worker: TestNode, script: string): Promise<void> {
  const started = join(worker.directory, 'hook-started');
  rmSync(started, { force: true });
  worker.settings = {
    'hooks.validate': JSON.stringify(['sh', '-c', `${script.replace('$started', started)}`]),
  };
  await worker.start();
  await until('the hook runs', () => existsSync(started));
}
