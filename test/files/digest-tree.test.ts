import assert from 'node:assert/strict';
import test from 'node:test';
import { fromText } from '../../src/base/bytes.ts';
import {
  differingBranches,
  digestBytes,
  emptyDigest,
  fanOut,
  leafOf,
  leavesCount,
  packLeaves,
  readLeaves,
} from '../../src/files/digest-tree.ts';
import { digestBytes as digestBytesOnTheWire, messages } from '../../src/wire/messages.ts';
import { SeededRandom } from '../sim/random.ts';
import { assertMalformed } from './material.ts';

test('leafOf() is the hash that both ends have to agree on', () => {
  // Computed apart from the code: FNV-1a and fmix32 over the bytes, upper 12 bits.
  const vectors: [text: string, leaf: number][] = [
    ['', 2739],
    ['a', 424],
    ['b', 2092],
    ['etc/client.keys', 493],
    ['etc/shared/default/agent.conf', 3687],
    ['etc/rules/local_rules.xml', 605],
    ['ruleset/sca/cis_debian12.yml', 297],
    ['var/multigroups/1a2b3c4d/merged.mg', 3056],
    ['etc/shared/café/ünïcode', 1348],
    ['x'.repeat(4096), 3089],
  ];
  for (const [text, leaf] of vectors) assert.equal(leafOf(fromText(text)), leaf, text);
});

test('leafOf() spreads names that differ in a digit over the leaves', () => {
  const counts = new Uint32Array(leavesCount);
  const perLeaf = 16;
  for (let i = 0; i < leavesCount * perLeaf; i++) {
    const leaf = leafOf(`etc/shared/group-${i % 50}/file-${i}.xml`);
    counts[leaf] = counts[leaf]! + 1;
  }
  // By chance alone, none of 4,096 leaves is expected beyond 16 plus or minus six deviations of 4.
  assert.ok(Math.max(...counts) <= perLeaf + 24, `${Math.max(...counts)} in one leaf`);
  assert.ok(counts.filter((count) => count === 0).length < 3);
});

test('differingBranches() finds exactly the digests that differ', () => {
  const random = new SeededRandom('branches');
  const mine = random.bytes(fanOut * digestBytes);
  for (let round = 0; round < 200; round++) {
    const theirs = mine.slice();
    const changed = new Set<number>();
    for (let i = random.integer(0, 5); i > 0; i--) {
      const branch = random.integer(0, fanOut - 1);
      const at = branch * digestBytes + random.integer(0, digestBytes - 1);
      if (changed.has(branch)) continue;
      changed.add(branch);
      theirs[at] = theirs[at]! ^ (1 << random.integer(0, 7));
    }
    assert.deepEqual(differingBranches(mine, theirs), [...changed].sort((a, b) => a - b));
  }
});

test('differingBranches() refuses what are not 64 digests', () => {
  const mine = new Uint8Array(fanOut * digestBytes);
  for (const length of [0, 1, mine.length - 1, mine.length + 16]) {
    assertMalformed(() => differingBranches(mine, new Uint8Array(length)), /Expected 64 digests/);
  }
});

test('readLeaves() reads the leaves that packLeaves() packed', () => {
  const random = new SeededRandom('leaves');
  for (const leaves of [[], [0], [7, 8], [0, 63, 64, 4095]]) {
    assert.deepEqual(readLeaves(packLeaves(leaves)), leaves);
  }
  const all = Array.from({ length: leavesCount }, (_, leaf) => leaf);
  assert.deepEqual(readLeaves(packLeaves(random.shuffled(all))), all);
  const some = all.filter(() => random.chance(0.1));
  assert.deepEqual(readLeaves(packLeaves(some)), some);
  assert.deepEqual(packLeaves([9]).slice(0, 3), Uint8Array.of(0, 2, 0));
  for (const length of [0, 511, 513]) {
    assertMalformed(() => readLeaves(new Uint8Array(length)), /Expected 4096 bits/);
  }
});

test('the message table has room for what the digest tree says', () => {
  assert.equal(digestBytes, digestBytesOnTheWire);
  assert.equal(emptyDigest, '\0'.repeat(16));
  const leaves = packLeaves([]);
  const read = messages['integrity.rows'].request;
  assert.doesNotThrow(() => read({ generation: 1, set: 'a', leaves }, 'rows'));
});
