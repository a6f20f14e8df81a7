/** `approve`, `versions` and `rollback`: what a guard has stopped, and the way back. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { OperationRequests, Operations } from '../../../src/node/operations.ts';
import { FakeHost, finish, run } from '../fake-host.ts';
import { approved, kept, problems, rolledBack } from '../samples.ts';

test('approve lets one set through, or all of them', async () => {
  const requests: unknown[] = [];
  const approve: Operations['approve'] = (request) => {
    requests.push(request);
    return Promise.resolve(approved);
  };
  const one = await run('approve shared', { approve });
  await run('approve', { approve });
  assert.deepEqual(requests, [{ set: 'shared' }, {}]);
  assert.equal(one.exitCode, 0);
  assert.equal(one.stdout, 'Approved set "shared": it would lose 700 of 1239 files\n');
});

test('approve where nothing is halted says so', async () => {
  const approve: Operations['approve'] = () => Promise.resolve({ schema_version: 1, approved: [] });
  assert.deepEqual(await run('approve', { approve }), {
    exitCode: 0,
    stdout: '',
    stderr: 'No set is halted\n',
  });
  assert.equal((await run('approve rules', { approve })).stderr, 'Set "rules" is not halted\n');
  const unknown = await run('approve rulez', { approve });
  assert.equal(unknown.exitCode, 2);
  assert.match(
    unknown.stderr,
    /There is no set "rulez" on this node\n  It has agent-keys, shared, /,
  );
  assert.equal((await run('approve --quiet', { approve })).stderr, '');
});

test('versions lists what is kept, in a table that fits the terminal', async () => {
  const host = new FakeHost(['versions', '--color', 'never']).onTerminal();
  host.operations = { versions: () => Promise.resolve(kept) };
  assert.equal(
    (await finish(host)).stdout,
    `  ID  GENERATION  CHANGED    CHANGE       SIZE  PATH
4711         812  5 min ago  replaced    482 B  etc/rules/local_rules.xml
4710         812  5 min ago  created            etc/rules/new_rules.xml
  17           9  34 d ago   removed   1.2 MiB  etc/shared/very-long-group-name…
`,
  );
  const whole = await run('versions', { versions: () => Promise.resolve(kept) });
  assert.ok(whole.stdout.includes(kept.versions[2]!.path));
});

test('versions takes a path of the tree, however it is written', async () => {
  const requests: OperationRequests['versions'][] = [];
  const versions: Operations['versions'] = (request) => {
    requests.push(request);
    return Promise.resolve({ schema_version: 1, versions: [] });
  };
  await run('versions', { versions });
  await run('versions etc/rules/ä.xml', { versions });
  await run('versions /var/ossec/etc/./rules//a.xml', { versions });
  assert.deepEqual(requests, [{}, { path: 'etc/rules/ä.xml' }, { path: 'etc/rules/a.xml' }]);
  for (const path of ['/etc/passwd', '../x', '.', '/var/ossec']) {
    const { exitCode, stderr } = await run(`versions ${path}`, { versions });
    assert.equal(exitCode, 2);
    assert.match(stderr, /is not within the managed tree "\/var\/ossec"/);
  }
  assert.equal(requests.length, 3);
});

test('versions where none are kept says so on standard error', async () => {
  const versions: Operations['versions'] = () =>
    Promise.resolve({ schema_version: 1, versions: [] });
  assert.deepEqual(await run('versions', { versions }), {
    exitCode: 0,
    stdout: '',
    stderr: 'No earlier versions are kept\n',
  });
});

test('rollback goes back by generation or by version, and says what is held', async () => {
  const requests: unknown[] = [];
  const rollback: Operations['rollback'] = (request) => {
    requests.push(request);
    return Promise.resolve(rolledBack);
  };
  assert.deepEqual(await run('rollback --generation 812 --dir .', { rollback }), {
    exitCode: 0,
    stdout: 'Rolled back: 12 restored, 3 removed\n',
    stderr: 'Set "rules" is held as it is now, until "muster approve rules --dir ."\n',
  });
  await run('rollback --version 4711', { rollback });
  assert.deepEqual(requests, [{ generation: 812 }, { version: 4711 }]);
});

test('rollback that could not restore everything exits with 5', async () => {
  const rollback: Operations['rollback'] = () => Promise.resolve({ ...rolledBack, problems });
  const { exitCode, stderr } = await run('rollback --version 1 --quiet', { rollback });
  assert.equal(exitCode, 5);
  assert.equal(
    stderr,
    'muster: rollback: could not handle etc/rules/locked.xml: permission denied ' +
      '(and 1 more path)\n',
  );
});

test('rollback needs to be told exactly one way back', async () => {
  for (const line of ['rollback', 'rollback --generation 1 --version 2', 'rollback --version 0']) {
    assert.equal((await run(line)).exitCode, 2, line);
  }
});
