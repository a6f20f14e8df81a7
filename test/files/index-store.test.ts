import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromBytes } from '../../src/base/bytes.ts';
import type { Entry } from '../../src/files/entry.ts';
import { SetTable } from '../../src/files/file-set.ts';
import {
  type ChangedScan,
  type IndexPorts,
  IndexStore,
  type Tables,
} from '../../src/files/index-store.ts';
import type { SetLeaf } from '../../src/files/leaf-table.ts';
import { Manifest, type ManifestOptions } from '../../src/files/manifest.ts';
import type { PackedDirectory } from '../../src/files/scan-index.ts';
import { tablesFromStore } from '../../src/files/stored-tables.ts';
import { simHashing } from '../sim/hashing.ts';
import { entry, fileSet } from './material.ts';
import { TreeWorld } from './tree-world.ts';

const options: ManifestOptions = { hashing: simHashing, algorithm: 'md5' };
const many = (count: number, content = 'a'): Entry[] =>
  Array.from({ length: count }, (_, i) => entry(`etc/rules/${i}`, content));
const tables = (entries: readonly Entry[]): Tables =>
  new Map([['rules', Manifest.fromEntries(options, entries)]]);

const sorted = (entries: Iterable<Entry>): Entry[] =>
  [...entries].sort((left, right) => left.path < right.path ? -1 : 1);

/** The published entries as another incarnation finds them. */
async function published(
  tree: TreeWorld,
  store = tree.indexStore(),
  sets = tree.sets,
): Promise<{ generation: number; entries: Entry[] } | undefined> {
  const stored = await tree.run(store.loadPublished());
  if (stored === undefined) return undefined;
  const found = await tree.run(tablesFromStore(stored, sets, options, tree.ports.clock));
  const entries = sorted([...found.values()].flatMap((table) => [...table.entries()]));
  return { generation: stored.generation, entries };
}

test('IndexStore keeps every byte of paths and hashes, and digests', async () => {
  const tree = new TreeWorld();
  const allBytes = Array.from({ length: 255 }, (_, i) => i + 1);
  const name = fromBytes(Uint8Array.from(allBytes.filter((byte) => byte !== 0x2f)));
  const hash = fromBytes(Uint8Array.from({ length: 16 }, (_, i) => i * 17));
  const odd = { path: `etc/rules/${name}`, size: 2 ** 47, mtimeMs: -1.5, hash };
  const table = Manifest.fromEntries(options, [odd, ...many(100)]);
  await tree.run(table.prepareDigests(tree.ports.clock));
  await tree.run(tree.indexStore().savePublished(1, new Map([['rules', table]])));
  const entries = sorted([odd, ...many(100)]);
  assert.deepEqual(await published(tree), { generation: 1, entries });
  const stored = await tree.run(tree.indexStore().loadPublished());
  assert.ok(stored !== undefined);
  assert.ok(stored.leaves.every(({ leaf, digest }) => digest === table.leaf(leaf).digest));
  assert.equal(Manifest.fromLeaves(options, stored.leaves).rootDigest, table.rootDigest);
  await tree.world.stop();
});

test('IndexStore.loadScan() gives what was saved, over pages', async () => {
  const tree = new TreeWorld();
  const store = tree.indexStore();
  await tree.run(store.loadScan());
  const [table] = tables(many(3000)).values();
  const leaves = Array.from(
    { length: 4096 },
    (_, leaf) => ({ ...table!.leaf(leaf), set: 'rules' }),
  );
  const directories = Array.from(
    { length: 700 },
    (_, i) => ({ path: `etc/\xff${i}`, files: Uint8Array.of(i >> 8, i & 255) }),
  );
  await tree.run(store.saveScan(changedScan(leaves, directories)));
  const dropped = leaves.find(({ rows }) => rows.length > 0)!;
  const nothing = new Uint8Array(0);
  const gone = { path: directories[600]!.path, files: nothing };
  await tree.run(store.saveScan(changedScan([{ ...dropped, rows: nothing }], [gone])));
  const stored = await tree.run(tree.indexStore().loadScan());
  assert.equal(stored.isSameRules, true);
  assert.equal(stored.isWhole, true);
  const expected = leaves.filter(({ rows, leaf }) => rows.length > 0 && leaf !== dropped.leaf);
  assert.deepEqual(
    stored.leaves.map(({ leaf }) => leaf).sort((left, right) => left - right),
    expected.map(({ leaf }) => leaf),
  );
  for (const { leaf, rows } of stored.leaves) assert.deepEqual(rows, table!.leaf(leaf).rows);
  directories.splice(600, 1);
  assert.deepEqual(stored.directories, directories);
  await tree.world.stop();
});

test('IndexStore.saveScan() tells of a crash on the way, until all is saved', async () => {
  const [table] = tables(many(3000)).values();
  const leaves = Array.from(
    { length: 4096 },
    (_, leaf) => ({ ...table!.leaf(leaf), set: 'rules' }),
  );
  const directories = [{ path: 'etc/rules', files: Uint8Array.of(1) }];
  for (const transactions of [1, 2, 15]) {
    const tree = new TreeWorld({ seed: transactions });
    const store = tree.indexStore();
    await tree.run(store.loadScan());
    await tree.run(store.saveScan(changedScan([], [])));
    const isKilled = tree.killAfter(transactions);
    store.saveScan(changedScan(leaves, directories)).catch(() => {});
    await tree.world.run({ until: isKilled, limitMs: 60_000 });
    const after = tree.indexStore();
    const stored = await tree.run(after.loadScan());
    assert.equal(stored.isWhole, false);
    assert.ok(stored.leaves.length > 0);
    assert.deepEqual(stored.directories, []);
    await tree.run(after.saveScan(changedScan([], directories)));
    assert.equal((await tree.run(tree.indexStore().loadScan())).isWhole, true);
    await tree.world.stop();
  }
});

test('IndexStore leaves out what was hashed with another algorithm', async () => {
  const tree = new TreeWorld();
  const store = tree.indexStore();
  await tree.run(store.loadScan());
  const [table] = tables(many(1)).values();
  const leaf = Array.from({ length: 4096 }, (_, at) => table!.leaf(at))
    .find(({ rows }) => rows.length > 0)!;
  const directory = { path: 'etc/rules', files: Uint8Array.of(1) };
  await tree.run(store.saveScan(changedScan([{ ...leaf, set: 'rules' }], [directory])));
  await tree.run(store.savePublished(1, tables(many(1))));
  const other = new IndexStore(tree.ports, tree.sets, { algorithm: 'sha256' });
  const stored = await tree.run(other.loadScan());
  assert.deepEqual([stored.leaves, stored.directories], [[], []]);
  assert.equal(await tree.run(other.loadPublished()), undefined);
  assert.equal(other.isPublishedWhole, false);
  await tree.world.stop();
});

test('IndexStore.loadPublished() tells that the sets choose other files now', async () => {
  const tree = new TreeWorld();
  await tree.run(tree.indexStore().savePublished(1, tables(many(50))));
  const others = [
    fileSet({ name: 'some', include: ['1*'] }),
    fileSet({ name: 'rules', include: ['2*'] }),
  ];
  const sets = new SetTable(others, simHashing, 'md5');
  const store = new IndexStore(tree.ports, sets, { algorithm: 'md5' });
  const stored = await tree.run(store.loadPublished());
  assert.equal(stored?.isSameRules, false);
  const found = await tree.run(tablesFromStore(stored, sets, options, tree.ports.clock));
  const entries = (start: string) => sorted(many(50)).filter(({ path }) => path.startsWith(start));
  assert.deepEqual(sorted(found.get('some')!.entries()), entries('etc/rules/1'));
  assert.deepEqual(sorted(found.get('rules')!.entries()), entries('etc/rules/2'));
  // What does not belong to them any more is not there any more, once they are saved.
  await tree.run(store.savePublished(2, found));
  const expected = [...entries('etc/rules/1'), ...entries('etc/rules/2')];
  assert.deepEqual(await published(tree, store, sets), { generation: 2, entries: expected });
  await tree.world.stop();
});

test('IndexStore.savePublished() keeps the tables of a generation, large or small', async () => {
  const tree = new TreeWorld();
  const store = tree.indexStore();
  assert.equal(await tree.run(store.loadPublished()), undefined);
  assert.equal(store.lastGeneration(), 0);
  const first = tables(many(1100));
  await tree.run(store.savePublished(7, first, { 'digest.rules': 'x' }));
  const changed = first.get('rules')!.with([
    { path: 'etc/rules/3', entry: undefined },
    { path: 'etc/rules/4', entry: entry('etc/rules/4', 'b') },
  ]);
  await tree.run(store.savePublished(8, new Map([['rules', changed]])));
  assert.deepEqual(await published(tree), { generation: 8, entries: sorted(changed.entries()) });
  assert.equal(store.value('digest.rules'), 'x');
  // One that does not know what is stored writes all.
  await tree.run(tree.indexStore().savePublished(9, tables(many(2)), { 'digest.rules': 'y' }));
  assert.deepEqual(await published(tree), { generation: 9, entries: many(2) });
  await tree.world.stop();
});

test('IndexStore.recognisePublished() makes the next save cost what differs', async () => {
  const tree = new TreeWorld();
  const before = tables(many(3000));
  await tree.run(tree.indexStore().savePublished(1, before));
  const changed = tables([...many(2999), entry('etc/rules/2999', 'b')]);
  const commits = countCommits(tree.ports);
  const writer = new IndexStore(commits.ports, tree.sets, { algorithm: 'md5' });
  writer.recognisePublished(before);
  await tree.run(writer.savePublished(2, changed));
  assert.equal(commits.count(), 1, 'one transaction');
  const entries = sorted(changed.get('rules')!.entries());
  assert.deepEqual(await published(tree), { generation: 2, entries });
  await tree.world.stop();
});

test('IndexStore.loadPublished() drops tables of which only a part was written', async () => {
  let isWhole = false;
  for (let transactions = 1; !isWhole; transactions++) {
    const tree = new TreeWorld({ seed: transactions });
    const store = tree.indexStore();
    await tree.run(store.savePublished(1, tables(many(3)), { digests: 'old' }));
    const isKilled = tree.killAfter(transactions);
    let isSaved = false;
    store.savePublished(2, tables(many(1100, 'new')), { digests: 'new' })
      .then(() => isSaved = true, () => {});
    await tree.world.run({ until: () => isKilled() || isSaved, limitMs: 60_000 });
    const after = tree.indexStore();
    isWhole = after.isPublishedWhole;
    assert.equal(after.value('digests'), isWhole ? 'new' : undefined);
    assert.equal(after.lastGeneration(), 2);
    const found = await published(tree, after);
    assert.equal(found?.entries.length, isWhole ? 1100 : undefined);
    await tree.run(tree.indexStore().savePublished(3, tables(many(2))));
    assert.equal((await published(tree))?.entries.length, 2);
    assert.ok(isWhole || transactions < 20);
    await tree.world.stop();
  }
});

test('IndexStore.savePublished() makes good what a failed call has written', async () => {
  const tree = new TreeWorld();
  const { database, clock, hashing } = tree.ports;
  let commitsLeft = Infinity;
  const exec = (sql: string) => {
    if (sql === 'COMMIT' && commitsLeft-- <= 0) throw new Error('the disk is full');
    database.exec(sql);
  };
  const ports = { clock, hashing, database: { ...database, exec } };
  const failing = new IndexStore(ports, tree.sets, { algorithm: 'md5' });
  const base = [entry('etc/rules/1', 'base'), entry('etc/rules/other', 'base')];
  await tree.run(failing.savePublished(1, tables(base)));
  for (const commits of [3, 1]) {
    commitsLeft = commits;
    const saving = failing.savePublished(2, tables(many(1100, `${commits}`)));
    await assert.rejects(tree.run(saving), /the disk is full/);
  }
  commitsLeft = Infinity;
  await tree.run(failing.savePublished(2, tables(base)));
  assert.deepEqual(await published(tree), { generation: 2, entries: sorted(base) });
  await tree.world.stop();
});

function changedScan(
  leaves: readonly SetLeaf[],
  directories: readonly PackedDirectory[],
): ChangedScan {
  return { count: leaves.length + directories.length, leaves, directories };
}

function countCommits(ports: IndexPorts): { readonly ports: IndexPorts; count(): number } {
  let count = 0;
  const { database } = ports;
  const exec = (sql: string) => {
    if (sql === 'COMMIT') count++;
    database.exec(sql);
  };
  return { ports: { ...ports, database: { ...database, exec } }, count: () => count };
}
