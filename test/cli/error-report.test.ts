import assert from 'node:assert/strict';
import test from 'node:test';
import { ClusterError } from '../../src/base/errors.ts';
import { FakeHost, finish, run } from './fake-host.ts';

function failing(error: unknown) {
  return {
    check: () => Promise.reject(error),
  };
}

const unreachable = new ClusterError('unreachable', 'Cannot connect to 10.0.0.1:1517', {
  cause: new Error('connection refused'),
  remedy: 'See that the master runs there',
});

test('an error is said on standard error, with its causes and what to do about it', async () => {
  assert.deepEqual(await run('check', failing(unreachable)), {
    exitCode: 7,
    stdout: '',
    stderr: 'muster: Cannot connect to 10.0.0.1:1517: connection refused\n' +
      '  See that the master runs there\n',
  });
});

test('an error with --quiet is one line', async () => {
  assert.deepEqual(await run('check --quiet', failing(unreachable)), {
    exitCode: 7,
    stdout: '',
    stderr: 'muster: Cannot connect to 10.0.0.1:1517: connection refused\n',
  });
});

test('an error with --json is a document on standard output', async () => {
  const { exitCode, stdout, stderr } = await run('check --json', failing(unreachable));
  assert.equal(exitCode, 7);
  assert.equal(stderr, '');
  assert.deepEqual(JSON.parse(stdout), {
    schema_version: 1,
    error: {
      code: 'unreachable',
      message: 'Cannot connect to 10.0.0.1:1517: connection refused',
      remedy: 'See that the master runs there',
      exit_code: 7,
    },
  });
});

test('an error cannot act on the terminal', async () => {
  const error = new ClusterError('refused', 'The master said: \x1b[2J\nmuster: all is well');
  const { stderr } = await run('check', failing(error));
  assert.equal(stderr, 'muster: The master said: \\x1b[2J\\nmuster: all is well\n');
});

test('a mistake of the program itself is said with where it happened', async () => {
  const { exitCode, stderr } = await run('check', failing(new TypeError('x is not a function')));
  assert.equal(exitCode, 1);
  assert.match(stderr, /^muster: x is not a function\n {4}at .*error-report\.test\.ts/);
  assert.match(stderr, /\n {2}This is a mistake in muster: please report it .*\n$/);
});

test('a usage error is code 2, in JSON too', async () => {
  const text = await run('check --ofline');
  assert.equal(text.exitCode, 2);
  assert.equal(
    text.stderr,
    'muster: Unknown option "--ofline" of "muster check", did you mean "--offline"?\n' +
      '  See "muster check --help"\n',
  );
  const json = await run('check --json --ofline');
  assert.equal(json.exitCode, 2);
  assert.equal((JSON.parse(json.stdout) as { error: { code: string } }).error.code, 'usage');
});

const invalid = `[node]
nam = "worker-1"
role = "slave"
root = "/var/ossec"
`;

function withInvalid(...argv: string[]): FakeHost {
  const host = new FakeHost(argv);
  host.files = { '/home/me/muster.toml': invalid };
  return host;
}

test('a configuration that is not valid is told with all that is wrong, each on its line', async () => {
  const { exitCode, stdout, stderr } = await finish(withInvalid('status'));
  assert.equal(exitCode, 3);
  assert.equal(stdout, '');
  assert.equal(
    stderr,
    `muster: Cannot read configuration "/home/me/muster.toml": 3 problems
  /home/me/muster.toml:2: key "nam" of [node] is unknown, did you mean "name"?
  /home/me/muster.toml: key "node.name" is required: Name of the node, unique in the cluster. ` +
      `"auto" stands for the host name, and so does $HOSTNAME within a name. For example ` +
      `name = "worker-1"
  /home/me/muster.toml:3: key "node.role" must be "master" or "worker", not "slave"
`,
  );
});

test('a configuration that is not valid is one line with --quiet, and a list with --json', async () => {
  const quiet = await finish(withInvalid('status', '--quiet'));
  assert.equal(quiet.exitCode, 3);
  assert.equal(
    quiet.stderr,
    'muster: /home/me/muster.toml:2: key "nam" of [node] is unknown, did you mean "name"?, ' +
      'and 2 more problems\n',
  );
  const json = await finish(withInvalid('status', '--json'));
  const { error } = JSON.parse(json.stdout) as {
    error: { code: string; exit_code: number; problems: unknown[] };
  };
  assert.deepEqual([error.code, error.exit_code, error.problems.length], ['configuration', 3, 3]);
});

test('a configuration that is nowhere is code 3, with where it was looked for', async () => {
  const host = new FakeHost(['status']);
  host.files = {};
  const { exitCode, stderr } = await finish(host);
  assert.equal(exitCode, 3);
  assert.match(stderr, /^muster: .*no configuration found, neither here nor at \/etc\/muster/);
});
