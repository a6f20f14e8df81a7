import assert from 'node:assert/strict';
import test from 'node:test';
import { ageText, countOf, countText, sizeText, spanText } from '../../src/cli/amounts.ts';

test('countText() groups digits by three', () => {
  assert.deepEqual([0, 7, 999, 1000, 1240, 1234567].map(countText), [
    '0',
    '7',
    '999',
    '1,000',
    '1,240',
    '1,234,567',
  ]);
});

test('countOf() has the thing in the singular for one only', () => {
  assert.deepEqual([0, 1, 2, 1240].map((count) => countOf(count, 'file')), [
    '0 files',
    '1 file',
    '2 files',
    '1,240 files',
  ]);
});

test('sizeText() is never longer than nine characters', () => {
  const table: [number, string][] = [
    [0, '0 B'],
    [1, '1 B'],
    [999, '999 B'],
    [1000, '1.0 KiB'],
    [1023, '1.0 KiB'],
    [1229, '1.2 KiB'],
    [102_297, '99.9 KiB'],
    [102_349, '100 KiB'],
    [1_023_487, '999 KiB'],
    [1_023_488, '1.0 MiB'],
    [13_002_342, '12.4 MiB'],
    [2 ** 40, '1.0 TiB'],
    [Number.MAX_SAFE_INTEGER, '8.0 PiB'],
  ];
  for (const [bytes, text] of table) assert.equal(sizeText(bytes), text);
});

test('spanText() has two units at most, and none that is zero', () => {
  const table: [number, string][] = [
    [-5, '0 ms'],
    [0, '0 ms'],
    [999.4, '999 ms'],
    [1000, '1.0 s'],
    [8240, '8.2 s'],
    [9949, '9.9 s'],
    [9950, '9 s'],
    [59_999, '59 s'],
    [60_000, '1 min'],
    [303_000, '5 min 3 s'],
    [3_600_000, '1 h'],
    [11_520_000, '3 h 12 min'],
    [86_400_000, '1 d'],
    [273_600_000, '3 d 4 h'],
    [864_000_000, '10 d'],
    [900_000_000, '10 d'],
    [86_400_000 * 3650, '3,650 d'],
  ];
  for (const [ms, text] of table) assert.equal(spanText(ms), text);
});

test('ageText() calls a moment that is still to come now', () => {
  assert.equal(ageText(1000, 13_000), '12 s ago');
  assert.equal(ageText(1000, 1000), 'now');
  assert.equal(ageText(1000, 500), 'now');
});
