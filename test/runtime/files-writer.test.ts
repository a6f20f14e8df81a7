import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { after, test } from 'node:test';
import { keepVersion } from '../keep-version.ts';
import { fromText } from '../../src/base/bytes.ts';
import { codeOf, describeError } from '../../src/base/errors.ts';
import * as paths from '../../src/files/paths.ts';
import type { FileFacts } from '../../src/ports.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { openFiles } from '../../src/runtime/files.ts';
import { createHashing } from '../../src/runtime/hashing.ts';
import { resolveOwner } from '../../src/runtime/ownership.ts';
import { temporaryPrefix } from '../../src/runtime/temporaries.ts';
import { cleanUp, hasByteNames, makeFilesWorld, plain, temporaryDirectory } from './files-world.ts';

after(cleanUp);

const isRoot = process.geteuid?.() === 0;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function facts(outcome: FileFacts | Error | undefined): FileFacts {
  if (outcome instanceof Error) throw outcome;
  assert.notEqual(outcome, undefined);
  return outcome!;
}

test('openFiles() keeps its directories to itself', async () => {
  const { state } = await makeFilesWorld();
  for (const name of ['staging', 'versions']) {
    assert.equal(fs.statSync(join(state, name)).mode & 0o777, 0o700);
  }
});

test('openFiles() says what is wrong with the root', async () => {
  const directory = temporaryDirectory();
  fs.writeFileSync(join(directory, 'file'), '');
  const options = {
    stateDirectory: join(directory, 'state'),
    clock: systemClock,
    hashing: await createHashing(),
    onWarning: () => {},
  };
  await assert.rejects(openFiles({ ...options, root: join(directory, 'none') }), {
    code: 'notFound',
    message: `Cannot open the root "${directory}/none": no such file or directory`,
  });
  await assert.rejects(openFiles({ ...options, root: join(directory, 'file') }), {
    message: `Cannot open the root "${directory}/file": "${directory}/file" is not a directory`,
  });
});

test('TreeWriter stages, suspends, resumes and places a file with its attributes', async () => {
  const { files, state, text, root } = await makeFilesWorld();
  const first = await files.stage('part.1', 0);
  await first.write(bytes('ABC'));
  assert.equal(fs.statSync(join(state, 'staging/part.1')).mode & 0o777, 0o600);
  await first.suspend();
  await first.suspend();
  assert.deepEqual([...await files.staged()], [['part.1', 3]]);
  const second = await files.stage('part.1', 2);
  await second.write(bytes('Z'));
  await second.write(bytes(''));
  await second.finish({ ...plain, mode: 0o666, mtimeMs: 1_600_000_000_250 });
  await assert.rejects(second.write(bytes('late')), { code: 'io' });
  const hashing = await createHashing();
  for (const [size, content] of [[3, 'ABZ'], [2, 'AB'], [0, '']] as const) {
    const hasher = hashing.create('sha256');
    await files.hashStaged('part.1', size, hasher);
    assert.equal(hasher.digest(), hashing.digest('sha256', bytes(content)));
  }
  await assert.rejects(files.hashStaged('part.1', 4, hashing.create('md5')), { code: 'io' });
  await assert.rejects(files.hashStaged('none', 0, hashing.create('md5')), { code: 'notFound' });
  await files.flushStaged(['part.1']);
  const outcomes = await files.place([{ name: 'part.1', path: 'a/b/c', directoryMode: 0o777 }]);
  const placed = facts(outcomes[0]);
  assert.deepEqual([placed.mode, placed.mtimeMs, placed.size], [0o666, 1_600_000_000_250, 3]);
  assert.deepEqual(placed, await files.facts('a/b/c'));
  assert.equal(text('a/b/c'), 'ABZ');
  for (const directory of ['a', 'a/b']) {
    assert.equal(fs.statSync(join(root, directory)).mode & 0o777, 0o777);
  }
  assert.deepEqual([...await files.staged()], []);
});

test('TreeWriter.stage() continues nothing that is not there, and starts anew at 0', async () => {
  const { files, state } = await makeFilesWorld();
  await assert.rejects(files.stage('none', 3), { code: 'notFound' });
  fs.writeFileSync(join(state, 'staging/old'), 'old content');
  fs.linkSync(join(state, 'staging/old'), join(state, 'other name'));
  await assert.rejects(files.stage('old', 100), {
    code: 'io',
    message: 'Cannot write staged file "old": it holds 11 bytes, expected 100 at least',
  });
  const file = await files.stage('old', 0);
  await file.write(bytes('new'));
  await file.finish(plain);
  assert.equal(fs.readFileSync(join(state, 'staging/old'), 'utf8'), 'new');
  assert.equal(fs.readFileSync(join(state, 'other name'), 'utf8'), 'old content');
});

test('TreeWriter takes only plain names for staging and versions', async () => {
  const { files } = await makeFilesWorld();
  for (
    const name of [
      '',
      '.',
      '..',
      'a/',
      'a/b/c',
      'a/b\n',
      '../x',
      '/etc/x',
      '.hidden',
      'a\0',
      'a\n',
      'ä',
    ]
  ) {
    const refused = { code: 'refused' };
    await assert.rejects(files.stage(name, 0), refused);
    await assert.rejects(files.stageAll([{ name, bytes: bytes(''), attributes: plain }]), refused);
    await assert.rejects(files.discardStaged([name]), refused);
    await assert.rejects(keepVersion(files, 'a', name), refused);
    await assert.rejects(files.discardVersions([name]), refused);
    await assert.rejects(files.stageVersion(name, 'x', plain), refused);
    const [outcome] = await files.place([{ name, path: 'a', directoryMode: 0o700 }]);
    assert.equal(codeOf(outcome), 'refused');
  }
});

test('TreeWriter stages, flushes and places many files at once', async () => {
  const { files, text } = await makeFilesWorld();
  const count = 500;
  const names = Array.from({ length: count }, (_, i) => `file-${i}`);
  await files.stageAll(names.map((name) => ({ name, bytes: bytes(name), attributes: plain })));
  assert.equal((await files.staged()).size, count);
  await files.flushStaged(names);
  await files.flushStaged(names.slice(0, 5));
  await files.flushStaged([]);
  await assert.rejects(files.flushStaged(['none']), { code: 'notFound' });
  const moves = names.map((name, i) => ({ name, path: `d${i % 7}/${i}`, directoryMode: 0o750 }));
  const outcomes = await files.place(moves);
  for (const [i, outcome] of outcomes.entries()) {
    assert.equal(facts(outcome).mode, 0o640);
    assert.equal(text(`d${i % 7}/${i}`), `file-${i}`);
  }
  await files.flushDirectories(['d0', 'd1', 'd2', 'd3', 'd4', 'd5', 'd6', 'none/below']);
  await files.flushDirectories(['d0']);
  await files.flushDirectories([]);
});

test('TreeWriter.discardStaged() and discardVersions() take what is there', async () => {
  const { files, place } = await makeFilesWorld();
  await files.stageAll(['a', 'b'].map((name) => ({ name, bytes: bytes(''), attributes: plain })));
  await files.discardStaged(['a', 'none']);
  assert.deepEqual([...(await files.staged()).keys()], ['b']);
  await place('x', 'content');
  await keepVersion(files, 'x', 'v1');
  await files.discardVersions(['v1', 'none']);
  assert.deepEqual(await files.versions(), []);
});

test('TreeWriter.place() replaces files and gives each its own outcome', async () => {
  const { files, root, write, text, place } = await makeFilesWorld();
  write('old', 'old');
  write('directory/x', '');
  fs.symlinkSync('/etc/passwd', join(root, 'link'));
  const names = ['a', 'b', 'c', 'd'];
  await files.stageAll(names.map((name) => ({ name, bytes: bytes(name), attributes: plain })));
  const outcomes = await files.place([
    { name: 'a', path: 'old', directoryMode: 0o700 },
    { name: 'none', path: 'new', directoryMode: 0o700 },
    { name: 'b', path: 'directory', directoryMode: 0o700 },
    { name: 'c', path: 'link', directoryMode: 0o700 },
    { name: 'd', path: 'directory/new', directoryMode: 0o700 },
    { name: 'd', path: 'directory/again', directoryMode: 0o700 },
  ]);
  const codes = outcomes.map((each) => each instanceof Error ? codeOf(each) : each.kind);
  assert.deepEqual(codes, ['file', 'notFound', 'io', 'refused', 'file', 'notFound']);
  assert.deepEqual([text('old'), text('directory/new')], ['a', 'd']);
  assert.equal(fs.readlinkSync(join(root, 'link')), '/etc/passwd');
  assert.match(describeError(outcomes[3]), /Cannot place "link": a symbolic link is in its place/);
  assert.ok(await place(`long/${'x'.repeat(256)}`, '') instanceof Error);
  assert.deepEqual(await files.place([]), []);
});

test('TreeWriter writes names of 255 bytes, with line breaks, and of any bytes', async () => {
  const { files, root, place } = await makeFilesWorld();
  const names = ['x'.repeat(255), 'line\nbreak', fromText('größe')];
  if (hasByteNames()) names.push('\xff\xfe', '\xed\xa0\x80');
  for (const name of names) {
    const path = `${name}/${name}`;
    facts(await place(path, 'content'));
    facts(await place(path, 'again'));
    const raw = fs.readdirSync(root, { encoding: 'buffer' }).map((each) => each.toString('latin1'));
    assert.ok(raw.includes(name));
    assert.equal((await keepVersion(files, path, 'v'))?.kind, 'file');
    await files.flushDirectories([name]);
    assert.equal(await files.remove(path), true);
    assert.equal(await files.removeDirectory(name), true);
  }
  assert.deepEqual(fs.readdirSync(root), []);
});

test('TreeWriter keeps versions and brings them back', async () => {
  const { files, root, place, text } = await makeFilesWorld();
  await place('d/a', 'old');
  assert.equal((await keepVersion(files, 'd/a', 'v1'))?.size, 'old'.length);
  assert.equal(fs.statSync(join(root, 'd/a')).nlink, 2);
  assert.equal(await keepVersion(files, 'none', 'v2'), undefined);
  assert.equal(await keepVersion(files, 'none/below', 'v2'), undefined);
  await assert.rejects(keepVersion(files, 'd', 'v2'), { code: 'refused' });
  await place('d/a', 'new');
  assert.deepEqual(await files.versions(), ['v1']);
  await files.stageVersion('v1', 'back', { ...plain, mode: 0o600 });
  const [back] = await files.place([{ name: 'back', path: 'd/a', directoryMode: 0o700 }]);
  assert.equal(facts(back).mode, 0o600);
  assert.equal(text('d/a'), 'old');
  await place('d/a', 'third');
  const again = await keepVersion(files, 'd/a', 'v1');
  assert.equal(again?.size, 'third'.length, 'replaces a version of that name');
  await files.stageVersion('v1', 'back', plain);
  await files.place([{ name: 'back', path: 'd/b', directoryMode: 0o700 }]);
  assert.equal(text('d/b'), 'third');
  await assert.rejects(files.stageVersion('none', 'back', plain), { code: 'notFound' });
});

test('TreeWriter removes regular files and empty directories, and nothing else', async () => {
  const { files, root, write } = await makeFilesWorld();
  write('d/a', 'x');
  fs.symlinkSync('d', join(root, 'link'));
  fs.mkdirSync(join(root, 'empty'));
  assert.equal(await files.removeDirectory('d'), false);
  await assert.rejects(files.remove('empty'), { code: 'refused' });
  assert.equal(await files.remove('d/a'), true);
  assert.equal(await files.remove('d/a'), false);
  assert.equal(await files.remove('none/a'), false);
  for (const path of ['', 'none', 'none/below', 'link']) {
    assert.equal(await files.removeDirectory(path), false, path);
  }
  assert.equal(await files.removeDirectory('d'), true);
  assert.equal(await files.removeDirectory('empty'), true);
  await assert.rejects(files.remove('link'), { code: 'refused' });
  await assert.rejects(files.remove(''), { code: 'refused' });
  assert.deepEqual(fs.readdirSync(root), ['link']);
});

test('TreeWriter.freeBytes() is what the file system of staging has', async () => {
  const { files, state } = await makeFilesWorld();
  const { bavail, bsize } = fs.statfsSync(state);
  const free = await files.freeBytes();
  assert.ok(Math.abs(free - bavail * bsize) < 2 ** 30, `${free}`);
});

test('removeTemporaries() removes what a crash left behind, and nothing else', async () => {
  const { files, root, write } = await makeFilesWorld();
  write(`d/${temporaryPrefix}0123`, '');
  write('d/kept', '');
  write(`${temporaryPrefix}dir/kept`, '');
  fs.symlinkSync('d', join(root, 'link'));
  assert.equal(await files.removeTemporaries('d'), 1);
  assert.equal(await files.removeTemporaries(''), 0);
  assert.equal(await files.removeTemporaries('none'), 0);
  assert.deepEqual(fs.readdirSync(join(root, 'd')), ['kept']);
  assert.ok(fs.existsSync(join(root, `${temporaryPrefix}dir/kept`)));
  await assert.rejects(files.removeTemporaries('link'), { code: 'refused' });
});

test('temporaryPrefix is the one that scans leave out', () => {
  assert.equal(temporaryPrefix, paths.temporaryPrefix);
});

test('TreeWriter gives files to the configured owner', async (t) => {
  if (!isRoot) return t.skip('only root may give files away');
  const { files, root } = await makeFilesWorld();
  const attributes = { ...plain, mode: 0o4750, owner: '12345', group: 'daemon' };
  await files.stageAll([{ name: 'a', bytes: bytes('x'), attributes }]);
  facts((await files.place([{ name: 'a', path: 'a', directoryMode: 0o700 }]))[0]);
  const { uid, gid, mode } = fs.statSync(join(root, 'a'));
  assert.deepEqual([uid, gid, mode & 0o7777], [
    12345,
    resolveOwner(undefined, 'daemon').gid,
    0o4750,
  ]);
  const file = await files.stage('b', 0);
  await assert.rejects(file.finish({ ...attributes, owner: 'nobody of that name' }), {
    code: 'configuration',
  });
});

test('resolveOwner() knows names and numbers, and tells which name is unknown', () => {
  const directory = temporaryDirectory();
  const accounts = { users: join(directory, 'passwd'), groups: join(directory, 'group') };
  fs.writeFileSync(
    accounts.users,
    'root:x:0:0::/root:/bin/sh\n# note\nwazuh:x:998:997::/:/bin/sh\n',
  );
  fs.writeFileSync(accounts.groups, 'wazuh:x:997:\nbroken\n');
  const resolve = (owner?: string, group?: string) => resolveOwner(owner, group, accounts);
  assert.deepEqual(resolve('wazuh', 'wazuh'), { uid: 998, gid: 997 });
  assert.deepEqual(resolve('root'), { uid: 0, gid: -1 });
  assert.deepEqual(resolve(undefined, '1000'), { uid: -1, gid: 1000 });
  assert.throws(() => resolve('wazu'), {
    code: 'configuration',
    message: `User "wazu" is unknown: ${accounts.users} does not list it`,
  });
  assert.throws(() => resolve('wazuh', 'broken'), { code: 'configuration' });
  fs.rmSync(accounts.groups);
  assert.throws(() => resolve('wazuh', 'wazuh'), { code: 'configuration' });
});
