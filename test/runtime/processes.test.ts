/** Running commands, with real ones. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, test } from 'node:test';
import { ClusterError } from '../../src/base/errors.ts';
import { createProcesses } from '../../src/runtime/processes.ts';
import { eventually, ManualClock } from './manual-clock.ts';

const directory = mkdtempSync(join(tmpdir(), 'muster-processes-'));
after(() => rmSync(directory, { recursive: true }));

interface Change {
  readonly environment?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  readonly clock?: ManualClock;
}

function run(
  command: readonly string[],
  change: Change = {},
): Promise<{ readonly exitCode: number; readonly output: string }> {
  const { environment = {}, signal = new AbortController().signal } = change;
  const clock = change.clock ?? new ManualClock();
  return createProcesses(clock).run(command, { environment, timeoutMs: 5000, signal });
}

function failure(code: string, message: RegExp): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof ClusterError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  };
}

test('Processes.run() returns exit code and output of both kinds', async () => {
  const script = 'echo out; echo err >&2; exit 3';
  const { exitCode, output } = await run(['sh', '-c', script]);
  assert.equal(exitCode, 3);
  assert.deepEqual(output.split('\n').sort(), ['', 'err', 'out']);
  assert.deepEqual(await run(['true']), { exitCode: 0, output: '' });
  assert.equal((await run(['sh', '-c', 'kill -9 $$'])).exitCode, 137);
});

test('Processes.run() uses no shell', async () => {
  const { output } = await run(['printf', '%s|', '$HOME', '; id', '*', "a'b\nc"]);
  assert.equal(output, "$HOME|; id|*|a'b\nc|");
});

test('Processes.run() gives no input and a chosen environment', async () => {
  process.env['MUSTER_SECRET_TOKEN'] = 'secret';
  const { output } = await run(['sh', '-c', 'cat; env'], { environment: { MUSTER_SET: 'rules' } });
  delete process.env['MUSTER_SECRET_TOKEN'];
  assert.match(output, /^PATH=/m);
  assert.match(output, /^MUSTER_SET=rules$/m);
  assert.doesNotMatch(output, /secret/);
});

test('Processes.run() keeps the beginning of a long output and lets the command finish', async () => {
  const script = 'head -c 1000000 /dev/zero | tr "\\0" x; exit 4';
  const { exitCode, output } = await run(['sh', '-c', script]);
  assert.equal(exitCode, 4);
  assert.equal(output.slice(0, 65536), 'x'.repeat(65536));
  assert.equal(output.slice(65536), '\n[934464 more bytes]\n');
});

test('Processes.run() says why a command does not start', async () => {
  await assert.rejects(
    run(['/nowhere/muster-check']),
    failure('notFound', /^Cannot run "\/nowhere\/muster-check": there is no such program$/),
  );
  await assert.rejects(
    run([directory]),
    failure('permission', /^Cannot run ".*": permission denied$/),
  );
});

test('Processes.run() ends a command and its children at the deadline', async () => {
  const clock = new ManualClock();
  const started = join(directory, 'started');
  const pidFile = join(directory, 'child.pid');
  const script = `sleep 600 & echo $! > ${pidFile}; echo x > ${started}; wait`;
  const running = assert.rejects(
    run(['sh', '-c', script], { clock }),
    failure('timeout', /^Command "sh" took longer than 5000 ms$/),
  );
  await eventually('the command runs', () => existsSync(started));
  clock.advance(4999);
  await clock.breathe();
  clock.advance(1);
  await running;
  const { output } = await run(['cat', pidFile]);
  await eventually('its child is gone', () => !isAlive(Number(output)));
  assert.equal(clock.sleepersCount, 0);
});

test('Processes.run() kills what does not end on request', async () => {
  const clock = new ManualClock();
  const started = join(directory, 'stubborn');
  const noticed = join(directory, 'noticed');
  const script = `trap "echo x > ${noticed}" TERM; echo x > ${started}; ` +
    'while true; do sleep 0.01; done';
  const controller = new AbortController();
  const reason = new ClusterError('aborted', 'Enough');
  const running = assert.rejects(
    run(['sh', '-c', script], { clock, signal: controller.signal }),
    reason,
  );
  await eventually('the command runs', () => existsSync(started));
  controller.abort(reason);
  await eventually('the command was asked', () => existsSync(noticed));
  clock.advance(2000);
  await running;
  await assert.rejects(run(['true'], { signal: controller.signal }), reason);
});

test('Processes.run() does not wait for what a command left running', async () => {
  const clock = new ManualClock();
  const pidFile = join(directory, 'daemon.pid');
  const script = `sleep 600 & echo $! > ${pidFile}; echo started`;
  const running = run(['sh', '-c', script], { clock });
  let isOver = false;
  const done = running.then(() => (isOver = true));
  await eventually('the wait for the output is over', () => {
    clock.advance(1);
    return isOver;
  });
  await done;
  assert.deepEqual(await running, { exitCode: 0, output: 'started\n' });
  const pid = Number((await run(['cat', pidFile])).output);
  assert.equal(isAlive(pid), true, 'it was a success: what it started stays');
  process.kill(pid, 'SIGKILL');
  assert.equal(clock.sleepersCount, 0);
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
