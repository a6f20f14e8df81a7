/** Moments and durations in words. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { durationText, utcText } from '../../src/identity/time-text.ts';

test('utcText() writes a moment to the minute, whatever the zone of the machine', () => {
  assert.equal(utcText(Date.UTC(2026, 0, 2, 3, 4, 59)), '2026-01-02 03:04 UTC');
  assert.equal(utcText(Date.UTC(2027, 11, 31, 0, 0, 0)), '2027-12-31 00:00 UTC');
});

test('durationText() uses the largest unit that is not misleading, rounded up', () => {
  const second = 1000;
  const cases: [number, string][] = [
    [0, '1 second'],
    [1500, '2 seconds'],
    [90 * second, '90 seconds'],
    [120 * second, '2 minutes'],
    [121 * second, '3 minutes'],
    [3600 * second, '60 minutes'],
    [7200 * second, '2 hours'],
    [86_400 * second, '24 hours'],
    [3 * 86_400 * second, '3 days'],
  ];
  for (const [ms, text] of cases) assert.equal(durationText(ms), text);
});
