/** `init`, `token`, `join`, `nodes` and `cert`: how a cluster comes about, and who is in it. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { ClusterError } from '../../../src/base/errors.ts';
import type { InitRequest, JoinRequest } from '../../../src/cli/host.ts';
import { encodeToken, type JoinToken } from '../../../src/identity/token.ts';
import type { OperationRequests, Operations } from '../../../src/node/operations.ts';
import { masterText } from '../../config/sources.ts';
import { FakeHost, finish, run } from '../fake-host.ts';
import { authority, certificate, issued, nodes, nowMs } from '../samples.ts';

// --- init --------------------------------------------------------------------------------------

function recordingInit() {
  const requests: InitRequest[] = [];
  const initMaster = (request: InitRequest) => {
    requests.push(request);
    return Promise.resolve({
      configFile: `${request.directory}/muster.toml`,
      authorityFingerprint: 'ab'.repeat(32),
      isRootNew: request.root === '/home/tree/new',
    });
  };
  return { requests, overrides: { initMaster } };
}

test('init makes a master where it is told to, and says what to run next', async () => {
  const { requests, overrides } = recordingInit();
  const ending = await run(
    'init --dir m --name master-1 --cluster c --listen [::]:99 --root ../tree',
    {},
    overrides,
  );
  assert.deepEqual(ending, {
    exitCode: 0,
    stdout: `Master "master-1" of cluster "c" is ready.
Configuration: /home/me/m/muster.toml
Authority:     ${'ab'.repeat(32)}
`,
    stderr: `
Next, start it, and make a token for each worker:
  muster run --config /home/me/m/muster.toml
  muster token --config /home/me/m/muster.toml
`,
  });
  const { signal: _, ...request } = requests[0]!;
  assert.deepEqual(request, {
    directory: '/home/me/m',
    node: 'master-1',
    cluster: 'c',
    listen: '[::]:99',
    root: '/home/tree',
    isWholeTree: false,
  });
});

test('init and join tell that the tree was not there', async () => {
  const note = 'The managed tree "/home/tree/new" was not there: made an empty one.\n';
  const { overrides } = recordingInit();
  const made = await run('init --root ../tree/new', {}, overrides);
  assert.ok(made.stderr.startsWith(note), made.stderr);
  const joining = recordingJoin();
  const joined = await run(
    `join ${encodeToken(joinToken)} --root ../tree/new`,
    {},
    joining.overrides,
  );
  assert.ok(joined.stderr.startsWith(note), joined.stderr);
});

test('init needs to be told nothing', async () => {
  const { requests, overrides } = recordingInit();
  const { exitCode } = await run('init --quiet', {}, overrides);
  assert.equal(exitCode, 0);
  const { signal: _, ...request } = requests[0]!;
  assert.deepEqual(request, {
    directory: '/home/me',
    node: 'machine-1',
    cluster: 'muster',
    listen: '0.0.0.0:1517',
    root: '/var/ossec',
    isWholeTree: false,
  });
});

test('init refuses names and addresses that cannot be', async () => {
  const table: [string, RegExp][] = [
    ['init --name a/b', /^muster: The name of the node cannot be "a\/b": only letters/],
    ['init --cluster ..', /^muster: The name of the cluster cannot be "..": it would be a dir/],
    ['init --listen :x', /^muster: Option "--listen" cannot be ":x"/],
    ['init --dir=', /^muster: Option "--dir" cannot be empty/],
  ];
  for (const [line, message] of table) {
    const { exitCode, stderr } = await run(line);
    assert.equal(exitCode, 2);
    assert.match(stderr, message);
  }
  const unnamed = await run('init', {}, { hostname: 'my machine' });
  assert.match(unnamed.stderr, /cannot be "my machine".*\n {2}Give another one with --name\n$/);
});

// --- token -------------------------------------------------------------------------------------

async function tokenOn(listen: string, ...options: string[]) {
  const host = new FakeHost(['token', ...options]);
  host.files = { '/home/me/muster.toml': `${masterText}[master]\nlisten = "${listen}"\n` };
  const requests: OperationRequests['token'][] = [];
  host.operations = {
    token: (request) => {
      requests.push(request);
      return Promise.resolve({ ...issued, uses: request.uses ?? 1, node: request.node ?? null });
    },
  };
  return { ...await finish(host), request: requests[0] };
}

test('token prints the token alone to standard output, and the command to standard error', async () => {
  const { exitCode, stdout, stderr, request } = await tokenOn('0.0.0.0:1517');
  assert.equal(exitCode, 0);
  assert.equal(stdout, 'muster1.ADEADBEEF\n');
  assert.equal(
    stderr,
    'On the new node, within 24 hours, once:\n  muster join muster1.ADEADBEEF\n',
  );
  assert.deepEqual(request, { addresses: ['machine-1:1517'] });
});

test('token --quiet still prints the token', async () => {
  const { stdout, stderr } = await tokenOn('0.0.0.0:1517', '--quiet');
  assert.deepEqual([stdout, stderr], ['muster1.ADEADBEEF\n', '']);
});

test('token names the address at which others reach the master', async () => {
  const table: [string, string][] = [
    ['0.0.0.0:1517', 'machine-1:1517'],
    ['[::]:99', 'machine-1:99'],
    ['127.0.0.1:1517', '127.0.0.1:1517'],
    ['[::1]:1517', '[::1]:1517'],
    ['10.0.0.1:1517', '10.0.0.1:1517'],
    ['master.example.org:1517', 'master.example.org:1517'],
  ];
  for (const [listen, address] of table) {
    const { request } = await tokenOn(listen);
    assert.deepEqual(request?.addresses, [address], listen);
  }
  const free = await tokenOn('127.0.0.1:0');
  assert.equal(free.exitCode, 2);
  assert.match(free.stderr, /Say where it is reached with --address HOST:PORT/);
});

test('token passes on what it is told', async () => {
  const options = '--ttl 30m --uses 3 --node 007 --address 10.0.0.1 --address [fd00::1]:99';
  const { request, stderr } = await tokenOn('127.0.0.1:0', ...options.split(' '));
  assert.deepEqual(request, {
    addresses: ['10.0.0.1:1517', '[fd00::1]:99'],
    ttlMs: 1_800_000,
    uses: 3,
    node: '007',
  });
  assert.match(stderr, /^On node 007, within 24 hours, 3 times:/);
});

test('token refuses options that cannot be', async () => {
  const table = [
    ['--uses', '0'],
    ['--uses', 'many'],
    ['--ttl', 'day'],
    ['--node', 'a b'],
    ['--address', 'a:b:c'],
    ['--address', 'a_b!:1517'],
    Array.from({ length: 9 }, (_, index) => ['--address', `10.0.0.${index}`]).flat(),
  ];
  for (const options of table) {
    const { exitCode, request } = await tokenOn('0.0.0.0:1517', ...options);
    assert.deepEqual([exitCode, request], [2, undefined], options.join(' '));
  }
});

// --- join --------------------------------------------------------------------------------------

const joinToken: JoinToken = {
  addresses: ['10.0.0.1:1517'],
  cluster: 'office',
  authorityFingerprint: 'ab'.repeat(32),
  id: '00'.repeat(8),
  secret: new Uint8Array(32).fill(7),
  expiresAtSeconds: nowMs / 1000 + 86_400,
  node: undefined,
};

function recordingJoin() {
  const requests: JoinRequest[] = [];
  const joinCluster = (request: JoinRequest) => {
    requests.push(request);
    return Promise.resolve({
      configFile: `${request.directory}/muster.toml`,
      master: 'master-1',
      address: '10.0.0.1:1517',
      certificateNotAfterMs: nowMs + 90 * 86_400_000,
      isRootNew: request.root === '/home/tree/new',
    });
  };
  return { requests, overrides: { joinCluster } };
}

test('join makes a worker of the cluster that the token names', async () => {
  const { requests, overrides } = recordingJoin();
  const line = `join ${encodeToken(joinToken)} --dir /srv/muster --name worker-9 --root tree`;
  assert.deepEqual(await run(line, {}, overrides), {
    exitCode: 0,
    stdout: `Worker "worker-9" has joined cluster "office", master master-1 at 10.0.0.1:1517.
Configuration: /srv/muster/muster.toml
`,
    stderr: `
Next, see what would change, and start it:
  muster sync --once --dry-run --config /srv/muster/muster.toml
  muster run --config /srv/muster/muster.toml
`,
  });
  const { signal: _, ...request } = requests[0]!;
  assert.deepEqual(request, {
    token: joinToken,
    directory: '/srv/muster',
    node: 'worker-9',
    root: '/home/me/tree',
  });
});

test('join takes the token from the environment, and the name from the token', async () => {
  const { requests, overrides } = recordingJoin();
  const token = encodeToken({ ...joinToken, node: 'worker-3' });
  await run('join', {}, { ...overrides, environment: { MUSTER_TOKEN: token } });
  await run(`join ${encodeToken(joinToken)}`, {}, overrides);
  assert.deepEqual(requests.map(({ node }) => node), ['worker-3', 'machine-1']);
});

test('join refuses what is no token before it does anything', async () => {
  const none = await run('join');
  assert.equal(none.exitCode, 2);
  assert.match(none.stderr, /needs TOKEN, or \$MUSTER_TOKEN/);
  const broken = await run(`join ${encodeToken(joinToken).slice(0, -9)}`);
  assert.equal(broken.exitCode, 8);
  assert.match(broken.stderr, /^muster: Cannot read the join token: its end is missing\n {2}Copy/);
  const other = encodeToken({ ...joinToken, node: 'worker-3' });
  const mistaken = await run(`join ${other} --name worker-4`);
  assert.equal(mistaken.exitCode, 2);
  assert.match(mistaken.stderr, /The token is for node "worker-3", not for "worker-4"/);
});

test('join that the master refuses exits with 8', async () => {
  const { exitCode } = await run(`join ${encodeToken(joinToken)}`, {}, {
    joinCluster: () => Promise.reject(new ClusterError('authentication', 'The token has expired')),
  });
  assert.equal(exitCode, 8);
});

// --- nodes -------------------------------------------------------------------------------------

test('nodes lists who has joined', async () => {
  const { exitCode, stdout } = await run('nodes', { nodes: () => Promise.resolve(nodes) });
  assert.equal(exitCode, 0);
  assert.equal(
    stdout,
    `NODE      ROLE    STATE               JOINED      CERTIFICATE
master-1  master                      2026-10-01  36 d left
worker-1  worker  connected           2026-10-01  62 d left
worker-2  worker  away                2026-10-02  expired 1 h ago
worker-3  worker  revoked 2026-11-01  2026-10-02
`,
  );
});

test('nodes of a cluster that nobody has joined says so on standard error', async () => {
  const empty: Partial<Operations> = {
    nodes: () => Promise.resolve({ schema_version: 1, nodes: [] }),
  };
  const { stdout, stderr } = await run('nodes', empty);
  assert.deepEqual([stdout, stderr], [
    '',
    'No node has joined yet: "muster token" lets one in\n',
  ]);
});

test('nodes revoke expels a node', async () => {
  let request: unknown;
  const revoke: Operations['revoke'] = (asked) => {
    request = asked;
    return Promise.resolve(nodes);
  };
  const { exitCode, stdout } = await run('nodes revoke worker-3', { revoke });
  assert.deepEqual(request, { node: 'worker-3' });
  assert.equal(exitCode, 0);
  assert.equal(stdout, 'Revoked "worker-3": its certificates are no longer accepted\n');
});

// --- cert --------------------------------------------------------------------------------------

test('cert show shows the certificates of the node and of its authority', async () => {
  const readCertificates = () => Promise.resolve({ own: certificate, authority });
  const { exitCode, stdout } = await run('cert show', {}, { readCertificates });
  assert.equal(exitCode, 0);
  assert.equal(
    stdout,
    `Node worker-1, worker of cluster "muster"
  Serial       5f3a9c01
  SHA-256      ${'ab'.repeat(32)}
  Valid from   2026-10-26 09:27 UTC
  Valid until  2027-01-24 09:27 UTC, 62 d left

Authority of cluster "muster"
  Serial       01
  SHA-256      ${'ef'.repeat(32)}
  Valid from   2026-10-26 09:27 UTC
  Valid until  2036-11-20 09:27 UTC, 3,650 d left
`,
  );
});

test('cert show tells a certificate that has expired or is not yet valid', async () => {
  const day = 86_400_000;
  const table: [number, number, RegExp][] = [
    [nowMs - 9 * day, nowMs - day, /expired 1 d ago/],
    [nowMs + day, nowMs + 9 * day, /not yet valid/],
  ];
  for (const [notBeforeMs, notAfterMs, text] of table) {
    const own = { ...certificate, notBeforeMs, notAfterMs };
    const readCertificates = () => Promise.resolve({ own, authority });
    assert.match((await run('cert show', {}, { readCertificates })).stdout, text);
  }
});
