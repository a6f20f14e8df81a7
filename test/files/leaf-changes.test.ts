import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leafOf } from '../../src/files/digest-tree.ts';
import { LeafChanges } from '../../src/files/leaf-changes.ts';
import { Manifest } from '../../src/files/manifest.ts';
import { simHashing } from '../sim/hashing.ts';
import { entryOf } from './tree-world.ts';

test('LeafChanges.find() gives the last change of a path', () => {
  const changes = new LeafChanges();
  changes.add({ path: 'a', entry: entryOf('a', 'first') });
  changes.add({ path: 'b', entry: undefined });
  changes.add({ path: 'a', entry: entryOf('a', 'second') });
  assert.equal(changes.find('a')?.entry?.hash, entryOf('a', 'second').hash);
  assert.deepEqual(changes.find('b'), { path: 'b', entry: undefined });
  assert.equal(changes.find('c'), undefined);
  assert.deepEqual(new Set(changes.leaves()), new Set([leafOf('a'), leafOf('b')]));
});

test('Manifest.withMany() sorts the changes of a leaf and lets the last of a path count', async () => {
  const empty = Manifest.empty({ hashing: simHashing, algorithm: 'md5' });
  // Of so many paths some share a leaf.
  const names = Array.from({ length: 10_000 }, (_, i) => `d${i % 7}/${(i * 7919) % 10_000}`);
  const changes = new LeafChanges();
  for (const path of names) changes.add({ path, entry: entryOf(path, 'old') });
  for (const path of names) changes.add({ path, entry: entryOf(path, path) });
  const table = await empty.withMany(changes, { breathe: () => Promise.resolve() });
  assert.equal(table.count, names.length);
  const leaf = table.leafEntries(leafOf(names[0]!)).map(({ path }) => path);
  assert.deepEqual(leaf, [...leaf].sort());
  for (const path of names) assert.equal(table.get(path)?.hash, entryOf(path, path).hash);
});
