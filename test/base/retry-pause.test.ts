import assert from 'node:assert/strict';
import { test } from 'node:test';
import { retryPauseMs } from '../../src/base/retry-pause.ts';

test('retryPauseMs() doubles from the shortest to the longest pause, of which half is chance', () => {
  // attempt, shortest, longest, chance, expected
  const table = [
    [1, 1000, 60_000, 0, 500],
    [1, 1000, 60_000, 0.5, 750],
    [1, 1000, 60_000, 1, 1000],
    [2, 1000, 60_000, 0, 1000],
    [3, 1000, 60_000, 0, 2000],
    [4, 1000, 60_000, 0.25, 5000],
    [6, 1000, 60_000, 1, 32_000],
    [7, 1000, 60_000, 1, 60_000],
    [7, 1000, 60_000, 0, 30_000],
    [5000, 1000, 60_000, 0.5, 45_000],
    [3, 5000, 5000, 0, 2500],
    [9, 200, 30_000, 0.5, 22_500],
  ] as const;
  for (const [attempt, minMs, maxMs, chance, expected] of table) {
    assert.equal(retryPauseMs(attempt, minMs, maxMs, chance), expected);
  }
});
