/** `groups`, and `agents add` and `remove`: what an operator changes about agents. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { ClusterError } from '../../../src/base/errors.ts';
import type { OperationName, Operations } from '../../../src/node/operations.ts';
import { run } from '../fake-host.ts';
import * as samples from '../samples.ts';

/** Runs a command; gives what it asked of the node besides, as which of these operations. */
async function asking(commandLine: string, name: OperationName, answer: object) {
  const asked: unknown[] = [];
  const operation = (request: unknown) => {
    asked.push(request);
    return Promise.resolve(answer);
  };
  const ending = await run(commandLine, { [name]: operation } as Partial<Operations>);
  return { ...ending, asked };
}

// --- agents add and remove ---------------------------------------------------------------------

const added = { ...samples.shownAgent, view: 'master' as const, confirmed: null };

test('agents add says which number an agent got', async () => {
  const { asked, ...ending } = await asking('agents add --name web-7', 'agentsAdd', added);
  assert.deepEqual(ending, { exitCode: 0, stdout: 'Added agent 007, web-7\n', stderr: '' });
  assert.deepEqual(asked, [{ name: 'web-7' }]);
  const all = await asking('agents add 007 --name 12 --ip 10.0.0.0/8', 'agentsAdd', added);
  assert.deepEqual(all.asked, [{ id: 7, name: '12', ip: '10.0.0.0/8' }]);
});

test('agents add needs a name, and a number that can be one', async () => {
  for (
    const [line, message] of [
      ['agents add 7', /An agent needs a name/],
      ['agents add x --name a', /An agent cannot have the number "x"/],
      ['agents add 7 8 --name a', /does not take the argument "8"/],
    ] as const
  ) {
    const { exitCode, stderr } = await run(line);
    assert.equal(exitCode, 2, line);
    assert.match(stderr, message);
  }
});

test('agents remove takes any number of agents', async () => {
  const { asked, ...ending } = await asking('agents remove 7 008 1234', 'agentsRemove', {
    ...samples.changed,
    changed: 3,
    unchanged: 0,
    refused: [],
  });
  assert.deepEqual(ending, { exitCode: 0, stdout: 'Removed 3 agents\n', stderr: '' });
  assert.deepEqual(asked, [{ ids: [7, 8, 1234] }]);
  const { exitCode, stderr } = await run('agents remove');
  assert.deepEqual([exitCode, stderr.includes('"muster agents remove" needs ID')], [2, true]);
});

test('agents remove says what was not removed', async () => {
  const some = await asking('agents remove 7 8', 'agentsRemove', samples.changed);
  assert.equal(some.exitCode, 5);
  assert.equal(some.stdout, 'Removed 2 agents\n');
  assert.equal(some.stderr, 'muster: agent 008: there is no such agent\n');
  const none = { ...samples.changed, changed: 0, unchanged: 0 };
  const all = await asking('agents remove 8', 'agentsRemove', none);
  assert.deepEqual([all.exitCode, all.stdout], [1, '']);
  const quiet = await asking('agents remove 8 --quiet', 'agentsRemove', none);
  assert.equal(
    quiet.stderr,
    'muster: agents remove: 1 agent refused, agent 008: there is no such agent\n',
  );
});

// --- groups ------------------------------------------------------------------------------------

test('groups list shows a line for each group', async () => {
  const ending = await asking('groups list', 'groupsList', samples.groups);
  assert.equal(ending.stderr, '');
  assert.equal(
    ending.stdout,
    `GROUP    AGENTS  FILES     SIZE
default   1,200      3  4.2 KiB
web           0      1    120 B
`,
  );
  assert.equal((await asking('groups', 'groupsList', samples.groups)).stdout, ending.stdout);
  const none = { ...samples.groups, total: 0, groups: [] };
  assert.equal(
    (await asking('groups list', 'groupsList', none)).stderr,
    'There is no group: muster groups create default\n',
  );
});

test('groups show tells what a group holds', async () => {
  const { asked, ...ending } = await asking('groups show web', 'groupsShow', samples.shownGroup);
  assert.deepEqual(ending, {
    exitCode: 0,
    stdout: `web: 12 agents, 2 files, 4.2 KiB
  agent.conf (120 B)
  lists/a (4.1 KiB)
`,
    stderr: 'This is the view of a worker; the master confirmed its groups 4.0 s ago\n',
  });
  assert.deepEqual(asked, [{ name: 'web' }]);
});

test('groups create and remove say what they did', async () => {
  const created = await asking('groups create web', 'groupsCreate', samples.shownGroup);
  assert.equal(created.stdout, 'Created group "web"\n');
  const removed = await asking('groups remove web', 'groupsRemove', samples.removedGroup);
  assert.equal(removed.stdout, 'Removed group "web", which 12 agents had\n');
  assert.deepEqual(removed.asked, [{ name: 'web', force: false }]);
  const forced = await asking('groups remove web --force', 'groupsRemove', samples.removedGroup);
  assert.deepEqual(forced.asked, [{ name: 'web', force: true }]);
  for (const name of ['a/b', '..', 'a b']) {
    const { exitCode } = await run(`groups create -- ${name.replace(' ', '\u00a0')}`);
    assert.equal(exitCode, 2, name);
  }
});

test('groups assign and unassign name their agents in one of three ways', async () => {
  for (
    const [words, request] of [
      ['web 7 008', { name: 'web', ids: [7, 8] }],
      ['web --all-agents', { name: 'web', all: true }],
      ['web --from-group default', { name: 'web', from: 'default' }],
    ] as const
  ) {
    const given = await asking(`groups assign ${words}`, 'groupsAssign', samples.changed);
    assert.deepEqual(given.asked, [request]);
    const taken = await asking(`groups unassign ${words}`, 'groupsUnassign', samples.changed);
    assert.deepEqual(taken.asked, [request]);
  }
  for (const words of ['web', 'web 7 --all-agents', 'web --all-agents --from-group a', '7']) {
    const { exitCode, stderr } = await run(`groups assign ${words}`);
    assert.equal(exitCode, 2, words);
    assert.match(stderr, /Give their numbers, or --from-group GROUP, or --all-agents/);
  }
});

test('groups assign and unassign say what came of it', async () => {
  const given = await asking('groups assign web 7 8 9 10', 'groupsAssign', samples.changed);
  assert.deepEqual([given.exitCode, given.stdout, given.stderr], [
    5,
    'Group "web" was given to 2 agents, 1 had it already\n',
    'muster: agent 008: there is no such agent\n',
  ]);
  const all = { ...samples.changed, changed: 1, unchanged: 0, refused: [] };
  const taken = await asking('groups unassign web 7', 'groupsUnassign', all);
  assert.deepEqual([taken.exitCode, taken.stdout], [0, 'Group "web" was taken from 1 agent\n']);
});

test('what the node refuses is said as it says it', async () => {
  const groupsAssign = () =>
    Promise.reject(new ClusterError('notFound', 'There is no group "x"', { remedy: 'Make it' }));
  const { exitCode, stderr } = await run('groups assign x 7', { groupsAssign });
  assert.deepEqual([exitCode, stderr], [1, 'muster: There is no group "x"\n  Make it\n']);
});
