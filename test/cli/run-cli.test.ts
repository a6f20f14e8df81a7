import assert from 'node:assert/strict';
import test from 'node:test';
import { abortReason } from '../../src/base/async.ts';
import { runCli } from '../../src/cli/run-cli.ts';
import { FakeHost, finish } from './fake-host.ts';
import { checked } from './samples.ts';

/** Ends when the signal is aborted. */
function untilStopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
}

test('run runs the daemon with the configuration, and ends with 128 + the signal', async () => {
  for (const [name, exitCode] of [['SIGINT', 130], ['SIGTERM', 143]] as const) {
    const roles: string[] = [];
    const host: FakeHost = new FakeHost(['run'], {
      runDaemon: async (config, signal) => {
        roles.push(config.node.role);
        const stopped = untilStopped(signal);
        host.signal(name);
        await stopped;
      },
    });
    assert.deepEqual(await finish(host), { exitCode, stdout: '', stderr: '' });
    assert.deepEqual(roles, ['worker']);
  }
});

test('run exits with 0 where the daemon ends by itself', async () => {
  const host = new FakeHost(['run'], { runDaemon: () => Promise.resolve() });
  assert.equal((await finish(host)).exitCode, 0);
});

test('a signal aborts what is under way, and closes the node', async () => {
  const host = new FakeHost(['check']);
  host.operations = {
    check: (_, { signal }) => {
      host.signal('SIGTERM');
      return Promise.reject(abortReason(signal));
    },
  };
  assert.deepEqual(await finish(host), {
    exitCode: 143,
    stdout: '',
    stderr: 'muster: Stopped by SIGTERM\n',
  });
  assert.equal(host.closedCount, 1);
});

test('a signal is told in JSON with the exit code that follows', async () => {
  const host = new FakeHost(['check', '--json']);
  host.operations = {
    check: (_, { signal }) => {
      host.signal('SIGINT');
      return Promise.reject(abortReason(signal));
    },
  };
  const { exitCode, stdout } = await finish(host);
  assert.equal(exitCode, 130);
  const { error } = JSON.parse(stdout) as { error: { code: string; exit_code: number } };
  assert.deepEqual([error.code, error.exit_code], ['aborted', 130]);
});

test('a signal is waited for, a second one is not', async () => {
  const host = new FakeHost(['check']);
  const never = new Promise<never>(() => {});
  host.operations = { check: () => never };
  const ending = runCli(host);
  await Promise.resolve();
  host.signal('SIGINT');
  const first = await Promise.race([ending, new Promise((resolve) => setTimeout(resolve, 0))]);
  assert.equal(first, undefined);
  host.signal('SIGTERM');
  // The first one counts.
  assert.equal(await ending, 130);
});

test('a signal during the last moment counts too', async () => {
  const host = new FakeHost(['check']);
  host.operations = {
    check: () => {
      host.signal('SIGTERM');
      return Promise.resolve(checked);
    },
  };
  const { exitCode, stdout } = await finish(host);
  assert.equal(exitCode, 143);
  assert.match(stdout, /^In sync/);
});

test('runCli() leaves nothing listening for signals', async () => {
  const host = new FakeHost(['version']);
  await finish(host);
  assert.throws(() => host.signal('SIGINT'), /Nobody listens/);
});
