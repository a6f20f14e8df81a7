import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pathConflicts } from '../../src/files/path-conflicts.ts';

function conflicts(coming: readonly string[], leaving: readonly string[]) {
  const found = pathConflicts(new Set(coming), new Set(leaving));
  return { coming: [...found.coming].sort(), leaving: [...found.leaving].sort() };
}

test('a file that becomes a directory, and a directory that becomes a file', () => {
  assert.deepEqual(conflicts(['x/y', 'x/z/w', 'other'], ['x', 'xy']), {
    coming: ['x/y', 'x/z/w'],
    leaving: ['x'],
  });
  assert.deepEqual(conflicts(['d', 'other'], ['d/a', 'd/e/f', 'dd/a']), {
    coming: ['d'],
    leaving: ['d/a', 'd/e/f'],
  });
});

test("what has nothing to do with each other is in nobody's way", () => {
  const nothing = { coming: [], leaving: [] };
  assert.deepEqual(conflicts(['a/b', 'a.b'], ['a/c', 'ab', 'a/b.c']), nothing);
  assert.deepEqual(conflicts([], ['a']), nothing);
  assert.deepEqual(conflicts(['a'], []), nothing);
});
