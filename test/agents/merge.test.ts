import assert from 'node:assert/strict';
import { test } from 'node:test';
import { packData } from '../../src/agents/data-codec.ts';
import { hasData, isSameStatus, mergeData, mergeStatus } from '../../src/agents/merge.ts';
import { factsOf } from './samples.ts';

const now = 1_800_000_000;

test('the first report is all that is known; what it leaves out is not', () => {
  const { last_keepalive, connection_status, disconnection_time, status_code, ...data } = factsOf({
    name: 'web',
    last_keepalive: now - 5,
    connection_status: 'active',
  });
  const given = { name: 'web', last_keepalive: now - 5 };
  assert.deepEqual(mergeData(given, undefined), data);
  assert.deepEqual(mergeStatus(given, undefined, now), {
    last_keepalive,
    connection_status,
    disconnection_time,
    status_code,
  });
});

test('a keep-alive alone has no data, and comes from an active agent', () => {
  const known = factsOf({ last_keepalive: now - 20 });
  const given = { last_keepalive: now - 10 };
  assert.equal(hasData(given), false);
  const status = mergeStatus(given, known, now)!;
  assert.equal(status.connection_status, 'active');
  assert.equal(status.last_keepalive, now - 10);
  assert.equal(isSameStatus(status, known), false);
  assert.equal(isSameStatus(status, { ...status }), true);
});

test('data are packed to the same where every text and the order of the labels is', () => {
  const known = factsOf({ name: 'web', os_name: 'Debian', labels: [['a', '1'], ['b', '2']] });
  const packed = packData(known);
  assert.deepEqual(packData(mergeData({ name: 'web' }, known)), packed);
  assert.notDeepEqual(packData(mergeData({ name: 'db' }, known)), packed);
  const labels = [['b', '2'], ['a', '1']] as const;
  assert.notDeepEqual(packData(mergeData({ labels }, known)), packed);
  assert.equal(mergeData({ os_name: null }, known).os_name, null, 'null is forgotten');
  assert.equal(hasData({ labels: [] }), true);
});

test('an older keep-alive changes nothing', () => {
  const known = factsOf({ last_keepalive: now - 10 });
  assert.equal(mergeStatus({ last_keepalive: now - 11 }, known, now), undefined);
  assert.ok(mergeStatus({ last_keepalive: now - 10 }, known, now));
});

test('a keep-alive from the future does not keep out those that follow', () => {
  const known = factsOf({ last_keepalive: now + 3600 });
  assert.equal(mergeStatus({ last_keepalive: now }, known, now)?.last_keepalive, now);
});

test('an agent that is disconnected has the time of it, and loses it when it is back', () => {
  const known = factsOf({ connection_status: 'active', last_keepalive: now - 60 });
  const gone = mergeStatus({ connection_status: 'disconnected' }, known, now)!;
  assert.equal(gone.disconnection_time, now);
  const later = mergeStatus({ connection_status: 'disconnected' }, gone, now + 9);
  assert.equal(later?.disconnection_time, now, 'it is the first time that counts');
  const back = mergeStatus({ last_keepalive: now + 10 }, gone, now + 10);
  assert.equal(back?.connection_status, 'active');
  assert.equal(back.disconnection_time, 0);
});
