/**
 * Random edits, hints, stops, crashes and restarts: what the scanner knows is what is on the disk.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BytePath, toHex } from '../../src/base/bytes.ts';
import { isBelow } from '../../src/files/paths.ts';
import type { Scanner, ScanScope } from '../../src/files/scan.ts';
import { SeededRandom } from '../sim/random.ts';
import { fileSet } from './material.ts';
import { everywhere, never, TreeWorld } from './tree-world.ts';

const sets = [
  fileSet({ exclude: ['b/b'] }),
  fileSet({ name: 'flat', path: 'etc/flat', recursive: false }),
  fileSet({ name: 'some', path: 'var', include: ['**/a'] }),
];
const tops = ['etc/rules', 'etc/flat', 'var', 'elsewhere'];
const words = ['a', 'b', 'c', 'x.tmp', '\xff\x01'];

function randomPath(random: SeededRandom): BytePath {
  const depth = random.integer(1, 3);
  const names = Array.from({ length: depth }, () => random.pick(words));
  return [random.pick(tops), ...names].join('/');
}

function isWithin(path: BytePath, directory: BytePath): boolean {
  return path === directory || isBelow(path, directory);
}

/** One edit of the operator; what does not apply to what is there is left out. */
function edit(tree: TreeWorld, random: SeededRandom): void {
  const { operator } = tree.node;
  const path = randomPath(random);
  const content = random.pick(['one', 'two', 'three', '']);
  const edits: (() => void)[] = [
    () => operator.write(path, content),
    () => operator.write(path, content, { isReplacing: true }),
    () => operator.write(path, content, { mtimeMs: random.pick([0, 1.5e12, 4e12]) }),
    () => operator.remove(path),
    () => {
      const to = randomPath(random);
      // No file system moves a directory into itself.
      if (!isWithin(to, path) && !isWithin(path, to)) operator.rename(path, to);
    },
    () => operator.symlink(path, '/etc'),
    () => operator.tamper(path, content),
    () => operator.touch(path, 1.6e12),
  ];
  try {
    random.pick(edits)();
  } catch (error) {
    // Not there, or something else than a file.
    if (error instanceof TypeError) throw error;
  }
}

function truth(tree: TreeWorld): Map<string, Map<BytePath, string>> {
  const bySet = new Map(sets.map(({ name }) => [name, new Map<BytePath, string>()]));
  for (const [path, hash] of tree.node.operator.snapshot()) {
    const set = tree.sets.setOf(path);
    if (set !== undefined) bySet.get(set.name)?.set(path, hash);
  }
  return bySet;
}

function known(scanner: Scanner): Map<string, Map<BytePath, string>> {
  return new Map(sets.map(({ name }) => {
    const entries = [...scanner.manifest(name).entries()].sort((left, right) =>
      left.path < right.path ? -1 : 1
    );
    return [name, new Map(entries.map(({ path, hash }) => [path, toHex(hash)]))];
  }));
}

async function runSeed(seed: number): Promise<void> {
  const random = new SeededRandom(`scan ${seed}`);
  const mtimeGranularityMs = random.pick([1e-6, 1, 1000]);
  const tree = new TreeWorld({ seed, sets, disk: { mtimeGranularityMs } });
  for (const top of tops) tree.node.operator.makeDirectory(top);
  let changed = new Set<BytePath>();
  tree.node.disk.onChange((path) => {
    if (path !== undefined) changed.add(path);
  });
  const options = { racyWindowMs: 2000 };
  let scanner = await tree.scanner(options);
  let isFullWanted = true;
  for (let step = 0; step < 30; step++) {
    for (let count = random.integer(0, 5); count > 0; count--) edit(tree, random);
    if (random.chance(0.3)) await tree.pass(random.between(0, 5000));
    const hints = changed;
    changed = new Set();
    const scope: ScanScope = isFullWanted || random.chance(0.3)
      ? everywhere
      : { kind: 'hints', paths: hints };
    const controller = new AbortController();
    const isDisturbed = random.chance(0.3);
    if (isDisturbed) {
      const atMs = random.between(0, 3);
      const disturb = random.pick([
        () => controller.abort(new Error('stopped')),
        () => edit(tree, random),
        () => edit(tree, random),
      ]);
      tree.world.after(atMs, 'a disturbance', disturb);
    }
    try {
      await tree.run(scanner.scan(scope, controller.signal));
      isFullWanted = false;
      if (!isDisturbed) {
        assert.deepEqual(known(scanner), truth(tree), `after step ${step}, ${scope.kind}`);
      }
    } catch (error) {
      if (!controller.signal.aborted) throw error;
      isFullWanted = true;
    }
    await tree.pass(10);
    if (random.chance(0.1)) {
      tree.node[random.pick(['kill', 'crash'] as const)]();
      scanner = await tree.scanner(options);
      isFullWanted = true;
    }
    if (random.chance(0.2)) {
      // What a disturbed scan has missed, a scan of all finds.
      await tree.run(scanner.scan(everywhere, never));
      assert.deepEqual(known(scanner), truth(tree), `after step ${step}`);
    }
  }
  await tree.world.stop();
}

test('Scanner knows what is on the disk, whatever the operator, the watcher and crashes do', async () => {
  for (let seed = 1; seed <= 40; seed++) {
    try {
      await runSeed(seed);
    } catch (error) {
      throw new Error(`Seed ${seed}: ${String(error)}`, { cause: error });
    }
  }
});
