import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { OccupiedError } from '../../src/base/errors.ts';
import type { FileAttributes, Placement } from '../../src/ports.ts';
import { openFiles } from '../../src/runtime/files.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createHashing } from '../../src/runtime/hashing.ts';
import { cleanUp, type FilesWorld, makeFilesWorld, plain } from './files-world.ts';

after(cleanUp);

/** Stages contents, each its own name, in a directory of staging. */
async function stage(
  { files }: FilesWorld,
  directory: string,
  names: readonly string[],
  attributes: FileAttributes = plain,
): Promise<string[]> {
  const staged = names.map((name) => `${directory}/${name}`);
  const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
  await files.stageAll(
    staged.map((name, at) => ({ name, bytes: encode(names[at]!), attributes })),
  );
  return staged;
}

/** Moves of staged files to a directory of the tree, under the same names. */
function moves(staged: readonly string[], to: string, directoryMode = 0o750): Placement[] {
  return staged.map((name) => ({
    name,
    path: `${to}/${name.slice(name.indexOf('/') + 1)}`,
    directoryMode,
    isNew: true,
  }));
}

const names = ['.rules', 'a b.xml', 'c.xml'];

test('TreeWriter.place() moves the files of a new directory together', async () => {
  const world = await makeFilesWorld();
  const { files, root, state } = world;
  const time = { ...plain, mtimeMs: 1_600_000_000_250 };
  const staged = await stage(world, 'new', names, time);
  assert.deepEqual([...(await files.staged()).keys()].sort(), staged);
  await files.flushStaged(staged);
  const made = fs.statSync(join(state, 'staging/new')).ino;
  const outcomes = await files.place(moves(staged, 'above/below'));
  assert.equal(fs.statSync(join(root, 'above/below')).ino, made, 'it is the same directory');
  assert.equal(fs.statSync(join(root, 'above/below')).mode & 0o7777, 0o750);
  for (const [at, name] of names.entries()) {
    assert.deepEqual(outcomes[at], await files.facts(`above/below/${name}`));
    assert.equal(world.text(`above/below/${name}`), name);
  }
  assert.deepEqual(fs.readdirSync(join(state, 'staging')), []);
  await files.flushDirectories(['above/below']);
});

test('TreeWriter.place() moves nothing along that was not asked for', async () => {
  const world = await makeFilesWorld();
  const { files, root, state } = world;
  const staged = await stage(world, 'new', names);
  const outcomes = await files.place(moves(staged.slice(1), 'a'));
  assert.deepEqual(outcomes, [await files.facts('a/a b.xml'), await files.facts('a/c.xml')]);
  assert.deepEqual(fs.readdirSync(join(root, 'a')).sort(), ['a b.xml', 'c.xml']);
  await files.discardStaged(staged);
  assert.deepEqual(fs.readdirSync(join(state, 'staging')), []);
});

test('TreeWriter.place() adds files to a directory that has come up meanwhile', async () => {
  const world = await makeFilesWorld();
  const { files, root, state } = world;
  const staged = await stage(world, 'new', names);
  world.write('a/c.xml', 'somebody else');
  fs.chmodSync(join(root, 'a'), 0o711);
  const outcomes = await files.place(moves(staged, 'a'));
  assert.ok(outcomes[2] instanceof OccupiedError);
  assert.deepEqual(outcomes.slice(0, 2), [
    await files.facts('a/.rules'),
    await files.facts('a/a b.xml'),
  ]);
  assert.equal(world.text('a/c.xml'), 'somebody else');
  assert.equal(fs.statSync(join(root, 'a')).mode & 0o777, 0o711);
  await files.discardStaged(staged);
  assert.deepEqual(fs.readdirSync(join(state, 'staging')), []);
});

test('TreeWriter.place() follows no link to a new directory, and replaces none by it', async () => {
  const world = await makeFilesWorld();
  const { files, root, outside } = world;
  fs.symlinkSync(outside, join(root, 'link'));
  const staged = await stage(world, 'new', names);
  for (const to of ['link', 'link/below', '../outside', '/a']) {
    for (const outcome of await files.place(moves(staged, to))) {
      assert.ok(outcome instanceof Error, `to ${to}`);
    }
  }
  assert.deepEqual(fs.readdirSync(outside), []);
  assert.equal(fs.readlinkSync(join(root, 'link')), outside);
  assert.equal((await files.staged()).size, names.length);
});

test('TreeWriter.place() lets the system make a directory that inherits its group', async () => {
  const world = await makeFilesWorld();
  const { files, root, state } = world;
  fs.mkdirSync(join(root, 'shared'));
  fs.chmodSync(join(root, 'shared'), 0o2770);
  const staged = await stage(world, 'new', names);
  const made = fs.statSync(join(state, 'staging/new')).ino;
  const outcomes = await files.place(moves(staged, 'shared/a'));
  assert.deepEqual(outcomes[0], await files.facts('shared/a/.rules'));
  assert.notEqual(fs.statSync(join(root, 'shared/a')).ino, made);
  assert.deepEqual(fs.readdirSync(join(state, 'staging')), []);
});

test('TreeWriter places what another process has staged, and clears what it left', async () => {
  const world = await makeFilesWorld();
  const { root, state } = world;
  const staged = await stage(world, 'new', names);
  fs.mkdirSync(join(state, 'staging/left'));
  const hashing = await createHashing();
  const later = await openFiles({
    root,
    stateDirectory: state,
    clock: systemClock,
    hashing,
    onWarning: assert.fail,
  });
  assert.equal((await later.staged()).size, names.length);
  const outcomes = await later.place(moves(staged, 'a'));
  assert.deepEqual(outcomes[0], await later.facts('a/.rules'));
  assert.deepEqual(fs.readdirSync(join(state, 'staging')), []);
  later.close();
});
