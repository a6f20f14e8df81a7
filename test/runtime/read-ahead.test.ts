import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import process from 'node:process';
import { join } from 'node:path';
import test, { after } from 'node:test';
import type { BytePath } from '../../src/base/bytes.ts';
import { toHex } from '../../src/base/bytes.ts';
import { ReadAhead } from '../../src/runtime/read-ahead.ts';
import type { Walk } from '../../src/runtime/rooted-directory.ts';
import { willRead } from '../../src/runtime/will-read.ts';
import { cleanUp, makeFilesWorld, temporaryDirectory } from './files-world.ts';

after(cleanUp);

test('willRead() tells Linux of an open file, and of nothing else', () => {
  const path = join(temporaryDirectory(), 'file');
  fs.writeFileSync(path, 'content');
  const descriptor = fs.openSync(path, 'r');
  assert.equal(willRead(descriptor, 1000), process.platform === 'linux');
  fs.closeSync(descriptor);
  assert.equal(willRead(-1, 1000), false);
});

/** Reading ahead of files that are not there, and those it asked for since the last look. */
function open() {
  let nowMs = 0;
  let readsCount = 0;
  const told: BytePath[] = [];
  const walk: Pick<Walk, 'locate'> = {
    locate: (path) => {
      told.push(path);
      return join('/nonexistent', path);
    },
  };
  const clock = { monotonicMs: () => nowMs };
  return {
    ahead: new ReadAhead({ clock, diskReads: () => readsCount }),
    walk: walk as Walk,
    told: () => told.splice(0),
    pass: (ms: number) => (nowMs += ms),
    readDisk: () => (readsCount += 1),
  };
}

test('as long as nothing comes from the disk, nothing is told ahead', () => {
  const { ahead, walk, told } = open();
  const upcoming = ahead.of(['a', 'b']);
  upcoming.reach(0, walk);
  ahead.learn(0);
  upcoming.reach(1, walk);
  assert.deepEqual(told(), []);
});

test('each file is told once and before its turn, from the first that came from the disk', () => {
  const { ahead, walk, told, readDisk } = open();
  const paths = Array.from({ length: 600 }, (_, i) => `${i}`);
  const upcoming = ahead.of(paths);
  upcoming.reach(0, walk);
  readDisk();
  ahead.learn(0);
  const all: BytePath[] = [];
  for (const [index, path] of paths.entries()) {
    if (index === 0) continue;
    upcoming.reach(index, walk);
    all.push(...told());
    assert.ok(all.includes(path), `${path} before its turn`);
    assert.ok(all.length <= index + 256, 'not more than the disk should work on');
  }
  assert.deepEqual(all, paths.slice(1));
});

test('a second without the disk ends it', () => {
  const { ahead, walk, told, readDisk, pass } = open();
  readDisk();
  ahead.learn(0);
  pass(999);
  ahead.of(['a']).reach(0, walk);
  assert.deepEqual(told(), ['a']);
  pass(1);
  ahead.of(['a']).reach(0, walk);
  assert.deepEqual(told(), []);
});

test('what is read ahead is read as without it', async () => {
  let readsCount = 0;
  const { files, root, write, hash } = await makeFilesWorld({ diskReads: () => ++readsCount });
  const content = (i: number) => `content ${i} `.repeat(i);
  const paths = Array.from({ length: 700 }, (_, i) => `${i % 7}/${i}`);
  for (const [i, path] of paths.entries()) write(path, content(i));
  fs.rmSync(join(root, paths[300]!));
  fs.symlinkSync('301', join(root, paths[300]!));
  fs.rmSync(join(root, paths[400]!));
  // Twice: what the first meets makes the second read ahead from its beginning.
  for (let round = 0; round < 2; round++) {
    const outcomes = await hash(...paths);
    const contents = await files.readAll(paths, 100_000);
    for (const [i, outcome] of outcomes.entries()) {
      const bytes = contents[i]!;
      if (i === 300 || i === 400) {
        assert.equal(outcome.kind, 'vanished');
        assert.ok(bytes instanceof Error);
        continue;
      }
      assert.ok(outcome.kind === 'hashed' && !(bytes instanceof Error));
      assert.equal(toHex(outcome.hash), createHash('md5').update(content(i)).digest('hex'));
      assert.equal(new TextDecoder().decode(bytes), content(i));
    }
  }
});
