import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fromText, toHex } from '../../src/base/bytes.ts';
import { codeOf } from '../../src/base/errors.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { cleanUp, hasByteNames, makeFilesWorld } from './files-world.ts';

after(cleanUp);

const signal = new AbortController().signal;

/** A clock that calls back at each breath. */
function breathingClock(onBreath: (count: number) => void) {
  let count = 0;
  const breathe = (): Promise<void> => {
    onBreath(++count);
    return systemClock.breathe();
  };
  return { monotonicMs: () => systemClock.monotonicMs(), breathe };
}

function bytesOf(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 9)) & 255);
}

test('TreeReader.list() gives names, kinds and facts', async () => {
  const { files, root, write } = await makeFilesWorld();
  write('d/file', 'content');
  fs.chmodSync(join(root, 'd/file'), 0o604);
  fs.utimesSync(join(root, 'd/file'), 1_700_000_000, 1_700_000_000.25);
  fs.mkdirSync(join(root, 'd/sub'));
  fs.symlinkSync('/etc', join(root, 'd/link'));
  spawnSync('mkfifo', [join(root, 'd/pipe')]);
  const { items, unreadable } = await files.list('d');
  const kinds = Object.fromEntries(items.map(({ name, kind }) => [name, kind]));
  assert.deepEqual(kinds, { file: 'file', sub: 'directory', link: 'symlink', pipe: 'other' });
  assert.deepEqual(unreadable, []);
  const { facts } = items.find(({ name }) => name === 'file')!;
  const stats = fs.lstatSync(join(root, 'd/file'));
  assert.deepEqual(facts, {
    kind: 'file',
    size: 7,
    mtimeMs: 1_700_000_000_250,
    ctimeMs: stats.ctimeMs,
    inode: stats.ino,
    mode: 0o604,
  });
  assert.deepEqual(await files.facts('d/file'), facts);
  assert.deepEqual((await files.list('')).items.map(({ name }) => name), ['d']);
  const { items: bare } = await files.list('d', false);
  assert.deepEqual(Object.fromEntries(bare.map(({ name, kind }) => [name, kind])), kinds);
  assert.equal(bare.find(({ name }) => name === 'file')!.facts, undefined);
});

test('TreeReader leaves the working directory of the process as it was', async () => {
  const home = process.cwd();
  const seen = new Set<string>();
  const clock = breathingClock(() => seen.add(process.cwd()));
  const { files, write, hash } = await makeFilesWorld({ clock });
  for (const path of ['a', 'd/a', 'd/sub/a']) write(path, path);
  await files.list('d');
  await hash('a', 'd/sub/a', 'd/gone', 'none/at/all', 'd/a');
  assert.deepEqual([...seen, process.cwd()], [home, home]);
});

test('TreeReader.list() and facts() say what is not there', async () => {
  const { files, root, write } = await makeFilesWorld();
  write('file', '');
  fs.symlinkSync('.', join(root, 'link'));
  const absent = ['none', 'none/below', 'file', 'file/below', 'link', 'x'.repeat(300)];
  for (const path of absent) {
    const error = { code: 'notFound', message: /^Cannot list "[a-z/]+": / };
    await assert.rejects(files.list(path), error);
  }
  for (const path of ['none', 'file/below', 'link/file', 'x'.repeat(300)]) {
    assert.equal(await files.facts(path), undefined);
  }
  assert.equal((await files.facts('link'))?.kind, 'symlink');
  assert.equal((await files.facts(''))?.kind, 'directory');
});

test('TreeReader takes names of 255 bytes, with line breaks, and in any script', async () => {
  const { files, write, hash } = await makeFilesWorld();
  const names = ['x'.repeat(255), 'line\nbreak\ttab', 'größe', '日本', 'has \ufffd in it', '\'"$ '];
  for (const name of names) write(`${name}/${name}`, name);
  const listed = (await files.list('')).items.map(({ name }) => name);
  assert.deepEqual(listed.sort(), names.map(fromText).sort());
  for (const name of names) {
    const path = `${fromText(name)}/${fromText(name)}`;
    assert.equal((await files.facts(path))?.kind, 'file');
    const file = await files.open(path);
    assert.equal(new TextDecoder().decode(await file.read(0, 1000)), name);
    await file.close();
    assert.equal((await hash(path))[0]?.kind, 'hashed');
  }
});

test('TreeReader.list() shows names that are not UTF-8, or says that it cannot', async () => {
  const { files, root } = await makeFilesWorld();
  const script =
    `printf x > "$(printf 'a\\377\\302')"; printf x > "$(printf '\\355\\240\\200')"; >b`;
  assert.equal(spawnSync('sh', ['-c', script], { cwd: root }).status, 0);
  const { items, unreadable } = await files.list('');
  const names = items.map(({ name }) => name).sort();
  if (hasByteNames()) {
    assert.deepEqual(names, ['a\xff\xc2', 'b', '\xed\xa0\x80']);
    assert.equal((await files.facts('a\xff\xc2'))?.size, 1);
    assert.deepEqual(unreadable, []);
  } else {
    assert.deepEqual(names, ['b']);
    assert.equal(unreadable.length, 2);
    assert.match(unreadable[0]!.reason, /is not UTF-8/);
  }
});

test('TreeReader.list() lists a huge directory with the loop free in between', async () => {
  let breathsCount = 0;
  const clock = breathingClock((count) => breathsCount = count);
  const { files, root } = await makeFilesWorld({ clock });
  // Long names, so that it is a large directory to the file system as well.
  for (let i = 0; i < 4000; i++) fs.writeFileSync(join(root, `${i}-${'x'.repeat(200)}`), '');
  assert.equal((await files.list('')).items.length, 4000);
  assert.ok(breathsCount > 0);
});

test('TreeReader.hash() gives the hashes of small and large files in order', async () => {
  const { files, write } = await makeFilesWorld();
  const lengths = [0, 1, 64, 2500, 131_072, 131_073, 200_000, 1 << 20, (1 << 20) + 1, 3_000_000];
  const contents = [...lengths, ...lengths.toReversed(), 5, 6, 7].map(bytesOf);
  for (const [i, content] of contents.entries()) write(`d${i % 3}/${i}`, content);
  const paths = contents.map((_, i) => `d${i % 3}/${i}`);
  for (const [algorithm, name] of [['md5', 'md5'], ['sha256', 'sha256'], ['md5', 'md5']] as const) {
    const outcomes = await files.hash(paths, algorithm, signal);
    for (const [i, outcome] of outcomes.entries()) {
      assert.equal(outcome.kind, 'hashed');
      const expected = createHash(name).update(contents[i]!).digest('hex');
      assert.equal(toHex(outcome.hash), expected, `${contents[i]!.length} bytes`);
      assert.deepEqual(outcome.facts, await files.facts(paths[i]!));
    }
    // Whoever has hashed thousands does it in another way from then on.
    await files.hash(Array.from({ length: 3_000 }, () => paths[0]!), 'md5', signal);
  }
  assert.deepEqual(await files.hash([], 'md5', signal), []);
});

test('TreeReader.hash() hashes many more files than it holds in memory at a time', async () => {
  const { write, hash } = await makeFilesWorld();
  const contents = Array.from({ length: 60 }, (_, i) => bytesOf(100_000 + i));
  for (const [i, content] of contents.entries()) write(`${i}`, content);
  write('small', '');
  await hash(...Array.from({ length: 3_000 }, () => 'small'));
  const outcomes = await hash(...contents.map((_, i) => `${i}`));
  for (const [i, outcome] of outcomes.entries()) {
    assert.equal(outcome.kind, 'hashed');
    assert.equal(toHex(outcome.hash), createHash('md5').update(contents[i]!).digest('hex'));
  }
});

test('TreeReader.hash() says what has vanished, and what is no file', async () => {
  const { root, write, hash } = await makeFilesWorld();
  write('d/file', 'x');
  fs.symlinkSync('d/file', join(root, 'link'));
  fs.symlinkSync('d', join(root, 'linked'));
  spawnSync('mkfifo', [join(root, 'pipe')]);
  const paths = ['none', 'd', 'link', 'linked/file', 'd/file/x', 'pipe', '', '../x', 'd/file'];
  const kinds = (await hash(...paths)).map(({ kind }) => kind);
  assert.deepEqual(kinds, [...Array.from({ length: 8 }, () => 'vanished'), 'hashed']);
});

test('TreeReader.hash() says `changed` for a file that is written to while it is read', async () => {
  const pieces = 3 * 1024 * 1024;
  for (const change of ['append', 'overwrite', 'truncate', 'touch'] as const) {
    let target = '';
    // The first breath is after the slice of small files, the others between pieces.
    const clock = breathingClock((count) => {
      if (count !== 2) return;
      if (change === 'append') fs.appendFileSync(target, 'x');
      if (change === 'truncate') fs.truncateSync(target, 100);
      if (change === 'touch') fs.utimesSync(target, 1, 1);
      if (change !== 'overwrite') return;
      const descriptor = fs.openSync(target, 'r+');
      fs.writeSync(descriptor, 'x', pieces - 10);
      fs.closeSync(descriptor);
    });
    const { root, write, hash } = await makeFilesWorld({ clock });
    target = join(root, 'file');
    write('file', new Uint8Array(pieces));
    // Times are as coarse as the kernel's tick: the change shall not be in the same one.
    fs.utimesSync(target, 1000, 1000);
    assert.deepEqual(await hash('file'), [{ kind: 'changed' }], change);
  }
});

test('TreeReader.hash() stops with the reason of its signal', async () => {
  const stop = new AbortController();
  const clock = breathingClock(() => stop.abort(new Error('enough')));
  const { files, write } = await makeFilesWorld({ clock });
  write('large', new Uint8Array(3_000_000));
  await assert.rejects(files.hash(['large'], 'md5', stop.signal), { message: 'enough' });
});

test('TreeReader.hash() reads files on other threads for a while after one that took long', async () => {
  let nowMs = 0;
  let readsCount = 0;
  // Every look at the time takes 25 ms: each file that is read from a disk seems to have been slow.
  const clock = { monotonicMs: () => nowMs += 25, breathe: () => systemClock.breathe() };
  for (const diskReads of [() => ++readsCount, () => 0]) {
    const { write, hash } = await makeFilesWorld({ clock, diskReads });
    for (let i = 0; i < 20; i++) write(`${i}`, bytesOf(i * 100));
    const outcomes = await hash(...Array.from({ length: 20 }, (_, i) => `${i}`));
    for (const [i, outcome] of outcomes.entries()) {
      assert.equal(outcome.kind, 'hashed');
      assert.equal(toHex(outcome.hash), createHash('md5').update(bytesOf(i * 100)).digest('hex'));
    }
  }
});

test('OpenFile reads what was opened, though the name is gone', async () => {
  const { files, root, write } = await makeFilesWorld();
  write('a', '0123456789');
  const file = await files.open('a');
  fs.rmSync(join(root, 'a'));
  write('a', 'other');
  assert.equal(new TextDecoder().decode(await file.read(2, 3)), '234');
  assert.equal((await file.read(8, 100)).length, 2);
  assert.equal((await file.read(10, 100)).length, 0);
  assert.equal((await file.read(0, 1_000_000)).length, 10);
  assert.equal(file.facts.size, 10);
  assert.equal((await file.currentFacts()).size, 10);
  await file.close();
  await file.close();
  const isClosed = { code: 'io', message: 'Cannot read "a": it has been closed' };
  await assert.rejects(file.read(0, 1), isClosed);
  await assert.rejects(file.currentFacts(), { code: 'io' });
});

test('OpenFile.read() reads beyond 4 GiB', async () => {
  const { files, root, write } = await makeFilesWorld();
  write('sparse', '');
  const offset = 5 * 2 ** 30;
  fs.truncateSync(join(root, 'sparse'), offset);
  fs.appendFileSync(join(root, 'sparse'), 'end');
  const file = await files.open('sparse');
  assert.equal(file.facts.size, offset + 3);
  for (const length of [10, 1_000_000]) {
    assert.equal(new TextDecoder().decode(await file.read(offset, length)), 'end');
  }
  await file.close();
});

test('TreeReader.open() opens regular files only, and does not wait for a pipe', async () => {
  const { files, root, write } = await makeFilesWorld();
  write('d/file', '');
  spawnSync('mkfifo', [join(root, 'pipe')]);
  fs.symlinkSync('d/file', join(root, 'link'));
  for (const path of ['pipe', 'd', 'link', 'none', 'd/file/x', '']) {
    await assert.rejects(files.open(path), { code: 'notFound' }, path);
  }
  await assert.rejects(files.open('none\n'), {
    message: 'Cannot open "none\\n": no such file or directory',
  });
});

test('TreeReader.readAll() reads small files in order, and says of each why there is none', async () => {
  const { root, files } = await makeFilesWorld();
  fs.writeFileSync(join(root, 'a'), 'one');
  fs.writeFileSync(join(root, 'empty'), '');
  fs.writeFileSync(join(root, 'large'), 'x'.repeat(100));
  fs.symlinkSync('a', join(root, 'link'));
  fs.mkdirSync(join(root, 'directory'));
  const names = ['a', 'empty', 'large', 'link', 'directory', 'missing', 'a'];
  const contents = await files.readAll(names, 99);
  const shown = contents.map((content) =>
    content instanceof Error ? codeOf(content) : new TextDecoder().decode(content)
  );
  assert.deepEqual(shown.slice(0, 3), ['one', '', 'changed']);
  assert.ok(contents[3] instanceof Error, 'a link is not followed');
  assert.ok(contents[4] instanceof Error, 'a directory has no content');
  assert.deepEqual(shown.slice(5), ['notFound', 'one']);
});
