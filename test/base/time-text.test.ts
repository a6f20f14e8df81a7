import assert from 'node:assert/strict';
import test from 'node:test';
import { isoTime, momentOf } from '../../src/base/time-text.ts';

test('momentOf() undoes isoTime(), over leap years and the turn of a century', () => {
  for (let day = -40_000; day < 60_000; day += 13) {
    const ms = day * 86_400_000 + 34_025_000;
    assert.equal(momentOf(isoTime(ms)), ms, isoTime(ms));
  }
  assert.equal(momentOf('2024-02-29T23:59:59Z'), 1_709_251_199_000);
  assert.equal(momentOf('2024-02-29T23:59:59.250Z'), 1_709_251_199_000);
});

test('momentOf() takes nothing but a moment in UTC', () => {
  for (const text of ['', '2024-02-29', '2024-02-29T23:59:59', '2024-02-29T23:59:59+01:00']) {
    assert.ok(Number.isNaN(momentOf(text)), text);
  }
});
