import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  agentsOfLeaf,
  AssignmentDigests,
  leafMax,
  leafOf,
  packLeafNumbers,
  readLeafNumbers,
} from '../../src/agents/assignment-digests.ts';
import type { Assignment } from '../../src/agents/assignment-rows.ts';
import { ProtocolError } from '../../src/base/errors.ts';
import { createHashing } from '../../src/runtime/hashing.ts';

const hashing = await createHashing();

function row(id: number, groups = 'default'): Assignment {
  return { id, name: `agent-${id}`, isFromKeys: true, groups };
}

function digestsOf(rows: readonly Assignment[]): AssignmentDigests {
  const digests = new AssignmentDigests(hashing);
  for (const [leaf, ofLeaf] of Map.groupBy(rows, ({ id }) => leafOf(id))) {
    digests.update(leaf, ofLeaf);
  }
  return digests;
}

test('equal assignments have equal digests, whatever the history', () => {
  const digests = digestsOf([row(1), row(40), row(5000)]);
  assert.equal(digests.root, digestsOf([row(5000), row(1), row(40)]).root);
  const before = digests.root;
  digests.update(leafOf(40), [row(40), row(41)]);
  assert.notEqual(digests.root, before);
  digests.update(leafOf(40), [row(40)]);
  assert.equal(digests.root, before);
});

test('no assignments have a digest too', () => {
  const digests = digestsOf([row(1)]);
  digests.update(0, []);
  assert.equal(digests.root, new AssignmentDigests(hashing).root);
  assert.equal(digests.root.length, 16);
});

test('everything of a row counts', () => {
  const base = row(1);
  const others = [
    { ...base, id: 2 },
    { ...base, name: 'x' },
    { ...base, name: null },
    { ...base, isFromKeys: false },
    { ...base, groups: 'default,web' },
    { ...base, groups: '' },
  ];
  const roots = [base, ...others].map((one) => digestsOf([one]).root);
  assert.equal(new Set(roots).size, roots.length);
});

test('differing() finds changed, missing and surplus leaves, however the list is cut', () => {
  const mine = [row(1), row(40), row(70), row(100), row(9000), row(2 ** 31 - 1)];
  const theirs = [row(1), row(40, 'web'), row(100), row(5000), row(9000)];
  const wanted = [40, 70, 5000, 2 ** 31 - 1].map(leafOf);
  for (const countMax of [1, 2, 3, 100]) {
    const found: number[] = [];
    const [master, worker] = [digestsOf(theirs), digestsOf(mine)];
    for (let from = 0; from <= leafMax;) {
      const list = master.list(from, countMax);
      found.push(...worker.differing(list));
      from = list.to + 1;
    }
    assert.deepEqual(found, wanted, String(countMax));
  }
});

test('lists that cannot be are refused', () => {
  const digests = digestsOf([row(1)]);
  const { leaves } = digestsOf([row(1), row(40)]).list(0, 10);
  const swapped = new Uint8Array([...leaves.subarray(20), ...leaves.subarray(0, 20)]);
  for (
    const list of [
      { from: 0, to: leafMax, leaves: leaves.subarray(1) },
      { from: 0, to: leafMax, leaves: swapped },
      { from: 1, to: leafMax, leaves },
      { from: 0, to: 0, leaves },
    ]
  ) {
    assert.throws(() => digests.differing(list), ProtocolError);
  }
  assert.throws(() => readLeafNumbers(packLeafNumbers([3, 3])), ProtocolError);
  assert.throws(() => readLeafNumbers(packLeafNumbers([leafMax + 1])), ProtocolError);
  assert.deepEqual(readLeafNumbers(packLeafNumbers([0, 3, leafMax])), [0, 3, leafMax]);
});

test('the leaves hold all numbers between them', () => {
  assert.deepEqual(agentsOfLeaf(0), [0, 31]);
  assert.deepEqual(agentsOfLeaf(leafMax)[1], 2 ** 31 - 1);
  for (const id of [1, 31, 32, 12_345, 2 ** 31 - 1]) {
    const [first, last] = agentsOfLeaf(leafOf(id));
    assert.ok(first <= id && id <= last);
  }
});
