import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keepVersion } from '../keep-version.ts';
import { toHex } from '../../src/base/bytes.ts';
import { codeOf } from '../../src/base/errors.ts';
import type { FileAttributes, FileFacts, HashOutcome } from '../../src/ports.ts';
import type { DiskOptions } from './disk.ts';
import { simHashing } from './hashing.ts';
import { SimNetwork } from './network.ts';
import { SimNode } from './node.ts';
import { World } from './world.ts';

const plain: FileAttributes = {
  mode: 0o640,
  owner: undefined,
  group: undefined,
  mtimeMs: undefined,
};

function oneDisk(disk: DiskOptions = {}) {
  const world = new World({ seed: 1 });
  const node = new SimNode(world, new SimNetwork(world), { name: 'n', disk });
  const { files } = node.ports();
  const { operator } = node;
  const settle = <T>(promise: Promise<T>): Promise<T> => world.settle(promise);
  const hash = (...paths: string[]): Promise<HashOutcome[]> =>
    settle(files.hash(paths, 'md5', new AbortController().signal));
  /** Writes a file as a worker does. */
  const place = async (path: string, content: string): Promise<FileFacts | Error> => {
    const bytes = new TextEncoder().encode(content);
    await settle(files.stageAll([{ name: 'x', bytes, attributes: plain }]));
    return (await settle(files.place([{ name: 'x', path, directoryMode: 0o750 }])))[0]!;
  };
  const text = (path: string): string | undefined => {
    const content = operator.read(path);
    return content && new TextDecoder().decode(content);
  };
  return { world, node, disk: node.disk, operator, files, settle, hash, place, text };
}

test('TreeReader.list() gives names, kinds and facts in no particular order', async () => {
  const { operator, files, settle } = oneDisk();
  for (let i = 0; i < 20; i++) operator.write(`d/${i}`, 'x'.repeat(i), { mode: 0o600 });
  operator.symlink('d/link', '/elsewhere');
  operator.makeDirectory('d/sub');
  const { items } = await settle(files.list('d'));
  const names = items.map(({ name }) => name);
  assert.equal(names.length, 22);
  assert.notDeepEqual(names, names.toSorted());
  const kindOf = (name: string) => items.find((item) => item.name === name)?.kind;
  assert.deepEqual([kindOf('7'), kindOf('link'), kindOf('sub')], ['file', 'symlink', 'directory']);
  const seventh = items.find(({ name }) => name === '7');
  assert.deepEqual([seventh?.facts?.size, seventh?.facts?.mode], [7, 0o600]);
  const some = await settle(files.list('d', false));
  const withFacts = some.items.filter(({ facts }) => facts !== undefined).map(({ name }) => name);
  assert.deepEqual(withFacts.sort(), ['link', 'sub']);
  await assert.rejects(settle(files.list('d/7')), { code: 'notFound' });
  await assert.rejects(settle(files.list('none')), { code: 'notFound' });
});

test('TreeReader follows no symbolic link, not even one in the middle', async () => {
  const { operator, files, settle, hash } = oneDisk();
  operator.write('real/file', 'content');
  operator.symlink('link', 'real');
  await assert.rejects(settle(files.list('link')), { code: 'notFound' });
  await assert.rejects(settle(files.open('link/file')), { code: 'notFound' });
  assert.equal(await settle(files.facts('link/file')), undefined);
  assert.equal((await settle(files.facts('link')))?.kind, 'symlink');
  const kinds = (await hash('link', 'link/file', 'real/file')).map(({ kind }) => kind);
  assert.deepEqual(kinds, ['vanished', 'vanished', 'hashed']);
});

test('TreeReader.hash() gives the hashes of many files in order, with their facts', async () => {
  const { operator, hash } = oneDisk();
  const paths = Array.from({ length: 50 }, (_, i) => `f${i}`);
  for (const path of paths) operator.write(path, `content of ${path}`);
  const outcomes = await hash(...paths);
  for (const [i, outcome] of outcomes.entries()) {
    assert.equal(outcome.kind, 'hashed');
    const expected = simHashing.digest('md5', new TextEncoder().encode(`content of f${i}`));
    assert.equal(outcome.hash, expected);
    assert.equal(outcome.facts.size, `content of f${i}`.length);
  }
});

test('TreeReader.hash() says `changed` for a file that is written to while it is read', async () => {
  const { world, operator, hash } = oneDisk();
  operator.write('big', new Uint8Array(20_000_000));
  operator.write('replaced', new Uint8Array(20_000_000));
  world.at(10, 'edit', () => {
    operator.write('big', 'other');
    operator.write('replaced', 'other', { isReplacing: true });
  });
  const kinds = (await hash('big', 'replaced')).map(({ kind }) => kind);
  // The second was opened before: it is whole, although it has lost its name.
  assert.deepEqual(kinds, ['changed', 'hashed']);
});

test('a change within the granularity of the times goes unseen', async () => {
  const { world, operator, hash } = oneDisk({ mtimeGranularityMs: 2000 });
  operator.write('a', new Uint8Array(20_000_000));
  world.at(10, 'edit', () => operator.write('a', new Uint8Array(20_000_000).fill(1)));
  assert.deepEqual((await hash('a')).map(({ kind }) => kind), ['hashed']);
});

test('OpenFile reads what was opened, though the name is gone', async () => {
  const { operator, files, settle, world } = oneDisk();
  operator.write('a', '0123456789');
  const file = await settle(files.open('a'));
  operator.write('a', 'other', { isReplacing: true });
  assert.equal(new TextDecoder().decode(await settle(file.read(2, 3))), '234');
  assert.equal((await settle(file.read(8, 100))).length, 2);
  assert.equal((await settle(file.currentFacts())).size, 10);
  assert.equal(world.openHandles().length, 1);
  await file.close();
  assert.equal(world.openHandles().length, 0);
  await assert.rejects(settle(file.read(0, 1)), /was closed/);
});

test('TreeWriter stages, suspends, resumes and places a file with its attributes', async () => {
  const { files, settle, text, disk } = oneDisk();
  const first = await settle(files.stage('part', 0));
  await settle(first.write(Uint8Array.of(65, 66, 67)));
  await first.suspend();
  assert.deepEqual([...await settle(files.staged())], [['part', 3]]);
  const second = await settle(files.stage('part', 2));
  await settle(second.write(Uint8Array.of(90)));
  await settle(second.finish({ ...plain, owner: 'wazuh', mtimeMs: 1_000_000 }));
  const hasher = simHashing.create('md5');
  await settle(files.hashStaged('part', 3, hasher));
  assert.equal(toHex(hasher.digest()), 'f72ac9f3fc363940a604afeed77b9fee');
  const [facts] = await settle(
    files.place([{ name: 'part', path: 'a/b/c', directoryMode: 0o700 }]),
  );
  assert.ok(facts !== undefined && !(facts instanceof Error));
  assert.deepEqual([facts.mode, facts.mtimeMs, facts.size], [0o640, 1_000_000, 3]);
  assert.equal(text('a/b/c'), 'ABZ');
  assert.equal((await settle(files.facts('a/b')))?.mode, 0o700);
  assert.equal(disk.root.children.get('a')?.children.get('b')?.children.get('c')?.owner, 'wazuh');
  await assert.rejects(settle(files.stage('gone', 3)), { code: 'notFound' });
});

test('TreeWriter takes plain names only for staging and versions', async () => {
  const { files, settle } = oneDisk();
  for (const name of ['', '.', '..', 'a/', 'a/b/c', 'a/b\n', '.hidden', 'a b']) {
    await assert.rejects(settle(files.stage(name, 0)), { code: 'refused' });
    await assert.rejects(settle(keepVersion(files, 'a', name)), { code: 'refused' });
  }
  await settle(files.flushStaged(['not-there', 'nor_this']));
});

test('TreeWriter.place() goes through no link and out of no root, and reports each by itself', async () => {
  const { operator, files, settle, place, text } = oneDisk();
  operator.symlink('link', '/etc');
  operator.write('file', 'x');
  operator.makeDirectory('directory');
  const codes = [];
  for (const path of ['link/a', 'file/a', '../a', 'a//b', '', 'directory']) {
    codes.push(codeOf(await place(path, 'content')));
  }
  assert.deepEqual(codes, ['refused', 'refused', 'refused', 'refused', 'refused', 'io']);
  assert.equal(codeOf(await place('link', 'content')), 'refused');
  assert.equal(text('link'), undefined);
  const outcomes = await settle(files.place([
    { name: 'none', path: 'a', directoryMode: 0o700 },
  ]));
  assert.equal(codeOf(outcomes[0]), 'notFound');
});

test('TreeWriter keeps versions by link and brings them back', async () => {
  const { files, settle, place, text } = oneDisk();
  await place('a', 'old');
  assert.equal((await settle(keepVersion(files, 'a', 'v1')))?.kind, 'file');
  assert.equal(await settle(keepVersion(files, 'none', 'v2')), undefined);
  await place('a', 'new');
  assert.deepEqual(await settle(files.versions()), ['v1']);
  await settle(files.stageVersion('v1', 'back', plain));
  await settle(files.place([{ name: 'back', path: 'a', directoryMode: 0o700 }]));
  assert.equal(text('a'), 'old');
  await settle(files.discardVersions(['v1', 'none']));
  assert.deepEqual(await settle(files.versions()), []);
});

test('TreeWriter removes regular files and empty directories, and nothing else', async () => {
  const { operator, files, settle } = oneDisk();
  operator.write('d/a', 'x');
  operator.symlink('link', 'd');
  assert.equal(await settle(files.removeDirectory('d')), false);
  assert.equal(await settle(files.remove('d/a')), true);
  assert.equal(await settle(files.remove('d/a')), false);
  assert.equal(await settle(files.removeDirectory('d')), true);
  assert.equal(await settle(files.removeDirectory('')), false);
  await assert.rejects(settle(files.remove('link')), { code: 'refused' });
  await assert.rejects(settle(files.remove('link/a')), { code: 'refused' });
});

test('a full disk takes what fits, fails with noSpace, and counts what is freed', async () => {
  const { operator, files, settle } = oneDisk({ quotaBytes: 100 });
  operator.write('a', 'x'.repeat(60));
  assert.equal(await settle(files.freeBytes()), 40);
  const staged = await settle(files.stage('s', 0));
  await assert.rejects(settle(staged.write(new Uint8Array(50))), { code: 'noSpace' });
  await assert.rejects(settle(staged.write(Uint8Array.of(1))), { code: 'io' });
  assert.deepEqual([...await settle(files.staged())], [['s', 40]]);
  await settle(files.discardStaged(['s', 'none']));
  assert.equal(await settle(files.freeBytes()), 40);
  // A version shares its bytes with the file, and keeps them when that is gone.
  await settle(keepVersion(files, 'a', 'v'));
  assert.equal(await settle(files.freeBytes()), 40);
  operator.remove('a');
  assert.equal(await settle(files.freeBytes()), 40);
  await settle(files.discardVersions(['v']));
  assert.equal(await settle(files.freeBytes()), 100);
});

test('disk.deny() refuses reading, writing or looking at a path and what is below', async () => {
  const { operator, disk, files, settle, hash, place } = oneDisk();
  operator.write('d/a', 'x');
  disk.deny('d', 'write');
  assert.equal(codeOf(await place('d/b', 'x')), 'permission');
  await assert.rejects(settle(files.remove('d/a')), { code: 'permission' });
  disk.deny('d/a', 'read');
  await assert.rejects(settle(files.open('d/a')), { code: 'permission' });
  assert.equal((await hash('d/a'))[0]?.kind, 'unreadable');
  disk.deny('d/a', 'facts');
  disk.unreadableNames.set('d', ['\\xff']);
  const { items, unreadable } = await settle(files.list('d'));
  assert.deepEqual([items.length, unreadable.map(({ shownName }) => shownName)], [
    0,
    ['\\xff', 'a'],
  ]);
  disk.allow('d');
  disk.allow('d/a');
  assert.equal(await settle(files.remove('d/a')), true);
});

test('disk.fault can make any operation fail', async () => {
  const { operator, disk, files, settle } = oneDisk();
  operator.write('a', 'x');
  disk.fault = ({ verb, path }) => {
    if (verb === 'open' && path === 'a') throw new Error('bad sector');
  };
  await assert.rejects(settle(files.open('a')), /bad sector/);
  assert.notEqual(await settle(files.facts('a')), undefined);
});

test('SimOperator tampers with times preserved, and rots without a trace', async () => {
  const { world, operator, files, settle, hash } = oneDisk();
  operator.write('a', 'good');
  const before = await settle(files.facts('a'));
  const [hashBefore] = await hash('a');
  await world.run({ forMs: 1000 });
  operator.tamper('a', 'evil');
  const tampered = await settle(files.facts('a'));
  assert.deepEqual([tampered?.mtimeMs, tampered?.size], [before?.mtimeMs, before?.size]);
  assert.notEqual(tampered?.ctimeMs, before?.ctimeMs);
  operator.rot('a', 'dust');
  assert.deepEqual(await settle(files.facts('a')), tampered);
  assert.notDeepEqual((await hash('a'))[0], hashBefore);
});

test('SimOperator writes slowly, touches, renames and takes snapshots', async () => {
  const { world, operator, text, files, settle } = oneDisk({ mtimeGranularityMs: 1000 });
  operator.writeSlowly(world, 'log', ['one', 'two'], 100);
  await world.run({ forMs: 150 });
  assert.equal(text('log'), 'one');
  await world.run({ forMs: 100 });
  assert.equal(text('log'), 'onetwo');
  operator.touch('log', 1_234_567.8);
  assert.equal((await settle(files.facts('log')))?.mtimeMs, 1_234_000);
  operator.write('d/e/f', 'deep');
  operator.rename('d', 'g');
  operator.write('g/e', 'a file in place of a directory');
  assert.deepEqual([...operator.snapshot().keys()], ['g/e', 'log']);
});
