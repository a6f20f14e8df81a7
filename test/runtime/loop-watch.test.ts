/** The watch on the event loop sees holds, from the first thing that is done after a rest. */
import assert from 'node:assert/strict';
import process from 'node:process';
import { test } from 'node:test';
import { systemClock } from '../../src/runtime/clock.ts';
import { watchLoop } from '../../src/runtime/loop-watch.ts';

/** Takes so much time of a processor: that in which the machine runs others does not count. */
function hold(ms: number): void {
  const start = process.cpuUsage();
  while (process.cpuUsage(start).user < ms * 1000);
}

test('watchLoop() sees how long the loop was held', async () => {
  const watch = watchLoop();
  hold(120);
  await systemClock.sleep(0);
  assert.ok(watch.longestHoldMs() >= 80, `${watch.longestHoldMs()} ms`);
  watch.reset();
  assert.ok(watch.longestHoldMs() < 80);
  watch.close();
});

test('watchLoop() sees a hold that begins as the loop wakes from a rest', async () => {
  const watch = watchLoop();
  // Long enough for it to have seen that nothing happens.
  await systemClock.sleep(200);
  hold(120);
  assert.ok(watch.longestHoldMs() >= 80, `${watch.longestHoldMs()} ms`);
  watch.close();
});
