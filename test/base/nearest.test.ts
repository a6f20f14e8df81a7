import assert from 'node:assert/strict';
import test from 'node:test';
import { editDistance, nearest } from '../../src/base/nearest.ts';
import { seeded } from '../config/sources.ts';

test('nearest() finds the word that was meant', () => {
  const words = ['interval', 'misses_max', 'silence_max'];
  assert.equal(nearest('intervall', words), 'interval');
  assert.equal(nearest('mises_max', words), 'misses_max');
  assert.equal(nearest('max_silence', words), undefined);
});

test('nearest() keeps quiet about short words that have little in common', () => {
  assert.equal(nearest('foo', ['log', 'node']), undefined);
  assert.equal(nearest('lg', ['log', 'node']), 'log');
});

test('editDistance() counts insertions, deletions and replacements', () => {
  const table: [string, string, number][] = [
    ['', '', 0],
    ['abc', '', 3],
    ['kitten', 'sitting', 3],
    ['flaw', 'lawn', 2],
    ['same', 'same', 0],
  ];
  for (const [left, right, distance] of table) {
    assert.equal(editDistance(left, right), distance);
    assert.equal(editDistance(right, left), distance);
  }
});

test('editDistance() is at most the number of edits made', () => {
  const random = seeded(3);
  const letter = (): string => 'abcd'[Math.floor(random() * 4)]!;
  for (let i = 0; i < 500; i++) {
    const word = Array.from({ length: 8 }, letter);
    const changed = [...word];
    const edits = 1 + Math.floor(random() * 3);
    for (let edit = 0; edit < edits; edit++) {
      const at = Math.floor(random() * changed.length);
      const choice = random();
      if (choice < 0.33) changed.splice(at, 1);
      else if (choice < 0.66) changed.splice(at, 0, letter());
      else changed[at] = letter();
    }
    assert.ok(editDistance(word.join(''), changed.join('')) <= edits);
  }
});
