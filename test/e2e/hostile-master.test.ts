/**
 * A master that has turned hostile: it holds good certificates and says whatever it likes. Nothing
 * outside the worker's sets may change, and the worker has to end with a clear error.
 *
 * The worker is the compiled binary; the master is played by this test on the real wire.
 */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type HostileMaster, startHostileMaster } from './hostile-master.ts';
import { attacks } from './hostile-attacks.ts';
import { Program } from './program.ts';

describe('a hostile master', () => {
  let directory = '';
  let master: HostileMaster;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'muster-hostile-'));
    master = await startHostileMaster(directory);
  });
  after(async () => {
    await master.close();
    rmSync(directory, { recursive: true, force: true });
  });

  for (const attack of attacks) {
    test(`cannot harm a worker by ${attack.name}`, async () => {
      resetWorker(directory);
      const outsideBefore = fingerprintOf(join(directory, 'outside'));
      await master.play(attack);
      const outcome = await syncOnce(directory);
      assert.equal(outcome.isLate, false, `the worker did not end: ${outcome.stderr}`);
      assert.equal(fingerprintOf(join(directory, 'outside')), outsideBefore, 'outside changed');
      assert.deepEqual(strangers(directory), [], 'files that no set allows');
      assert.notEqual(outcome.code, 0, outcome.stdout);
      assert.ok([1, 5, 9].includes(outcome.code), `exit code ${outcome.code}`);
      assert.match(outcome.stderr + outcome.stdout, attack.says);
      assert.deepEqual(readdirSync(join(directory, 'worker', 'staging')), [], 'left in staging');
    });
  }
});

// ---

/** Makes the worker's tree what it was: one rule, a link that leads out, a secret outside. */
function resetWorker(directory: string): void {
  const tree = join(directory, 'tree');
  rmSync(tree, { recursive: true, force: true });
  mkdirSync(join(tree, 'etc/rules'), { recursive: true });
  mkdirSync(join(directory, 'outside'), { recursive: true });
  writeFileSync(join(directory, 'outside', 'secret'), 'secret');
  writeFileSync(join(tree, 'etc/rules/good.xml'), 'good');
  symlinkSync(join(directory, 'outside'), join(tree, 'etc/rules/link'));
}

/** Runs one round; the test's own event loop plays the master meanwhile. */
async function syncOnce(directory: string) {
  const program = new Program(['sync', '--once', '--dir', join(directory, 'worker')]);
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    program.kill('SIGKILL');
  }, 20_000);
  const ending = await program.ended;
  clearTimeout(timer);
  return { ...ending, isLate };
}

/** Names, sizes, times and contents below a directory. */
function fingerprintOf(directory: string): string {
  return readdirSync(directory, { recursive: true }).map(String).sort().map((name) => {
    const path = join(directory, name);
    const { size, mtimeMs } = statSync(path);
    return `${name} ${size} ${mtimeMs} ${existsSync(path) ? readFileSync(path, 'utf8') : ''}`;
  }).join('\n');
}

/** Files of the worker's tree that a hostile master put where no set of the worker's is. */
function strangers(directory: string): string[] {
  const tree = join(directory, 'tree');
  return readdirSync(tree, { recursive: true }).map(String).filter((name) => {
    if (!statSync(join(tree, name)).isFile()) return false;
    return !/^etc\/rules\/(good|evil)[^/]*$/.test(name) && !name.startsWith('etc/rules/link/');
  });
}
