import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../sim/random.ts';
import { GroupsPair } from './groups-pair.ts';

const ids = (count: number) => Array.from({ length: count }, (_, i) => i + 1);
const signal = new AbortController().signal;

function mustBeEqual(pair: GroupsPair): void {
  assert.deepEqual(GroupsPair.rowsOf(pair.copy), GroupsPair.rowsOf(pair.assignments));
}

/** Messages that the master has sent since the last time. */
function sentSince(pair: GroupsPair): string[] {
  const { frames } = pair.pair;
  const names: Readonly<Record<number, string>> = { 13: 'offer', 14: 'apply', 15: 'compare' };
  const requests = frames.filter(({ from, frame }) =>
    from === 'master' && frame.kind === 'request'
  );
  frames.length = 0;
  return requests.map(({ frame }) => names[frame.message] ?? String(frame.message));
}

test('a worker gets all at first, then what is new, then nothing', async () => {
  const pair = await GroupsPair.open();
  pair.register(...ids(5_000));
  await pair.assign('web', ...ids(100));
  const first = await pair.round();
  assert.match(first.summary ?? '', /^Sent 5000 assignments\. Snapshot 1\.$/);
  mustBeEqual(pair);
  assert.deepEqual(sentSince(pair), ['offer', ...Array.from({ length: 2 }, () => 'apply')]);

  await pair.assign('db', 7, 4_000);
  assert.match((await pair.round()).summary ?? '', /^Sent 2 assignments/);
  assert.equal(pair.copy.get(7)?.groups, 'web,db');
  mustBeEqual(pair);
  assert.deepEqual(sentSince(pair), ['offer', 'apply']);

  assert.equal((await pair.round()).summary, undefined);
  const bytes = pair.pair.frames.map(({ frame }) => frame.payload.length);
  assert.deepEqual(bytes.length, 2, 'one frame each way');
  assert.ok(Math.max(...bytes) < 200);
  assert.equal(pair.send.state.state, 'same');
  await pair.finish();
});

test('nothing is stored before the worker has the generation, the groups and the keys', async () => {
  const pair = await GroupsPair.open();
  pair.register(1, 2);
  pair.generation = 3;
  await pair.assign('web', 1);
  const waits = async (reason: RegExp) => {
    assert.equal((await pair.round()).summary, undefined);
    assert.equal(pair.send.state.state, 'waiting');
    assert.match(pair.send.state.reason ?? '', reason);
    assert.match(pair.mirror.waitingFor ?? '', reason);
    assert.deepEqual(GroupsPair.rowsOf(pair.copy), []);
  };
  await waits(/generation 3 of the files, this node has 1/);
  pair.workerGeneration = 3;
  pair.workerGroups.delete('web');
  await waits(/no directory of group "web"/);
  pair.workerGroups.add('web');
  pair.workerDatabase.exec('DELETE FROM registration WHERE id = 2');
  await waits(/agent 002 is not in the keys file/);
  pair.register(2);
  await pair.round();
  assert.equal(pair.send.state.state, 'same');
  assert.equal(pair.mirror.waitingFor, undefined);
  mustBeEqual(pair);
  await pair.finish();
});

test('agents that a command added are told of, and taken back', async () => {
  const pair = await GroupsPair.open();
  pair.assignments.ensure(5, 'by-command', false);
  pair.register(6);
  await pair.round();
  assert.deepEqual([...pair.told], [[5, 'by-command']]);
  pair.assignments.remove(5);
  await pair.round();
  assert.equal(pair.told.size, 0);
  assert.equal(pair.copy.get(5), undefined);
  mustBeEqual(pair);
  await pair.finish();
});

test('no assignments at all are an ordinary case', async () => {
  const pair = await GroupsPair.open();
  await pair.round();
  assert.equal(pair.send.state.state, 'same');
  pair.register(...ids(3_000));
  await pair.round();
  for (const id of ids(3_000)) pair.assignments.remove(id);
  await pair.round();
  assert.equal(pair.send.state.state, 'same');
  assert.deepEqual(GroupsPair.rowsOf(pair.copy), []);
  await pair.finish();
});

test('what was tampered with is found after a restart, told, and put right by leaves', async () => {
  const pair = await GroupsPair.open();
  pair.register(...ids(500));
  await pair.assign('web', ...ids(500));
  await pair.round();
  const tamper = pair.workerDatabase;
  tamper.exec("UPDATE assignment SET group_names = 'db' WHERE id = 77");
  tamper.exec('DELETE FROM assignment WHERE id = 300');
  tamper.exec("INSERT INTO assignment VALUES (90000, 'ghost', 'web', 1, 0, 1)");
  pair.restartWorker();
  sentSince(pair);
  await pair.round();
  mustBeEqual(pair);
  assert.deepEqual(sentSince(pair), ['offer', 'compare', 'apply']);
  assert.match(pair.pair.logged('master', 'warning').join(), /first that of agent 077/);
  await pair.finish();
});

test('a worker that was emptied, or another master, ends in the same assignments', async () => {
  const pair = await GroupsPair.open();
  pair.register(...ids(300));
  await pair.round();
  pair.workerDatabase.exec('DELETE FROM assignment');
  pair.restartWorker();
  await pair.round();
  mustBeEqual(pair);

  // A database from before: the same epoch, a lower number, other contents.
  await pair.assign('web', 1);
  await pair.round();
  pair.masterDatabase.exec(
    "UPDATE agent_values SET value = '1' WHERE name = 'groups.snapshot';" +
      "UPDATE assignment SET group_names = 'db', snapshot = 1 WHERE id = 1",
  );
  await pair.restartMaster();
  await pair.round();
  mustBeEqual(pair);

  // Another database altogether.
  pair.masterDatabase.exec(
    "DELETE FROM agent_values; UPDATE assignment SET group_names = 'db', snapshot = 0",
  );
  await pair.restartMaster();
  await pair.round();
  mustBeEqual(pair);
  assert.equal(pair.send.state.snapshot, 1);
  await pair.finish();
});

test('removals that were forgotten are found by comparing', async () => {
  const pair = await GroupsPair.open();
  pair.register(...ids(100));
  await pair.round();
  pair.assignments.remove(50);
  await pair.settle(pair.publication.publish());
  await pair.settle(pair.publication.prune());
  assert.equal(pair.assignments.get(50), undefined);
  sentSince(pair);
  await pair.round();
  assert.deepEqual(sentSince(pair), ['offer', 'compare', 'apply']);
  mustBeEqual(pair);
  await pair.finish();
});

test('what is assigned while a difference is packed goes with it', async () => {
  const pair = await GroupsPair.open();
  pair.register(...ids(3_000));
  await pair.settle(pair.publication.publish());
  const packed = pair.publication.since(0);
  const changed = pair.changes.assign('web', { ids: [3, 2_999] }, signal);
  const [difference] = await pair.settle(Promise.all([packed, changed]));
  await pair.round();
  mustBeEqual(pair);
  assert.ok(difference !== undefined);
  await pair.finish();
});

test('one difference is packed once for all workers that hold the same', async () => {
  const pair = await GroupsPair.open();
  pair.register(...ids(100));
  await pair.settle(pair.publication.publish());
  const [one, other] = await pair.settle(
    Promise.all([pair.publication.since(0), pair.publication.since(0)]),
  );
  assert.equal(one, other);
  await pair.assign('web', 1);
  assert.notEqual(await pair.settle(pair.publication.since(0)), one);
  await pair.finish();
});

test('a worker that knows nothing of groups is left alone', async () => {
  const pair = await GroupsPair.open([], {});
  pair.register(1);
  await pair.round();
  assert.equal(pair.send.state.state, 'unsupported');
  sentSince(pair);
  await pair.round();
  assert.deepEqual(sentSince(pair), []);
  await pair.finish();
});

test('after any operations, restarts and damages the two are equal', async () => {
  const pair = await GroupsPair.open();
  const random = new SeededRandom(11);
  const id = () => random.integer(1, 400);
  const operations: readonly (() => Promise<unknown> | void)[] = [
    () => pair.register(id(), id(), id()),
    () => pair.register(id(), id(), id()),
    () => pair.assignments.ensure(id(), 'command', false),
    () => pair.assignments.remove(id()),
    () => pair.assign(random.pick([...pair.groups]), id(), id(), id()),
    () => pair.settle(pair.changes.unassign('web', { ids: [id(), id()] }, signal)),
    () => pair.settle(pair.changes.assign('db', { all: true }, signal)),
    () => pair.settle(pair.changes.unassign('db', { group: 'web' }, signal)),
    () => pair.settle(pair.publication.publish()),
    () => pair.round(),
    () => pair.round(),
    () => pair.restartMaster(),
    () => pair.restartWorker(),
    () => {
      pair.workerDatabase.exec(`UPDATE assignment SET group_names = 'x' WHERE id = ${id()}`);
      pair.restartWorker();
    },
    () => {
      pair.workerDatabase.exec(`DELETE FROM assignment WHERE id > ${id()}`);
      pair.restartWorker();
    },
    () => pair.settle(pair.publication.prune()),
  ];
  let comparedCount = 0;
  for (let i = 0; i < 1_500; i++) {
    await random.pick(operations)();
    if (i % 10 !== 0) continue;
    await pair.round();
    mustBeEqual(pair);
    assert.equal(pair.send.state.state, 'same');
    comparedCount += 1;
  }
  assert.equal(comparedCount, 150);
  await pair.finish();
});
