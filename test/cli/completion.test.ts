import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { completionScript } from '../../src/cli/completion.ts';
import { commandList } from '../../src/cli/command-table.ts';

const bash = completionScript('bash');

function shellRuns(shell: string): boolean {
  return spawnSync(shell, ['-c', 'true']).status === 0;
}

/** What bash offers for the last of some words. */
function offered(...words: string[]): string[] {
  const list = ['muster', ...words].map((word) => `'${word}'`).join(' ');
  const script = `${bash}\nCOMP_WORDS=(${list}); COMP_CWORD=${words.length}; _muster
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8' });
  assert.equal(stderr, '');
  return stdout.split('\n').filter((line) => line !== '');
}

test('the bash script completes commands, options and values', { skip: !shellRuns('bash') }, () => {
  assert.deepEqual(offered('st'), ['status']);
  assert.deepEqual(offered('co'), ['config', 'completion']);
  assert.deepEqual(offered('config', ''), ['check', 'show', 'schema']);
  assert.deepEqual(offered('config', 's'), ['show', 'schema']);
  assert.deepEqual(offered('completion', ''), ['bash', 'zsh', 'fish']);
  assert.deepEqual(offered('sync', '--d'), ['--dry-run', '--dir']);
  assert.deepEqual(offered('sync', '--color', ''), ['auto', 'always', 'never']);
  assert.deepEqual(offered('nodes', 'revoke', '--j'), ['--json']);
  assert.deepEqual(offered('nodes', '--j'), ['--json']);
  assert.deepEqual(offered('--'), ['--help', '--version']);
});

test('the bash script does not take values of options for commands', {
  skip: !shellRuns('bash'),
}, () => {
  assert.deepEqual(offered('--config', 'config', 'conf'), ['config']);
  assert.deepEqual(offered('sync', '--timeout', '5m', '--on'), ['--once']);
  assert.deepEqual(offered('sync', '--timeout', ''), []);
  assert.deepEqual(offered('sync', 'what', ''), []);
});

test('the bash script completes files, also those with blanks', {
  skip: !shellRuns('bash'),
}, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'muster-completion-'));
  try {
    await writeFile(join(directory, 'my muster.toml'), '');
    await mkdir(join(directory, 'my tree'));
    const start = join(directory, 'my');
    assert.deepEqual(offered('run', '--config', start).sort(), [
      `${start} muster.toml`,
      `${start} tree`,
    ]);
    assert.deepEqual(offered('run', '--dir', start), [`${start} tree`]);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('completionScript() names every command and option in every shell', () => {
  for (const shell of ['bash', 'zsh', 'fish'] as const) {
    const script = completionScript(shell);
    for (const [name, { options }] of commandList) {
      assert.ok(script.includes(`'${name}'`) || shell === 'fish', `${shell} ${name}`);
      for (const option of options) {
        assert.ok(script.includes(option.name), `${shell} ${option.name}`);
      }
    }
    assert.ok(script.endsWith('\n'));
  }
});

test('the scripts are accepted by those of the shells that are here', () => {
  for (const shell of ['bash', 'zsh', 'fish'] as const) {
    if (!shellRuns(shell)) continue;
    const { status, stderr } = spawnSync(shell, ['-n'], {
      input: completionScript(shell),
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
  }
});
