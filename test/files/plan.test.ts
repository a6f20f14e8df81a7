import assert from 'node:assert/strict';
import test from 'node:test';
import type { Entry, EntryChange } from '../../src/files/entry.ts';
import { Manifest } from '../../src/files/manifest.ts';
import { changesFromLeaves, isEmptyPlan, planChanges, planTotals } from '../../src/files/plan.ts';
import { simHashing } from '../sim/hashing.ts';
import { SeededRandom } from '../sim/random.ts';
import { entry, fileSet, wordPath } from './material.ts';

const set = fileSet();

function manifest(...entries: Entry[]): Manifest {
  return Manifest.fromEntries({ hashing: simHashing, algorithm: 'md5' }, entries);
}

function wanted(...entries: Entry[]): EntryChange[] {
  return entries.map((entry) => ({ path: entry.path, entry }));
}

test('planChanges() creates, replaces and removes, sorted by path', () => {
  const actual = manifest(entry('b', '1'), entry('d', '1'), entry('c', '1'), entry('x', '1'));
  const changes = [
    ...wanted(entry('z', 'new'), entry('d', '2'), entry('a', 'new'), entry('b', '2')),
    { path: 'x', entry: undefined },
    { path: 'c', entry: undefined },
    { path: 'no such file', entry: undefined },
  ];
  assert.deepEqual(planChanges(set, actual, changes), {
    set,
    create: [entry('a', 'new'), entry('z', 'new')],
    replace: [
      { entry: entry('b', '2'), previous: entry('b', '1') },
      { entry: entry('d', '2'), previous: entry('d', '1') },
    ],
    remove: [entry('c', '1'), entry('x', '1')],
  });
});

test('planChanges() leaves alone what has the wanted content already, whatever its time', () => {
  const actual = manifest(entry('a', '1', { mtimeMs: 5 }), entry('b', '1'));
  const plan = planChanges(set, actual, wanted(entry('a', '1', { mtimeMs: 6 }), entry('b', '1')));
  assert.deepEqual(plan, { set, create: [], replace: [], remove: [] });
  assert.equal(isEmptyPlan(plan), true);
  const other = planChanges(set, actual, wanted(entry('a', '1', { size: 2 })));
  assert.equal(other.replace.length, 1, 'the same hash with another size');
  assert.equal(isEmptyPlan(other), false);
});

test('planChanges() takes the last of several changes of a path', () => {
  const changes = [...wanted(entry('a', '1')), { path: 'a', entry: undefined }];
  assert.equal(isEmptyPlan(planChanges(set, manifest(), changes)), true);
  const plan = planChanges(set, manifest(), changes.toReversed());
  assert.deepEqual(plan.create, [entry('a', '1')]);
});

test('changesFromLeaves() leads from the actual entries to the wanted ones', () => {
  const actual = [entry('a', '1'), entry('b', '1', { mtimeMs: 5 }), entry('c', '1')];
  const changes = changesFromLeaves(actual, [
    entry('b', '1', { mtimeMs: 6 }),
    entry('c', '2'),
    entry('d', '1'),
  ]);
  assert.deepEqual(changes, [
    ...wanted(entry('c', '2'), entry('d', '1')),
    { path: 'a', entry: undefined },
  ]);
  assert.deepEqual(changesFromLeaves(actual, actual), []);
  assert.deepEqual(changesFromLeaves([], actual), wanted(...actual));
});

test('changesFromLeaves() and planChanges() lead from any files to any others', () => {
  const random = new SeededRandom('plans');
  const some = (): Entry[] => {
    const paths = new Set(Array.from({ length: random.integer(0, 30) }, () => wordPath(random)));
    return [...paths].map((path) => entry(path, `${random.integer(0, 2)}`));
  };
  for (let round = 0; round < 300; round++) {
    const [before, after] = [some(), some()];
    const actual = manifest(...before);
    const changes = changesFromLeaves(before, after);
    assert.equal(actual.with(changes).rootDigest, manifest(...after).rootDigest);
    const plan = planChanges(set, actual, random.shuffled(changes));
    const { create, replace, remove } = plan;
    const reached = actual.with([
      ...wanted(...create, ...replace.map(({ entry }) => entry)),
      ...remove.map(({ path }) => ({ path, entry: undefined })),
    ]);
    assert.equal(reached.rootDigest, manifest(...after).rootDigest);
    assert.equal(create.length + replace.length + remove.length, changes.length);
  }
});

test('planTotals() counts files, and the bytes of distinct contents', () => {
  const actual = manifest(entry('b', 'old'), entry('c', '1'), entry('d', '2'));
  const changes = [
    ...wanted(entry('a', 'same'), entry('b', 'same')),
    { path: 'c', entry: undefined },
    { path: 'd', entry: undefined },
  ];
  const totals = planTotals([
    planChanges(set, actual, changes),
    planChanges(set, manifest(), wanted(entry('x', 'another'))),
  ]);
  assert.deepEqual(totals, { createCount: 2, replaceCount: 1, removeCount: 2 });
  assert.equal(planTotals([]).createCount, 0);
});
