import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DirectoryNames } from '../../src/files/directory-names.ts';
import type { Entry } from '../../src/files/entry.ts';
import type { FileSet } from '../../src/files/file-set.ts';
import { Manifest } from '../../src/files/manifest.ts';
import { createHashing } from '../../src/runtime/hashing.ts';

const hashing = await createHashing();
const empty = Manifest.empty({ hashing, algorithm: 'md5' });
const ports = { clock: { breathe: () => Promise.resolve() } };

function entry(path: string, size = 10): Entry {
  return { path, size, mtimeMs: 0, hash: 'h'.repeat(16) };
}

function tableOf(...paths: readonly string[]): Manifest {
  return empty.with(paths.map((path) => ({ path, entry: entry(path) })));
}

function set(name: string, path: string, recursive = true): FileSet {
  return { name, path, recursive } as FileSet;
}

test('a directory is there as long as it holds files, at whatever depth', async () => {
  const names = new DirectoryNames(ports, 'etc/shared', [set('shared', 'etc/shared')]);
  let table = tableOf('etc/shared/a/x', 'etc/shared/a/y', 'etc/shared/b/c/d', 'etc/shared/file');
  const follow = () => names.follow(() => table);
  const first = await follow();
  assert.deepEqual([...first.appeared].sort(), ['a', 'b']);
  assert.ok(names.has('a') && names.has('b') && !names.has('file') && !names.has('c'));
  assert.deepEqual(names.contents.get('a'), { files: 2, bytes: 20 });

  table = table.with([
    { path: 'etc/shared/a/x', entry: undefined },
    { path: 'etc/shared/a/y', entry: entry('etc/shared/a/y', 50) },
    { path: 'etc/shared/b/c/d', entry: undefined },
    { path: 'etc/shared/new/z', entry: entry('etc/shared/new/z') },
  ]);
  assert.deepEqual(await follow(), { appeared: ['new'], vanished: ['b'] });
  assert.deepEqual(names.contents.get('a'), { files: 1, bytes: 50 });
  assert.deepEqual(await follow(), { appeared: [], vanished: [] });
  const files = await names.filesOf('a');
  assert.deepEqual(files.map(({ path, size }) => [path, size]), [['y', 50]]);
});

test('all sets count that may have files below the directory, and no others', async () => {
  const tables: Readonly<Record<string, Manifest>> = {
    whole: tableOf('etc/shared/a/x'),
    inner: tableOf('etc/shared/b/x'),
    flat: tableOf('etc/shared/c/x'),
  };
  const names = new DirectoryNames(ports, 'etc/shared', [
    set('whole', ''),
    set('inner', 'etc/shared/b'),
    set('flat', 'etc', false),
    set('missing', 'etc/shared'),
  ]);
  await names.follow((name) => tables[name]);
  assert.deepEqual([...names.contents.keys()].sort(), ['a', 'b']);
});

test('a file that moves from one set to another leaves its directory there', async () => {
  const sets = [set('one', 'etc/shared/a'), set('two', 'etc/shared')];
  const names = new DirectoryNames(ports, 'etc/shared', sets);
  const path = 'etc/shared/a/x';
  await names.follow((name) => name === 'one' ? tableOf(path) : empty);
  const change = await names.follow((name) => name === 'two' ? tableOf(path) : empty);
  assert.deepEqual(change, { appeared: [], vanished: [] });
  assert.ok(names.has('a'));
});
