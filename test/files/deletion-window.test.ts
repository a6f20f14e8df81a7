import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeletionWindow } from '../../src/files/deletion-window.ts';
import type { Entry } from '../../src/files/entry.ts';
import type { FileSet } from '../../src/files/file-set.ts';
import type { Plan } from '../../src/files/plan.ts';

const minuteMs = 60_000;

function planOf(changes: { remove?: string[]; create?: string[] }): Plan {
  const entries = (paths: string[] = []): Entry[] =>
    paths.map((path) => ({ path, size: 1, mtimeMs: 0, hash: 'h' }));
  return {
    set: { name: 'rules' } as FileSet,
    create: entries(changes.create),
    replace: [],
    remove: entries(changes.remove),
  };
}

test('DeletionWindow.lost() adds up what was removed within ten minutes', () => {
  let nowMs = 0;
  const window = new DeletionWindow({ monotonicMs: () => nowMs });
  window.note(planOf({ remove: ['a', 'b'] }));
  nowMs = 6 * minuteMs;
  window.note(planOf({ remove: ['c'] }));
  assert.equal(window.lost('rules'), 3);
  assert.equal(window.lost('other'), 0);
  nowMs = 11 * minuteMs;
  assert.equal(window.lost('rules'), 1);
  nowMs = 17 * minuteMs;
  assert.equal(window.lost('rules'), 0);
});

test('DeletionWindow.lost() does not count files that came within the same minutes', () => {
  let nowMs = 0;
  const window = new DeletionWindow({ monotonicMs: () => nowMs });
  for (let i = 0; i < 100; i++) {
    window.note(planOf({ create: ['temporary'] }));
    nowMs += 1000;
    window.note(planOf({ remove: ['temporary'] }));
  }
  assert.equal(window.lost('rules'), 0);
  window.note(planOf({ create: ['new'] }));
  nowMs += 11 * minuteMs;
  window.note(planOf({ remove: ['new'] }));
  assert.equal(window.lost('rules'), 1);
});

test('DeletionWindow.forget() forgets what an operator approved', () => {
  const window = new DeletionWindow({ monotonicMs: () => 0 });
  window.note(planOf({ remove: ['a'] }));
  window.forget('rules');
  assert.equal(window.lost('rules'), 0);
});
