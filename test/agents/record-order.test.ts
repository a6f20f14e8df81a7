import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  isNewer,
  masterSeconds,
  masterTimeMs,
  nextOrderMs,
  type RecordOrder,
} from '../../src/agents/record-order.ts';

const hourMs = 3_600_000;
const nowMs = 1_800_000_000_000;

function order(node: string, nodeOrderMs: number, skewMs = 0, epoch = node): RecordOrder {
  return { node, epoch, nodeOrderMs, orderMs: masterTimeMs(nodeOrderMs, skewMs, nowMs) };
}

test('of two records of one node the one with the higher number is newer', () => {
  assert.equal(isNewer(order('a', 11), order('a', 10)), true);
  assert.equal(isNewer(order('a', 10), order('a', 10)), false);
  assert.equal(isNewer(order('a', 9), order('a', 10)), false);
});

test('a clock that was measured anew does not reorder the records of one node', () => {
  const before = order('a', 1000, 0);
  const after = order('a', 1001, 5000);
  assert.equal(isNewer(after, before), true);
  assert.equal(isNewer(before, after), false);
});

test('records of different nodes are ordered by the time of the master', () => {
  const fast = order('fast', nowMs - 1000 + hourMs, hourMs);
  const slow = order('slow', nowMs - 500 - hourMs, -hourMs);
  assert.equal(isNewer(slow, fast), true);
  assert.equal(isNewer(fast, slow), false);
});

test('a clock ahead that nobody has measured keeps an agent for no longer than until now', () => {
  const wrong = order('wrong', nowMs + hourMs);
  assert.equal(isNewer(order('right', nowMs + 1, -10), wrong), false, 'nothing is after now');
  const later = { ...order('right', 0), orderMs: nowMs + 1 };
  assert.equal(isNewer(later, wrong), true);
});

test('records of the same moment have one order, whichever comes first', () => {
  const [one, two] = [order('a', 10), order('b', 10)];
  assert.notEqual(isNewer(one, two), isNewer(two, one));
});

test('a node with a new database is ordered by time, not by its old numbers', () => {
  const old = order('a', 5000, 0, 'first');
  assert.equal(isNewer(order('a', 6000, 0, 'second'), old), true);
  assert.equal(isNewer(order('a', 4000, 0, 'second'), old), false);
});

test('nextOrderMs() is the keep-alive, never the future, and always more than before', () => {
  assert.equal(nextOrderMs(100, undefined, nowMs), 100_000);
  assert.equal(nextOrderMs(null, undefined, nowMs), nowMs);
  assert.equal(nextOrderMs(9e11, undefined, nowMs), nowMs);
  assert.equal(nextOrderMs(100, 100_000, nowMs), 100_001);
  assert.equal(nextOrderMs(100, nowMs + hourMs, nowMs), nowMs + hourMs + 1);
});

test('masterSeconds() corrects a clock that is off by more than the measuring', () => {
  assert.equal(masterSeconds(1000, 1999), 1000);
  assert.equal(masterSeconds(1000, 10_000), 990);
  assert.equal(masterSeconds(1000, -10_000), 1010);
  assert.equal(masterSeconds(1, 10_000), 0);
});
