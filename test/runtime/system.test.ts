/** The process and its small files: programs of their own, and a real disk. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import process from 'node:process';
import { after, test } from 'node:test';
import { ClusterError } from '../../src/base/errors.ts';
import {
  fileExists,
  isColorWanted,
  makeDirectory,
  readTextFile,
  removeFile,
  systemFacts,
  writeSecretFile,
} from '../../src/runtime/system.ts';
import { programCommand, runProgram, spawnProgram, startProgram } from './run-program.ts';
import type { Program } from './run-program.ts';

const directory = mkdtempSync(join(tmpdir(), 'muster-system-'));
after(() => rmSync(directory, { recursive: true }));

function failure(code: string, message: RegExp): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof ClusterError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  };
}

/** deno's ChildProcess.kill works once only. */
function kill(program: Program, signal: NodeJS.Signals): void {
  process.kill(program.process.pid!, signal);
}

// --- output ----------------------------------------------------------------------------------

test('standardOutput reaches a slow pipe as a whole, whichever way the process ends', async () => {
  for (const how of ['self', 'end']) {
    const program = spawnProgram('write-much', ['30000', how]);
    let messages = '';
    program.stderr.setEncoding('utf8').on('data', (text: string) => (messages += text));
    const ending = new Promise((resolve) => program.once('close', resolve));
    // The pipe is full long before it is read.
    await new Promise((resolve) => program.stdout.once('readable', resolve));
    let output = '';
    for await (const chunk of program.stdout) {
      output += String(chunk);
      await new Promise((resolve) => void setTimeout(resolve, 1));
    }
    const code = await ending;
    assert.equal(code, 5, how);
    const lines = output.split('\n');
    assert.equal(lines.length, 30_001, how);
    assert.equal(lines.at(-2), `29999 ${'x'.repeat(90)}`);
    assert.match(messages, /^false 80 done$/m);
  }
});

test('standardOutput reaches what a shell makes of it: a full pipe, a file behind what it has', () => {
  const file = join(directory, 'output');
  const run = (script: string, count: string) => {
    const command = programCommand('write-much', [count, 'end']);
    const { status, stderr } = spawnSync('sh', ['-c', script, file, ...command]);
    return { status, messages: String(stderr) };
  };
  writeFileSync(file, 'before\n');
  // Nobody reads before the pipe is full.
  assert.deepEqual(run('{ "$@"; echo $? >&2; } | { sleep 1; cat; } >> "$0"', '30000'), {
    status: 0,
    messages: 'false 80 done\n5\n',
  });
  assert.deepEqual(run('"$@" >> "$0"', '10'), { status: 5, messages: 'false 80 done\n' });
  assert.deepEqual(run('"$@" > /dev/null', '10'), { status: 5, messages: 'false 80 done\n' });
  assert.equal(run('{ "$@"; echo $? >&2; } | true', '30000').messages, 'false 80 done\n5\n');
  const lines = readFileSync(file, 'utf8').split('\n');
  assert.equal(lines[0], 'before');
  assert.deepEqual(
    lines.slice(1, -1).map((line) => Number.parseInt(line)),
    [...Array(30_000).keys(), ...Array(10).keys()],
  );
});

test('standardOutput survives a reader that hangs up', async () => {
  for (const how of ['self', 'end']) {
    const program = spawnProgram('write-much', ['30000', how]);
    program.stdout.once('data', () => program.stdout.destroy());
    let messages = '';
    program.stderr.setEncoding('utf8').on('data', (text: string) => (messages += text));
    const code = await new Promise((resolve) => program.once('exit', resolve));
    assert.equal(code, 5, `${how}: ${messages}`);
    assert.equal(messages, 'false 80 done\n');
  }
});

test('isColorWanted() follows the choice, then the terminal and the environment', () => {
  const terminal = { isTerminal: true };
  assert.equal(isColorWanted('auto', terminal, {}), true);
  assert.equal(isColorWanted('auto', terminal, { NO_COLOR: '' }), true);
  assert.equal(isColorWanted('auto', terminal, { NO_COLOR: '1' }), false);
  assert.equal(isColorWanted('auto', terminal, { TERM: 'dumb' }), false);
  assert.equal(isColorWanted('auto', { isTerminal: false }, {}), false);
  assert.equal(isColorWanted('always', { isTerminal: false }, { NO_COLOR: '1' }), true);
  assert.equal(isColorWanted('never', terminal, {}), false);
});

// --- endings ---------------------------------------------------------------------------------

test('onStopSignal() tells of the first signal and ends the process at the second', async () => {
  for (const [first, number] of [['SIGTERM', 15], ['SIGINT', 2]] as const) {
    const program = startProgram('signals');
    await program.saying('ready');
    kill(program, first);
    await program.saying(`${first} ${number}`);
    kill(program, 'SIGTERM');
    const { code, output } = await program.ending();
    assert.equal(code, 128 + number);
    assert.equal(output, `ready\n${first} ${number}\nSIGTERM 15\n`);
  }
});

test('onStopSignal() leaves it to the program how it stops', async () => {
  const program = startProgram('signals', ['obedient']);
  await program.saying('ready');
  kill(program, 'SIGTERM');
  assert.equal((await program.ending()).code, 0);
});

test('onSignal() handles a signal until it is removed', async () => {
  const program = startProgram('signals');
  await program.saying('ready');
  kill(program, 'SIGHUP');
  await program.saying('hangup');
  kill(program, 'SIGUSR1');
  await program.saying('user');
  kill(program, 'SIGHUP');
  await program.saying('hangup');
  kill(program, 'SIGUSR1');
  const { signal, code } = await program.ending();
  assert.ok(signal === 'SIGUSR1' || code === 138, `${signal} ${code}`);
});

test('onCrash() reports what nobody caught and ends with code 70', async () => {
  const cases = [
    ['exception', 'crashed: nobody caught this\n'],
    ['rejection', 'crashed: nobody caught this\n'],
    ['text', 'crashed: a mere text\n'],
  ];
  for (const [how, message] of cases) {
    const { code, messages } = await runProgram('crash', [how!]);
    assert.equal(messages, message);
    assert.equal(code, 70, how);
  }
  assert.notEqual((await runProgram('crash', ['report'])).code, 0);
});

// --- files -----------------------------------------------------------------------------------

test('writeSecretFile() writes for the owner only, and replaces nothing unless asked', async () => {
  const path = join(directory, 'key.pem');
  await writeSecretFile(path, 'secret ü');
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(await readTextFile(path), 'secret ü');
  await assert.rejects(
    writeSecretFile(path, 'other'),
    failure('refused', /^Cannot write ".*key\.pem": it exists already$/),
  );
  assert.equal(await readTextFile(path), 'secret ü');

  chmodSync(path, 0o644);
  await writeSecretFile(path, 'other', { replace: true });
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(await readTextFile(path), 'other');
  assert.deepEqual(readdirSync(directory).filter((name) => name.startsWith('key')), ['key.pem']);
});

test('writeSecretFile() follows no link, and leaves nothing behind where it fails', async () => {
  const target = join(directory, 'target');
  const path = join(directory, 'linked.pem');
  symlinkSync(target, path);
  await assert.rejects(writeSecretFile(path, 'x'), failure('refused', /exists already$/));
  await writeSecretFile(path, 'x', { replace: true });
  assert.equal(await fileExists(target), false);
  assert.equal(readFileSync(path, 'utf8'), 'x');

  const missing = join(directory, 'missing', 'key.pem');
  await assert.rejects(writeSecretFile(missing, 'x'), failure('notFound', /^Cannot write ".*pem"/));
  const taken = join(directory, 'taken');
  await makeDirectory(taken, 0o700);
  await assert.rejects(writeSecretFile(taken, 'x', { replace: true }), failure('io', /^Cannot wr/));
  assert.deepEqual(readdirSync(directory).filter((name) => name.endsWith('.tmp')), []);
});

test('makeDirectory(), fileExists() and removeFile() take things as they find them', async () => {
  const path = join(directory, 'a', 'b');
  await makeDirectory(path, 0o700);
  await makeDirectory(path, 0o755);
  assert.equal(statSync(path).mode & 0o777, 0o700);
  assert.equal(statSync(join(directory, 'a')).mode & 0o777, 0o700);
  const file = join(path, 'file');
  writeFileSync(file, '');
  assert.equal(await fileExists(file), true);
  assert.equal(await fileExists(join(file, 'below')), false);
  const link = join(path, 'link');
  symlinkSync('nowhere', link);
  assert.equal(await fileExists(link), true, 'a broken link is in the way, too');
  await removeFile(file);
  await removeFile(file);
  assert.equal(await fileExists(file), false);
  await makeDirectory(join(path, 'directory'), 0o700);
  writeFileSync(join(path, 'plain'), '');
  await assert.rejects(makeDirectory(join(path, 'plain', 'c'), 0o700), failure('refused', /plain/));
});

test('readTextFile() says which file cannot be read', async () => {
  await assert.rejects(
    readTextFile(join(directory, 'nothing\n.toml')),
    failure('notFound', /^Cannot read ".*\/nothing\\n\.toml": no such file/i),
  );
});

test('systemFacts() knows the process', () => {
  const facts = systemFacts();
  assert.equal(facts.pid, process.pid);
  assert.ok(isAbsolute(facts.workingDirectory));
  assert.ok(facts.hostname.length > 0);
  assert.equal(facts.environment['PATH'], process.env['PATH']);
});
