import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concurrently, eachInSlices, inSlices } from '../../src/runtime/slices.ts';

/** A clock on which each look at the time takes a millisecond; counts the breaths. */
function tickingClock() {
  let nowMs = 0;
  const clock = {
    breathsCount: 0,
    monotonicMs: () => nowMs++,
    breathe: async () => void clock.breathsCount++,
  };
  return clock;
}

test('inSlices() works on all items, some at a time, with a breath after each slice', async () => {
  const clock = tickingClock();
  const slices: [number, number][] = [];
  await inSlices(clock, 100, (start, mayGoOn) => {
    let index = start;
    do index++; while (index < 100 && mayGoOn());
    slices.push([start, index]);
    return index;
  });
  assert.equal(slices[0]![0], 0);
  assert.equal(slices.at(-1)![1], 100);
  for (const [i, [start]] of slices.entries()) if (i > 0) assert.equal(start, slices[i - 1]![1]);
  assert.ok(slices.length > 5 && slices.length < 50);
  assert.equal(clock.breathsCount, slices.length);
  await inSlices(clock, 0, () => assert.fail('there is nothing to do'));
});

test('inSlices() stops with the reason of its signal', async () => {
  const controller = new AbortController();
  const slice = (start: number): number => {
    controller.abort(new Error('enough'));
    return start + 1;
  };
  const work = inSlices(tickingClock(), 10, slice, controller.signal);
  await assert.rejects(work, { message: 'enough' });
});

test('eachInSlices() hands over every item with its place', async () => {
  const items = Array.from({ length: 50 }, (_, i) => `item ${i}`);
  const seen: string[] = [];
  await eachInSlices(tickingClock(), items, (item, index) => seen[index] = item);
  assert.deepEqual(seen, items);
});

test('concurrently() works on a few items at a time, and on no more after a failure', async () => {
  let running = 0;
  let runningMax = 0;
  const done: number[] = [];
  const work = async (item: number): Promise<void> => {
    runningMax = Math.max(runningMax, ++running);
    await Promise.resolve();
    running--;
    if (item === 7) throw new Error('seven');
    done.push(item);
  };
  const numbers = Array.from({ length: 20 }, (_, i) => i);
  await concurrently(3, numbers.slice(8), work);
  assert.deepEqual(done.sort((left, right) => left - right), numbers.slice(8));
  assert.equal(runningMax, 3);
  done.length = 0;
  await assert.rejects(concurrently(3, numbers, work), { message: 'seven' });
  assert.equal(running, 0, 'all have stopped');
  assert.ok(!done.includes(19));
});
