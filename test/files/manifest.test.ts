import assert from 'node:assert/strict';
import test from 'node:test';
import { type ByteString, compareByteStrings, concatBytes, toHex } from '../../src/base/bytes.ts';
import { ByteWriter } from '../../src/base/cursor.ts';
import {
  differingBranches,
  digestBytes,
  emptyDigest,
  fanOut,
  leafOf,
  leavesCount,
} from '../../src/files/digest-tree.ts';
import type { Entry, EntryChange } from '../../src/files/entry.ts';
import { Manifest } from '../../src/files/manifest.ts';
import { readRows } from '../../src/files/rows.ts';
import { type HashAlgorithm, hashBytes, type Hashing } from '../../src/ports.ts';
import { simHashing } from '../sim/hashing.ts';
import { SeededRandom } from '../sim/random.ts';
import { entry, randomEntry, wordPath } from './material.ts';

const options = { hashing: simHashing, algorithm: 'md5' } as const;

function change(path: string, content?: string): EntryChange {
  return { path, entry: content === undefined ? undefined : entry(path, content) };
}

function inLeafOrder(entries: Iterable<Entry>): Entry[] {
  return [...entries].sort((left, right) =>
    leafOf(left.path) - leafOf(right.path) || compareByteStrings(left.path, right.path)
  );
}

/** The digest tree computed from its description alone. */
function describedDigests(entries: Iterable<Entry>): { root: ByteString; leaves: ByteString[] } {
  const leaves: Entry[][] = Array.from({ length: leavesCount }, () => []);
  for (const entry of inLeafOrder(entries)) leaves[leafOf(entry.path)]!.push(entry);
  const digestOf = (bytes: Uint8Array): ByteString => simHashing.digest('md5', bytes).slice(0, 16);
  const over = (digests: ByteString[]): ByteString =>
    digests.every((digest) => digest === emptyDigest)
      ? emptyDigest
      : digestOf(Uint8Array.from(digests.join(''), (character) => character.charCodeAt(0)));
  const leafDigests = leaves.map((rows) => {
    if (rows.length === 0) return emptyDigest;
    const writer = new ByteWriter();
    for (const { path, size, hash } of rows) {
      writer.u16(path.length);
      writer.text(path);
      writer.u48(size);
      writer.text(hash);
    }
    return digestOf(writer.view());
  });
  const branches = Array.from(
    { length: fanOut },
    (_, i) => over(leafDigests.slice(i * fanOut, (i + 1) * fanOut)),
  );
  return { root: over(branches), leaves: leafDigests };
}

/** A hashing that counts what is asked of it. */
function countingHashing(): Hashing & { count: number } {
  const counting = {
    count: 0,
    create: (algorithm: HashAlgorithm) => simHashing.create(algorithm),
    digest: (algorithm: HashAlgorithm, bytes: Uint8Array) => {
      counting.count++;
      return simHashing.digest(algorithm, bytes);
    },
    digestAll: (algorithm: HashAlgorithm, contents: readonly Uint8Array[]) =>
      contents.map((bytes) => counting.digest(algorithm, bytes)),
    fingerprints: () => simHashing.fingerprints(),
  };
  return counting;
}

test('Manifest.empty() has digests of zeros at every level', () => {
  const manifest = Manifest.empty(options);
  assert.equal(manifest.count, 0);
  assert.equal(manifest.bytes, 0);
  assert.equal(manifest.rootDigest, emptyDigest);
  assert.deepEqual(manifest.branchDigests(), new Uint8Array(fanOut * digestBytes));
  assert.deepEqual(manifest.leafDigests(63), new Uint8Array(fanOut * digestBytes));
  assert.deepEqual([...manifest.entries()], []);
  assert.equal(manifest.get('a'), undefined);
});

test('Manifest.getWithHash() gives the entry of a path only where it has that whole hash', () => {
  const [one, other] = [entry('a', 'x'), entry('b', 'y')];
  const manifest = Manifest.fromEntries(options, [one, other]);
  assert.deepEqual(manifest.getWithHash('a', one.hash), one);
  assert.equal(manifest.getWithHash('a', other.hash), undefined);
  assert.equal(manifest.getWithHash('a', one.hash.slice(0, 8)), undefined);
  assert.equal(manifest.getWithHash('c', one.hash), undefined);
});

test('Manifest.with() leaves the manifest that it was made from as it was', () => {
  const one = Manifest.fromEntries(options, [entry('a', 'x'), entry('b', 'y')]);
  const digest = one.rootDigest;
  const two = one.with([change('a', 'other'), change('b'), change('c', 'z')]);
  assert.deepEqual(one.get('a'), entry('a', 'x'));
  assert.deepEqual(one.get('b'), entry('b', 'y'));
  assert.equal(one.get('c'), undefined);
  assert.equal(one.rootDigest, digest);
  assert.deepEqual([one.count, one.bytes, two.count, two.bytes], [2, 2, 2, 6]);
  assert.deepEqual(inLeafOrder(two.entries()), inLeafOrder([entry('a', 'other'), entry('c', 'z')]));
});

test('Manifest.with() is the same manifest where nothing changes', () => {
  const one = Manifest.fromEntries(options, [entry('a', 'x'), entry('b', 'y')]);
  assert.equal(one.with([]), one);
  assert.equal(one.with([change('a', 'x'), change('no such file')]), one);
  assert.equal(one.with([change('a'), change('a', 'x')]), one, 'the last change of a path counts');
  assert.notEqual(one.with([change('a', 'x'), change('a')]), one);
});

test('Manifest keeps modification times out of its digests, but keeps them', () => {
  const one = Manifest.fromEntries(options, [entry('a', 'x')]);
  const two = one.with([{ path: 'a', entry: entry('a', 'x', { mtimeMs: 5.5 }) }]);
  assert.notEqual(two, one);
  assert.equal(two.get('a')?.mtimeMs, 5.5);
  assert.equal(two.rootDigest, one.rootDigest);
  assert.deepEqual(two.branchDigests(), one.branchDigests());
});

test('Manifest.rootDigest depends on path, size and hash of every entry, not on the history', () => {
  const random = new SeededRandom('history');
  const entries = Array.from({ length: 300 }, (_, i) => randomEntry(random, `d/${i}`));
  const one = Manifest.fromEntries(options, entries);
  let two = Manifest.empty(options).with([change('d/1', 'other'), change('gone', 'x')]);
  for (const entry of random.shuffled(entries)) {
    two = two.with([{ path: entry.path, entry }]);
    assert.equal(two.rootDigest.length, digestBytes);
  }
  two = two.with([change('gone')]);
  assert.equal(two.rootDigest, one.rootDigest);
  const first = entries[0]!;
  for (const other of [{ size: 12_345 }, { hash: 'other hash 16 by' }, { path: 'd/x' }]) {
    const changes = [{ path: first.path, entry: undefined }];
    const changed = { ...first, ...other };
    const three = one.with(changes).with([{ path: changed.path, entry: changed }]);
    assert.notEqual(three.rootDigest, one.rootDigest);
  }
});

test('Manifest.rootDigest of known entries has the value that is part of the protocol', () => {
  const entries = [
    entry('etc/client.keys', '001 agent any key\n'),
    entry('etc/rules/a.xml', '<group/>', { mtimeMs: 1 }),
    entry('etc/caf\xc3\xa9\n', '', { size: 2 ** 40 }),
  ];
  // Computed apart from the code, from the description in digest-tree.ts.
  assert.equal(
    toHex(Manifest.fromEntries(options, entries).rootDigest),
    'd0a6ae8322ecfb3a5f85773fe9b3c9ca',
  );
  const long = entries.map((entry) => ({ ...entry, hash: entry.hash.padEnd(32, '+') }));
  assert.equal(
    toHex(Manifest.fromEntries({ ...options, algorithm: 'sha256' }, long).rootDigest),
    'bb7e10136275dee34d30bb3e49073db6',
  );
});

test('Manifest behaves like a Map through thousands of changes', () => {
  const random = new SeededRandom('model');
  const model = new Map<string, Entry>();
  let manifest = Manifest.empty(options);
  for (let round = 0; round < 1500; round++) {
    const changes = Array.from({ length: random.pick([0, 1, 1, 2, 5, 40]) }, () => {
      const path = wordPath(random);
      const entry = random.chance(0.5)
        ? undefined
        : random.chance(0.3)
        ? model.get(path)
        : randomEntry(random, path);
      return { path, entry };
    });
    for (const { path, entry } of changes) {
      if (entry === undefined) model.delete(path);
      else model.set(path, entry);
    }
    manifest = manifest.with(changes);
    assert.equal(manifest.count, model.size);
    assert.equal(manifest.bytes, model.values().reduce((sum, entry) => sum + entry.size, 0));
    const path = wordPath(random);
    const known = model.get(path);
    assert.deepEqual(manifest.get(path), known);
    if (known !== undefined) assert.deepEqual(manifest.getWithHash(path, known.hash), known);
    if (round % 50 !== 0) continue;
    assert.deepEqual([...manifest.entries()], inLeafOrder(model.values()));
    const prefix = [...model.keys()][0]?.slice(0, 3) ?? '';
    const begin = [...model.values()].filter(({ path }) => path.startsWith(prefix));
    assert.deepEqual([...manifest.entriesWithPrefix(prefix)].flat(), inLeafOrder(begin));
    const described = describedDigests(model.values());
    assert.equal(manifest.rootDigest, described.root);
    const digests = Array.from({ length: fanOut }, (_, branch) => manifest.leafDigests(branch));
    assert.equal(String.fromCharCode(...concatBytes(digests)), described.leaves.join(''));
  }
  assert.ok(model.size > 100);
});

test('Manifest narrows a difference down to exactly the leaves that differ', () => {
  const random = new SeededRandom('narrowing');
  const entries = Array.from({ length: 3000 }, (_, i) => entry(`d${i % 7}/file-${i}`, `${i}`));
  const mine = Manifest.fromEntries(options, entries);
  for (const changesCount of [0, 1, 3, 200]) {
    const changes = Array.from({ length: changesCount }, (_, i) => {
      if (i % 3 === 0) return change(`new/${random.next32()}`, 'new');
      const { path } = random.pick(entries);
      return i % 3 === 1 ? change(path, 'changed') : change(path);
    });
    const theirs = mine.with(changes);
    const found: number[] = [];
    for (const branch of differingBranches(mine.branchDigests(), theirs.branchDigests())) {
      const leaves = differingBranches(mine.leafDigests(branch), theirs.leafDigests(branch));
      assert.ok(leaves.length > 0, 'a branch differs in a leaf');
      found.push(...leaves.map((leaf) => branch * fanOut + leaf));
    }
    const expected = [...new Set(changes.map(({ path }) => leafOf(path)))].sort((a, b) => a - b);
    assert.deepEqual(found, expected);
  }
});

test('Manifest.with() computes digests of what it touched, and only when they are asked for', () => {
  const hashing = countingHashing();
  const entries = Array.from({ length: 3000 }, (_, i) => entry(`file-${i}`, `${i}`));
  const manifest = Manifest.fromEntries({ hashing, algorithm: 'md5' }, entries);
  assert.equal(hashing.count, 0);
  const { rootDigest } = manifest;
  hashing.count = 0;
  assert.equal(manifest.rootDigest, rootDigest);
  manifest.branchDigests();
  assert.equal(hashing.count, 0, 'computed once');
  const next = manifest.with([change('file-1', 'x')]);
  assert.notEqual(next.rootDigest, rootDigest);
  assert.equal(hashing.count, 3, 'one leaf, its branch and the root');
});

test('Manifest.leafRows() are rows that a peer can read, leaf after leaf', () => {
  const random = new SeededRandom('rows');
  for (const algorithm of ['md5', 'sha256', 'blake2b'] as const) {
    const entries = new Map<string, Entry>();
    for (let i = 0; i < 300; i++) {
      const path = wordPath(random);
      const hash = 'h'.repeat(hashBytes[algorithm]);
      entries.set(path, { ...randomEntry(random, path), hash });
    }
    const manifest = Manifest.fromEntries({ hashing: simHashing, algorithm }, entries.values());
    const rows = Array.from({ length: leavesCount }, (_, leaf) => manifest.leafRows(leaf));
    assert.deepEqual(readRows(concatBytes(rows), algorithm), inLeafOrder(entries.values()));
    const leaf = leafOf([...entries.keys()][0]!);
    assert.deepEqual(
      readRows(manifest.leafRows(leaf), algorithm, new Set([leaf])),
      manifest.leafEntries(leaf),
    );
  }
});

test('Manifest.with() refuses an entry that is not of its path, algorithm or range', () => {
  const manifest = Manifest.empty(options);
  const wrong: Partial<Entry>[] = [
    { path: 'b' },
    { hash: 'short' },
    { size: 2 ** 48 },
    { size: -1 },
    { mtimeMs: NaN },
  ];
  for (const facts of wrong) {
    const changes = [{ path: 'a', entry: entry('a', 'x', facts) }];
    assert.throws(() => manifest.with(changes), /Invariant broken/, JSON.stringify(facts));
  }
  assert.throws(() => manifest.with([change('x'.repeat(4097), 'x')]), /Invariant broken/);
  assert.throws(() => manifest.leafRows(leavesCount), /Invariant broken/);
  assert.throws(() => manifest.leafDigests(-1), /Invariant broken/);
});
