import assert from 'node:assert/strict';
import test from 'node:test';
import { ownExclude, setFingerprintText, wholeExclude } from '../../src/config/set-keys.ts';
import { alwaysExcluded } from '../../src/config/set-keys.ts';
import { configOf, masterText } from './sources.ts';

const fingerprintOf = (lines: string): string =>
  setFingerprintText(configOf(`${masterText}[[sets]]\nname = "a"\n${lines}`).sets[0]!);

test('setFingerprintText() is the same for what chooses the same files', () => {
  const first = fingerprintOf('path = "etc"\ninclude = ["b", "a"]\nexclude = ["x", "y"]');
  const same = [
    'path = "./etc/"\ninclude = ["a", "b", "a"]\nexclude = ["y", "x"]',
    'path = "etc"\ninclude = ["a", "b"]\nexclude = ["y", "x", "**/*.tmp"]\nmode = "0600"\nprune = true',
  ];
  for (const lines of same) assert.equal(fingerprintOf(lines), first);
});

test('setFingerprintText() differs in each rule of selection', () => {
  const texts = [
    'path = "etc"',
    'path = "etc2"',
    'path = "etc"\ninclude = ["*"]',
    'path = "etc"\nexclude = ["*"]\ninclude = ["**/a*"]',
    'path = "etc"\nrecursive = false',
    'path = "etc"\nexclude_defaults = false',
  ].map(fingerprintOf);
  assert.equal(new Set(texts).size, texts.length);
});

test('setFingerprintText() is what other versions compute too', () => {
  assert.equal(
    fingerprintOf('path = "."\ninclude = ["ü"]\nexclude_defaults = false'),
    '{"path":"","include":["ü"],"exclude":[],"recursive":true}',
  );
});

test('ownExclude() undoes wholeExclude()', () => {
  for (const own of [[], ['a'], ['b', 'a']]) {
    for (const excludeDefaults of [true, false]) {
      const exclude = wholeExclude(own, excludeDefaults);
      assert.deepEqual(ownExclude({ exclude, excludeDefaults }), own);
    }
  }
  assert.deepEqual(wholeExclude(['**/*.tmp'], true), [...alwaysExcluded]);
});
