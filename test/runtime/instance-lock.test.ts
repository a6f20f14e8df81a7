/** One instance for each state directory, with real processes. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, test } from 'node:test';
import { ClusterError } from '../../src/base/errors.ts';
import { acquireLock, isLocked } from '../../src/runtime/instance-lock.ts';
import { startProgram } from './run-program.ts';

const top = mkdtempSync(join(tmpdir(), 'muster-lock-'));
after(() => rmSync(top, { recursive: true }));
let count = 0;

function stateDirectory(): { directory: string; lockFile: string } {
  const directory = join(top, `${count++}`, 'state');
  return { directory, lockFile: join(directory, 'lock') };
}

function lockedBy(pid: number | undefined, directory: string): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof ClusterError);
    assert.equal(error.code, 'locked');
    const who = pid === undefined ? '' : ` (pid ${pid})`;
    assert.equal(error.message, `Another muster${who} is using "${directory}"`);
    return true;
  };
}

test('acquireLock() keeps another process out, and names it', async () => {
  const { directory, lockFile } = stateDirectory();
  const holder = startProgram('lock-holder', [lockFile]);
  await holder.saying('held');
  assert.throws(() => acquireLock(lockFile), lockedBy(holder.process.pid, directory));
  assert.equal(isLocked(lockFile), true);
  // Looking at it has not loosened it.
  assert.throws(() => acquireLock(lockFile), lockedBy(holder.process.pid, directory));

  holder.process.stdin.write('x');
  await holder.saying('released');
  assert.equal(isLocked(lockFile), false);
  const lock = acquireLock(lockFile);
  assert.equal(readFileSync(lockFile, 'utf8'), `${process.pid}\n`);
  lock.release();
  holder.process.kill('SIGKILL');
});

test('acquireLock() succeeds at once after the holder was killed', async () => {
  const { lockFile } = stateDirectory();
  for (let round = 0; round < 3; round++) {
    const holder = startProgram('lock-holder', [lockFile]);
    await holder.saying('held');
    holder.process.kill('SIGKILL');
    await holder.ending();
    assert.equal(readFileSync(lockFile, 'utf8'), `${holder.process.pid}\n`, 'it could not tidy up');
    acquireLock(lockFile).release();
  }
});

test('acquireLock() keeps this process out as well, and locks nothing else', () => {
  const { directory, lockFile } = stateDirectory();
  const lock = acquireLock(lockFile);
  assert.throws(() => acquireLock(lockFile), lockedBy(process.pid, directory));
  acquireLock(stateDirectory().lockFile).release();
  lock.release();
  assert.equal(existsSync(lockFile), false);
  const again = acquireLock(lockFile);
  // Releasing twice does not release what somebody else has taken meanwhile.
  lock.release();
  assert.equal(isLocked(lockFile), true);
  again.release();
});

test('acquireLock() does without a readable lock file, and leaves private files only', () => {
  const { directory, lockFile } = stateDirectory();
  const lock = acquireLock(lockFile);
  for (const path of [lockFile, `${lockFile}.db`]) assert.equal(statSync(path).mode & 0o777, 0o600);
  writeFileSync(lockFile, 'nonsense');
  assert.throws(() => acquireLock(lockFile), lockedBy(undefined, directory));
  rmSync(lockFile);
  assert.throws(() => acquireLock(lockFile), lockedBy(undefined, directory));
  lock.release();
});

test('acquireLock() says that the directory cannot be used', () => {
  const { lockFile } = stateDirectory();
  const lock = acquireLock(lockFile);
  assert.throws(() => acquireLock(join(lockFile, 'below', 'lock')), (error) => {
    assert.ok(error instanceof ClusterError);
    assert.equal(error.code, 'permission');
    assert.match(error.message, /^Cannot lock ".*\/lock\/below": /);
    return true;
  });
  lock.release();
});
