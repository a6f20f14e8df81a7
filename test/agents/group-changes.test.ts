import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentId } from '../../src/agents/agent.ts';
import { packData } from '../../src/agents/data-codec.ts';
import { FactsStore } from '../../src/agents/store/facts.ts';
import { GroupsPair } from '../tasks/groups-pair.ts';
import { factsOf } from './samples.ts';

const { signal } = new AbortController();

function report(pair: GroupsPair, id: AgentId, platform: string): void {
  const facts = factsOf({ os_platform: platform, ip: '10.1.2.3', labels: [['role', 'db']] });
  new FactsStore(pair.masterDatabase).save({
    id,
    data: packData(facts),
    status: facts,
    order: { node: 'worker', epoch: 'e', nodeOrderMs: 1, orderMs: 1 },
    pending: 0,
    refusal: 0,
  });
  pair.changes.firstContact([id]);
}

const groupsOf = (pair: GroupsPair, id: AgentId) => pair.assignments.get(id)?.groups;

test('rules give an agent its first groups by what it reported, once', async () => {
  const rule = { name: '', label: '', subnet: '', osPlatform: '' };
  const pair = await GroupsPair.open([
    { ...rule, osPlatform: 'win*', groups: ['web'] },
    { ...rule, label: 'role=db', subnet: '10.0.0.0/8', groups: ['db', 'none'] },
  ]);
  pair.register(1, 2, 3);
  report(pair, 1, 'windows');
  report(pair, 2, 'ubuntu');
  await pair.settle(pair.changes.calculateDue());
  assert.deepEqual([1, 2, 3].map((id) => groupsOf(pair, id)), ['web', 'db', '']);
  await pair.assign('default', 1);
  report(pair, 1, 'ubuntu');
  await pair.settle(pair.changes.calculateDue());
  assert.equal(groupsOf(pair, 1), 'web,default');
  const warnings = pair.pair.logged('master', 'warning');
  assert.deepEqual(warnings.map((text) => /group "none"/.test(text)), [true]);
  await pair.finish();
});

test('an agent that was assigned before its first report keeps that', async () => {
  const pair = await GroupsPair.open();
  pair.register(1);
  await pair.assign('db', 1);
  report(pair, 1, 'ubuntu');
  await pair.settle(pair.changes.calculateDue());
  assert.equal(groupsOf(pair, 1), 'db');
  await pair.finish();
});

test('agents that could not be given any group get one when there is one', async () => {
  const pair = await GroupsPair.open();
  pair.groups.delete('default');
  pair.register(1, 2);
  report(pair, 1, 'ubuntu');
  await pair.settle(pair.changes.calculateDue());
  assert.equal(groupsOf(pair, 1), '');
  assert.match(pair.pair.logged('master', 'warning').join(), /muster groups create default/);
  await pair.restartMaster();
  pair.groups.add('default');
  await pair.settle(pair.changes.calculateWaiting());
  assert.deepEqual([groupsOf(pair, 1), groupsOf(pair, 2)], ['default', '']);
  await pair.finish();
});

test('assign and unassign tell what they did, and leave no agent without a group', async () => {
  const pair = await GroupsPair.open();
  pair.register(...Array.from({ length: 1_200 }, (_, i) => i + 1));
  const all = await pair.settle(pair.changes.assign('web', { all: true }, signal));
  assert.deepEqual(all, { changed: 1_200, unchanged: 0, refused: [] });
  const some = await pair.assign('web', 1, 2, 2, 5_000);
  assert.deepEqual([some.changed, some.unchanged], [0, 2]);
  assert.deepEqual(some.refused, [{ id: 5_000, problem: 'there is no such agent' }]);
  await pair.assign('db', 7, 8);
  const gone = await pair.settle(pair.changes.unassign('web', { group: 'db' }, signal));
  assert.equal(gone.changed, 2);
  assert.equal(groupsOf(pair, 7), 'db');
  await pair.settle(pair.changes.unassign('db', { ids: [7] }, signal));
  assert.equal(groupsOf(pair, 7), 'default');
  const last = await pair.settle(pair.changes.unassign('default', { ids: [7] }, signal));
  assert.deepEqual([last.changed, last.unchanged], [0, 1]);
  assert.throws(() => pair.changes.assign('none', { all: true }, signal), /no group "none"/);
  await pair.finish();
});

test('an agent can have so many groups and no more', async () => {
  const pair = await GroupsPair.open();
  pair.register(1);
  for (let i = 0; i < 128; i++) {
    pair.groups.add(`g${i}`);
    await pair.assign(`g${i}`, 1);
  }
  const { refused } = await pair.assign('web', 1);
  assert.match(refused[0]?.problem ?? '', /128 groups/);
  await pair.finish();
});

test('groups that are gone are found, and taken from their agents', async () => {
  const pair = await GroupsPair.open();
  pair.register(1, 2, 3);
  await pair.assign('web', 1, 2);
  await pair.assign('db', 2);
  pair.groups.delete('web');
  const vanished = await pair.settle(pair.changes.vanishedGroups());
  assert.deepEqual(vanished, ['web']);
  assert.equal(await pair.settle(pair.changes.dropGroups(vanished, signal)), 2);
  assert.deepEqual([1, 2, 3].map((id) => groupsOf(pair, id)), ['default', 'db', '']);
  assert.deepEqual(await pair.settle(pair.changes.vanishedGroups()), []);
  await pair.finish();
});

test('an agent that is removed and comes back begins anew', async () => {
  const pair = await GroupsPair.open();
  pair.register(1);
  await pair.assign('web', 1);
  pair.assignments.remove(1);
  assert.equal(groupsOf(pair, 1), null);
  const { refused } = await pair.assign('web', 1);
  assert.equal(refused.length, 1);
  pair.register(1);
  assert.equal(groupsOf(pair, 1), '');
  await pair.finish();
});
