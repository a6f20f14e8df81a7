import assert from 'node:assert/strict';
import test from 'node:test';
import { defaultExclude, type FileSet, SetTable } from '../../src/files/file-set.ts';
import { parentOf, pathProblem, temporaryPrefix } from '../../src/files/paths.ts';
import { simHashing } from '../sim/hashing.ts';
import { SeededRandom } from '../sim/random.ts';
import { fileSet, wordPath } from './material.ts';

const keys = fileSet({ name: 'keys', path: 'etc', include: ['client.keys'], recursive: false });
const shared = fileSet({ name: 'shared', path: 'etc/shared' });
const groups = fileSet({ name: 'groups', path: 'var/multigroups', include: ['**/merged.mg'] });

function table(...sets: FileSet[]): SetTable {
  return new SetTable(sets, simHashing, 'md5');
}

function namesOf(sets: SetTable, paths: readonly string[]): (string | undefined)[] {
  return paths.map((path) => sets.setOf(path)?.name);
}

test('SetTable.setOf() knows the set of a file by its path', () => {
  const sets = table(keys, shared, groups);
  const expected: [path: string, name: string | undefined][] = [
    ['etc/client.keys', 'keys'],
    ['etc/shared/client.keys', 'shared'],
    ['etc/shared/default/agent.conf', 'shared'],
    ['var/multigroups/ab12/merged.mg', 'groups'],
    ['var/multigroups/ab12/other.mg', undefined],
    ['etc/shared', undefined],
    ['etc/sharedx/a', undefined],
    ['etc/other', undefined],
    ['client.keys', undefined],
    ['etc/client.keys/a', undefined],
  ];
  assert.deepEqual(namesOf(sets, expected.map(([path]) => path)), expected.map(([, name]) => name));
});

test('SetTable.setOf() knows no set for a path that leads elsewhere', () => {
  const sets = table(fileSet({ path: '' }), shared);
  const paths = [
    '',
    '/',
    '/etc/passwd',
    'etc/',
    'etc/shared/',
    'etc//a',
    '../a',
    'etc/shared/../../../a',
    'etc/shared/..',
    'etc/./a',
    'etc/a\0',
    `etc/${temporaryPrefix}a`,
    `etc/${temporaryPrefix}a/b`,
    'etc/\u0142',
    `etc/${'a'.repeat(256)}`,
    `${'d/'.repeat(2048)}f`,
  ];
  for (const path of paths) {
    assert.notEqual(pathProblem(path), undefined);
    assert.equal(sets.setOf(path), undefined, JSON.stringify(path));
    assert.equal(sets.setOf(path), undefined, 'remembered as well');
  }
});

test('SetTable.setOf() gives a path to the first set that chooses it', () => {
  const all = fileSet({ name: 'all', path: 'etc' });
  const xml = fileSet({ name: 'xml', path: 'etc/rules', include: ['*.xml'] });
  assert.deepEqual(
    namesOf(table(xml, all), ['etc/rules/a.xml', 'etc/rules/a', 'etc/rules/b/a.xml']),
    ['xml', 'all', 'all'],
  );
  assert.deepEqual(namesOf(table(all, xml), ['etc/rules/a.xml']), ['all']);
  const left = fileSet({ name: 'left', path: 'etc', exclude: ['rules/**'] });
  assert.deepEqual(namesOf(table(left, xml), ['etc/rules/a.xml', 'etc/a']), ['xml', 'left']);
});

test('SetTable.setOf() leaves out what editors, locks and managers leave behind', () => {
  const paths = ['a~', 'a.tmp', 'a.lock', 'a.swp', 'ar.conf', 'ossec.conf', 'd/a.tmp', 'd/ar.conf'];
  const inSet = paths.map((path) => `etc/rules/${path}`);
  const kept = ['etc/rules/tmp', 'etc/rules/xar.conf', 'etc/rules/a.tmp1', 'etc/rules/ar.conf.d/x'];
  const without = table(fileSet());
  assert.deepEqual(namesOf(without, inSet), inSet.map(() => undefined));
  assert.deepEqual(namesOf(without, kept), kept.map(() => 'rules'));
  const withThem = table(fileSet({ excludeDefaults: false }));
  assert.deepEqual(namesOf(withThem, inSet), inSet.map(() => 'rules'));
});

test('SetTable.setOf() leaves out all below a directory that an exclude pattern fits', () => {
  const sets = table(fileSet({ exclude: ['old', '**/cache', 'x/*/tmp'] }));
  const out = ['old', 'old/a', 'old/a/b', 'cache', 'd/cache/a', 'x/y/tmp/a/b', 'x.lock/a'];
  const kept = ['older/a', 'd/old/a', 'x/tmp/a', 'cached/a'];
  const below = (path: string): string => `etc/rules/${path}`;
  assert.deepEqual(namesOf(sets, out.map(below)), out.map(() => undefined));
  assert.deepEqual(namesOf(sets, kept.map(below)), kept.map(() => 'rules'));
});

test('SetTable.setOf() takes no file below the directory of a set that is not recursive', () => {
  const sets = table(fileSet({ recursive: false }));
  assert.deepEqual(namesOf(sets, ['etc/rules/a', 'etc/rules/b/a']), ['rules', undefined]);
  assert.equal(sets.isOnTheWay('etc/rules/b'), false);
});

test('SetTable.setOf() matches sets and patterns outside ASCII with bytes', () => {
  const set = fileSet({ path: 'etc/r\u00e8gles', include: ['\u00e9t\u00e9/**'] });
  const sets = table(set);
  assert.deepEqual(sets.roots, ['etc/r\xc3\xa8gles']);
  assert.equal(sets.directoryOf(set), 'etc/r\xc3\xa8gles');
  assert.equal(sets.setOf('etc/r\xc3\xa8gles/\xc3\xa9t\xc3\xa9/\xff\n'), set);
  assert.equal(sets.setOf('etc/r\xe8gles/\xe9t\xe9/a'), undefined);
});

test('SetTable.setOf() gives the same answers however much it was asked before', () => {
  const sets = table(shared, fileSet({ path: '', exclude: ['**/z'] }));
  const paths = ['etc/shared/a', 'etc/shared/z/a', 'etc/shared/a~', 'a', 'z', 'z/a', 'b/../a'];
  const expected = ['shared', 'shared', undefined, 'rules', undefined, undefined, undefined];
  // Far more directories than are remembered, so that the memory is emptied now and then.
  for (let i = 0; i < 30_000; i++) {
    sets.setOf(`etc/shared/directory-number-${i}/file`);
    if (i % 1000 === 0) assert.deepEqual(namesOf(sets, paths), expected);
  }
});

test('SetTable.roots are the directories of the sets, none inside another', () => {
  assert.deepEqual(table(keys, shared, groups).roots, ['etc', 'var/multigroups']);
  assert.deepEqual(table(shared, groups, fileSet({ path: '' })).roots, ['']);
  assert.deepEqual(table(shared, shared, fileSet({ path: 'etc/shared2' })).roots, [
    'etc/shared',
    'etc/shared2',
  ]);
  assert.deepEqual(table().roots, []);
});

test('SetTable.isOnTheWay() enters what leads to a set and spares the rest', () => {
  const deep = fileSet({ path: 'etc/a/b', include: ['*.xml', 'lists/**'], exclude: ['lists/old'] });
  const sets = table(keys, deep);
  for (const directory of ['', 'etc', 'etc/a', 'etc/a/b', 'etc/a/b/lists', 'etc/a/b/lists/x']) {
    assert.equal(sets.isOnTheWay(directory), true, directory);
  }
  const spared = ['var', 'etc/b', 'etc/a/c', 'etc/a/b/other', 'etc/a/b/lists/old', 'etc/..'];
  spared.push(`etc/a/b/lists/${temporaryPrefix}1`, 'etc/a/b/lists/x.lock');
  for (const directory of spared) assert.equal(sets.isOnTheWay(directory), false, directory);
});

test('SetTable.isOnTheWay() holds for every directory above a file that has a set', () => {
  const random = new SeededRandom('on the way');
  const patterns = ['**', '*', 'a/**', '*/*', '**/b', '{a,b}/*', 'lists', '**/x.xml', 'z/?/*'];
  let managed = 0;
  for (let round = 0; round < 300; round++) {
    const sets = table(...Array.from({ length: random.integer(1, 3) }, (_, i) =>
      fileSet({
        name: `set${i}`,
        path: random.pick(['', 'a', 'a/b', 'lists']),
        include: [random.pick(patterns), random.pick(patterns)],
        exclude: random.chance(0.5) ? [random.pick(['b', '**/z', 'a/*'])] : [],
        recursive: random.chance(0.7),
      })));
    for (let i = 0; i < 20; i++) {
      const path = wordPath(random);
      if (sets.setOf(path) === undefined) continue;
      managed++;
      assert.ok(sets.roots.some((root) => root === '' || path.startsWith(`${root}/`)));
      for (let at = parentOf(path);; at = parentOf(at)) {
        assert.equal(sets.isOnTheWay(at), true, `${at} of ${path}`);
        if (at === '') break;
      }
    }
  }
  assert.ok(managed > 500, `${managed} paths were managed`);
});

test('SetTable.rulesDigest() is equal exactly where the same files are chosen by the same rules', () => {
  const digest = (...sets: FileSet[]): string => table(...sets).rulesDigest(sets.at(-1)!);
  const base = fileSet({ include: ['a', 'b'], exclude: ['c', 'd'] });
  const one = digest(base);
  assert.equal(one.length, 16);
  assert.equal(digest({ ...base, include: ['b', 'a', 'b'], exclude: ['d', 'c'] }), one);
  assert.equal(digest({ ...base, name: 'other', mode: 0o600, prune: true, keyFile: true }), one);
  assert.equal(digest({ ...base, exclude: [...defaultExclude, 'c', 'd'] }), one);
  assert.equal(
    digest({ ...base, excludeDefaults: false, exclude: ['c', 'd', ...defaultExclude] }),
    one,
  );
  const others = [
    digest({ ...base, path: 'etc' }),
    digest({ ...base, include: ['a'] }),
    digest({ ...base, exclude: ['c'] }),
    digest({ ...base, recursive: false }),
    digest({ ...base, excludeDefaults: false }),
    digest({ ...base, include: ['a', 'b', 'c', 'd'], exclude: [] }),
  ];
  assert.equal(new Set([one, ...others]).size, others.length + 1);
});

test('SetTable.rulesDigest() counts earlier sets that can take files away, and only those', () => {
  const digest = (...sets: FileSet[]): string => table(...sets).rulesDigest(sets.at(-1)!);
  const own = fileSet({ name: 'own', path: 'etc/rules' });
  const above = fileSet({ name: 'above', path: 'etc', include: ['**/*.xml'] });
  const below = fileSet({ name: 'below', path: 'etc/rules/x' });
  const beside = fileSet({ name: 'beside', path: 'etc/lists' });
  assert.equal(digest(beside, keys, own), digest(own));
  assert.notEqual(digest(above, own), digest(own));
  assert.notEqual(digest(below, own), digest(own));
  assert.equal(digest(above, below, own), digest(below, above, own));
  assert.equal(table(own, above).rulesDigest(own), digest(own), 'later sets take nothing away');
});

test('new SetTable() refuses paths and patterns that cannot be meant', () => {
  assert.throws(() => table(fileSet({ path: '../etc' })), {
    code: 'configuration',
    message: 'Path "../etc" of set "rules" contains the component ".."',
  });
  assert.throws(() => table(fileSet({ path: '/etc' })), /starts with "\/"/);
  assert.throws(() => table(fileSet({ include: ['**', '!a'] })), {
    code: 'configuration',
    message: 'Pattern "!a" of set "rules" starts with "!"; files are left out by "exclude"',
  });
  assert.throws(() => table(fileSet({ exclude: [''] })), /Pattern "" of set "rules" is empty/);
});
