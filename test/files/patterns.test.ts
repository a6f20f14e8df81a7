import assert from 'node:assert/strict';
import test from 'node:test';
import picomatch from 'picomatch';
import { compileDescent, compilePatterns, patternProblem } from '../../src/files/patterns.ts';
import { parentOf } from '../../src/files/paths.ts';
import { SeededRandom } from '../sim/random.ts';
import { wordPath } from './material.ts';

test('compilePatterns() keeps * and ? within a name and lets ** cross directories', () => {
  const table: [pattern: string, fits: string[], others: string[]][] = [
    ['**', ['a', 'a/b', '.a/.b'], []],
    ['*', ['a', '.a'], ['a/b']],
    ['*.xml', ['a.xml', '.xml'], ['a.xmlx', 'a/b.xml']],
    ['**/*.xml', ['a.xml', 'a/b/c.xml'], ['a.xml/b']],
    ['lists/**', ['lists/a', 'lists/a/b'], ['list/a', 'x/lists/a']],
    ['**/merged.mg', ['merged.mg', 'a/merged.mg'], ['a/xmerged.mg', 'merged.mg/a']],
    ['a?c', ['abc', 'a.c'], ['ac', 'a/c', 'abbc']],
    ['{a,b}/[0-9].conf', ['a/1.conf', 'b/9.conf'], ['c/1.conf', 'a/x.conf']],
    ['!(a|b)', ['c', 'ab'], ['a', 'b', 'c/d']],
  ];
  for (const [pattern, fits, others] of table) {
    const test = compilePatterns([pattern]);
    for (const path of fits) assert.equal(test(path), true, `${pattern} fits ${path}`);
    for (const path of others) assert.equal(test(path), false, `${pattern} fits not ${path}`);
  }
});

test('compilePatterns() fits a path that fits any of the patterns, and none without patterns', () => {
  const isChosen = compilePatterns(['a', '*.b', '**/c', '**/*.d']);
  for (const path of ['a', 'x.b', 'x/c', 'x/y.d']) assert.equal(isChosen(path), true, path);
  for (const path of ['x/a', 'x/y.b', 'c/x', 'd']) assert.equal(isChosen(path), false, path);
  assert.equal(compilePatterns([])('a'), false);
});

test('compilePatterns() takes every byte of a name for a plain one, newlines too', () => {
  const strange = ['\n', 'a\nb', '\r', '\x01', '\u0085', '\xff', '\\', 'a\\b', '[a]', ' '];
  for (const pattern of ['**', '**/*', 'd/**', 'd/*', '**/*.x', 'd/*.x', 'd/?*.x']) {
    const isChosen = compilePatterns([pattern]);
    for (const name of strange) {
      assert.equal(isChosen(`d/${name}.x`), true, `${pattern} ${JSON.stringify(name)}`);
    }
  }
  assert.equal(compilePatterns(['*.xml'])('a.xml\n'), false);
  assert.equal(compilePatterns(['a'])('a\n'), false);
  assert.equal(compilePatterns(['d\\[1\\]'])('d[1]'), true);
  assert.equal(compilePatterns(['[a].x'])('[a].x'), true, 'spelled like the pattern');
});

test('compilePatterns() matches Unicode patterns with the bytes of their UTF-8', () => {
  assert.equal(compilePatterns(['caf\u00e9/*'])('caf\xc3\xa9/a'), true);
  assert.equal(compilePatterns(['**/*\u00e9'])('a/caf\xc3\xa9'), true);
  assert.equal(compilePatterns(['caf\u00e9/*'])('caf\xe9/a'), false);
});

test('compilePatterns() bypasses picomatch without another outcome', () => {
  const random = new SeededRandom('patterns');
  const parts = ['**', '*', 'a', 'b', 'ab', '*b', '.h*', '*.xml', 'a b', '~', '*~', '?', '{a,b}'];
  for (let round = 0; round < 2000; round++) {
    const pattern = Array.from({ length: random.integer(1, 3) }, () => random.pick(parts)).join(
      '/',
    );
    const path = wordPath(random).replaceAll('caf\xc3\xa9', '~').replaceAll('\n', '');
    const expected = picomatch(pattern, { dot: true, windows: false })(path);
    assert.equal(compilePatterns([pattern])(path), expected, `${pattern} ${path}`);
  }
});

test('compileDescent() never keeps a walk out of a directory in which a file fits', () => {
  const random = new SeededRandom('descent');
  const parts = ['**', '*', 'a', 'b', 'ab', 'a**', '*b', 'x.*', '{a,b/c}', '[ab]', '?', '!(z)'];
  let fits = 0;
  for (let round = 0; round < 10_000; round++) {
    const pattern = Array.from({ length: random.integer(1, 4) }, () => random.pick(parts)).join(
      '/',
    );
    const path = wordPath(random);
    if (!compilePatterns([pattern])(path)) continue;
    const leadsOn = compileDescent([pattern]);
    for (let at = parentOf(path); at !== ''; at = parentOf(at)) {
      assert.equal(leadsOn(at), true, `${pattern} ${path}`);
      fits++;
    }
  }
  assert.ok(fits > 300, `${fits} directories were looked at`);
});

test('compileDescent() spares directories in which nothing can fit', () => {
  const table: [pattern: string, entered: string[], spared: string[]][] = [
    ['**', ['a', 'a/b'], []],
    ['client.keys', [], ['a', 'client.keys']],
    ['*.xml', [], ['a', 'a.xml']],
    ['lists/**', ['lists', 'lists/a/b'], ['list', 'x/lists']],
    ['a/*/c', ['a', 'a/b'], ['b', 'a/b/c', 'c']],
    ['{a,b}/c', ['a', 'z'], []],
  ];
  for (const [pattern, entered, spared] of table) {
    const leadsOn = compileDescent([pattern]);
    for (const path of entered) assert.equal(leadsOn(path), true, `${pattern} enters ${path}`);
    for (const path of spared) assert.equal(leadsOn(path), false, `${pattern} spares ${path}`);
  }
});

test('patternProblem() names patterns that would choose nothing, or not what they seem to', () => {
  const table: [pattern: string, problem: RegExp][] = [
    ['', /^is empty$/],
    ['!a', /^starts with "!"/],
    ['/a', /^starts with "\/"/],
    ['a/', /^ends with "\/"/],
    ['a//b', /empty component/],
    ['../a', /component "\.\."/],
    ['./a', /component "\."/],
    ['[z-a]', /^is not a pattern: /],
  ];
  for (const [pattern, problem] of table) assert.match(patternProblem(pattern) ?? '', problem);
  for (const pattern of ['**', '*.xml', 'a/b', '!(a)', '{a,b}', '[', 'a b~', '\u00e9']) {
    assert.equal(patternProblem(pattern), undefined, pattern);
  }
});
