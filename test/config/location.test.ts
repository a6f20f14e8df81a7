import assert from 'node:assert/strict';
import test from 'node:test';
import * as location from '../../src/config/location.ts';

test('configCandidates() goes by --config, --dir, MUSTER_CONFIG, then the usual places', () => {
  const env = { MUSTER_CONFIG: 'env.toml' };
  const workingDirectory = '/home/me';
  assert.deepEqual(
    location.configCandidates({ config: 'a.toml', dir: 'd', env, workingDirectory }),
    {
      files: ['/home/me/a.toml'],
      namedBy: '--config',
    },
  );
  assert.deepEqual(location.configCandidates({ dir: 'd/', env, workingDirectory }), {
    files: ['/home/me/d/muster.toml'],
    namedBy: '--dir',
  });
  assert.deepEqual(location.configCandidates({ env, workingDirectory }), {
    files: ['/home/me/env.toml'],
    namedBy: 'MUSTER_CONFIG',
  });
  assert.deepEqual(location.configCandidates({ env: { MUSTER_CONFIG: '' }, workingDirectory }), {
    files: ['/home/me/muster.toml', '/etc/muster/muster.toml'],
    namedBy: undefined,
  });
});

test('layoutOf() keeps everything beside a file of its own, whatever systemd names', () => {
  const env = { STATE_DIRECTORY: '/elsewhere', RUNTIME_DIRECTORY: '/run/elsewhere' };
  assert.deepEqual(location.layoutOf('/srv/m/muster.toml', env), {
    state: '/srv/m',
    tls: '/srv/m/tls',
    logFile: '/srv/m/logs/cluster.log',
    controlSocket: '/srv/m/control.sock',
  });
});

test('layoutOf() follows the hierarchy standard for the file of the system', () => {
  assert.deepEqual(location.layoutOf('/etc/muster/muster.toml', {}), {
    state: '/var/lib/muster',
    tls: '/var/lib/muster/tls',
    logFile: '/var/log/muster/cluster.log',
    controlSocket: '/run/muster/control.sock',
  });
});

test('layoutOf() takes the directories of systemd for the file of the system', () => {
  const env = {
    STATE_DIRECTORY: '/var/lib/private/muster:/var/lib/other',
    LOGS_DIRECTORY: '/var/log/private/muster',
    RUNTIME_DIRECTORY: '/run/private/muster',
  };
  assert.deepEqual(location.layoutOf('/etc/muster/muster.toml', env), {
    state: '/var/lib/private/muster',
    tls: '/var/lib/private/muster/tls',
    logFile: '/var/log/private/muster/cluster.log',
    controlSocket: '/run/private/muster/control.sock',
  });
});

test('layoutOf() derives from a state directory that was given', () => {
  const layout = location.layoutOf('/srv/m/muster.toml', {}, '/data');
  assert.equal(layout.tls, '/data/tls');
  assert.equal(layout.logFile, '/data/logs/cluster.log');
});

test('resolvePath() gives absolute, normalised paths', () => {
  const table: [string, string, string][] = [
    ['/a/b', 'c', '/a/b/c'],
    ['/a/b', '../c/./d//', '/a/c/d'],
    ['/a/b', '/c', '/c'],
    ['/a', '../../..', '/'],
    ['/a', '.', '/a'],
  ];
  for (const [directory, path, resolved] of table) {
    assert.equal(location.resolvePath(directory, path), resolved);
  }
});

test('relativeTo() tells inside from outside by whole names', () => {
  assert.equal(location.relativeTo('/a', '/a'), '');
  assert.equal(location.relativeTo('/a', '/a/b/c'), 'b/c');
  assert.equal(location.relativeTo('/a', '/ab'), undefined);
  assert.equal(location.relativeTo('/', '/a'), 'a');
});
