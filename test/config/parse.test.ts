import assert from 'node:assert/strict';
import test from 'node:test';
import { includePatterns, parseConfig } from '../../src/config/parse.ts';
import { ConfigError } from '../../src/config/problems.ts';
import { configOf, fileName, masterText, problemsOf, workerText } from './sources.ts';

const messagesOf = (text: string): string[] =>
  problemsOf(() => configOf(text)).map(({ where, message }) => `${where}: ${message}`);

test('parseConfig() completes a small file with defaults', () => {
  const config = configOf(workerText);
  assert.deepEqual(config.node, {
    name: 'worker-1',
    role: 'worker',
    protocol: 'native',
    cluster: 'muster',
    root: '/var/ossec',
    state: '/srv/muster',
    tls: '/srv/muster/tls',
    controlSocket: '/srv/muster/control.sock',
    admin: undefined,
  });
  assert.deepEqual(config.keepAlive, { intervalMs: 60_000, missesMax: 2, silenceMaxMs: 120_000 });
  assert.equal(config.log.file, '/srv/muster/logs/cluster.log');
  assert.equal(config.paths.database, '/srv/muster/muster.db');
  assert.equal(config.node.admin, undefined);
  assert.equal(config.file, fileName);
});

test('parseConfig() lets options count over environment over file over defaults', () => {
  const text = `${masterText}[keep_alive]\nmisses_max = 3\ninterval = "3s"\nsilence_max = "30s"\n`;
  const { config, origins } = parseConfig({
    fileName,
    text,
    env: { MUSTER_KEEP_ALIVE__INTERVAL: '4s', MUSTER_KEEP_ALIVE__SILENCE_MAX: '40s' },
    flags: { 'keep_alive.silence_max': '50s', 'log.level': undefined },
  });
  assert.deepEqual(config.keepAlive, { intervalMs: 4000, missesMax: 3, silenceMaxMs: 50_000 });
  assert.deepEqual(
    ['keep_alive.misses_max', 'keep_alive.interval', 'keep_alive.silence_max', 'log.level']
      .map((key) => origins.get(key)),
    [
      { source: 'file', detail: `${fileName}:6` },
      { source: 'environment', detail: 'MUSTER_KEEP_ALIVE__INTERVAL' },
      { source: 'flag', detail: 'option keep_alive.silence_max' },
      { source: 'default', detail: '' },
    ],
  );
});

test('parseConfig() needs no file text when the environment says it all', () => {
  const { config } = parseConfig({
    fileName,
    text: '',
    env: {
      MUSTER_NODE__NAME: 'auto',
      MUSTER_NODE__ROLE: 'worker',
      MUSTER_NODE__ROOT: 'tree',
      MUSTER_WORKER__MASTER: 'a:1, b , [::1]:2',
      MUSTER_LOCAL_INTEGRITY__WATCH: 'false',
      MUSTER_GUARD__DELETIONS_SHARE_MAX: '0.25',
      MUSTER_INTEGRITY__BATCH: '65536',
      MUSTER_HOOKS__RELOAD: '["/bin/sh","-c","a, b"]',
      MUSTER_NODE__ADMIN: '',
    },
    hostname: 'host-7',
    workingDirectory: '/work dir',
  });
  assert.equal(config.node.name, 'host-7');
  assert.equal(config.node.root, '/work dir/tree', 'relative to the working directory');
  assert.deepEqual(config.worker.master, ['a:1', 'b:1517', '[::1]:2']);
  assert.equal(config.localIntegrity.watch, false);
  assert.equal(config.guard.deletionsShareMax, 0.25);
  assert.equal(config.integrity.batchBytes, 65_536);
  assert.deepEqual(config.hooks.reload, ['/bin/sh', '-c', 'a, b']);
});

test('parseConfig() wants a port to connect to, and lets the system choose one to listen on', () => {
  assert.match(
    messagesOf(workerText.replace(':1517', ':0'))[0]!,
    /"worker\.master" must be an address/,
  );
  const listening = configOf(`${masterText}admin = "localhost:0"\n[master]\nlisten = "[::]:0"\n`);
  assert.deepEqual([listening.master.listen, listening.node.admin], ['[::]:0', 'localhost:0']);
});

test('parseConfig() resolves relative paths of the file against its directory', () => {
  const config = configOf(`[node]\nname="m"\nrole="master"\nroot="../tree/"\nstate="state"\n`);
  assert.equal(config.node.root, '/srv/tree');
  assert.equal(config.node.tls, '/srv/muster/state/tls');
  assert.equal(config.paths.lock, '/srv/muster/state/lock');
  assert.equal(config.log.file, '/srv/muster/state/logs/cluster.log');
});

test('parseConfig() puts the host name into the name of the node', () => {
  const named = (name: string, hostname?: string): string =>
    parseConfig({
      fileName,
      text: masterText.replace('master-1', name),
      ...(hostname === undefined ? {} : { hostname }),
    }).config.node.name;
  assert.equal(named('auto', 'h.example'), 'h.example');
  assert.equal(named('dc1-$HOSTNAME', 'h'), 'dc1-h');
  assert.equal(named('auto'), 'auto');
  assert.equal(problemsOf(() => named('$HOSTNAME')).length, 1, 'no host name to put in');
  assert.equal(problemsOf(() => named('auto', 'a b')).length, 1);
});

test('parseConfig() reports all problems at once, each with its place', () => {
  const text = `foo = 1
[node]
name = "a b"
rol = "worker"
root = 5
[keep_alive]
interval = 8
silence_max = "1x"
[integrity]
intervall = "3s"
rehash_every = "1h"
batch = "1KiB"
[master]
listen = "::1:1517"
[[sets]]
name = "A"
pat = "x"
mode = 416
`;
  const messages = problemsOf(() =>
    parseConfig({
      fileName,
      text,
      env: {
        MUSTER_KEEP_ALIVE_INTERVAL: '5s',
        MUSTER_LOG__LEVEL: 'loud',
        OTHER: 'x',
        MUSTER_CONFIG: 'y',
      },
      flags: { 'log.leve': 'debug' },
    })
  ).map(({ where, message }) => `${where}: ${message.slice(0, 66)}`);
  assert.deepEqual(messages, [
    `${fileName}:1: key "foo" is unknown, the keys here are node, master, worker, keep`,
    `${fileName}:4: key "rol" of [node] is unknown, did you mean "role"?`,
    `${fileName}:10: key "intervall" of [integrity] is unknown, did you mean "interval"`,
    `${fileName}:11: key "rehash_every" of [integrity] is unknown, it belongs under [lo`,
    `${fileName}:17: key "pat" of [[sets]] is unknown, did you mean "path"?`,
    'MUSTER_KEEP_ALIVE_INTERVAL: variable "MUSTER_KEEP_ALIVE_INTERVAL" is unknown, did you mean "MU',
    'option log.leve: key "log.leve" is unknown',
    `${fileName}:3: key "node.name" must be 1 to 64 letters, digits, ".", "_" or "-", `,
    `${fileName}: key "node.role" is required: A cluster has one master; its files a`,
    `${fileName}:5: key "node.root" must be a path, not 5`,
    `${fileName}:14: key "master.listen" must be an address such as "10.0.0.1:1517", "[`,
    `${fileName}:7: key "keep_alive.interval" must be a duration such as "500ms", "8s"`,
    `${fileName}:8: key "keep_alive.silence_max" must be a duration such as "500ms", "`,
    `${fileName}:12: key "integrity.batch" must be from "64KiB" to "1GiB", not "1KiB"`,
    'MUSTER_LOG__LEVEL: variable "MUSTER_LOG__LEVEL" must be "debug", "info", "warning" or',
    `${fileName}:16: key "name" of sets.A must be 1 to 64 lower-case letters, digits or`,
    `${fileName}:15: key "path" of sets.A is required: Directory of the set relative to`,
    `${fileName}:18: key "mode" of sets.A must be permission bits in octal digits, as a`,
  ]);
});

test('parseConfig() reports what does not fit together along with what cannot be read', () => {
  const text = `[node]
name = "a b"
role = "worker"
root = "/srv/muster"
[keep_alive]
interval = "3m"
silence_max = "5 minutes"
[certificates]
node_days = 20
[worker]
reconnect_max = 5
reconnect_min = "1h"
[[sets]]
name = "a"
path = "tls"
[[sets]]
name = "B"
path = "tls"
[[sets]]
name = "c"
path = "tls"
`;
  assert.deepEqual(
    messagesOf(text).map((message) => message.slice(fileName.length, fileName.length + 45)),
    [
      ':2: key "node.name" must be 1 to 64 letters, ',
      ':11: key "worker.reconnect_max" must be a dur',
      ':7: key "keep_alive.silence_max" must be a du',
      ':17: key "name" of sets.B must be 1 to 64 low',
      ': key "worker.master" is required on a worker',
      ': key "certificates.renew_before" (30d) must ',
      ':21: sets "a" and "c" overlap: a file "tls/x"',
      ':15: set "a" would copy "/srv/muster/tls", wh',
      ':21: set "c" would copy "/srv/muster/tls", wh',
    ],
  );
});

test('ConfigError names the file and the line of an only problem', () => {
  assert.throws(() => configOf(`${workerText}[keep_alive]\nintervall = "8s"\n`), (error) => {
    assert.ok(error instanceof ConfigError);
    assert.equal(error.code, 'configuration');
    assert.equal(
      error.message,
      `Cannot read configuration "${fileName}:8": key "intervall" of [keep_alive] is unknown, ` +
        'did you mean "interval"?',
    );
    return true;
  });
});

test('ConfigError lists several problems line by line', () => {
  assert.throws(() => configOf(`${workerText}[log]\na = 1\nb = 2\n`), (error) => {
    assert.ok(error instanceof ConfigError);
    const lines = error.message.split('\n');
    assert.equal(lines[0], `Cannot read configuration "${fileName}": 2 problems`);
    assert.match(lines[1]!, /^ {2}\/srv\/muster\/muster\.toml:8: key "a"/);
    assert.equal(lines.length, 3);
    return true;
  });
});

test('parseConfig() gives line and column of a syntax error', () => {
  const [problem, ...others] = problemsOf(() => configOf('[node]\nname = \n'));
  assert.deepEqual(others, [], 'nothing is said to be missing from a file that cannot be parsed');
  assert.equal(problem?.where, `${fileName}:2:8`);
  assert.match(problem?.message ?? '', /^not valid TOML: /);
});

test('parseConfig() treats names of object members as the unknown keys they are', () => {
  const text =
    `${workerText}[constructor]\n[__proto__]\nx = 1\n[log]\ntoString = 1\n"__proto__" = 2\n`;
  assert.deepEqual(
    problemsOf(() => configOf(text)).map(({ where }) => where),
    [7, 8, 11, 12].map((line) => `${fileName}:${line}`),
  );
});

test('parseConfig() checks a value also where a higher layer covers it', () => {
  const text = `${workerText}[log]\nlevel = "loud"\n`;
  const problems = problemsOf(() =>
    parseConfig({ fileName, text, flags: { 'log.level': 'info' } })
  );
  assert.equal(problems.length, 1);
});

test('parseConfig() tells where a key that stands in the wrong place belongs', () => {
  assert.match(messagesOf(`${workerText}include = ["x"]\n`)[0]!, /belongs before the first table/);
  assert.match(messagesOf(`name = "x"\n${workerText}`)[0]!, /belongs under \[node\]/);
  assert.match(messagesOf(`log = 1\n${workerText}`)[0]!, /"log" must be a table: write \[log\]/);
  assert.match(messagesOf(`sets = 1\n${workerText}`)[0]!, /write \[\[sets\]\]/);
});

test('parseConfig() accepts dotted keys and inline tables, and finds their lines', () => {
  const text = 'node = { name = "m", role = "master", root = "/t" }\nlog.level = "debug"\n';
  const { config, origins } = parseConfig({ fileName, text });
  assert.equal(config.log.level, 'debug');
  assert.equal(origins.get('log.level')?.detail, `${fileName}:2`);
  assert.equal(origins.get('node.root')?.detail, `${fileName}:1`);
});

test('parseConfig() gives a node without sets those of the original', () => {
  const sets = configOf(masterText).sets.map((
    { name, path, include, recursive, mode, prune, keyFile },
  ) => ({
    set: `${name}=${path}/${include.join()}`,
    rest: [recursive, mode.toString(8), prune, keyFile],
  }));
  assert.deepEqual(sets, [
    { set: 'agent-keys=etc/client.keys', rest: [false, '640', false, true] },
    { set: 'shared=etc/shared/**', rest: [true, '660', true, false] },
    { set: 'multigroups=var/multigroups/**/merged.mg', rest: [true, '660', true, false] },
    { set: 'rules=etc/rules/**', rest: [true, '660', false, false] },
    { set: 'decoders=etc/decoders/**', rest: [true, '660', false, false] },
    { set: 'lists=etc/lists/**', rest: [true, '660', false, false] },
    { set: 'sca=ruleset/sca/**', rest: [true, '660', false, false] },
  ]);
});

test('parseConfig() replaces the default sets by those that are given, or by none', () => {
  const [set, ...others] = configOf(`${masterText}[[sets]]\nname = "a"\npath = "./b//c/"\n`).sets;
  assert.deepEqual(others, []);
  assert.deepEqual(set, {
    name: 'a',
    path: 'b/c',
    include: ['**'],
    exclude: [],
    excludeDefaults: true,
    recursive: true,
    mode: 0o640,
    directoryMode: 0o770,
    owner: undefined,
    group: undefined,
    prune: false,
    pruneFiles: [],
    keyFile: false,
    deletionsShareMax: 0.5,
    deletionsMax: 1000,
  });
  assert.deepEqual(configOf(`sets = []\n${masterText}`).sets, []);
});

test('parseConfig() lets a set override the limits of the guard', () => {
  const text = `${masterText}[guard]\ndeletions_max = 7\ndeletions_share_max = 0.1
[[sets]]\nname = "a"\npath = "a"\ndeletions_max = 9\n[[sets]]\nname = "b"\npath = "b"\n`;
  const limits = configOf(text).sets.map((set) => [set.deletionsMax, set.deletionsShareMax]);
  assert.deepEqual(limits, [[9, 0.1], [7, 0.1]]);
});

test('parseConfig() refuses set paths and patterns that leave the set', () => {
  const bad = (line: string): string => {
    const path = line.startsWith('path') ? '' : 'path = "x"\n';
    return messagesOf(`${masterText}[[sets]]\nname = "a"\n${path}${line}\n`).join('\n');
  };
  assert.match(bad('path = "/etc"'), /without a leading "\/"/);
  assert.match(
    bad('path = "a/../../b"'),
    /cannot be: "a\/\.\.\/\.\.\/b" contains the component "\.\."/,
  );
  assert.match(bad('path = "a\\u0000b"'), /contains a NUL byte/);
  for (const pattern of ['/a', 'a/', '!a', '../a', 'a/../b', './a', '.', '..', 'a/.', 'a//b']) {
    assert.match(
      bad(`include = [${JSON.stringify(pattern)}]`),
      /key "include" of sets\.a cannot be: "/,
    );
  }
  for (const list of ['[]', '[""]', '"**"', '[1]']) {
    assert.match(bad(`include = ${list}`), /must be a list of patterns/);
  }
  const fine = 'include = [".a/..b/c..", "...", "**/.x", "a\\u0001b"]';
  assert.doesNotThrow(() => configOf(`${masterText}[[sets]]\nname = "a"\npath = "x"\n${fine}`));
});

test('parseConfig() refuses permission bits that would lock out or set more than permissions', () => {
  const bad = (line: string): string =>
    messagesOf(`${masterText}[[sets]]\nname = "a"\npath = "x"\n${line}\n`).join('\n');
  assert.match(bad('mode = "0040"'), /must have the bits 0400/);
  assert.match(bad('mode = "4755"'), /none beyond 0777/);
  assert.match(bad('directory_mode = "0660"'), /must have the bits 0700/);
  assert.equal(
    configOf(`${masterText}[[sets]]\nname="a"\npath="x"\ndirectory_mode="2770"`).sets[0]!
      .directoryMode,
    0o2770,
  );
});

test('parseConfig() reads sets of included files, and nothing else of them', () => {
  const includes = [
    { fileName: '/srv/muster/conf.d/a.toml', text: '[[sets]]\nname = "a"\npath = "a"\n' },
    { fileName: '/srv/muster/conf.d/b.toml', text: '[[sets]]\nname = "b"\npath = "b"\n' },
  ];
  const { config, origins } = parseConfig({ fileName, text: masterText, includes });
  assert.deepEqual(config.sets.map(({ name }) => name), ['a', 'b']);
  assert.equal(origins.get('sets.b.path')?.detail, '/srv/muster/conf.d/b.toml:3');
  const extra = [{ fileName: '/c.toml', text: '[log]\nlevel = "debug"\n' }];
  const [problem] = problemsOf(() => parseConfig({ fileName, text: masterText, includes: extra }));
  assert.deepEqual(problem, {
    where: '/c.toml:1',
    message: 'an included file may hold [[sets]] tables only',
  });
});

test('includePatterns() gives what the file includes, and nothing for a file that cannot be read', () => {
  assert.deepEqual(includePatterns({ fileName, text: 'include = ["a", "b"]' }), ['a', 'b']);
  assert.deepEqual(includePatterns({ fileName, text: 'include = [' }), []);
  assert.match(messagesOf(`include = "a"\n${workerText}`)[0]!, /"include" must be a list/);
});

test('parseConfig() escapes control characters of values in its messages', () => {
  const [problem] = problemsOf(() =>
    configOf(`${workerText}[log]\nlevel = "a\\u001b[31m\\nb\\u009b\\u202e"\n`)
  );
  assert.doesNotMatch(problem!.message, /[\u0000-\u001f\u0080-\u009f\u202e]/);
});
