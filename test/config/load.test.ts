import assert from 'node:assert/strict';
import test from 'node:test';
import { type ConfigReader, loadConfig } from '../../src/config/load.ts';
import { ConfigError } from '../../src/config/problems.ts';
import { masterText } from './sources.ts';

/** The files of a machine; patterns are taken literally, in reverse order. */
function readerOf(files: Readonly<Record<string, string>>): ConfigReader {
  return {
    read: async (path) => {
      if (files[path] === 'EACCES') throw new Error('permission denied');
      return files[path];
    },
    expand: async (patterns, directory) =>
      patterns.map((pattern) => `${directory}/${pattern}`).reverse(),
  };
}

const place = { env: {}, workingDirectory: '/home/me' };

async function problemOf(files: Readonly<Record<string, string>>, options = {}): Promise<string> {
  try {
    await loadConfig(readerOf(files), { ...place, ...options });
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.message;
  }
  throw new Error('No ConfigError was thrown');
}

test('loadConfig() takes the first file that exists', async () => {
  const system = { '/etc/muster/muster.toml': masterText };
  const { config } = await loadConfig(readerOf(system), place);
  assert.equal(config.file, '/etc/muster/muster.toml');
  assert.equal(config.node.state, '/var/lib/muster');
  const both = { ...system, '/home/me/muster.toml': masterText };
  assert.equal((await loadConfig(readerOf(both), place)).config.node.state, '/home/me');
});

test('loadConfig() says where it looked and what to do when there is no file', async () => {
  const message = await problemOf({});
  assert.match(message, /"\/home\/me\/muster\.toml": no configuration found/);
  assert.match(message, /\/etc\/muster\/muster\.toml.*--config.*muster init/);
});

test('loadConfig() does not look elsewhere for a file that was named', async () => {
  const files = { '/home/me/muster.toml': masterText };
  assert.match(await problemOf(files, { config: 'x.toml' }), /x\.toml": .* --config names/);
  assert.match(await problemOf(files, { env: { MUSTER_CONFIG: '/y' } }), /MUSTER_CONFIG names/);
});

test('loadConfig() reports a file that cannot be read', async () => {
  assert.match(await problemOf({ '/home/me/muster.toml': 'EACCES' }), /permission denied/);
});

test('loadConfig() reads included files in the order of their names, each once', async () => {
  const set = (name: string): string => `[[sets]]\nname = "${name}"\npath = "${name}"\n`;
  const files = {
    '/home/me/muster.toml': `include = ["b.toml", "a.toml", "b.toml", "gone.toml"]\n${masterText}`,
    '/home/me/a.toml': set('a'),
    '/home/me/b.toml': set('b'),
  };
  const { config } = await loadConfig(readerOf(files), place);
  assert.deepEqual(config.sets.map(({ name }) => name), ['a', 'b']);
});

test('loadConfig() hands on environment, options and host name', async () => {
  const { config } = await loadConfig(
    readerOf({ '/home/me/muster.toml': masterText.replace('master-1', 'auto') }),
    {
      env: { MUSTER_LOG__LEVEL: 'debug' },
      workingDirectory: '/home/me',
      flags: { 'node.root': './tree' },
      hostname: 'h',
    },
  );
  assert.deepEqual([config.node.name, config.node.root, config.log.level], [
    'h',
    '/home/me/tree',
    'debug',
  ]);
});
