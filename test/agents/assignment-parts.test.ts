import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type AgentRange,
  PartPacker,
  partRangeBytesMax,
  partRowBytesMax,
  readRanges,
} from '../../src/agents/assignment-parts.ts';
import { bitOf, leafOf } from '../../src/agents/assignment-digests.ts';
import type { Assignment } from '../../src/agents/assignment-rows.ts';
import { readIncoming } from '../../src/agents/incoming-rows.ts';
import { ProtocolError } from '../../src/base/errors.ts';
import { SeededRandom } from '../sim/random.ts';

function row(id: number, groups: string | null = 'default'): Assignment {
  return { id, name: groups === null ? null : `agent-${id}`, isFromKeys: false, groups };
}

/** Makes of a table what parts say, as a worker does. */
function applied(table: readonly Assignment[], packer: PartPacker): Assignment[] {
  const rows = new Map(table.map((one) => [one.id, one]));
  for (const part of packer.finish()) {
    assert.ok(part.rows.length <= partRowBytesMax && part.ranges.length <= partRangeBytesMax);
    const incoming = readIncoming(part.rows).rows;
    const named = new Set(incoming.map(({ id }) => id));
    for (const { first, last } of readRanges(part.ranges)) {
      for (const id of rows.keys()) {
        if (id >= first && id <= last && !named.has(id)) rows.delete(id);
      }
    }
    for (const one of incoming) {
      if (one.groups === null) rows.delete(one.id);
      else rows.set(one.id, one);
    }
  }
  return [...rows.values()].sort((left, right) => left.id - right.id);
}

test('rows go into parts that fit, in their order', () => {
  const packer = new PartPacker();
  const rows = Array.from({ length: 5_000 }, (_, i) => row(i + 1, 'g'.repeat(i % 200)));
  for (const one of rows) packer.add(one);
  assert.equal(packer.rowsCount, 5_000);
  assert.deepEqual(applied([], packer), rows);
});

test('a range replaces all between its ends, however many parts that takes', () => {
  const wide = Array.from({ length: 128 }, (_, i) => `${'g'.repeat(200)}${i}`).join(',');
  const before = [row(4), row(10), row(35), row(60), row(900)];
  const after = Array.from({ length: 32 }, (_, i) => row(32 + i, wide));
  const packer = new PartPacker();
  packer.addRange({ first: 0, last: 31 }, []);
  packer.addRange({ first: 32, last: 63 }, after);
  assert.ok(packer.finish().length > 2);
  const again = new PartPacker();
  again.addRange({ first: 0, last: 31 }, []);
  again.addRange({ first: 32, last: 63 }, after);
  assert.deepEqual(applied(before, again), [...after, row(900)]);
});

test('many empty ranges do not outgrow a part', () => {
  const packer = new PartPacker();
  const before = Array.from({ length: 5_000 }, (_, i) => row(i * 32 + 5));
  for (let i = 0; i < 5_000; i++) packer.addRange({ first: i * 32, last: i * 32 + 31 }, []);
  assert.deepEqual(applied(before, packer), []);
});

test('ranges with rows, then newer rows, give the table that they were made from', () => {
  const random = new SeededRandom(5);
  for (let run = 0; run < 50; run++) {
    const some = (share: number) =>
      Array.from({ length: 400 }, (_, i) => row(i + 1, random.pick(['a', 'b', 'a,b', ''])))
        .filter(() => random.chance(share));
    const [before, wanted] = [some(0.5), some(0.5)];
    const packer = new PartPacker();
    const ranges: AgentRange[] = [];
    for (let first = 0; first <= 400;) {
      const last = first + random.integer(0, 60);
      ranges.push({ first, last });
      first = last + 1;
    }
    for (const range of ranges) {
      const within = wanted.filter(({ id }) => id >= range.first && id <= range.last);
      packer.addRange(range, within);
    }
    const newer = new Map(wanted.map((one) => [one.id, one]));
    for (let i = 0; i < 20; i++) {
      const id = random.integer(1, 400);
      const one = row(id, random.chance(0.3) ? null : 'new');
      packer.add(one);
      if (one.groups === null) newer.delete(id);
      else newer.set(id, one);
    }
    const expected = [...newer.values()].sort((left, right) => left.id - right.id);
    assert.deepEqual(applied(before, packer), expected);
  }
});

test('ranges that cannot be are refused', () => {
  const packed = (...numbers: number[]) => {
    const bytes = new Uint8Array(numbers.length * 4);
    for (const [i, number] of numbers.entries()) bytes[i * 4 + 3] = number;
    return bytes;
  };
  assert.deepEqual(readRanges(packed(0, 5, 6, 6)).length, 2);
  for (const wrong of [packed(1, 0), packed(1), packed(0, 5, 5, 6), packed(0, 1, 2)]) {
    assert.throws(() => readRanges(wrong), ProtocolError);
  }
});

test('a run is a leaf of which all rows of the part follow one another in order', () => {
  const runsOf = (rows: readonly Assignment[]) => {
    const packer = new PartPacker();
    for (const one of rows) packer.add(one);
    return readIncoming(packer.finish()[0]!.rows).runs.map(({ leaf, mask }) => ({ leaf, mask }));
  };
  const mask = (...ids: number[]) => ids.reduce((bits, id) => bits | bitOf(id), 0);
  assert.deepEqual(runsOf([row(1), row(31), row(32)]), [
    { leaf: 0, mask: mask(1, 31) },
    { leaf: leafOf(32), mask: mask(32) },
  ]);
  assert.deepEqual(runsOf([row(2), row(1), row(40)]), [{ leaf: 1, mask: mask(40) }]);
  assert.deepEqual(runsOf([row(1), row(40), row(2)]), [{ leaf: 1, mask: mask(40) }]);
  assert.deepEqual(runsOf([row(1), row(2), row(2)]), []);
  assert.deepEqual(runsOf([row(1), row(2, null), row(3)]), []);
  assert.deepEqual(runsOf([row(1, null), row(3)]), []);
});
