/**
 * Crashes at every point of a round: each path holds the old or the new content, nothing is left
 * behind, and the next round brings everything to where it should be.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BytePath } from '../../src/base/bytes.ts';
import { codeOf } from '../../src/base/errors.ts';
import type { Applier, IncomingContent } from '../../src/files/apply.ts';
import type { Entry } from '../../src/files/entry.ts';
import type { FileSet } from '../../src/files/file-set.ts';
import type { VersionStore } from '../../src/files/version-store.ts';
import { allBelow } from '../sim/inode.ts';
import { SeededRandom } from '../sim/random.ts';
import { fileSet } from './material.ts';
import { bytesOf, entryOf, everywhere, never, TreeWorld } from './tree-world.ts';

/** What the tree should contain: content by path. */
type Contents = ReadonlyMap<BytePath, string>;

const sets = [
  fileSet({ prune: true }),
  fileSet({ name: 'lists', path: 'etc/lists', mode: 0o600 }),
];

/** Contents longer than this are streamed. */
const smallMax = 40;

/** One start of a program with one round, as a worker has it. */
async function liveOnce(tree: TreeWorld, wanted: Contents, generation: number): Promise<void> {
  const applier = tree.applier({}, tree.versions(5));
  const scanner = tree.makeScanner();
  await applier.recover();
  await scanner.load();
  await scanner.scan(everywhere, never);
  for (const set of sets) {
    const actual = scanner.manifest(set.name);
    const entries = [...wanted].filter(([path]) => tree.sets.setOf(path)?.name === set.name)
      .map(([path, content]) => ({ entry: entryOf(path, content), content }))
      .filter(({ entry }) => actual.get(entry.path)?.hash !== entry.hash);
    await bringIn(applier, set, entries, (path) => actual.get(path));
    await scanner.adopt((await applier.commitBatch(generation)).placed);
    const leaving = [...actual.entries()].filter(({ path }) => !wanted.has(path));
    await scanner.forget((await applier.remove(set, leaving, generation)).removed);
  }
  await applier.finish();
}

async function bringIn(
  applier: Applier,
  set: FileSet,
  entries: readonly { entry: Entry; content: string }[],
  previousOf: (path: BytePath) => Entry | undefined,
): Promise<void> {
  const items = entries.map(({ entry, content }) => ({
    set,
    entry,
    previous: previousOf(entry.path),
    bytes: bytesOf(content),
  }));
  const isSmall = ({ entry }: { entry: Entry }): boolean => entry.size <= smallMax;
  assert.deepEqual(await applier.stageSmall(items.filter(isSmall)), []);
  for (const item of items.filter((each) => !isSmall(each))) {
    await stream(applier, item).catch(async (error: unknown) => {
      // A power failure may have damaged what came of it earlier.
      if (codeOf(error) !== 'corrupt') throw error;
      await stream(applier, item);
    });
  }
}

async function stream(applier: Applier, item: IncomingContent): Promise<void> {
  const file = await applier.stage(item);
  for (let at = file.offset; at < item.bytes.length; at += smallMax) {
    await file.write(item.bytes.subarray(at, at + smallMax));
  }
  await file.finish();
}

/** Lives until the end, or until the disk has done so many operations: then power or program go. */
async function liveUntil(
  tree: TreeWorld,
  wanted: Contents,
  generation: number,
  operations: number,
  end: 'kill' | 'crash',
): Promise<'ended' | 'done'> {
  let left = operations;
  let state: 'alive' | 'ended' | 'done' = 'alive';
  let failure: unknown;
  tree.node.disk.fault = () => {
    if (left-- > 0 || state !== 'alive') return;
    state = 'ended';
    tree.node[end]();
  };
  liveOnce(tree, wanted, generation).then(
    () => {
      state = state === 'alive' ? 'done' : state;
    },
    (error: unknown) => {
      failure = error;
    },
  );
  const isOver = (): boolean => state !== 'alive' || failure !== undefined;
  await tree.world.run({ until: isOver, limitMs: 600_000 });
  tree.node.disk.fault = () => {};
  if (state === 'alive') throw failure;
  return state;
}

function randomContents(random: SeededRandom, base: Contents): Map<BytePath, string> {
  const wanted = new Map(base);
  const words = ['a', 'b', 'sub/a', 'sub/b', 'sub/deep/c', 'z'];
  for (let i = random.integer(1, 8); i > 0; i--) {
    const path = `${random.pick(['etc/rules', 'etc/lists'])}/${random.pick(words)}`;
    const content = `${random.next32()} `.repeat(random.pick([0, 1, 2, 12]));
    if (random.chance(0.3)) wanted.delete(path);
    else wanted.set(path, content);
  }
  return wanted;
}

function contentsOf(tree: TreeWorld): Map<BytePath, string> {
  const files = new Map<BytePath, string>();
  for (const path of tree.node.operator.snapshot().keys()) {
    files.set(path, new TextDecoder().decode(tree.node.operator.read(path)));
  }
  return files;
}

/** Fails the world at the very moment at which a path shows what it never should. */
class Allowed {
  readonly #contents = new Map<BytePath, Set<string | undefined>>();

  constructor(tree: TreeWorld) {
    tree.node.disk.onChange((path) => {
      const paths = path === undefined ? allBelow(tree.node.disk.root) : [[path]] as const;
      for (const [each] of paths) {
        const bytes = tree.node.operator.read(each);
        if (bytes === undefined) continue;
        const content = new TextDecoder().decode(bytes);
        if (this.#contents.get(each)?.has(content) === true) continue;
        tree.world.fail(new Error(`"${each}" is torn: "${content.slice(0, 80)}"`));
      }
    });
  }

  allow(contents: Contents): void {
    for (const [path, content] of contents) {
      const known = this.#contents.get(path) ?? new Set();
      this.#contents.set(path, known.add(content));
    }
  }

  write(tree: TreeWorld, path: BytePath, content: string): void {
    this.allow(new Map([[path, content]]));
    tree.node.operator.write(path, content, { isReplacing: true });
  }
}

/** What must hold after a start, whatever came before. */
function checkClean(tree: TreeWorld): void {
  const { disk } = tree.node;
  const { database } = tree.ports;
  const count = (table: string) =>
    database.prepare(`SELECT count(*) AS count FROM ${table}`).get()?.['count'];
  assert.equal(count('journal'), 0, 'the journal is empty');
  const partials = database.prepare('SELECT name FROM partial_files').all()
    .map((row) => String(row['name']));
  assert.deepEqual([...disk.staging.children.keys()].sort(), partials.sort(), 'staging is empty');
  const named = database.prepare('SELECT name FROM versions WHERE name IS NOT NULL').all();
  const names = named.map((row) => String(row['name']));
  assert.deepEqual([...disk.versions.children.keys()].sort(), names.sort(), 'versions are known');
}

/** Every change of a generation is known, and what was there before can be had back. */
async function checkVersions(
  tree: TreeWorld,
  versions: VersionStore,
  generation: number,
  before: Contents,
  edited: ReadonlySet<BytePath>,
  isPowerLost: boolean,
): Promise<void> {
  const plan = await tree.run(versions.restorePlan(generation));
  const now = contentsOf(tree);
  const restored = new Map(plan.restore.map(({ path, name }) => [path, name]));
  const removed = new Set(plan.remove.map(({ path }) => path));
  if (!isPowerLost) assert.deepEqual(plan.lost, []);
  for (const path of new Set([...before.keys(), ...now.keys()])) {
    if (before.get(path) === now.get(path) || edited.has(path)) continue;
    const name = restored.get(path);
    if (name !== undefined) {
      const content = tree.node.disk.versions.children.get(name)!.body.view();
      assert.equal(new TextDecoder().decode(content), before.get(path), `version of ${path}`);
    } else if (removed.has(path)) {
      assert.ok(!before.has(path), `${path} was created`);
    } else {
      assert.ok(isPowerLost && plan.lost.includes(path), `the change of ${path} is known`);
    }
  }
}

async function runSeed(seed: number): Promise<void> {
  const random = new SeededRandom(`recovery ${seed}`);
  const tree = new TreeWorld({ seed, sets });
  const allowed = new Allowed(tree);
  let base: Contents = new Map();
  for (let generation = 1; generation <= 4; generation++) {
    const wanted = randomContents(random, base);
    const before = contentsOf(tree);
    const edited = new Set<BytePath>();
    let isPowerLost = false;
    allowed.allow(wanted);
    for (let attempt = 0; attempt < 4; attempt++) {
      const end = random.pick(['kill', 'crash'] as const);
      const operations = random.integer(0, 80);
      const how = await liveUntil(tree, wanted, generation, operations, end);
      isPowerLost ||= how === 'ended' && end === 'crash';
      if (how === 'ended' && random.chance(0.3)) {
        const path = random.pick([...wanted.keys(), 'etc/rules/sub/deep/c', 'etc/lists/own']);
        edited.add(path);
        allowed.write(tree, path, `edited ${random.next32()}`);
      }
      const applier = tree.applier({}, tree.versions(5));
      await tree.run(applier.recover());
      checkClean(tree);
      await checkVersions(tree, tree.versions(5), generation, before, edited, isPowerLost);
    }
    assert.equal(await liveUntil(tree, wanted, generation, Infinity, 'kill'), 'done');
    tree.node.crash();
    assert.deepEqual(contentsOf(tree), wanted, 'finished is finished');
    await tree.run(tree.applier({}, tree.versions(5)).recover());
    checkClean(tree);
    base = wanted;
  }
  await tree.world.stop();
}

test('Applier.recover() leaves old or new content at every path, and nothing else behind', async () => {
  for (let seed = 1; seed <= 30; seed++) {
    try {
      await runSeed(seed);
    } catch (error) {
      throw new Error(`Seed ${seed}: ${String(error)}`, { cause: error });
    }
  }
});

test('Applier.recover() finishes a move that was journalled, once the content is whole', async () => {
  const tree = new TreeWorld({ sets });
  tree.node.operator.write('etc/rules/a', 'old');
  const wanted = new Map([['etc/rules/a', 'new']]);
  tree.node.disk.fault = ({ verb }) => {
    if (verb === 'place') tree.node.kill();
  };
  liveOnce(tree, wanted, 1).catch(() => {});
  await tree.world.run({ forMs: 1000 });
  tree.node.disk.fault = () => {};
  assert.deepEqual([...contentsOf(tree)], [['etc/rules/a', 'old']]);
  const versions = tree.versions(5);
  const report = await tree.run(tree.applier({}, versions).recover());
  assert.deepEqual(report.redone.map(({ path }) => path), ['etc/rules/a']);
  assert.deepEqual([...contentsOf(tree)], [['etc/rules/a', 'new']]);
  assert.deepEqual(versions.list('etc/rules/a').map(({ kind, hash }) => [kind, hash]), [
    ['replaced', entryOf('', 'old').hash],
  ]);
  checkClean(tree);
  await tree.world.stop();
});

test('Applier.recover() notes a move that was made by copying, and not noted yet', async () => {
  const tree = new TreeWorld({ sets });
  tree.node.operator.write('etc/rules/a', 'old');
  tree.node.disk.fault = ({ verb }) => {
    if (verb === 'place') tree.node.kill();
  };
  liveOnce(tree, new Map([['etc/rules/a', 'new']]), 1).catch(() => {});
  await tree.world.run({ forMs: 1000 });
  tree.node.disk.fault = () => {};
  // Between file systems the content is copied to its place before the staged file goes.
  tree.node.operator.write('etc/rules/a', 'new', { isReplacing: true });
  const versions = tree.versions(5);
  const report = await tree.run(tree.applier({}, versions).recover());
  assert.deepEqual([report.redone, report.madeCount, report.discardedCount], [[], 1, 1]);
  const kept = versions.list('etc/rules/a').map(({ kind, hash }) => [kind, hash]);
  assert.deepEqual(kept, [['replaced', entryOf('', 'old').hash]]);
  checkClean(tree);
  await tree.world.stop();
});

test('Applier.recover() drops a journalled move whose content is damaged or not managed', async () => {
  for (const isDamaged of [true, false]) {
    const tree = new TreeWorld({ sets });
    const wanted = new Map([['etc/rules/a', 'new']]);
    tree.node.disk.fault = ({ verb }) => {
      if (verb === 'place') tree.node.kill();
    };
    liveOnce(tree, wanted, 1).catch(() => {});
    await tree.world.run({ forMs: 1000 });
    tree.node.disk.fault = () => {};
    if (isDamaged) {
      const [inode] = tree.node.disk.staging.children.values();
      tree.node.disk.edit(inode!, (body) => body.replace(bytesOf('bad')));
    } else {
      Object.assign(tree, { sets: new TreeWorld({ sets: [sets[1]!] }).sets });
    }
    const report = await tree.run(tree.applier().recover());
    assert.deepEqual([report.redone, report.droppedCount, report.discardedCount], [[], 1, 1]);
    assert.equal(contentsOf(tree).size, 0);
    checkClean(tree);
    await tree.world.stop();
  }
});

test('Applier.recover() lets a node start although the disk is full', async () => {
  const tree = new TreeWorld({ sets });
  tree.node.operator.write('etc/rules/a', 'old');
  tree.node.disk.fault = ({ verb }) => {
    if (verb === 'place') tree.node.kill();
  };
  liveOnce(tree, new Map([['etc/rules/a', 'new']]), 1).catch(() => {});
  await tree.world.run({ forMs: 1000 });
  tree.node.disk.fault = ({ verb }) => {
    if (verb === 'flush') throw new Error('the disk is full');
  };
  const report = await tree.run(tree.applier().recover());
  assert.deepEqual(report.failures.map(({ path }) => path), ['etc/rules/a']);
  assert.deepEqual([...contentsOf(tree)], [['etc/rules/a', 'old']]);
  checkClean(tree);
  await tree.world.stop();
});

test('Applier.discard() mends what an error in the middle of changes has left', async () => {
  const tree = new TreeWorld({ sets });
  const applier = tree.applier();
  const { files } = tree.ports;
  const real = { ...files };
  files.place = () => Promise.reject(new Error('the disk is gone'));
  const item = { set: sets[0]!, entry: entryOf('etc/rules/a', 'new'), bytes: bytesOf('new') };
  await tree.run(applier.stageSmall([item]));
  await assert.rejects(tree.run(applier.commitBatch(1)), /the disk is gone/);
  Object.assign(files, real);
  await tree.run(applier.discard());
  assert.deepEqual([...contentsOf(tree)], [['etc/rules/a', 'new']]);
  checkClean(tree);
  await tree.world.stop();
});
