import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mergeReport } from '../../src/agents/merge.ts';
import { pendingLevels } from '../../src/agents/store/facts.ts';
import { factsOf } from './samples.ts';

const now = 1_800_000_000;

test('the first report is told as a whole; what it leaves out is not known', () => {
  const merged = mergeReport({ name: 'web', last_keepalive: now - 5 }, undefined, now);
  assert.deepEqual(merged, {
    facts: factsOf({ name: 'web', last_keepalive: now - 5, connection_status: 'active' }),
    level: pendingLevels.all,
  });
});

test('a keep-alive alone is told as a status, and leaves the data as they were', () => {
  const known = factsOf({ name: 'web', labels: [['a', 'b']], last_keepalive: now - 20 });
  const merged = mergeReport({ last_keepalive: now - 10 }, known, now);
  assert.equal(merged?.level, pendingLevels.status);
  assert.deepEqual(merged?.facts, {
    ...known,
    last_keepalive: now - 10,
    connection_status: 'active',
  });
});

test('changed data and changed labels are told as a whole', () => {
  const known = factsOf({ name: 'web', labels: [['a', '1'], ['b', '2']] });
  assert.equal(mergeReport({ name: 'db' }, known, now)?.level, pendingLevels.all);
  const labels = [['b', '2'], ['a', '1']] as const;
  assert.equal(mergeReport({ labels }, known, now)?.level, pendingLevels.all, 'their order counts');
  assert.equal(mergeReport({ name: 'web' }, known, now)?.level, pendingLevels.nothing);
});

test('a value that is given as null is forgotten', () => {
  const known = factsOf({ name: 'web', os_name: 'Debian' });
  assert.equal(mergeReport({ os_name: null }, known, now)?.facts.os_name, null);
});

test('an older keep-alive changes nothing', () => {
  const known = factsOf({ name: 'new', last_keepalive: now - 10 });
  assert.equal(mergeReport({ name: 'old', last_keepalive: now - 11 }, known, now), undefined);
  assert.ok(mergeReport({ name: 'same', last_keepalive: now - 10 }, known, now));
});

test('a keep-alive from the future does not keep out those that follow', () => {
  const known = factsOf({ last_keepalive: now + 3600 });
  assert.equal(mergeReport({ last_keepalive: now }, known, now)?.facts.last_keepalive, now);
});

test('an agent that is disconnected has the time of it, and loses it when it is back', () => {
  const known = factsOf({ connection_status: 'active', last_keepalive: now - 60 });
  const gone = mergeReport({ connection_status: 'disconnected' }, known, now);
  assert.equal(gone?.facts.disconnection_time, now);
  const later = mergeReport({ connection_status: 'disconnected' }, gone.facts, now + 9);
  assert.equal(later?.facts.disconnection_time, now, 'it is the first time that counts');
  const back = mergeReport({ last_keepalive: now + 10 }, gone.facts, now + 10);
  assert.equal(back?.facts.connection_status, 'active');
  assert.equal(back.facts.disconnection_time, 0);
});
