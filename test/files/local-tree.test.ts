import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LocalTree } from '../../src/files/local-tree.ts';
import type { Scanner, ScanReport } from '../../src/files/scan.ts';
import type { Watcher } from '../../src/ports.ts';
import { entryOf, never, TreeWorld, type TreeWorldOptions } from './tree-world.ts';

const options = { fullEveryMs: 1_000, sweepEveryMs: 60_000 };
const directoriesCount = 60;

interface LookedAtOptions extends TreeWorldOptions {
  readonly isWatched: boolean;
  readonly onHint?: () => void;
  readonly directoriesCount?: number;
}

/** A tree that is looked at once a second, with the files `d0/a`, `d1/a` and so on. */
async function lookedAt(world: LookedAtOptions) {
  const { directoriesCount: count = directoriesCount, onHint = () => {} } = world;
  const tree = new TreeWorld(world);
  for (let i = 0; i < count; i++) tree.node.operator.write(`etc/rules/d${i}/a`, 'x');
  await tree.pass(5_000);
  const scanner = await tree.scanner();
  const { ports } = tree;
  const local = new LocalTree(ports, scanner, options);
  const watch = world.isWatched ? local.watch(ports.watcher, tree.sets, onHint) : undefined;
  const look = async (): Promise<ScanReport> => {
    const report = await tree.run(local.refresh(never));
    await tree.pass(1_000);
    return report;
  };
  const close = async () => {
    watch?.close();
    await tree.world.stop();
  };
  return { tree, local, scanner, look, close };
}

function knows(scanner: Scanner, path: string, size: number): boolean {
  return scanner.manifest('rules').get(path)?.size === size;
}

test('LocalTree.refresh() looks at all files each time where nothing is watched', async () => {
  const { tree, scanner, look, close } = await lookedAt({ isWatched: false });
  for (let round = 0; round < 3; round++) {
    assert.equal((await look()).filesCount, directoriesCount);
  }
  tree.node.operator.write('etc/rules/d7/a', 'longer');
  await look();
  assert.ok(knows(scanner, 'etc/rules/d7/a', 6));
  await close();
});

test('LocalTree.refresh() finds what the watcher missed, looking at a part each time', async () => {
  const world = { isWatched: true, watcher: { lossShare: 1 } };
  const { tree, scanner, look, close } = await lookedAt(world);
  assert.equal((await look()).filesCount, directoriesCount);
  for (const edited of ['etc/rules/d7/a', 'etc/rules/d59/a', 'etc/rules/d0/a']) {
    tree.node.operator.write(edited, 'longer');
    let looks = 0;
    while (!knows(scanner, edited, 6)) {
      const { filesCount } = await look();
      assert.ok(filesCount < 4, `${filesCount} files in one look`);
      looks++;
    }
    const limit = options.sweepEveryMs / 1_000 + 1;
    assert.ok(looks <= limit, `${edited} was found in ${looks} looks`);
  }
  tree.node.operator.write('etc/rules/new/deep/b', 'x');
  tree.node.operator.remove('etc/rules/d3');
  for (let i = 0; i <= options.sweepEveryMs / 1_000; i++) await look();
  assert.ok(knows(scanner, 'etc/rules/new/deep/b', 1));
  assert.equal(scanner.manifest('rules').get('etc/rules/d3/a'), undefined);
  await close();
});

test('LocalTree.refresh() finds a root that appears without a hint', async () => {
  const world = { isWatched: true, watcher: { lossShare: 1 } };
  const { tree, scanner, look, close } = await lookedAt(world);
  tree.node.operator.remove('etc');
  for (let i = 0; i < 62; i++) await look();
  assert.equal(scanner.manifest('rules').count, 0);
  tree.node.operator.write('etc/rules/again', 'x');
  for (let i = 0; i < 62; i++) await look();
  assert.equal(scanner.manifest('rules').count, 1);
  await close();
});

test('LocalTree.refresh() sees what a hint tells of at once, also in new directories', async () => {
  const { tree, scanner, look, close } = await lookedAt({ isWatched: true });
  await look();
  tree.node.operator.write('etc/rules/d7/a', 'longer');
  tree.node.operator.write('etc/rules/new/deep/b', 'x');
  await tree.pass(1_000);
  const report = await look();
  assert.ok(report.filesCount < 10, `${report.filesCount} files`);
  assert.ok(knows(scanner, 'etc/rules/d7/a', 6));
  assert.ok(knows(scanner, 'etc/rules/new/deep/b', 1));
  // It is watched from now on; and so is one that takes the place of another.
  tree.node.operator.write('etc/rules/new/deep/b', 'longer');
  tree.node.operator.rename('etc/rules/d8', 'etc/rules/moved');
  await tree.pass(1_000);
  await look();
  assert.ok(knows(scanner, 'etc/rules/new/deep/b', 6));
  tree.node.operator.write('etc/rules/moved/a', 'longer');
  await tree.pass(1_000);
  await look();
  assert.ok(knows(scanner, 'etc/rules/moved/a', 6));
  await close();
});

test('LocalTree.refresh() that is urgent leaves all but hints to the next one that is not', async () => {
  const { tree, local, scanner, look, close } = await lookedAt({ isWatched: true });
  await look();
  const urgent = async () => (await tree.run(local.refresh(never, true))).filesCount;
  await tree.pass(10_000);
  assert.equal(await urgent(), 0);
  tree.node.operator.write('etc/rules/d7/a', 'longer');
  await tree.pass(1_000);
  assert.equal(await urgent(), 1);
  assert.ok(knows(scanner, 'etc/rules/d7/a', 6));
  // What was put off for the time of a sixth of the tree is made up for.
  assert.ok((await look()).filesCount >= directoriesCount / 6);
  // Not for ever.
  await tree.pass(30_000);
  assert.ok(await urgent() >= directoriesCount / 2);
  await close();
});

test('LocalTree hears no hint about what the program itself has left, and any other', async () => {
  let hintsCount = 0;
  const onHint = () => void hintsCount++;
  const { tree, local, scanner, look, close } = await lookedAt({ isWatched: true, onHint });
  const { files, clock } = tree.ports;
  await look();
  await look();
  const place = (path: string, content: string) =>
    tree.run(local.exclusively(async () => {
      tree.node.operator.write(path, content);
      const facts = await files.facts(path);
      // The hint comes before it is known what was placed.
      await clock.sleep(1_000);
      const { hash } = entryOf('', content);
      await scanner.adopt([{ path, facts: facts!, hash }]);
    }));
  const remove = (path: string) =>
    tree.run(local.exclusively(async () => {
      tree.node.operator.remove(path);
      await scanner.forget([path]);
    }));
  await place('etc/rules/d7/a', 'placed');
  await remove('etc/rules/d8/a');
  await tree.pass(1_000);
  assert.equal(hintsCount, 0);

  for (const [path, content] of [['d7/a', 'edited'], ['d8/a', 'is back'], ['d9/a', 'other']]) {
    tree.node.operator.write(`etc/rules/${path}`, content!);
    await tree.pass(1_000);
    assert.ok(hintsCount > 0, path);
    await look();
    assert.ok(knows(scanner, `etc/rules/${path}`, content!.length), path);
    // So that the next hint too may be of the program's own work.
    await place('etc/rules/d6/a', 'placed');
    await tree.pass(1_000);
    hintsCount = 0;
  }
  await close();
});

test('LocalTree.refresh() of everything lets a hint go first, and comes to its end', async () => {
  const { tree, local, scanner, look, close } = await lookedAt({
    isWatched: true,
    directoriesCount: 500,
    watcher: { lossShare: 1 },
  });
  await look();
  tree.node.operator.write('etc/rules/d250/a', 'hinted at');
  tree.node.operator.write('etc/rules/d499/a', 'at the end');
  tree.node.operator.write('etc/rules/d0/a', 'at the end');
  local.hint(undefined);
  tree.world.after(1, 'a hint', () => local.hint('etc/rules/d250/a'));
  const counts: number[] = [];
  const isAllKnown = () =>
    ['etc/rules/d499/a', 'etc/rules/d0/a'].every((path) => knows(scanner, path, 10));
  while (!isAllKnown()) {
    const isHinted = counts.length === 1;
    counts.push((await tree.run(local.refresh(never))).filesCount);
    if (isHinted) assert.ok(knows(scanner, 'etc/rules/d250/a', 9), 'the hint went first');
  }
  assert.ok(counts.length >= 2, `looks at ${counts.join(', ')} files`);
  await close();
});

test('LocalTree.refresh() looks at all of a tree that cannot be watched whole', async () => {
  const { tree, scanner, close } = await lookedAt({ isWatched: false });
  const { ports } = tree;
  const local = new LocalTree(ports, scanner, options);
  const blind: Watcher = {
    watch: () => ({ isWhole: false, add: () => {}, remove: () => {}, close: () => {} }),
  };
  local.watch(blind, tree.sets, () => {});
  for (let round = 0; round < 3; round++) {
    assert.equal((await tree.run(local.refresh(never))).filesCount, directoriesCount);
    await tree.pass(1_000);
  }
  await close();
});
