/** That no verb of the port `Files` reaches anything outside of the root, whatever the path. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { keepVersion } from '../keep-version.ts';
import { codeOf } from '../../src/base/errors.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { openFiles } from '../../src/runtime/files.ts';
import { createHashing } from '../../src/runtime/hashing.ts';
import { RootedDirectory } from '../../src/runtime/rooted-directory.ts';
import {
  cleanUp,
  type FilesWorld,
  makeFilesWorld,
  namesBelow,
  plain,
  temporaryDirectory,
} from './files-world.ts';

after(cleanUp);

const attributes = plain;

/** A tree with links that lead out of it in every way, and what they lead to. */
async function makeTrap(): Promise<FilesWorld & { readonly escapes: readonly string[] }> {
  const world = await makeFilesWorld();
  const { root, outside, write } = world;
  fs.mkdirSync(join(outside, 'empty'));
  fs.mkdirSync(join(outside, 'sub'));
  fs.writeFileSync(join(outside, 'secret'), 'secret');
  fs.writeFileSync(join(outside, 'sub/secret'), 'secret');
  write('d/e/file', 'inside');
  fs.symlinkSync(outside, join(root, 'absolute'));
  fs.symlinkSync('../outside', join(root, 'relative'));
  fs.symlinkSync('../../../outside', join(root, 'd/e/deep'));
  fs.symlinkSync('d', join(root, 'within'));
  fs.symlinkSync('absolute', join(root, 'twice'));
  fs.symlinkSync('..', join(root, 'up'));
  const directories = [
    'absolute',
    'relative',
    'd/e/deep',
    'twice',
    'up/outside',
    '..',
    '../outside',
  ];
  directories.push('d/../../outside', './absolute', 'd/e/file/..', '/etc', outside, 'd//e', '.');
  directories.push('within/e', 'd/e/\0', `${root}/d`, 'd/e/deep/../outside', 'd/.', 'd/..', '');
  return { ...world, escapes: directories };
}

/** Everything outside, with contents: nothing of it may ever change. */
function snapshot(outside: string): string[] {
  return namesBelow(outside).map((name) => {
    const path = join(outside, name);
    const stats = fs.lstatSync(path);
    const content = stats.isFile() ? fs.readFileSync(path, 'utf8') : '';
    return `${name} ${stats.ino} ${stats.nlink} ${stats.mode} ${stats.mtimeMs} ${content}`;
  });
}

test('TreeReader reads nothing through a link or above the root', async () => {
  const { files, escapes, hash } = await makeTrap();
  for (const directory of escapes) {
    if (directory !== '') {
      await assert.rejects(files.list(directory), { code: 'notFound' }, `list ${directory}`);
    }
    for (const name of ['secret', 'sub/secret', 'passwd', '../secret', 'file']) {
      const path = `${directory}/${name}`;
      assert.equal(await files.facts(path), undefined, path);
      await assert.rejects(files.open(path), { code: 'notFound' }, path);
      assert.deepEqual(await hash(path), [{ kind: 'vanished' }], path);
    }
  }
});

test('TreeWriter changes nothing through a link or above the root', async () => {
  const { files, escapes, outside, root } = await makeTrap();
  const before = snapshot(outside);
  const treeBefore = namesBelow(root);
  for (const directory of escapes) {
    for (const name of ['secret', 'new', 'sub/secret', 'sub/new', 'new/new']) {
      const path = `${directory}/${name}`;
      await files.stageAll([{ name: 's', bytes: new Uint8Array(1), attributes }]);
      const [outcome] = await files.place([{ name: 's', path, directoryMode: 0o700 }]);
      assert.equal(codeOf(outcome), 'refused', `place ${path}`);
      await assert.rejects(files.remove(path), { code: 'refused' }, `remove ${path}`);
      await assert.rejects(keepVersion(files, path, 'v'), { code: 'refused' }, `keep ${path}`);
    }
    const empty = `${directory}/empty`;
    await assert.rejects(files.removeDirectory(empty), { code: 'refused' }, empty);
    if (directory !== '') await files.flushDirectories([directory]);
  }
  assert.deepEqual(snapshot(outside), before);
  assert.deepEqual(await files.versions(), []);
  assert.deepEqual(namesBelow(root), treeBefore);
});

test('the error for a blocked path names the link, and escapes what a name could hide', async () => {
  const { files } = await makeTrap();
  await assert.rejects(files.remove('d/e/deep/secret'), {
    message:
      'Cannot remove "d/e/deep/secret": "d/e/deep" is a symbolic link, and links are not followed',
  });
  await assert.rejects(files.remove('d/e/file/x'), {
    message: 'Cannot remove "d/e/file/x": "d/e/file" is not a directory',
  });
  await assert.rejects(files.remove('d/../x\u001b[2J'), {
    message: 'Cannot remove "d/../x\\x1b[2J": ".." is not a name that a path may contain',
  });
});

test('a link to a link is kept as no version, and a link is removed by nobody', async () => {
  const { files, root } = await makeTrap();
  for (const path of ['absolute', 'twice', 'd/e/deep']) {
    await assert.rejects(keepVersion(files, path, 'v'), { code: 'refused' });
    await assert.rejects(files.remove(path), { code: 'refused' });
    assert.equal(await files.removeDirectory(path), false);
    assert.ok(fs.lstatSync(join(root, path)).isSymbolicLink());
  }
});

test('a root that is replaced by a link is refused, by another directory is found', async () => {
  const parent = temporaryDirectory();
  const [root, outside] = [join(parent, 'root'), join(parent, 'outside')];
  fs.mkdirSync(root);
  fs.mkdirSync(outside);
  fs.writeFileSync(join(outside, 'secret'), '');
  let nowMs = 0;
  const files = await openFiles({
    root,
    stateDirectory: join(parent, 'state'),
    clock: { monotonicMs: () => nowMs, breathe: () => systemClock.breathe() },
    hashing: await createHashing(),
    onWarning: () => {},
  });
  assert.deepEqual((await files.list('')).items, []);
  fs.renameSync(root, join(parent, 'moved'));
  fs.symlinkSync(outside, root);
  nowMs += 2000;
  await assert.rejects(files.list(''), { code: 'notFound' });
  await assert.rejects(files.remove('secret'), { code: 'refused' });
  fs.unlinkSync(root);
  await assert.rejects(files.list(''), { code: 'notFound' });
  fs.mkdirSync(root);
  fs.writeFileSync(join(root, 'new'), '');
  assert.deepEqual((await files.list('')).items.map(({ name }) => name), ['new']);
  files.close();
});

test('a root given by a link is the directory that the link leads to', async () => {
  const parent = temporaryDirectory();
  fs.mkdirSync(join(parent, 'real'));
  fs.writeFileSync(join(parent, 'real/file'), '');
  fs.symlinkSync('real', join(parent, 'link'));
  const root = RootedDirectory.open(join(parent, 'link'), systemClock);
  const walk = root.walk();
  assert.ok(fs.existsSync(walk.locate('file')));
  walk.close();
  root.close();
});

for (const holdsOpen of [true, false]) {
  const way = holdsOpen ? 'through open directories' : 'looking before each step';

  test(`Walk passes no link and no name that is none (${way})`, async () => {
    const { root, escapes } = await makeTrap();
    const rooted = RootedDirectory.open(root, systemClock, holdsOpen);
    const walk = rooted.walk();
    for (const directory of escapes) {
      assert.throws(() => walk.locate(`${directory}/x`), { name: 'BlockedPathError' }, directory);
    }
    assert.equal(fs.readFileSync(walk.locate('d/e/file'), 'utf8'), 'inside');
    assert.throws(() => walk.locate('d/none/x'), { code: 'ENOENT' });
    assert.equal(fs.readFileSync(walk.locate('d/e/file'), 'utf8'), 'inside');
    assert.throws(() => walk.locate('absolute/new/x', 0o700), { name: 'BlockedPathError' });
    fs.writeFileSync(walk.locate('d/new/new/file', 0o711), 'made');
    walk.close();
    assert.equal(fs.readFileSync(join(root, 'd/new/new/file'), 'utf8'), 'made');
    assert.equal(fs.statSync(join(root, 'd/new')).mode & 0o777, 0o711);
    rooted.close();
  });
}

test('Walk leaves no directory open', async () => {
  const { root } = await makeTrap();
  const rooted = RootedDirectory.open(root, systemClock);
  // Of this tree alone: other test files may run in the same process.
  const isBelowRoot = (descriptor: string): boolean => {
    try {
      return fs.readlinkSync(`/proc/self/fd/${descriptor}`).startsWith(fs.realpathSync(root));
    } catch {
      return false; // closed meanwhile
    }
  };
  const openCount = () => fs.readdirSync('/proc/self/fd').filter(isBelowRoot).length;
  const before = openCount();
  for (let i = 0; i < 50; i++) {
    const walk = rooted.walk();
    walk.locate('d/e/file');
    walk.locate('d/f/x', 0o700);
    assert.throws(() => walk.locate('d/e/deep/x'));
    assert.throws(() => walk.locate('d/none/x'));
    walk.close();
  }
  assert.equal(openCount(), before);
  rooted.close();
  assert.equal(openCount(), before - 1);
});
