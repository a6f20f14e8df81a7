import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keepVersion } from '../keep-version.ts';
import type { NewVersion, RestorePlan, VersionStore } from '../../src/files/version-store.ts';
import { TreeWorld } from './tree-world.ts';

/** Notes a change, with a content on the disk where there was one. */
async function note(
  tree: TreeWorld,
  store: VersionStore,
  generation: number,
  path: string,
  kind: NewVersion['kind'],
): Promise<void> {
  const hasContent = kind === 'replaced' || kind === 'removed';
  const name = hasContent ? `${path}.${generation}` : undefined;
  if (name !== undefined) {
    tree.node.operator.write('etc/rules/x', name);
    await tree.run(keepVersion(tree.ports.files, 'etc/rules/x', name));
    tree.node.operator.remove('etc/rules/x');
  }
  const hash = hasContent ? '0123456789abcdef' : undefined;
  store.record([{ path, set: 'rules', generation, kind, name, hash, size: 1, mtimeMs: 2 }]);
  await tree.run(store.prune([path]));
}

async function contents(tree: TreeWorld): Promise<string[]> {
  return [...await tree.run(tree.ports.files.versions())].sort();
}

function shown(plan: RestorePlan): string[] {
  return [
    ...plan.restore.map(({ path, name }) => `restore ${path} from ${name}`),
    ...plan.remove.map(({ path, set }) => `remove ${path} of ${set}`),
    ...plan.lost.map((path) => `lost ${path}`),
  ];
}

test('VersionStore.list() gives what was noted, newest first', async () => {
  const tree = new TreeWorld();
  const store = tree.versions();
  await note(tree, store, 1, 'a', 'created');
  await note(tree, store, 2, 'a', 'replaced');
  await note(tree, store, 2, 'b', 'removed');
  const shownList = (path?: string) =>
    store.list(path).map(({ path, generation, kind }) => `${path} ${generation} ${kind}`);
  assert.deepEqual(shownList(), ['b 2 removed', 'a 2 replaced', 'a 1 created']);
  assert.deepEqual(shownList('a'), ['a 2 replaced', 'a 1 created']);
  const [newest] = store.list('a');
  assert.deepEqual(store.restoreOne(newest!.id)?.restore, [newest]);
  assert.deepEqual(
    { name: newest?.name, hash: newest?.hash, size: newest?.size, mtimeMs: newest?.mtimeMs },
    { name: 'a.2', hash: '0123456789abcdef', size: 1, mtimeMs: 2 },
  );
  assert.equal(store.restoreOne(4711), undefined);
  await tree.world.stop();
});

test('VersionStore.restoreOne() undoes one change, whatever its kind', async () => {
  const tree = new TreeWorld();
  const store = tree.versions();
  const kinds = ['created', 'replaced', 'removed', 'given-up'] as const;
  for (const kind of kinds) await note(tree, store, 1, kind, kind);
  const idOf = (path: string): number => store.list(path)[0]!.id;
  assert.deepEqual(kinds.map((kind) => shown(store.restoreOne(idOf(kind))!)), [
    ['remove created of rules'],
    ['restore replaced from replaced.1'],
    ['restore removed from removed.1'],
    ['lost given-up'],
  ]);
  await tree.world.stop();
});

test('VersionStore.prune() keeps the newest contents of each path and discards the others', async () => {
  const tree = new TreeWorld();
  const store = tree.versions(2);
  for (let generation = 1; generation <= 5; generation++) {
    await note(tree, store, generation, 'a', 'replaced');
  }
  await note(tree, store, 5, 'b', 'removed');
  assert.deepEqual(await contents(tree), ['a.4', 'a.5', 'b.5']);
  assert.deepEqual(store.list('a').map(({ kind }) => kind), ['replaced', 'replaced', 'given-up']);
  await tree.world.stop();
});

test('VersionStore.prune() bounds a path that is created over and over', async () => {
  const tree = new TreeWorld();
  const store = tree.versions(2);
  for (let generation = 1; generation <= 40; generation++) {
    await note(tree, store, generation, 'a', 'created');
  }
  assert.ok(store.list('a').length <= 6, `${store.list('a').length} rows`);
  await tree.world.stop();
});

test('VersionStore.restorePlan() undoes all since a generation', async () => {
  const tree = new TreeWorld();
  const store = tree.versions(3);
  await note(tree, store, 1, 'a', 'created');
  await note(tree, store, 2, 'a', 'replaced');
  await note(tree, store, 2, 'b', 'created');
  await note(tree, store, 3, 'a', 'replaced');
  await note(tree, store, 3, 'b', 'removed');
  await note(tree, store, 3, 'c', 'removed');
  assert.deepEqual(shown(await tree.run(store.restorePlan(3))), [
    'restore a from a.3',
    'restore b from b.3',
    'restore c from c.3',
  ]);
  assert.deepEqual(shown(await tree.run(store.restorePlan(2))), [
    'restore a from a.2',
    'restore c from c.3',
    'remove b of rules',
  ]);
  assert.deepEqual(shown(await tree.run(store.restorePlan(4))), []);
  assert.equal(store.find('a', { beforeGeneration: 2 })?.name, 'a.2');
  assert.equal(store.find('a', 'newest')?.name, 'a.3');
  assert.equal(store.find('b', { beforeGeneration: 1 }), undefined);
  await tree.world.stop();
});

test('VersionStore.restorePlan() says what was lost instead of restoring a wrong state', async () => {
  const tree = new TreeWorld();
  const store = tree.versions(1);
  await note(tree, store, 1, 'a', 'replaced');
  await note(tree, store, 2, 'a', 'removed');
  await note(tree, store, 3, 'a', 'created');
  await note(tree, store, 4, 'a', 'replaced');
  assert.deepEqual(shown(await tree.run(store.restorePlan(4))), ['restore a from a.4']);
  assert.deepEqual(shown(await tree.run(store.restorePlan(3))), ['remove a of rules']);
  assert.deepEqual(shown(await tree.run(store.restorePlan(2))), ['lost a']);
  assert.deepEqual(shown(await tree.run(store.restorePlan(1))), ['lost a']);
  await tree.world.stop();
});

test('VersionStore.restorePlan() undoes nothing of an earlier numbering', async () => {
  const tree = new TreeWorld();
  const store = tree.versions();
  await note(tree, store, 57, 'a', 'replaced');
  await note(tree, store, 58, 'b', 'replaced');
  await note(tree, store, 1, 'a', 'replaced');
  await note(tree, store, 2, 'c', 'created');
  assert.equal(store.lastGeneration(), 2);
  assert.deepEqual(shown(await tree.run(store.restorePlan(2))), ['remove c of rules']);
  assert.equal(store.find('a', { beforeGeneration: 2 }), undefined);
  await tree.world.stop();
});

test('VersionStore.restorePlan() reads many paths in pages', async () => {
  const tree = new TreeWorld();
  const store = tree.versions();
  const paths = Array.from({ length: 1200 }, (_, i) => `file ${String(i).padStart(5, '0')}`);
  store.record(paths.map((path) => ({
    path,
    set: 'rules',
    generation: 1,
    kind: 'created',
    name: undefined,
    hash: undefined,
    size: 0,
    mtimeMs: 0,
  })));
  const plan = await tree.run(store.restorePlan(1));
  assert.deepEqual(plan.remove.map(({ path }) => path), paths);
  await tree.world.stop();
});

test('VersionStore.clean() makes database and disk agree', async () => {
  const tree = new TreeWorld();
  const store = tree.versions();
  await note(tree, store, 1, 'a', 'replaced');
  await note(tree, store, 1, 'b', 'replaced');
  tree.node.operator.write('etc/rules/x', 'orphan');
  await tree.run(keepVersion(tree.ports.files, 'etc/rules/x', 'orphan'));
  await tree.run(tree.ports.files.discardVersions(['a.1']));
  const report = await tree.run(store.clean());
  assert.deepEqual(report, { discardedCount: 1, lostCount: 1 });
  assert.deepEqual(await contents(tree), ['b.1']);
  assert.deepEqual(shown(await tree.run(store.restorePlan(1))), ['restore b from b.1', 'lost a']);
  await tree.world.stop();
});

test('VersionStore notes nothing where nothing is to be kept', async () => {
  const tree = new TreeWorld();
  const store = tree.versions(0);
  await note(tree, store, 1, 'a', 'created');
  assert.deepEqual(store.list(), []);
  await tree.world.stop();
});
