import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromBytes } from '../../src/base/bytes.ts';
import type { Entry, EntryChange } from '../../src/files/entry.ts';
import { IndexStore } from '../../src/files/index-store.ts';
import type { FileRecord } from '../../src/files/scan-index.ts';
import { entry } from './material.ts';
import { TreeWorld } from './tree-world.ts';

function record(path: string, settings: Partial<FileRecord> = {}): FileRecord {
  const known = { ...entry(path), mtimeMs: 1_700_000_000_123 };
  return { entry: known, ctimeMs: 5, inode: 7, checkedMs: 9, isSettled: true, ...settings };
}

async function loadAll(tree: TreeWorld, store: IndexStore): Promise<FileRecord[]> {
  const records: FileRecord[] = [];
  await tree.run(store.loadRecords((found) => records.push(found)));
  return records;
}

const put = (one: Entry): EntryChange => ({ path: one.path, entry: one });
const drop = (path: string): EntryChange => ({ path, entry: undefined });
const byPath = (left: Entry, right: Entry): number => (left.path < right.path ? -1 : 1);
const many = (count: number, content = 'a'): Entry[] =>
  Array.from({ length: count }, (_, i) => entry(`file ${String(i).padStart(5, '0')}`, content));

test('IndexStore keeps every byte of paths and hashes', async () => {
  const tree = new TreeWorld();
  const store = tree.indexStore();
  const allBytes = Array.from({ length: 255 }, (_, i) => i + 1);
  const path = fromBytes(Uint8Array.from(allBytes.filter((byte) => byte !== 0x2f)));
  const hash = fromBytes(Uint8Array.from({ length: 16 }, (_, i) => i * 17));
  const odd = record(path, { inode: 2 ** 60, entry: { path, size: 2 ** 52, mtimeMs: -1, hash } });
  await tree.run(store.saveRecords([{ path, record: odd }]));
  assert.deepEqual(await loadAll(tree, store), [odd]);
  await tree.run(store.savePublished(1, [put(odd.entry)]));
  assert.deepEqual((await tree.run(store.loadPublished()))?.entries, [odd.entry]);
  await tree.world.stop();
});

test('IndexStore.loadRecords() gives those read longest ago first, over pages', async () => {
  const tree = new TreeWorld();
  const store = tree.indexStore();
  const all = many(1200).map(({ path }) => record(path));
  const changes = (records: FileRecord[]) =>
    records.map((one) => ({ path: one.entry.path, record: one }));
  await tree.run(store.saveRecords(changes(all)));
  const again = { ...all[10]!, checkedMs: 99, isSettled: false };
  await tree.run(store.saveRecords(changes([again])));
  await tree.run(store.saveRecords([{ path: all[20]!.entry.path, record: undefined }]));
  const expected = all.filter((_, i) => i !== 10 && i !== 20);
  assert.deepEqual(await loadAll(tree, store), [...expected, again]);
  await tree.world.stop();
});

test('IndexStore leaves out what was hashed with another algorithm', async () => {
  const tree = new TreeWorld();
  const store = tree.indexStore();
  await tree.run(store.saveRecords([{ path: 'a', record: record('a') }]));
  await tree.run(store.savePublished(1, [put(entry('a'))]));
  const other = new IndexStore(tree.ports, { algorithm: 'sha256' });
  assert.deepEqual(await loadAll(tree, other), []);
  assert.equal(await tree.run(other.loadPublished()), undefined);
  await tree.world.stop();
});

test('IndexStore.savePublished() keeps the table of a generation, large or small', async () => {
  const tree = new TreeWorld();
  const store = tree.indexStore();
  assert.equal(await tree.run(store.loadPublished()), undefined);
  assert.equal(store.lastGeneration(), 0);
  await tree.run(store.savePublished(7, many(1100).map(put), { 'digest.rules': 'x' }));
  await tree.run(store.savePublished(8, [drop('file 00003'), put(entry('file 00004', 'b'))]));
  const stored = await tree.run(tree.indexStore().loadPublished());
  assert.equal(stored?.generation, 8);
  assert.equal(store.value('digest.rules'), 'x');
  const expected = many(1100).filter(({ path }) => path !== 'file 00003')
    .map((one) => (one.path === 'file 00004' ? entry('file 00004', 'b') : one));
  assert.deepEqual(stored.entries, expected);
  await tree.run(store.replacePublished(9, many(2), { 'digest.rules': 'y' }));
  assert.deepEqual(await tree.run(store.loadPublished()), { generation: 9, entries: many(2) });
  await tree.world.stop();
});

test('IndexStore.loadPublished() drops a table of which only a part was written', async () => {
  for (const transactions of [1, 2, 3]) {
    const tree = new TreeWorld({ seed: transactions });
    const store = tree.indexStore();
    await tree.run(store.savePublished(1, many(3).map(put), { digests: 'old' }));
    const isKilled = killAfter(tree, transactions);
    store.savePublished(2, many(1100, 'new').map(put), { digests: 'new' }).catch(() => {});
    await tree.world.run({ until: isKilled, limitMs: 60_000 });
    const after = tree.indexStore();
    const isWhole = transactions === 3;
    assert.equal(after.value('digests'), isWhole ? 'new' : undefined);
    assert.equal(after.lastGeneration(), 2);
    const found = await tree.run(after.loadPublished());
    assert.equal(found?.entries.length, isWhole ? 1100 : undefined);
    await tree.run(after.replacePublished(3, many(2)));
    assert.equal((await tree.run(after.loadPublished()))?.entries.length, 2);
    await tree.world.stop();
  }
});

test('IndexStore.savePublished() takes back what a failed call has written', async () => {
  const tree = new TreeWorld();
  const { database, clock } = tree.ports;
  let commitsLeft = Infinity;
  const failing = new IndexStore({
    clock,
    database: {
      ...database,
      exec: (sql) => {
        if (sql === 'COMMIT' && commitsLeft-- <= 0) throw new Error('the disk is full');
        database.exec(sql);
      },
    },
  }, { algorithm: 'md5' });
  const base = [entry('file 00001', 'base'), entry('other', 'base')];
  await tree.run(failing.savePublished(1, base.map(put)));
  for (const commits of [2, 1]) {
    commitsLeft = commits;
    const changes = [...many(1100, `${commits}`).map(put), drop('other')];
    await assert.rejects(tree.run(failing.savePublished(2, changes)), /the disk is full/);
  }
  commitsLeft = Infinity;
  await tree.run(failing.savePublished(2, [put(entry('file 00002', 'b'))]));
  const stored = await tree.run(tree.indexStore().loadPublished());
  const expected = [...base, entry('file 00002', 'b')].sort(byPath);
  assert.deepEqual(stored, { generation: 2, entries: expected });
  await tree.world.stop();
});

/** Kills the node once so many more transactions were committed; the result tells whether it has. */
function killAfter(tree: TreeWorld, transactions: number): () => boolean {
  const { database } = tree.ports;
  let left = transactions;
  const exec = database.exec.bind(database);
  database.exec = (sql) => {
    exec(sql);
    if (sql === 'COMMIT' && --left === 0) tree.node.kill();
  };
  return () => left <= 0;
}
