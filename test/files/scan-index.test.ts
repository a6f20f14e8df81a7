import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasSameFacts, isRacy, makeRecord, ScanIndex } from '../../src/files/scan-index.ts';
import type { FileFacts } from '../../src/ports.ts';

function facts(settings: Partial<FileFacts> = {}): FileFacts {
  return { kind: 'file', size: 1, mtimeMs: 0, ctimeMs: 0, inode: 1, mode: 0o644, ...settings };
}

function index(...paths: string[]): ScanIndex {
  const made = new ScanIndex();
  for (const path of paths) made.set(path, makeRecord(facts(), 0, true));
  return made;
}

test('hasSameFacts() compares size, both times to the millisecond, and inode', () => {
  const known = { size: 5, mtimeMs: 1000.2, ctimeMs: 2000.7, inode: 9 };
  const record = makeRecord(facts(known), 0, true);
  assert.ok(hasSameFacts(record, facts({ ...known, mtimeMs: 1000, ctimeMs: 2000.9, mode: 0 })));
  for (const other of [{ size: 6 }, { mtimeMs: 1001 }, { ctimeMs: 1999 }, { inode: 8 }]) {
    assert.equal(hasSameFacts(record, facts({ ...known, ...other })), false);
  }
});

test('isRacy() asks whether the last change and the reading were close', () => {
  const cases: [changedMs: number, isExpected: boolean][] = [
    [10_000 - 2002, false],
    [10_000 - 2001, true],
    [10_000, true],
    [12_000, true],
    // The reading may have been at any time until 13,000.
    [15_000, true],
    [15_001, false],
    [99_000, false],
  ];
  for (const [changedMs, isExpected] of cases) {
    const long = -1e9;
    const byCtime = isRacy(facts({ ctimeMs: changedMs, mtimeMs: long }), 10_000, 13_000, 2000);
    const byMtime = isRacy(facts({ ctimeMs: long, mtimeMs: changedMs }), 10_000, 13_000, 2000);
    assert.deepEqual([byCtime, byMtime], [isExpected, isExpected], `changed at ${changedMs}`);
  }
});

test('ScanIndex.subtree() gives what is below before what is above', () => {
  const made = index('a/b/c/1', 'a/b/2', 'a/d/3', 'x/4');
  const found = made.subtree('a');
  assert.deepEqual([...found].sort(), ['a', 'a/b', 'a/b/c', 'a/d']);
  for (const path of found) {
    for (const below of found.filter((other) => other.startsWith(`${path}/`))) {
      assert.ok(found.indexOf(below) < found.indexOf(path), `${below} before ${path}`);
    }
  }
  assert.deepEqual(made.subtree('unknown'), []);
});

test('ScanIndex.deleteDirectory() leaves nothing behind', () => {
  const made = index('a/b/1', 'a/2');
  made.delete('a/b/1');
  made.deleteDirectory('a/b');
  assert.equal(made.hasDirectory('a/b'), false);
  assert.deepEqual([...made.directoriesIn('a')], []);
  assert.deepEqual([...made.filesIn('a').keys()], ['2']);
  assert.equal(made.filesCount, 1);
});

test('ScanIndex.filesCount counts files, not how often they were recorded', () => {
  const made = index('1', 'a/2', 'a/3', '1');
  made.delete('a/3');
  made.delete('a/3');
  made.delete('nowhere/4');
  assert.equal(made.filesCount, 2);
  assert.equal(made.directoriesCount, 2);
});

test('ScanIndex gives back what was packed, and packs what has changed', () => {
  const made = index('a/1', 'a/2', 'b/3');
  const odd = { size: 2 ** 47 + 1, mtimeMs: -1, ctimeMs: 2 ** 42, inode: 2 ** 60, checkedMs: 5 };
  const name = String.fromCharCode(...Array.from({ length: 255 }, (_, i) => i === 0x2f ? 1 : i));
  made.set(`a/${name}`, { ...odd, isSettled: false });
  assert.deepEqual([...made.takeChanged()].sort(), ['a', 'b']);
  const copy = new ScanIndex();
  for (const path of ['a', 'b']) copy.load(made.pack(path));
  assert.equal(copy.filesCount, 4);
  for (const path of ['a', 'b']) assert.deepEqual(copy.filesIn(path), made.filesIn(path));
  assert.deepEqual(copy.get(`a/${name}`), { ...odd, isSettled: false });
  assert.deepEqual([...copy.takeChanged()], []);
  copy.delete('a/1');
  copy.delete('a/unknown');
  copy.delete('b/3');
  copy.set('a/2', makeRecord(facts({ size: 7 }), 0, true));
  assert.deepEqual([...copy.takeChanged()].sort(), ['a', 'b']);
  assert.equal(copy.pack('b').files.length, 0);
  const again = new ScanIndex();
  again.load(copy.pack('a'));
  assert.deepEqual([...again.filesIn('a').keys()], ['2', name]);
  assert.equal(again.get('a/2')?.size, 7);
  assert.equal(copy.get('a/2')?.size, 7);
});

test('ScanIndex.giveBackChanged() makes directories come again', () => {
  const made = index('a/1', 'b/2');
  const changed = made.takeChanged();
  made.set('c/3', makeRecord(facts(), 0, true));
  made.giveBackChanged(changed);
  assert.deepEqual([...made.takeChanged()].sort(), ['a', 'b', 'c']);
});
