import assert from 'node:assert/strict';
import test from 'node:test';
import { concatBytes, fromBytes, toHex } from '../../src/base/bytes.ts';
import { ByteWriter } from '../../src/base/cursor.ts';
import { leafOf } from '../../src/files/digest-tree.ts';
import type { Entry } from '../../src/files/entry.ts';
import { Manifest } from '../../src/files/manifest.ts';
import { temporaryPrefix } from '../../src/files/paths.ts';
import { eachRow, packRow, readRows } from '../../src/files/rows.ts';
import { simHashing } from '../sim/hashing.ts';
import { SeededRandom } from '../sim/random.ts';
import {
  assertMalformed,
  entry,
  mutated,
  randomEntry,
  unlessMalformed,
  wordPath,
} from './material.ts';

/** Packs without the checks that this node's own entries have to pass. */
function packed(...entries: Entry[]): Uint8Array {
  const writer = new ByteWriter();
  for (const { path, size, mtimeMs, hash } of entries) {
    writer.u16(path.length);
    writer.text(path);
    writer.u48(size);
    writer.f64(mtimeMs);
    writer.text(hash);
  }
  return writer.finish();
}

test('packRow() has the layout that both ends have to agree on', () => {
  const writer = new ByteWriter();
  packRow(writer, { path: 'a/b', size: 2 ** 32 + 2, mtimeMs: 1.5, hash: '0123456789abcdef' });
  assert.equal(
    toHex(fromBytes(writer.view())),
    '0003' + '612f62' + '000100000002' + '3ff8000000000000' + '30313233343536373839616263646566',
  );
});

test('readRows() reads what packRow() packed', () => {
  const random = new SeededRandom('rows');
  for (let i = 0; i < 200; i++) {
    const entry = randomEntry(random, wordPath(random));
    const writer = new ByteWriter();
    packRow(writer, entry);
    assert.deepEqual(readRows(writer.finish(), 'md5'), [entry]);
  }
  const largest = entry('a', 'x', { size: 2 ** 48 - 1 });
  assert.deepEqual(readRows(packed(largest), 'md5'), [largest]);
  assert.deepEqual(readRows(new Uint8Array(0), 'md5'), []);
});

test('readRows() refuses paths that lead elsewhere', () => {
  for (const path of ['', '/a', 'a/', '../a', 'a/../b', 'a\0', `${temporaryPrefix}a`]) {
    assertMalformed(() => readRows(packed({ ...entry('a'), path }), 'md5'), /^Path "/);
  }
  assertMalformed(() => readRows(packed(entry('x'.repeat(5000))), 'md5'), /longer than 4096/);
});

test('readRows() refuses times that are no numbers, and rows cut short', () => {
  for (const mtimeMs of [NaN, Infinity, -Infinity]) {
    assertMalformed(() => readRows(packed(entry('a', 'x', { mtimeMs })), 'md5'), /is no number/);
  }
  const rows = packed(entry('a'));
  for (let length = 1; length < rows.length; length++) {
    assertMalformed(() => readRows(rows.subarray(0, length), 'md5'), /too early/);
  }
  assertMalformed(() => readRows(rows, 'sha256'), /too early/);
});

test('readRows() refuses rows out of order, double or of other leaves', () => {
  const paths = ['a', 'b', 'c', 'd', 'e', 'f'].sort((a, b) => leafOf(a) - leafOf(b));
  const [one, two] = [entry(paths[0]!), entry(paths[1]!)];
  assert.equal(readRows(packed(one, two), 'md5').length, 2);
  assertMalformed(() => readRows(packed(two, one), 'md5'), /out of order/);
  assertMalformed(() => readRows(packed(one, one), 'md5'), /out of order/);
  const [left, right] = pathsOfOneLeaf();
  assert.equal(readRows(packed(entry(left), entry(right)), 'md5').length, 2);
  assertMalformed(() => readRows(packed(entry(right), entry(left)), 'md5'), /out of order/);
  const asked = new Set([leafOf(one.path)]);
  assert.equal(readRows(packed(one), 'md5', asked).length, 1);
  assertMalformed(() => readRows(packed(one, two), 'md5', asked), /not in the leaves asked for/);
});

test('eachRow() hands out rows one by one, before a later one turns out to be malformed', () => {
  const rows = eachRow(concatBytes([packed(entry('a')), Uint8Array.of(0)]), 'md5');
  assert.deepEqual(rows.next().value, entry('a'));
  assertMalformed(() => rows.next(), /too early/);
});

test('readRows() throws nothing but ProtocolError, whatever the bytes', () => {
  const random = new SeededRandom('fuzz rows');
  const entries = Array.from({ length: 20 }, () => randomEntry(random, wordPath(random)));
  const manifest = Manifest.fromEntries({ hashing: simHashing, algorithm: 'md5' }, entries);
  const rows = concatBytes(entries.map(({ path }) => manifest.leafRows(leafOf(path))));
  let sound = 0;
  for (let round = 0; round < 3000; round++) {
    const bytes = random.chance(0.2) ? random.bytes(random.integer(0, 100)) : mutated(random, rows);
    if (unlessMalformed(() => readRows(bytes, 'md5')) !== undefined) sound++;
  }
  assert.ok(sound < 2900, 'most were malformed');
});

function pathsOfOneLeaf(): [string, string] {
  const seen = new Map<number, string>();
  for (let i = 10_000;; i++) {
    const path = `p${i}`;
    const other = seen.get(leafOf(path));
    if (other !== undefined) return [other, path];
    seen.set(leafOf(path), path);
  }
}
