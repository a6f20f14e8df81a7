/** `config`, `version` and `completion`: commands that need no node. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { parseConfig } from '../../../src/config/parse.ts';
import { workerText } from '../../config/sources.ts';
import { FakeHost, finish, run } from '../fake-host.ts';

test('config check says whose configuration is valid', async () => {
  assert.deepEqual(await run('config check'), {
    exitCode: 0,
    stdout: '/home/me/muster.toml is valid: worker "worker-1" of cluster "muster", 7 sets\n',
    stderr: '',
  });
  assert.equal((await run('config check --quiet')).stdout, '');
});

test('config show prints a configuration file that says the same', async () => {
  const host = new FakeHost(['config', 'show'], {
    environment: { MUSTER_KEEP_ALIVE__INTERVAL: '5s' },
  });
  const { exitCode, stdout } = await finish(host);
  assert.equal(exitCode, 0);
  assert.match(stdout, /^interval = "5s" +# MUSTER_KEEP_ALIVE__INTERVAL$/m);
  const fileName = '/home/me/muster.toml';
  const shown = parseConfig({ fileName, text: stdout }).config;
  const meant = parseConfig({
    fileName,
    text: workerText,
    env: { MUSTER_KEEP_ALIVE__INTERVAL: '5s' },
  }).config;
  assert.deepEqual(shown, meant);
});

test('config schema prints a JSON Schema', async () => {
  const { exitCode, stdout } = await run('config schema');
  assert.equal(exitCode, 0);
  const schema = JSON.parse(stdout) as Record<string, unknown>;
  assert.equal(schema['$schema'], 'https://json-schema.org/draft/2020-12/schema');
});

test('--config and --dir name the file, and not both at once', async () => {
  const host = new FakeHost(['config', 'check', '--dir', '/srv']);
  host.files = { '/srv/muster.toml': workerText };
  assert.match((await finish(host)).stdout, /^\/srv\/muster\.toml is valid/);
  const both = await run('config check --dir /srv --config x.toml');
  assert.equal(both.exitCode, 2);
  const missing = await run('config check --config x.toml');
  assert.equal(missing.exitCode, 3);
  assert.match(
    missing.stderr,
    /"\/home\/me\/x\.toml": there is no such file, which --config names/,
  );
});

test('version prints which build it is, in every way of asking', async () => {
  const text = 'muster 0.1.0 (linux-x64, commit af40dfe, bun 1.4.5)\n';
  for (const line of ['version', '--version']) {
    assert.deepEqual(await run(line), { exitCode: 0, stdout: text, stderr: '' });
  }
});

test('completion prints a script', async () => {
  const { exitCode, stdout } = await run('completion bash');
  assert.equal(exitCode, 0);
  assert.match(stdout, /\ncomplete -F _muster muster\n$/);
});
