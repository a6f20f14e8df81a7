import assert from 'node:assert/strict';
import test from 'node:test';
import { configOf, fileName, masterText, problemsOf, workerText } from './sources.ts';

const problemOf = (text: string): string => {
  const problems = problemsOf(() => configOf(text));
  assert.equal(problems.length, 1, JSON.stringify(problems));
  return `${problems[0]!.where}: ${problems[0]!.message}`;
};

const set = (name: string, path: string, more = ''): string =>
  `[[sets]]\nname = "${name}"\npath = "${path}"\n${more}\n`;

test('misfits() wants a master for a worker', () => {
  const text = workerText.replace(/\[worker\][^]*/, '');
  assert.match(problemOf(text), /"worker\.master" is required on a worker/);
  assert.doesNotThrow(() => configOf(masterText));
});

test('misfits() compares durations that depend on each other', () => {
  assert.match(
    problemOf(`${masterText}[keep_alive]\ninterval = "2m"\n`),
    /"keep_alive\.silence_max" \(2m\) must be longer than "keep_alive\.interval" \(2m\)/,
  );
  assert.match(
    problemOf(`${workerText}reconnect_min = "31s"\n`),
    new RegExp(`^${fileName}:7: key "worker\\.reconnect_min" \\(31s\\) must not be longer`),
  );
  assert.match(
    problemOf(`${masterText}[certificates]\nnode_days = 30\n`),
    /"certificates\.renew_before" \(30d\) must be shorter/,
  );
});

test('misfits() finds a control socket whose path is too long for the system', () => {
  const text = (length: number): string =>
    `${masterText}control_socket = "/${'x'.repeat(length - 1)}"\n`;
  assert.doesNotThrow(() => configOf(text(107)));
  const problem = problemOf(text(108));
  assert.match(
    problem,
    /has 108 bytes, and the system allows 107: set control_socket under \[node\]/,
  );
  assert.match(problem, new RegExp(`^${fileName}:5: `));
});

test('misfits() counts the bytes of a socket path and not its characters', () => {
  assert.match(problemOf(`${masterText}control_socket = "/${'ü'.repeat(54)}"\n`), /109 bytes/);
});

test('misfits() names both sets that claim the same file', () => {
  const overlapping: [string, string][] = [
    [set('a', 'etc'), set('b', 'etc')],
    [set('a', 'etc'), set('b', 'etc/rules')],
    [set('a', 'etc/rules'), set('b', 'etc')],
    [set('a', '.'), set('b', 'etc/rules')],
    [set('a', 'etc'), set('b', 'etc', 'include = ["client.keys"]\nrecursive = false')],
    [set('a', 'etc', 'include = ["*.xml"]'), set('b', 'etc', 'include = ["*.xml", "x"]')],
    [set('a', 'var', 'include = ["**/merged.mg"]'), set('b', 'var/multigroups')],
    [set('a', 'etc', 'recursive = false'), set('b', 'etc')],
    [set('a', 'etc', 'include = ["**/a.xml"]'), set('b', 'etc', 'include = ["*/*.xml"]')],
    [set('a', 'etc', 'exclude = ["rules"]'), set('b', 'etc/decoders')],
  ];
  for (const [left, right] of overlapping) {
    assert.match(problemOf(masterText + left + right), /sets "a" and "b" overlap: a file "/);
  }
});

test('misfits() lets sets pass that share a directory but no file', () => {
  const apart: [string, string][] = [
    [set('a', 'etc', 'include = ["client.keys"]'), set('b', 'etc/shared')],
    [set('a', 'etc', 'recursive = false'), set('b', 'etc/rules')],
    [set('a', 'etc', 'exclude = ["rules/**"]'), set('b', 'etc/rules')],
    [set('a', 'etc', 'exclude = ["rules"]'), set('b', 'etc/rules')],
    [set('a', 'etc', 'exclude = ["client.keys"]'), set('b', 'etc', 'include = ["client.keys"]')],
    [set('a', 'etc', 'include = ["*.xml"]'), set('b', 'etc', 'include = ["*.yml"]')],
    [set('a', 'etc'), set('b', 'etcetera')],
  ];
  for (const [left, right] of apart) assert.doesNotThrow(() => configOf(masterText + left + right));
});

test('misfits() finds a set that is declared twice', () => {
  assert.match(
    problemOf(masterText + set('a', 'x') + set('a', 'y')),
    new RegExp(`^${fileName}:10: set "a" is declared twice`),
  );
});

test('misfits() finds a file that a set names and leaves out at the same time', () => {
  const named = set('a', 'etc', 'include = ["ossec.conf", "*.tmp"]');
  assert.match(problemOf(masterText + named), /includes "ossec\.conf" and leaves it out/);
  assert.match(
    problemOf(masterText + set('a', 'etc', 'include = ["a/b"]\nrecursive = false')),
    /includes "a\/b" and leaves it out/,
  );
  assert.doesNotThrow(() =>
    configOf(masterText + set('a', 'etc', 'include = ["ossec.conf"]\nexclude_defaults = false'))
  );
});

test('misfits() never lets a set choose files of muster itself', () => {
  const beside = masterText.replace('/var/ossec', '/srv/muster');
  assert.match(problemOf(beside + set('a', '.')), /set "a" would copy "\/srv\/muster\/tls"/);
  assert.match(problemOf(beside + set('a', 'tls')), /would copy "\/srv\/muster\/tls"/);
  assert.match(
    problemOf(beside + set('a', '.', 'include = ["*.toml"]')),
    /would copy "\/srv\/muster\/muster\.toml"/,
  );
  assert.doesNotThrow(() => configOf(beside + set('a', 'etc')));
  assert.doesNotThrow(() =>
    configOf(beside.replace('"/srv/muster"', '"/srv/muster/tree"') + set('a', '.'))
  );
});

test('misfits() knows all files of muster itself', () => {
  const own = ['tls/key', 'muster.db', 'staging/1', 'versions/1', 'lock', 'control.sock'];
  const beside = masterText.replace('/var/ossec', '/srv/muster');
  for (const path of [...own, 'logs/cluster.log', 'muster.toml']) {
    const [directory, name] = /^(?:(.*)\/)?(.*)$/.exec(path)!.slice(1);
    const include = directory === undefined ? name : '*';
    const problem = problemOf(beside + set('a', directory ?? '.', `include = ["${include}"]`));
    assert.match(problem, /would copy/, path);
  }
});

test('misfits() bounds the number of sets', () => {
  const sets = (count: number): string =>
    Array.from({ length: count }, (_, index) => set(`s${index}`, `d${index}`)).join('');
  assert.doesNotThrow(() => configOf(masterText + sets(256)));
  assert.match(problemOf(masterText + sets(257)), /there are 257 sets/);
});
