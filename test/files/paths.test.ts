import assert from 'node:assert/strict';
import test from 'node:test';
import {
  isBelow,
  joinPath,
  nameOf,
  parentOf,
  pathProblem,
  temporaryPrefix,
} from '../../src/files/paths.ts';

const longName = 'n'.repeat(255);
const longPath = `${'d'.repeat(127)}/`.repeat(31) + 'f'.repeat(128);

test('pathProblem() finds nothing wrong with names that a file system can hold', () => {
  const sound = [
    'a',
    'etc/shared/default/agent.conf',
    '...',
    '..a/.b',
    ' ',
    'with\nnewline\tand\x7f',
    'back\\slash',
    '\xff\xfe',
    '.muster',
    `a${temporaryPrefix}1`,
    longName,
    longPath,
  ];
  assert.equal(longPath.length, 4096);
  for (const path of sound) assert.equal(pathProblem(path), undefined, JSON.stringify(path));
});

test('pathProblem() names what is wrong with a path that leads elsewhere or nowhere', () => {
  const problems: [path: string, problem: string][] = [
    ['', 'is empty'],
    ['/', 'starts with "/"'],
    ['/etc/passwd', 'starts with "/"'],
    ['etc/', 'ends with "/"'],
    ['etc//rules', 'contains an empty component'],
    ['.', 'contains the component "."'],
    ['a/./b', 'contains the component "."'],
    ['a/.', 'contains the component "."'],
    ['..', 'contains the component ".."'],
    ['../a', 'contains the component ".."'],
    ['a/../b', 'contains the component ".."'],
    ['a/..', 'contains the component ".."'],
    ['a\0b', 'contains a NUL byte'],
    ['\u0142', 'contains a character that is no byte'],
    [`${longName}n/a`, 'contains a name longer than 255 bytes'],
    [`a/${longName}n`, 'contains a name longer than 255 bytes'],
    [`${longPath}f`, 'is longer than 4096 bytes'],
    [`${temporaryPrefix}1`, 'contains a name that starts with ".muster-tmp-"'],
    [`a/${temporaryPrefix}1/b`, 'contains a name that starts with ".muster-tmp-"'],
  ];
  for (const [path, problem] of problems) {
    assert.equal(pathProblem(path), problem, JSON.stringify(path));
  }
});

test('parentOf(), nameOf() and joinPath() take a path apart and put it together', () => {
  for (const [path, parent, name] of [['a', '', 'a'], ['a/b', 'a', 'b'], ['a/b/c', 'a/b', 'c']]) {
    assert.equal(parentOf(path!), parent);
    assert.equal(nameOf(path!), name);
    assert.equal(joinPath(parent!, name!), path);
  }
});

test('isBelow() counts components, not characters', () => {
  assert.equal(isBelow('etc/rules/a', 'etc/rules'), true);
  assert.equal(isBelow('etc/rules/a/b', 'etc'), true);
  assert.equal(isBelow('etc', ''), true);
  assert.equal(isBelow('etc/rules', 'etc/rules'), false);
  assert.equal(isBelow('etc/rules-old/a', 'etc/rules'), false);
  assert.equal(isBelow('etc', 'etc/rules'), false);
  assert.equal(isBelow('', ''), false);
});
