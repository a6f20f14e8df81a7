/** What happens on disks that are full, read-only, or not the one that the tree is on. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { keepVersion } from '../keep-version.ts';
import { codeOf } from '../../src/base/errors.ts';
import { temporaryPrefix } from '../../src/runtime/temporaries.ts';
import {
  cleanUp,
  makeFilesWorld,
  mountSmallDisk,
  namesBelow,
  plain,
  temporaryDirectory,
} from './files-world.ts';

after(cleanUp);

const diskBytes = 1024 * 1024;
const disk = mountSmallDisk(diskBytes);
const noDisk = 'mounting a file system is not permitted here';

const otherVolume = '/dev/shm';
const isOtherVolume = fs.existsSync(otherVolume) &&
  fs.statSync(otherVolume).dev !== fs.statSync(tmpdir()).dev;
const oneVolume = 'there is no second file system to write to';

const fill = (length: number): Uint8Array => new Uint8Array(length).fill(65);

test('a full disk is told as noSpace, and everything works again once there is room', async (t) => {
  if (disk === undefined) return t.skip(noDisk);
  const { files, state, place, text } = await makeFilesWorld({ rootParent: disk });
  assert.ok(await files.freeBytes() <= diskBytes);
  await place('kept', 'old');
  const attributes = plain;
  const small = Array.from(
    { length: 600 },
    (_, i) => ({ name: `s${i}`, bytes: fill(2500), attributes }),
  );
  await assert.rejects(files.stageAll(small), {
    code: 'noSpace',
    message: /^Cannot write staged file "s\d+": no space left on device$/i,
  });
  const large = await files.stage('large', 0);
  await assert.rejects(large.write(fill(diskBytes)), { code: 'noSpace' });
  await assert.rejects(large.write(fill(1)), { code: 'io' }, 'is closed by the failure');
  await large.suspend();
  assert.equal(await files.freeBytes(), 0);
  assert.equal(text('kept'), 'old');
  await files.discardStaged([...(await files.staged()).keys()]);
  assert.deepEqual(fs.readdirSync(join(state, 'staging')), []);
  assert.equal((await place('kept', 'new') as { size: number }).size, 3);
});

test('a disk that is full where a file is copied to keeps the old one', async (t) => {
  if (disk === undefined) return t.skip(noDisk);
  const volume = mountSmallDisk(diskBytes)!;
  const { files, root, place, text } = await makeFilesWorld({
    rootParent: volume,
    stateParent: temporaryDirectory(),
  });
  await place('d/a', 'old');
  const attributes = plain;
  await files.stageAll([{ name: 'small', bytes: fill(100), attributes }]);
  const large = await files.stage('large', 0);
  await large.write(fill(2 * diskBytes));
  await large.finish(plain);
  const outcomes = await files.place([
    { name: 'large', path: 'd/a', directoryMode: 0o700 },
    { name: 'small', path: 'd/b', directoryMode: 0o700 },
  ]);
  assert.equal(codeOf(outcomes[0]), 'noSpace');
  assert.equal(text('d/a'), 'old');
  const names = fs.readdirSync(join(root, 'd'));
  assert.deepEqual(names.filter((name) => name.startsWith(temporaryPrefix)), []);
  assert.deepEqual([...(await files.staged()).keys()].includes('large'), true, 'stays in staging');
});

test('a read-only disk is told as permission', async (t) => {
  if (disk === undefined) return t.skip(noDisk);
  const volume = mountSmallDisk(diskBytes)!;
  const { files, root, place, text } = await makeFilesWorld({
    rootParent: volume,
    stateParent: temporaryDirectory(),
  });
  await place('d/a', 'old');
  assert.equal(spawnSync('mount', ['-o', 'remount,ro', volume]).status, 0);
  assert.equal(codeOf(await place('d/a', 'new')), 'permission');
  assert.equal(codeOf(await place('e/a', 'new')), 'permission');
  await assert.rejects(files.remove('d/a'), {
    code: 'permission',
    message: 'Cannot remove "d/a": read-only file system',
  });
  await assert.rejects(files.removeDirectory('d'), { code: 'permission' });
  assert.deepEqual(namesBelow(root), ['d', 'd/a']);
  assert.equal(text('d/a'), 'old');
});

test('TreeWriter.place() copies where staging is on another volume', async (t) => {
  if (!isOtherVolume) return t.skip(oneVolume);
  const { files, root, text } = await makeFilesWorld({
    stateParent: temporaryDirectory(otherVolume),
  });
  const attributes = { ...plain, mode: 0o604, mtimeMs: 1_650_000_000_500 };
  const lengths = [0, 1, 2500, 131_073, 3_000_000, ...Array.from({ length: 20 }, (_, i) => i)];
  await files.stageAll(
    lengths.map((length, i) => ({ name: `s${i}`, bytes: fill(length), attributes })),
  );
  await files.flushStaged(lengths.map((_, i) => `s${i}`));
  fs.mkdirSync(join(root, 'directory'));
  fs.symlinkSync('/etc', join(root, 'link'));
  const moves = lengths.map((_, i) => ({
    name: `s${i}`,
    path: `d${i % 3}/${i}`,
    directoryMode: 0o700,
  }));
  moves[0]!.path = 'directory';
  moves[1]!.path = 'link/passwd';
  moves[2]!.path = 'link';
  const outcomes = await files.place(moves);
  assert.deepEqual(outcomes.slice(0, 3).map(codeOf), ['io', 'refused', 'refused']);
  for (const [i, outcome] of outcomes.entries()) {
    if (i < 3) continue;
    if (outcome instanceof Error) throw outcome;
    assert.deepEqual(outcome, await files.facts(`d${i % 3}/${i}`));
    assert.deepEqual([outcome.mode, outcome.mtimeMs], [0o604, 1_650_000_000_500]);
    assert.equal(text(`d${i % 3}/${i}`)?.length, lengths[i]);
  }
  assert.deepEqual([...(await files.staged()).keys()].sort(), ['s0', 's1', 's2']);
  assert.deepEqual(namesBelow(root).filter((name) => name.includes(temporaryPrefix)), []);
});

test('TreeWriter keeps versions by copy where they are on another volume', async (t) => {
  if (!isOtherVolume) return t.skip(oneVolume);
  const { files, state, place, text, root } = await makeFilesWorld({
    stateParent: temporaryDirectory(otherVolume),
  });
  await place('a', 'old');
  assert.equal((await keepVersion(files, 'a', 'v1'))?.kind, 'file');
  assert.equal(fs.statSync(join(root, 'a')).nlink, 1);
  // Not even a change in place reaches a copy.
  fs.writeFileSync(join(root, 'a'), 'edited');
  await files.stageVersion('v1', 'back', plain);
  await files.place([{ name: 'back', path: 'a', directoryMode: 0o700 }]);
  assert.equal(text('a'), 'old');
  fs.writeFileSync(join(state, `versions/${temporaryPrefix}left`), '');
  assert.deepEqual(await files.versions(), ['v1']);
});

test('openFiles() clears copies of versions that a crash cut off', async () => {
  const stateParent = temporaryDirectory();
  const left = join(stateParent, `state/versions/${temporaryPrefix}left`);
  fs.mkdirSync(join(left, '..'), { recursive: true });
  fs.writeFileSync(left, 'half of i');
  fs.writeFileSync(join(left, '../v1'), 'whole');
  const { files } = await makeFilesWorld({ stateParent });
  assert.equal(fs.existsSync(left), false);
  assert.deepEqual(await files.versions(), ['v1']);
});
