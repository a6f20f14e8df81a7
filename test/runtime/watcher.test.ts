import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type BytePath, fromText } from '../../src/base/bytes.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import type { TreeWatch } from '../../src/ports.ts';
import { createWatcher } from '../../src/runtime/watcher.ts';
import { cleanUp, hasByteNames, temporaryDirectory, whenDone } from './files-world.ts';

after(cleanUp);

/** A watched tree, and the hints that came. */
interface WatchedTree {
  readonly root: string;
  readonly hints: (BytePath | undefined)[];
  readonly warnings: string[];
  readonly watch: TreeWatch;
  /** Does something, and waits until a hint has come that passes. */
  readonly provoke: (
    change: () => void,
    isWanted: (hint: BytePath | undefined) => boolean,
  ) => Promise<void>;
  readonly path: (name: string) => string;
}

function watchTree(
  directories: readonly BytePath[],
  prepare: (root: string) => void = () => {},
): WatchedTree {
  const root = temporaryDirectory();
  prepare(root);
  const hints: (BytePath | undefined)[] = [];
  const warnings: string[] = [];
  const options = {
    root,
    clock: systemClock,
    onWarning: (text: string) => void warnings.push(text),
  };
  const watch = createWatcher(options).watch(directories, (hint) => {
    // As a scan does that is led by hints.
    if (hint === undefined) directories.forEach(addAll);
    else if (isDirectory(join(root, hint))) addAll(hint);
    hints.push(hint);
  });
  const addAll = (directory: BytePath) => {
    if (!isDirectory(join(root, directory))) return;
    watch.remove(directory);
    watch.add(directory);
    for (const name of fs.readdirSync(join(root, directory))) {
      addAll(directory === '' ? name : `${directory}/${name}`);
    }
  };
  directories.forEach(addAll);
  whenDone(() => watch.close());
  return {
    root,
    hints,
    warnings,
    watch,
    path: (name) => join(root, name),
    provoke: async (change, isWanted) => {
      hints.length = 0;
      change();
      // The test runner's limit ends this where no hint ever comes.
      while (!hints.some(isWanted)) await systemClock.sleep(2);
    },
  };
}

const isDirectory = (path: string): boolean =>
  fs.lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

const isAny = (hint: BytePath | undefined): boolean => hint === undefined;

test('Watcher tells the path of what was created, changed, renamed and removed', async () => {
  const tree = watchTree(['d'], (root) => fs.mkdirSync(join(root, 'd/sub'), { recursive: true }));
  const { provoke, path } = tree;
  await provoke(() => fs.writeFileSync(path('d/sub/a'), 'x'), (hint) => hint === 'd/sub/a');
  await provoke(() => fs.appendFileSync(path('d/sub/a'), 'y'), (hint) => hint === 'd/sub/a');
  await provoke(() => fs.renameSync(path('d/sub/a'), path('d/b')), (hint) => hint === 'd/b');
  await provoke(() => fs.rmSync(path('d/b')), (hint) => hint === 'd/b');
  await provoke(() => fs.mkdirSync(path('d/new')), (hint) => hint === 'd/new');
  await provoke(() => fs.writeFileSync(path('d/new/c'), ''), (hint) => hint === 'd/new/c');
  assert.deepEqual(tree.warnings, []);
});

test('Watcher gives a hint after the last of many quick changes', async () => {
  const { path, hints } = watchTree([''], (root) => fs.writeFileSync(join(root, 'a'), ''));
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 10; i++) {
      fs.appendFileSync(path('a'), 'x');
      await new Promise((resolve) => setImmediate(resolve));
    }
    const hintsBefore = hints.length;
    while (hints.length === hintsBefore) await systemClock.sleep(1);
  }
  assert.deepEqual(new Set(hints), new Set(['a']));
});

test('Watcher watches the root itself', async () => {
  const { provoke, path } = watchTree(['']);
  await provoke(() => fs.writeFileSync(path('a'), 'x'), (hint) => hint === 'a');
  await provoke(() => fs.mkdirSync(path('d')), (hint) => hint === 'd');
});

test('Watcher tells names as bytes, or that it cannot', async () => {
  const { provoke, path, root } = watchTree(['']);
  const name = fromText('größe\n日本');
  await provoke(() => fs.writeFileSync(path('größe\n日本'), ''), (hint) => hint === name);
  const raw = Buffer.from(`${root}/\xff\xfe`, 'latin1');
  const expected = hasByteNames() ? '\xff\xfe' : undefined;
  await provoke(() => fs.writeFileSync(raw, ''), (hint) => hint === expected);
});

test('Watcher finds a directory that appears, vanishes and is replaced', async () => {
  const { provoke, path, hints } = watchTree(['a/b/c', 'a/d']);
  await provoke(() => fs.mkdirSync(path('a/b/c'), { recursive: true }), isAny);
  await provoke(() => fs.writeFileSync(path('a/b/c/x'), ''), (hint) => hint === 'a/b/c/x');
  await provoke(() => fs.renameSync(path('a'), path('old')), isAny);
  await provoke(() => fs.mkdirSync(path('a/b/c'), { recursive: true }), isAny);
  await provoke(() => fs.writeFileSync(path('a/b/c/y'), ''), (hint) => hint === 'a/b/c/y');
  await provoke(() => fs.mkdirSync(path('a/d')), isAny);
  fs.writeFileSync(path('old/b/c/z'), '');
  await provoke(() => fs.writeFileSync(path('a/d/x'), ''), (hint) => hint === 'a/d/x');
  assert.equal(hints.includes('a/b/c/z'), false, 'what was moved away is watched no more');
});

test('Watcher finds a directory that is removed and made again at once', async (t) => {
  if ('Deno' in globalThis) return t.skip('deno does not watch a path again once it was removed');
  const { provoke, path, hints } = watchTree(['a/b'], (root) => {
    fs.mkdirSync(join(root, 'a/b'), { recursive: true });
  });
  for (let round = 0; round < 5; round++) {
    await provoke(() => {
      fs.rmSync(path('a'), { recursive: true });
      fs.mkdirSync(path('a/b'), { recursive: true });
    }, isAny);
    // The first hint may be about what vanished; before the second the new one is not watched yet.
    while (!hints.includes('a/b/x')) {
      fs.writeFileSync(path('a/b/x'), '');
      await systemClock.sleep(10);
    }
  }
});

test('Watcher does not look through a link', async () => {
  const outside = temporaryDirectory();
  const { provoke, path, hints } = watchTree(['link', 'd'], (root) => {
    fs.symlinkSync(outside, join(root, 'link'));
    fs.mkdirSync(join(root, 'd'));
    fs.symlinkSync(outside, join(root, 'd/link'));
  });
  fs.writeFileSync(join(outside, 'x'), '');
  await provoke(() => fs.writeFileSync(path('d/x'), ''), (hint) => hint === 'd/x');
  assert.deepEqual(hints.filter((hint) => hint !== 'd/x'), []);
});

test('Watcher watches a directory until it is taken away, however often it was added', async () => {
  const { provoke, path, hints, watch } = watchTree(['d'], (root) => {
    fs.mkdirSync(join(root, 'd/sub/deep'), { recursive: true });
  });
  watch.add('d/sub');
  watch.add('d/sub');
  await provoke(() => fs.writeFileSync(path('d/sub/x'), ''), (hint) => hint === 'd/sub/x');
  watch.remove('d/sub');
  watch.remove('d/never');
  fs.writeFileSync(path('d/sub/y'), '');
  await provoke(() => fs.writeFileSync(path('d/z'), ''), (hint) => hint === 'd/z');
  assert.equal(hints.includes('d/sub/y'), false);
  assert.equal(watch.isWhole, true);
});

test('Watcher takes a directory that has just become a file, or is below one, for gone', () => {
  const { watch, warnings } = watchTree(['d'], (root) => {
    fs.mkdirSync(join(root, 'd'));
    fs.writeFileSync(join(root, 'd/file'), '');
  });
  watch.add('d/file/below');
  watch.add('d/none/below');
  assert.equal(watch.isWhole, true);
  assert.deepEqual(warnings, []);
});

test('Watcher says nothing after it was closed', async () => {
  const tree = watchTree(['']);
  const other = watchTree(['']);
  await tree.provoke(() => fs.writeFileSync(tree.path('a'), ''), (hint) => hint === 'a');
  tree.watch.close();
  tree.watch.close();
  tree.hints.length = 0;
  fs.writeFileSync(tree.path('b'), '');
  await other.provoke(() => fs.writeFileSync(other.path('c'), ''), (hint) => hint === 'c');
  assert.deepEqual(tree.hints, []);
});

/** Runs a program where the system allows only a few watches, without touching its real limit. */
function underWatchLimit(program: string, argument: string): string | undefined {
  const script = 'echo 10 > /proc/sys/user/max_inotify_watches && exec "$@"';
  const file = fileURLToPath(new URL(`./programs/${program}.ts`, import.meta.url));
  const runtime = [process.execPath, ...('Deno' in globalThis ? ['run', '-A', '--no-check'] : [])];
  const command = [
    '--user',
    '--map-root-user',
    'sh',
    '-c',
    script,
    'sh',
    ...runtime,
    file,
    argument,
  ];
  const { status, stdout } = spawnSync('unshare', command, { encoding: 'utf8', timeout: 60_000 });
  return status === 0 ? stdout : undefined;
}

test('Watcher warns once where the system watches no more, and goes on', (t) => {
  const root = temporaryDirectory();
  for (let i = 0; i < 40; i++) fs.mkdirSync(join(root, `d/${i}`), { recursive: true });
  const output = underWatchLimit('watch-tree', root);
  if (output === undefined) return t.skip('limits for one program cannot be set here');
  const { warnings, hints, isWhole } = JSON.parse(output) as {
    warnings: string[];
    hints: unknown[];
    isWhole: boolean;
  };
  assert.equal(isWhole, false);
  assert.equal(warnings.length, 1);
  assert.match(
    warnings[0]!,
    /^Cannot watch "d\/\d+": .+; the whole tree is looked at in every interval$/,
  );
  assert.ok(hints.includes('d/file'), 'what is watched is told');
});
