import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterError, codeOf } from '../../src/base/errors.ts';
import type { Applier, ApplyFailure, Incoming } from '../../src/files/apply.ts';
import type { FileSet } from '../../src/files/file-set.ts';
import { factsOf, walk } from '../sim/inode.ts';
import { fileSet } from './material.ts';
import { bytesOf, entryOf, TreeWorld } from './tree-world.ts';

function incoming(set: FileSet, path: string, content: string, previous?: string): Incoming {
  return {
    set,
    entry: entryOf(path, content),
    previous: previous === undefined ? undefined : entryOf(path, previous),
  };
}

/** Brings in files as a round does: `{path: content}`. */
async function place(
  tree: TreeWorld,
  applier: Applier,
  contents: Readonly<Record<string, string>>,
  generation = 1,
) {
  const [set] = tree.sets.sets;
  const items = Object.entries(contents).map(([path, content]) => ({
    ...incoming(set!, path, content),
    bytes: bytesOf(content),
  }));
  const failures = await tree.run(applier.stageSmall(items));
  const report = await tree.run(applier.commitBatch(generation));
  return { ...report, failures: [...failures, ...report.failures] };
}

const shown = (failures: readonly ApplyFailure[]): string[] =>
  failures.map(({ path, error }) => `${codeOf(error)} ${path}`);

function text(tree: TreeWorld, path: string): string | undefined {
  const bytes = tree.node.operator.read(path);
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

/** What is left of staging, versions and the journal. */
function leftovers(tree: TreeWorld) {
  const { disk } = tree.node;
  const { database } = tree.ports;
  const rows = database.prepare('SELECT name FROM partial_files ORDER BY name').all();
  const partials = rows.map(({ name }) => name);
  const staged = [...disk.staging.children.keys()].sort();
  assert.deepEqual(partials, staged.filter((name) => name.startsWith('part-')));
  const journal = database.prepare('SELECT count(*) AS count FROM journal').get();
  return { staged, versionsCount: disk.versions.children.size, journalCount: journal?.['count'] };
}

/** Nothing is known of what is at a path. */
const unknown = (): undefined => undefined;

test("Applier places small files with mode, owner and time of the receiver's set", async () => {
  const set = fileSet({ mode: 0o604, directoryMode: 0o711, owner: 'someone', group: 'some' });
  const tree = new TreeWorld({ sets: [set] });
  const applier = tree.applier();
  const report = await place(tree, applier, { 'etc/rules/a': 'A', 'etc/rules/new/deep/b': 'B' });
  await tree.run(applier.finish());
  assert.deepEqual(shown(report.failures), []);
  assert.deepEqual([report.createdCount, report.replacedCount], [2, 0]);
  assert.deepEqual(report.placed.map(({ path }) => path), ['etc/rules/a', 'etc/rules/new/deep/b']);
  const found = walk(tree.node.disk.root, 'etc/rules/a');
  assert.ok(found.kind === 'found');
  assert.deepEqual(report.placed[0], {
    path: 'etc/rules/a',
    facts: factsOf(found.inode),
    hash: entryOf('', 'A').hash,
  });
  const { mode, owner, group, mtimeMs } = found.inode;
  assert.deepEqual([mode, owner, group], [0o604, 'someone', 'some']);
  assert.equal(Math.round(mtimeMs), 1_600_000_000_000);
  const directory = walk(tree.node.disk.root, 'etc/rules/new');
  assert.ok(directory.kind === 'found');
  assert.equal(directory.inode.mode, 0o711);
  assert.deepEqual(leftovers(tree), { staged: [], versionsCount: 0, journalCount: 0 });
  await tree.world.stop();
});

test('Applier leaves the time of writing where it is not to carry times over', async () => {
  const tree = new TreeWorld();
  const report = await place(tree, tree.applier({ preserveMtime: false }), { 'etc/rules/a': 'A' });
  assert.ok(report.placed[0]!.facts.mtimeMs > 1_700_000_000_000);
  await tree.world.stop();
});

test('Applier.stageSmall() lets in only the content that was announced, and only where it may', async () => {
  const tree = new TreeWorld({ sets: [fileSet(), fileSet({ name: 'lists', path: 'etc/lists' })] });
  const applier = tree.applier();
  const [rules, lists] = tree.sets.sets;
  const good = (set: FileSet, path: string) => ({
    ...incoming(set, path, 'good'),
    bytes: bytesOf('good'),
  });
  const failures = await tree.run(applier.stageSmall([
    good(rules!, 'etc/rules/a'),
    { ...incoming(rules!, 'etc/rules/b', 'good'), bytes: bytesOf('evil') },
    { ...incoming(rules!, 'etc/rules/c', 'good'), bytes: bytesOf('good and more') },
    good(rules!, 'etc/lists/of-another-set'),
    good({ ...lists!, path: 'etc' }, 'etc/passwd'),
    good(rules!, 'etc/rules/../../outside'),
    good(rules!, '/etc/rules/absolute'),
    good(rules!, 'etc/rules/trailing/'),
    good(rules!, 'etc/rules/excluded.tmp'),
    good(rules!, 'etc/rules/.muster-tmp-x'),
    good(rules!, 'etc/rules/a'),
  ]));
  assert.deepEqual(shown(failures), [
    'corrupt etc/rules/b',
    'corrupt etc/rules/c',
    'refused etc/lists/of-another-set',
    'refused etc/passwd',
    'refused etc/rules/../../outside',
    'refused /etc/rules/absolute',
    'refused etc/rules/trailing/',
    'refused etc/rules/excluded.tmp',
    'refused etc/rules/.muster-tmp-x',
    'refused etc/rules/a',
  ]);
  await tree.run(applier.commitBatch(1));
  assert.deepEqual([...tree.node.operator.snapshot().keys()], ['etc/rules/a']);
  await tree.world.stop();
});

test('Applier keeps what it replaces, also what was changed here without its knowledge', async () => {
  const tree = new TreeWorld();
  const versions = tree.versions(3);
  const applier = tree.applier({}, versions);
  const [set] = tree.sets.sets;
  await place(tree, applier, { 'etc/rules/a': 'one', 'etc/rules/b': 'one' }, 1);
  tree.node.operator.write('etc/rules/b', 'local');
  tree.node.operator.write('etc/rules/c', 'unexpected');
  await tree.run(applier.stageSmall(['a', 'b', 'c'].map((name) => ({
    ...incoming(set!, `etc/rules/${name}`, 'two', name === 'c' ? undefined : 'one'),
    bytes: bytesOf('two'),
  }))));
  const report = await tree.run(applier.commitBatch(2));
  assert.deepEqual([report.createdCount, report.replacedCount], [0, 3]);
  for (const name of ['a', 'b', 'c']) assert.equal(text(tree, `etc/rules/${name}`), 'two');
  const kept = (name: string) => versions.find(`etc/rules/${name}`, 'newest');
  const content = (name: string) => {
    const inode = tree.node.disk.versions.children.get(kept(name)!.name);
    return new TextDecoder().decode(inode!.body.view());
  };
  assert.deepEqual(['a', 'b', 'c'].map(content), ['one', 'local', 'unexpected']);
  assert.deepEqual(['a', 'b', 'c'].map((name) => kept(name)?.hash), [
    entryOf('', 'one').hash,
    undefined,
    undefined,
  ]);
  const told = tree.node.records.filter(({ text }) => text.includes('changed on this node'));
  assert.equal(told.length, 2);
  await tree.world.stop();
});

test('Applier fails one file, not the round, where something else stands in its place', async () => {
  const tree = new TreeWorld();
  const { operator } = tree.node;
  operator.write('etc/rules/directory/inside', 'x');
  operator.symlink('etc/rules/link', '/etc/passwd');
  operator.symlink('etc/rules/outside', '/tmp');
  operator.write('etc/rules/file', 'x');
  operator.write('etc/rules/denied', 'x');
  tree.node.disk.deny('etc/rules/denied', 'write');
  for (const keepCount of [3, 0]) {
    const report = await place(tree, tree.applier({}, tree.versions(keepCount)), {
      'etc/rules/directory': 'A',
      'etc/rules/link': 'B',
      'etc/rules/outside/c': 'C',
      'etc/rules/file/d': 'D',
      'etc/rules/denied': 'E',
      [`etc/rules/good${keepCount}`]: 'F',
    });
    assert.deepEqual(report.placed.map(({ path }) => path), [`etc/rules/good${keepCount}`]);
    assert.equal(report.failures.length, 5);
    const byPath = new Map(report.failures.map(({ path, error }) => [path, error.message]));
    assert.match(byPath.get('etc/rules/directory')!, /a directory stands in its place/);
    assert.match(byPath.get('etc/rules/link')!, /a symbolic link stands in its place/);
    assert.deepEqual(leftovers(tree).staged, []);
    assert.equal(leftovers(tree).versionsCount, 0);
  }
  await tree.world.stop();
});

test('Applier.stage() streams a large file and takes it up again after a cut and a restart', async () => {
  const tree = new TreeWorld();
  const [set] = tree.sets.sets;
  const content = 'large content '.repeat(1000);
  const item = incoming(set!, 'etc/rules/large', content);
  const bytes = bytesOf(content);
  const first = await tree.run(tree.applier().stage(item));
  assert.equal(first.offset, 0);
  await tree.run(first.write(bytes.subarray(0, 5000)));
  await tree.run(first.suspend());
  tree.node.kill();

  const applier = tree.applier();
  await tree.run(applier.recover());
  const second = await tree.run(applier.stage(item));
  assert.equal(second.offset, 5000);
  await tree.run(second.write(bytes.subarray(5000)));
  await tree.run(second.finish());
  const report = await tree.run(applier.commitBatch(1));
  await tree.run(applier.finish());
  assert.deepEqual(report.placed.map(({ path }) => path), ['etc/rules/large']);
  assert.equal(text(tree, 'etc/rules/large'), content);
  assert.deepEqual(leftovers(tree), { staged: [], versionsCount: 0, journalCount: 0 });
  await tree.world.stop();
});

test('Applier.stage() starts anew after a partial file that turned out damaged', async () => {
  const tree = new TreeWorld();
  const [set] = tree.sets.sets;
  const item = incoming(set!, 'etc/rules/large', 'right content');
  const applier = tree.applier();
  const bad = await tree.run(applier.stage(item));
  await tree.run(bad.write(bytesOf('wrong ')));
  await tree.run(bad.suspend());
  const resumed = await tree.run(applier.stage(item));
  assert.equal(resumed.offset, 6);
  await tree.run(resumed.write(bytesOf('content')));
  await assert.rejects(tree.run(resumed.finish()), { code: 'corrupt' });
  const again = await tree.run(applier.stage(item));
  assert.equal(again.offset, 0);
  await tree.run(again.discard());
  assert.deepEqual(leftovers(tree).staged, []);
  await tree.world.stop();
});

test('Applier.stage() refuses more bytes than announced, and what may not be written', async () => {
  const tree = new TreeWorld();
  const [set] = tree.sets.sets;
  const applier = tree.applier();
  const file = await tree.run(applier.stage(incoming(set!, 'etc/rules/a', 'four')));
  await tree.run(file.write(bytesOf('fou')));
  await assert.rejects(tree.run(file.write(bytesOf('rteen'))), { code: 'corrupt' });
  const short = await tree.run(applier.stage(incoming(set!, 'etc/rules/a', 'four')));
  await assert.rejects(tree.run(short.finish()), { code: 'corrupt' });
  const outside = applier.stage(incoming(set!, 'etc/passwd', 'x'));
  await assert.rejects(tree.run(outside), { code: 'refused' });
  assert.deepEqual(leftovers(tree).staged, []);
  await tree.world.stop();
});

test('Applier.stage() brings in one content for several paths at the same time', async () => {
  const tree = new TreeWorld();
  const [set] = tree.sets.sets;
  const applier = tree.applier();
  const files = [];
  for (const name of ['a', 'b', 'c']) {
    files.push(await tree.run(applier.stage(incoming(set!, `etc/rules/${name}`, 'same'))));
  }
  for (const file of files) await tree.run(file.write(bytesOf('same')));
  for (const file of files) await tree.run(file.finish());
  assert.equal((await tree.run(applier.commitBatch(1))).createdCount, 3);
  assert.equal(text(tree, 'etc/rules/c'), 'same');
  await tree.world.stop();
});

test('Applier.stageCopy() takes a content from the tree, if it is the right one', async () => {
  const tree = new TreeWorld();
  const [set] = tree.sets.sets;
  const content = 'moved '.repeat(100_000);
  tree.node.operator.write('etc/rules/old-name', content);
  const applier = tree.applier();
  const stageCopy = (path: string, wanted: string) =>
    tree.run(applier.stageCopy('etc/rules/old-name', incoming(set!, path, wanted)));
  await stageCopy('etc/rules/new-name', content);
  await assert.rejects(stageCopy('etc/rules/other', `${content}!`), { code: 'corrupt' });
  await assert.rejects(stageCopy('etc/rules/other', 'short'), { code: 'corrupt' });
  await tree.run(applier.commitBatch(1));
  assert.equal(text(tree, 'etc/rules/new-name'), content);
  assert.equal(tree.node.operator.snapshot().size, 2);
  await tree.world.stop();
});

test('Applier refuses what does not fit beside the reserve, and says so in numbers', async () => {
  const tree = new TreeWorld({ disk: { quotaBytes: 1000 } });
  const applier = tree.applier({ spaceReserveBytes: 900 });
  const [set] = tree.sets.sets;
  const item = incoming(set!, 'etc/rules/a', 'x'.repeat(200));
  const expected = { code: 'noSpace', message: /200 bytes and a reserve of 900 .* 1000 bytes/ };
  await assert.rejects(tree.run(applier.requireSpace([item.entry])), expected);
  const bytes = bytesOf('x'.repeat(200));
  await assert.rejects(tree.run(applier.stageSmall([{ ...item, bytes }])), expected);
  await assert.rejects(tree.run(applier.stage(item)), expected);
  assert.deepEqual(leftovers(tree).staged, []);
  await tree.run(tree.applier({ spaceReserveBytes: 800 }).requireSpace([item.entry]));
  await tree.world.stop();
});

test('Applier drops the whole batch when the disk runs full while staging', async () => {
  const tree = new TreeWorld({ disk: { quotaBytes: 1000 } });
  const applier = tree.applier();
  const [set] = tree.sets.sets;
  const small = (name: string, length: number) => ({
    ...incoming(set!, `etc/rules/${name}`, 'x'.repeat(length)),
    bytes: bytesOf('x'.repeat(length)),
  });
  tree.node.operator.write('etc/rules/a', 'old');
  await tree.run(applier.stageSmall([small('a', 300), small('b', 300)]));
  const large = await tree.run(applier.stage(incoming(set!, 'etc/rules/c', 'y'.repeat(390))));
  tree.node.operator.write('elsewhere', 'z'.repeat(200));
  await assert.rejects(tree.run(large.write(bytesOf('y'.repeat(390)))), { code: 'noSpace' });
  assert.deepEqual(leftovers(tree), { staged: [], versionsCount: 0, journalCount: 0 });
  const report = await tree.run(applier.commitBatch(1));
  assert.deepEqual([report.placed, report.failures], [[], []]);
  assert.equal(text(tree, 'etc/rules/a'), 'old');
  await tree.world.stop();
});

test('Applier.commitBatch() stops at a full disk, with whole files only', async () => {
  const tree = new TreeWorld();
  const applier = tree.applier();
  const names = Array.from({ length: 300 }, (_, i) => `etc/rules/${i}`);
  for (const name of names) tree.node.operator.write(name, 'old');
  let keptCount = 0;
  tree.node.disk.fault = ({ verb }) => {
    if (verb === 'keep' && ++keptCount > 3) throw noSpace();
  };
  const report = await place(tree, applier, Object.fromEntries(names.map((n) => [n, 'new'])));
  assert.equal(report.placed.length, 3);
  assert.equal(report.failures.length, 297);
  assert.ok(report.failures.every(({ error }) => codeOf(error) === 'noSpace'));
  assert.ok(keptCount < names.length, 'those of later parts are not tried');
  const placed = new Set(report.placed.map(({ path }) => path));
  for (const name of names) assert.equal(text(tree, name), placed.has(name) ? 'new' : 'old');
  await tree.run(applier.finish());
  assert.deepEqual(leftovers(tree), { staged: [], versionsCount: 3, journalCount: 0 });
  await tree.world.stop();
});

test('Applier.seal() lets another batch come in before the first is placed', async () => {
  const tree = new TreeWorld();
  const applier = tree.applier();
  const [set] = tree.sets.sets;
  const stage = async (path: string): Promise<void> => {
    const item = { ...incoming(set!, path, path), bytes: bytesOf(path) };
    assert.deepEqual(await tree.run(applier.stageSmall([item])), []);
  };
  await stage('etc/rules/a');
  applier.seal();
  await stage('etc/rules/b');
  const first = await tree.run(applier.commitSealed(1));
  assert.deepEqual(first.placed.map(({ path }) => path), ['etc/rules/a']);
  assert.equal((await tree.run(applier.commitSealed(1))).placed.length, 0);
  applier.seal();
  await stage('etc/rules/c');
  const rest = await tree.run(applier.commitBatch(1));
  assert.deepEqual(rest.placed.map(({ path }) => path), ['etc/rules/b', 'etc/rules/c']);
  await tree.run(applier.finish());
  assert.deepEqual(leftovers(tree), { staged: [], versionsCount: 0, journalCount: 0 });

  await stage('etc/rules/d');
  applier.seal();
  await stage('etc/rules/e');
  await tree.run(applier.discard());
  assert.equal((await tree.run(applier.commitBatch(2))).placed.length, 0);
  assert.deepEqual(leftovers(tree), { staged: [], versionsCount: 0, journalCount: 0 });
  await tree.world.stop();
});

test('Applier.commitBatch() places nothing that could not be flushed', async () => {
  const tree = new TreeWorld();
  const applier = tree.applier();
  tree.node.disk.fault = ({ verb }) => {
    if (verb === 'flush') throw noSpace();
  };
  await assert.rejects(place(tree, applier, { 'etc/rules/a': 'A' }), { code: 'noSpace' });
  await tree.run(applier.discard());
  assert.equal(tree.node.operator.snapshot().size, 0);
  assert.deepEqual(leftovers(tree), { staged: [], versionsCount: 0, journalCount: 0 });
  await tree.world.stop();
});

test("Applier.remove() keeps, removes, and prunes emptied directories up to the set's own", async () => {
  const sets = [
    fileSet({ prune: true }),
    fileSet({ name: 'inner', path: 'etc/rules/inner', include: ['*.x'] }),
  ];
  const tree = new TreeWorld({ sets: [sets[1]!, sets[0]!] });
  const versions = tree.versions();
  const applier = tree.applier({}, versions);
  const { operator } = tree.node;
  for (const path of ['a/b/c/1', 'a/b/2', 'kept/3', 'kept/4', 'inner/5.y']) {
    operator.write(`etc/rules/${path}`, path);
  }
  const leaving = ['a/b/c/1', 'a/b/2', 'kept/3', 'inner/5.y', 'not/there']
    .map((path) => ({ path: `etc/rules/${path}` }));
  const report = await tree.run(applier.remove(sets[0]!, leaving, 4));
  assert.deepEqual(shown(report.failures), []);
  assert.deepEqual(report.removed.toSorted(), leaving.map(({ path }) => path).sort());
  assert.equal(report.directoriesCount, 3);
  await tree.run(applier.finish());
  assert.deepEqual([...operator.snapshot().keys()], ['etc/rules/kept/4']);
  assert.equal(walk(tree.node.disk.root, 'etc/rules/inner').kind, 'found');
  assert.equal(walk(tree.node.disk.root, 'etc/rules/a').kind, 'free');
  assert.deepEqual(leftovers(tree), { staged: [], versionsCount: 4, journalCount: 0 });
  assert.equal(versions.find('etc/rules/a/b/2', 'newest')?.kind, 'removed');

  await tree.run(applier.remove(sets[0]!, [{ path: 'etc/rules/kept/4' }], 5));
  assert.equal(walk(tree.node.disk.root, 'etc/rules').kind, 'found');
  await tree.world.stop();
});

test('Applier.remove() prunes a directory in which nothing but certain files is left', async () => {
  const sets = [
    fileSet({ prune: true, pruneFiles: ['ar.conf', 'keep.me'] }),
    fileSet({ name: 'inner', path: 'etc/rules/inner', include: ['keep.me'] }),
  ];
  const tree = new TreeWorld({ sets: [sets[1]!, sets[0]!] });
  const applier = tree.applier({}, tree.versions());
  const { operator } = tree.node;
  const all = [
    'gone/1',
    'gone/ar.conf',
    'mine/2',
    'mine/ar.conf',
    'mine/notes~',
    'deep/below/3',
    'deep/ar.conf',
    'deep/below/ar.conf',
    'other/4',
    'other/ar.conf/x~',
    'inner/5',
    'inner/keep.me',
  ];
  for (const path of all) operator.write(`etc/rules/${path}`, path);
  const leaving = [...all.filter((path) => /[1-5]$/.test(path)), 'not/there']
    .map((path) => ({ path: `etc/rules/${path}` }));
  const report = await tree.run(applier.remove(sets[0]!, leaving, 4));
  assert.deepEqual(shown(report.failures), []);
  assert.equal(report.directoriesCount, 3);
  await tree.run(applier.finish());
  assert.deepEqual([...operator.snapshot().keys()].toSorted(), [
    'etc/rules/inner/keep.me',
    'etc/rules/mine/ar.conf',
    'etc/rules/mine/notes~',
    'etc/rules/other/ar.conf/x~',
  ]);
  for (const name of ['gone', 'deep']) {
    assert.equal(walk(tree.node.disk.root, `etc/rules/${name}`).kind, 'free');
  }
  await tree.world.stop();
});

test('Applier.remove() touches nothing of other sets, and nothing that is no file', async () => {
  const sets = [fileSet(), fileSet({ name: 'lists', path: 'etc/lists' })];
  const tree = new TreeWorld({ sets });
  const { operator } = tree.node;
  operator.write('etc/lists/a', 'x');
  operator.write('etc/passwd', 'x');
  operator.write('etc/rules/was-a-file/inside', 'x');
  operator.symlink('etc/rules/link', '/etc/passwd');
  for (const keepCount of [3, 0]) {
    const applier = tree.applier({}, tree.versions(keepCount));
    const leaving = ['lists/a', 'passwd', 'rules/was-a-file', 'rules/link', 'rules/../passwd']
      .map((path) => ({ path: `etc/${path}` }));
    const report = await tree.run(applier.remove(sets[0]!, leaving, 1));
    assert.deepEqual(report.removed, ['etc/rules/was-a-file', 'etc/rules/link']);
    assert.deepEqual(shown(report.failures), [
      'refused etc/lists/a',
      'refused etc/passwd',
      'refused etc/rules/../passwd',
    ]);
    assert.equal(operator.snapshot().size, 3);
    assert.equal(walk(tree.node.disk.root, 'etc/rules/link').kind, 'found');
  }
  await tree.world.stop();
});

test('Applier puts versions back and undoes a generation', async () => {
  const tree = new TreeWorld();
  const versions = tree.versions();
  const applier = tree.applier({}, versions);
  const [set] = tree.sets.sets;
  await place(tree, applier, { 'etc/rules/a': 'one', 'etc/rules/b': 'one' }, 1);
  const before = tree.node.operator.snapshot();
  await place(tree, applier, { 'etc/rules/a': 'two', 'etc/rules/c': 'two' }, 2);
  await tree.run(applier.remove(set!, [entryOf('etc/rules/b', 'one')], 2));
  await tree.run(applier.finish());

  const plan = await tree.run(versions.restorePlan(2));
  assert.deepEqual(await tree.run(applier.stageVersions(plan.restore, unknown)), []);
  const generation = versions.lastGeneration();
  const report = await tree.run(applier.commitBatch(generation));
  assert.deepEqual(report.placed.map(({ path }) => path).sort(), ['etc/rules/a', 'etc/rules/b']);
  await tree.run(applier.remove(set!, plan.remove, generation));
  await tree.run(applier.finish());
  assert.deepEqual(tree.node.operator.snapshot(), before);
  await tree.world.stop();
});

test('Applier.stageVersions() lets no damaged version in', async () => {
  const tree = new TreeWorld();
  const versions = tree.versions();
  const applier = tree.applier({}, versions);
  const [set] = tree.sets.sets;
  await place(tree, applier, { 'etc/rules/a': 'one' }, 1);
  await tree.run(applier.stageSmall([{
    ...incoming(set!, 'etc/rules/a', 'two', 'one'),
    bytes: bytesOf('two'),
  }]));
  await tree.run(applier.commitBatch(2));
  const version = versions.find('etc/rules/a', 'newest')!;
  tree.node.disk.edit(
    tree.node.disk.versions.children.get(version.name)!,
    (body) => body.replace(bytesOf('bad')),
  );
  const failures = await tree.run(
    applier.stageVersions([version, { ...version, name: 'gone' }], unknown),
  );
  assert.deepEqual(shown(failures).sort(), ['corrupt etc/rules/a', 'notFound etc/rules/a']);
  assert.equal((await tree.run(applier.commitBatch(3))).placed.length, 0);
  assert.deepEqual(leftovers(tree).staged, []);
  await tree.world.stop();
});

test('Applier.finish() drops a download that nobody took up for a week', async () => {
  const tree = new TreeWorld();
  const [set] = tree.sets.sets;
  const applier = tree.applier();
  const file = await tree.run(applier.stage(incoming(set!, 'etc/rules/a', 'large')));
  await tree.run(file.write(bytesOf('lar')));
  await tree.run(file.suspend());
  await tree.pass(6 * 86_400_000);
  await tree.run(applier.finish());
  assert.equal(leftovers(tree).staged.length, 1);
  await tree.run(tree.applier().recover());
  assert.equal(leftovers(tree).staged.length, 1);
  await tree.pass(2 * 86_400_000);
  await tree.run(applier.finish());
  assert.deepEqual(leftovers(tree).staged, []);
  await tree.world.stop();
});

test('Applier.finish() goes on where a directory was replaced by something else', async () => {
  const tree = new TreeWorld();
  const applier = tree.applier();
  await place(tree, applier, { 'etc/rules/sub/a': 'A', 'etc/rules/b': 'B' });
  tree.node.operator.symlink('etc/rules/sub', '/tmp');
  const { files } = tree.ports;
  const flushed: string[][] = [];
  files.flushDirectories = (directories) => {
    flushed.push(directories.toSorted());
    return directories.includes('etc/rules/sub')
      ? Promise.reject(new ClusterError('refused', 'it is a symbolic link'))
      : Promise.resolve();
  };
  await tree.run(applier.finish());
  assert.deepEqual(flushed, [['', 'etc', 'etc/rules', 'etc/rules/sub'], ['', 'etc', 'etc/rules']]);
  assert.equal(leftovers(tree).journalCount, 0);
  await tree.world.stop();
});

function noSpace(): Error {
  return new ClusterError('noSpace', 'the disk is full');
}
