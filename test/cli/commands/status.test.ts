import assert from 'node:assert/strict';
import test from 'node:test';
import { ClusterError } from '../../../src/base/errors.ts';
import type { StatusDocument } from '../../../src/node/documents.ts';
import { FakeHost, finish, run } from '../fake-host.ts';
import { worker } from '../samples.ts';

const gone = new ClusterError('unreachable', 'No daemon runs on "/home/me"', {
  remedy: 'Start it with "muster run"',
});

test('status asks the daemon only, and shows how it is doing', async () => {
  const host = new FakeHost(['status']);
  host.operations = { status: () => Promise.resolve(worker) };
  const { exitCode, stdout, stderr } = await finish(host);
  assert.equal(exitCode, 0);
  assert.match(stdout, /^worker-1, worker of cluster "muster"\n/);
  assert.equal(stderr, '');
  assert.deepEqual([host.opened, host.closedCount], [['daemon'], 1]);
});

test('status where no daemon runs exits with 7', async () => {
  const host = new FakeHost(['status']);
  host.onOpen = () => {
    throw gone;
  };
  assert.deepEqual(await finish(host), {
    exitCode: 7,
    stdout: '',
    stderr: 'muster: No daemon runs on "/home/me"\n  Start it with "muster run"\n',
  });
});

test('status --json prints the document', async () => {
  const { stdout } = await run('status --json', { status: () => Promise.resolve(worker) });
  assert.deepEqual(JSON.parse(stdout), worker);
});

test('status --watch needs a terminal, or --json', async () => {
  const { exitCode, stderr } = await run('status --watch');
  assert.equal(exitCode, 2);
  assert.match(stderr, /Use "muster status --watch --json"/);
});

/** Watches through these looks, one a second, and is then stopped by SIGINT. */
async function watch(looks: readonly (StatusDocument | Error)[], ...options: string[]) {
  const host = new FakeHost(['status', '--watch', ...options]).onTerminal();
  let looksCount = 0;
  host.operations = {
    status: () => {
      const look = looks[looksCount++]!;
      return look instanceof Error ? Promise.reject(look) : Promise.resolve(look);
    },
  };
  host.clock.onSleep = (ms) => {
    assert.equal(ms, 1000);
    if (looksCount === looks.length) host.signal('SIGINT');
  };
  return { ...await finish(host), opened: host.opened.length, closed: host.closedCount };
}

const idle: StatusDocument = { ...worker, sets: [], tasks: [], halted: [], in_sync: true };

test('status --watch refreshes every second until it is stopped', async () => {
  const { exitCode, stdout, stderr, opened, closed } = await watch(
    [idle, { ...idle, generation: 813 }],
    '--color',
    'never',
  );
  assert.equal(exitCode, 130);
  assert.equal(stderr, '');
  const [clear, first, second] = stdout.split('\x1b[H');
  assert.equal(clear, '\x1b[2J');
  assert.match(first!, /generation 812.*\x1b\[K\n[^]*\x1b\[J$/);
  assert.match(second!, /generation 813/);
  assert.deepEqual([opened, closed], [1, 1]);
});

test('status --watch waits for a daemon that restarts, over a new connection', async () => {
  const { exitCode, stdout, opened, closed } = await watch([idle, gone, idle]);
  assert.equal(exitCode, 130);
  assert.equal(stdout.split('\x1b[H').length, 4);
  assert.match(stdout, /No daemon runs on "\/home\/me"/);
  assert.deepEqual([opened, closed], [2, 2]);
});

test('status --watch ends where there is no daemon to begin with', async () => {
  const { exitCode } = await watch([gone]);
  assert.equal(exitCode, 7);
});

test('status --watch ends at any other error', async () => {
  const { exitCode, stderr } = await watch([idle, new ClusterError('permission', 'No')]);
  assert.deepEqual([exitCode, stderr.includes('muster:')], [1, true]);
});

test('status --watch --json prints one line for every change, and counters are none', async () => {
  const quieter = { ...idle, longest_loop_hold_ms: 13 };
  const further = { ...idle, master: { ...idle.master!, round_trip_ms: 9, clock_skew_ms: 1 } };
  const changed = { ...idle, generation: 813 };
  const { stdout } = await watch([idle, quieter, further, gone, changed, changed], '--json');
  const documents = stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as unknown);
  assert.deepEqual(documents, [idle, changed]);
});
