import assert from 'node:assert/strict';
import test from 'node:test';
import { type Choice, choiceOf, commonPath, vainPatterns } from '../../src/config/selection.ts';
import { configOf, masterText, seeded } from './sources.ts';

const choice = (path: string, include: readonly string[], more = ''): Choice =>
  choiceOf(
    configOf(
      `${masterText}[[sets]]\nname = "a"\npath = "${path}"\ninclude = ${
        JSON.stringify(include)
      }\n${more}`,
    ).sets[0]!,
  );

test('choiceOf() tells what a set chooses', () => {
  const { isChosen } = choice('etc', ['*.xml'], 'exclude = ["b.xml"]');
  const paths = ['etc/a.xml', 'etc/b.xml', 'etc/c/a.xml', 'a.xml', 'etc'];
  assert.deepEqual(paths.filter(isChosen), ['etc/a.xml']);
});

test('commonPath() finds a path that both sets choose, whichever comes first', () => {
  const left = choice('etc', ['**']);
  const right = choice('etc/rules', ['**/*.xml']);
  assert.equal(commonPath(left, right), commonPath(right, left));
  assert.equal(commonPath(left, right), 'etc/rules/x.xml');
  assert.equal(commonPath(left, choice('var', ['**'])), undefined);
});

test('commonPath() never names a path that one of the sets does not choose', () => {
  const random = seeded(5);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const patterns = ['**', '*', 'a', '*.xml', '**/a', 'b/**', '{a,b}/*', '[ab]', 'b/?', '**/b/*'];
  const set = (): Choice =>
    choice(
      pick(['.', 'a', 'a/b', 'b']),
      [pick(patterns), pick(patterns)],
      `exclude = ["${pick(patterns)}"]`,
    );
  let foundCount = 0;
  for (let i = 0; i < 200; i++) {
    const [left, right] = [setOrNothing(set), setOrNothing(set)];
    if (left === undefined || right === undefined) continue;
    const path = commonPath(left, right);
    if (path === undefined) continue;
    foundCount += 1;
    assert.ok(left.isChosen(path) && right.isChosen(path), path);
  }
  assert.ok(foundCount > 10, `only ${foundCount} of the random sets had a path in common`);
});

test('vainPatterns() finds literal names that the set leaves out', () => {
  assert.deepEqual(vainPatterns(choice('etc', ['a', '*.tmp'])), []);
  const vain = choice('etc', ['a', 'b', '*']).set;
  assert.deepEqual(vainPatterns(choiceOf({ ...vain, exclude: ['b'] })), ['b']);
});

/** A set whose random patterns contradict each other is no configuration. */
function setOrNothing(make: () => Choice): Choice | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}
