/** The log on a real disk, and on the standard error of a program. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ClusterError } from '../../src/base/errors.ts';
import { createLog } from '../../src/runtime/log.ts';
import type { Log, LogOptions } from '../../src/runtime/log.ts';
import { ManualClock } from './manual-clock.ts';
import { runProgram } from './run-program.ts';

const directory = mkdtempSync(join(tmpdir(), 'muster-log-'));
after(() => rmSync(directory, { recursive: true }));
let filesCount = 0;

/** 2026-11-23 09:05:07 where this runs. */
const START_MS = new Date(2026, 10, 23, 9, 5, 7).getTime();

function openLog(
  change: Partial<LogOptions> = {},
): { log: Log; clock: ManualClock; file: string; lines: () => string[] } {
  const clock = new ManualClock(START_MS);
  const file = join(directory, `${filesCount++}`, 'logs', 'cluster.log');
  const log = createLog({
    file,
    level: 'info',
    format: 'text',
    terminal: false,
    color: false,
    clock,
    ...change,
  });
  return { log, clock, file, lines: () => readFileSync(file, 'utf8').split('\n').slice(0, -1) };
}

test('Logger.log() writes time, level, tags and text', () => {
  const { log, lines } = openLog();
  log.logger.log('info', 'Started');
  log.logger.child('Worker w1').child('Integrity check').log('warning', 'Took long', { ms: 3 });
  log.logger.log('error', 'Failed');
  assert.deepEqual(lines(), [
    '2026/11/23 09:05:07 INFO: Started',
    '2026/11/23 09:05:07 WARNING: [Worker w1] [Integrity check] Took long',
    '2026/11/23 09:05:07 ERROR: Failed',
  ]);
  log.close();
});

test('Logger.log() leaves out what is below the level', () => {
  const { log, lines } = openLog({ level: 'warning' });
  log.logger.log('debug', 'a');
  log.logger.log('info', 'b');
  log.logger.log('warning', 'c');
  log.logger.log('error', 'd');
  assert.equal(lines().length, 2);
  log.close();
  const all = openLog({ level: 'debug' });
  all.log.logger.log('debug', 'a');
  assert.deepEqual(all.lines(), ['2026/11/23 09:05:07 DEBUG: a']);
  all.log.close();
});

test('Logger.log() keeps whatever it is given within one line', () => {
  const { log, lines } = openLog();
  log.logger.child('x]\n[y').log('info', 'a\r\n2026/11/23 09:05:07 ERROR: \u001b[2Jforged\u202e');
  assert.deepEqual(lines(), [
    '2026/11/23 09:05:07 INFO: [x]\\n[y] a\\r\\n2026/11/23 09:05:07 ERROR: \\x1b[2Jforged\\u202e',
  ]);
  log.close();
});

test('createLog() writes JSON lines that lose nothing and command no terminal', () => {
  const { log, lines } = openLog({ format: 'json' });
  const text = 'a\n\u001b[2J\u009b2J\u202eb';
  log.logger.child('Worker w1').log('info', text, { filesCount: 3, isLate: false, why: undefined });
  log.logger.log('info', 'plain');
  assert.deepEqual(lines().map((line) => JSON.parse(line) as unknown), [
    {
      time: new Date(START_MS).toISOString(),
      level: 'info',
      tags: ['Worker w1'],
      text,
      facts: { filesCount: 3, isLate: false },
    },
    { time: new Date(START_MS).toISOString(), level: 'info', tags: [], text: 'plain' },
  ]);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(lines().join(''), /[\u0000-\u001f\u007f-\u009f\u202e]/);
  log.close();
});

test('a repeated complaint is written once and counted until something else is said', () => {
  const { log, lines, clock } = openLog();
  const logger = log.logger.child('Integrity check');
  for (let i = 0; i < 5; i++) logger.log('error', 'Disk full', { attempt: i });
  assert.equal(lines().length, 1);
  // Somebody else, and another kind of line, are not the same.
  log.logger.child('Keep-alive').log('error', 'Disk full');
  assert.equal(lines().length, 2);
  logger.log('error', 'Disk gone');
  logger.log('error', 'Disk gone');
  logger.log('warning', 'Disk gone');
  assert.deepEqual(lines().map((line) => line.slice(20)), [
    'ERROR: [Integrity check] Disk full',
    'ERROR: [Keep-alive] Disk full',
    'ERROR: [Integrity check] repeated 4 times: Disk full',
    'ERROR: [Integrity check] Disk gone',
    'ERROR: [Integrity check] repeated 1 time: Disk gone',
    'WARNING: [Integrity check] Disk gone',
  ]);
  log.close();
  assert.equal(clock.sleepersCount, 0);
});

test('a repeated complaint is told of after a minute, and then is news again', async () => {
  const { log, lines, clock } = openLog();
  for (let i = 0; i < 7; i++) {
    log.logger.log('warning', 'Late');
    clock.advance(10_000);
    await clock.breathe();
  }
  assert.deepEqual(lines(), [
    '2026/11/23 09:05:07 WARNING: Late',
    '2026/11/23 09:06:07 WARNING: repeated 5 times: Late',
    '2026/11/23 09:06:07 WARNING: Late',
  ]);
  log.logger.log('warning', 'Late');
  log.close();
  assert.equal(lines().at(-1), '2026/11/23 09:06:17 WARNING: repeated 1 time: Late');
  assert.equal(clock.sleepersCount, 0);
});

test('Logger.log() does not count what is no complaint', () => {
  const { log, lines } = openLog();
  log.logger.log('info', 'Finished');
  log.logger.log('info', 'Finished');
  assert.equal(lines().length, 2);
  log.close();
  log.close();
  log.logger.log('info', 'too late');
  assert.equal(lines().length, 2);
});

test('createLog() makes file and directories for owner and group only, and appends', () => {
  const { log, file } = openLog();
  log.logger.log('info', 'first');
  log.close();
  assert.equal(statSync(file).mode & 0o137, 0);
  assert.equal(statSync(join(file, '..')).mode & 0o027, 0);
  const again = openLog({ file });
  again.log.logger.log('info', 'second');
  again.log.close();
  assert.match(readFileSync(file, 'utf8'), /first\n.*second\n$/);
});

test('createLog() says that the file cannot be opened', () => {
  const { file } = openLog();
  assert.throws(() => openLog({ file: join(file, 'below', 'a', 'file') }), (error) => {
    assert.ok(error instanceof ClusterError);
    assert.equal(error.code, 'permission');
    assert.match(error.message, /^Cannot open log file ".*below\/a\/file": not a directory$/);
    return true;
  });
});

test('reopen() goes on in a new file after the old one was rotated', () => {
  const { log, file, lines } = openLog();
  log.logger.log('info', 'old');
  renameSync(file, `${file}.1`);
  log.logger.log('info', 'still old');
  assert.equal(existsSync(file), false);
  log.reopen();
  log.logger.log('info', 'new');
  assert.deepEqual(lines(), ['2026/11/23 09:05:07 INFO: new']);
  assert.match(readFileSync(`${file}.1`, 'utf8'), /old\n.*still old\n$/);
  log.close();
});

test('a full disk costs lines and nothing else', (t) => {
  if (!existsSync('/dev/full')) {
    t.skip('no /dev/full here');
    return;
  }
  const file = join(directory, 'full.log');
  symlinkSync('/dev/full', file);
  const { log } = openLog({ file });
  log.logger.log('info', 'lost');
  log.logger.log('error', 'lost too');
  unlinkSync(file);
  log.reopen();
  log.logger.log('info', 'here again');
  log.close();
  const lines = readFileSync(file, 'utf8').split('\n');
  assert.match(
    lines[0]!,
    /^2026\/11\/23 09:05:07 WARNING: 2 lines could not be written here: .*no space left/i,
  );
  assert.equal(lines[1], '2026/11/23 09:05:07 INFO: here again');
  assert.equal(lines.length, 3);
});

test('createLog() writes to standard error: plain, coloured or as JSON', async () => {
  const time = /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d /gm;
  const plain = await runProgram('log-terminal', ['text', 'plain']);
  assert.equal(plain.code, 0);
  assert.equal(plain.output, '');
  assert.deepEqual(plain.messages.replaceAll(time, '').split('\n'), [
    'INFO: Started',
    'DEBUG: [Worker w1] [Integrity check] Nothing to do',
    'WARNING: [Worker w1] [Integrity check] Odd',
    'ERROR: [Worker w1] [Integrity check] Bad',
    'ERROR: [Worker w1] [Integrity check] repeated 1 time: Bad',
    '',
  ]);

  const coloured = await runProgram('log-terminal', ['text', 'color']);
  // deno-lint-ignore no-control-regex
  const colours = /\u001b\[\d+m/g;
  assert.ok((coloured.messages.match(colours) ?? []).length > 0);
  const uncoloured = coloured.messages.replaceAll(colours, '').replaceAll(time, '');
  assert.equal(uncoloured, plain.messages.replaceAll(time, ''));

  const json = await runProgram('log-terminal', ['json', 'color']);
  const records = json.messages.trim().split('\n').map((line) =>
    JSON.parse(line) as { level: string; facts?: unknown }
  );
  assert.deepEqual(records.map(({ level }) => level), [
    'info',
    'debug',
    'warning',
    'error',
    'error',
  ]);
  assert.deepEqual(records[3]!.facts, { filesCount: 3 });
});
