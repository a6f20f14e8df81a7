/**
 * A master that has turned hostile: it holds good certificates and says whatever it likes. Nothing
 * outside the worker's sets may change, and the worker has to end with a clear error.
 *
 * The worker is the compiled binary; the master is played by this test on the real wire.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
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
import process from 'node:process';
import { after, before, describe, test } from 'node:test';
import { type HostileMaster, startHostileMaster } from './hostile-master.ts';
import { attacks } from './hostile-attacks.ts';

const binary = process.env['MUSTER_BINARY'] ?? '';

describe('a hostile master', { skip: binary === '' ? 'MUSTER_BINARY is not set' : false }, () => {
  let directory = '';
  let master: HostileMaster;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'muster-hostile-'));
    master = await startHostileMaster(binary, directory);
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
      assert.ok([1, 5, 9].includes(outcome.code ?? -1), `exit code ${outcome.code}`);
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
  const child = spawn(binary, ['sync', '--once', '--dir', join(directory, 'worker')], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Uint8Array) => stdout += String(chunk));
  child.stderr.on('data', (chunk: Uint8Array) => stderr += String(chunk));
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill('SIGKILL');
  }, 20_000);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  return { code, stdout, stderr, isLate };
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
