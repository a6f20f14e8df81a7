import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimNetwork } from './network.ts';
import { SimNode } from './node.ts';
import type { WatcherOptions } from './watcher.ts';
import { World } from './world.ts';

function watched(watcher: WatcherOptions, directories: readonly string[] = ['etc']) {
  const world = new World({ seed: 1 });
  const node = new SimNode(world, new SimNetwork(world), { name: 'n', watcher });
  const hints: (string | undefined)[] = [];
  const watch = node.ports().watcher.watch(directories, (path) => hints.push(path));
  for (const directory of directories) {
    if (directory !== '') node.operator.makeDirectory(directory);
    watch.add(directory);
  }
  return { world, node, hints, watch };
}

test('Watcher.watch() hints at changes in its directories, some time later', async () => {
  const { world, node, hints } = watched({});
  node.operator.write('etc/a', 'x');
  node.operator.write('etcetera', 'x');
  node.operator.write('etc/sub/a', 'x');
  assert.deepEqual(hints, []);
  await world.run({ forMs: 1000 });
  assert.deepEqual(
    new Set(hints),
    new Set(['etc', 'etc/a', 'etc/sub']),
    'not in what was not added',
  );
});

test('Watcher.watch() loses a directory that is moved or removed', async () => {
  const { world, node, hints, watch } = watched({}, ['etc', 'var']);
  node.operator.rename('var', 'old');
  node.operator.makeDirectory('var');
  await world.run({ forMs: 1000 });
  hints.length = 0;
  node.operator.write('var/a', 'x');
  node.operator.write('old/a', 'x');
  await world.run({ forMs: 1000 });
  assert.deepEqual(hints, []);
  watch.add('var');
  node.operator.write('var/b', 'x');
  await world.run({ forMs: 1000 });
  assert.deepEqual(new Set(hints), new Set(['var/b']));
});

test('Watcher.watch() of the root hints at all that the operator does', async () => {
  const { world, node, hints } = watched({}, ['']);
  node.operator.write('a', 'x');
  node.operator.touch('a', 5);
  node.operator.rename('a', 'b');
  node.operator.remove('b');
  await world.run({ forMs: 1000 });
  assert.deepEqual(hints.map(String).sort(), ['a', 'a', 'a', 'b', 'b']);
});

test('Watcher.watch() loses hints, repeats them and forgets names, as it was told', async () => {
  const { world, node, hints } = watched({
    lossShare: 0.3,
    namelessShare: 0.2,
    spuriousShare: 0.2,
  });
  for (let i = 0; i < 200; i++) node.operator.write(`etc/${i}`, 'x');
  await world.run({ forMs: 10_000 });
  const named = hints.filter((path) => path !== undefined);
  const distinct = new Set(named);
  assert.ok(hints.length - named.length > 10, 'nameless');
  assert.ok(named.length > distinct.size + 10, 'repeated');
  assert.ok(distinct.size > 80 && distinct.size < 150, 'lost');
});

test('Watcher.watch() is silent once closed, also about what is on its way', async () => {
  const { world, node, hints, watch } = watched({});
  node.operator.write('etc/a', 'x');
  watch.close();
  node.operator.write('etc/b', 'x');
  await world.run({ forMs: 1000 });
  assert.deepEqual(hints, []);
  await world.stop();
});
