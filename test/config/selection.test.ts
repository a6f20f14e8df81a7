import assert from 'node:assert/strict';
import test from 'node:test';
import { fromText } from '../../src/base/bytes.ts';
import { compileSelection } from '../../src/config/selection.ts';
import { configOf, masterText } from './sources.ts';

const chosen = (lines: string, paths: readonly string[]): string[] => {
  const isChosen = compileSelection(
    configOf(`${masterText}[[sets]]\nname = "a"\n${lines}`).sets[0]!,
  );
  return paths.filter((path) => isChosen(fromText(path)));
};

test('compileSelection() chooses below its path and nowhere else', () => {
  const paths = ['etc', 'etc/a', 'etc/b/c', 'etcetera/a', 'a', 'x/etc/a'];
  assert.deepEqual(chosen('path = "etc"', paths), ['etc/a', 'etc/b/c']);
  assert.deepEqual(chosen('path = "etc"\nrecursive = false', paths), ['etc/a']);
  assert.deepEqual(chosen('path = "."', ['', 'a', 'b/c', '.d/.e']), ['a', 'b/c', '.d/.e']);
});

test('compileSelection() keeps * within a name and lets ** cross directories', () => {
  const paths = ['e/a.xml', 'e/b/c.xml', 'e/b/c/d.xml', 'e/a.yml', 'e/.a.xml'];
  assert.deepEqual(chosen('path = "e"\ninclude = ["*.xml"]', paths), ['e/a.xml', 'e/.a.xml']);
  assert.deepEqual(chosen('path = "e"\ninclude = ["**/*.xml"]', paths), [
    'e/a.xml',
    'e/b/c.xml',
    'e/b/c/d.xml',
    'e/.a.xml',
  ]);
  assert.deepEqual(chosen('path = "e"\ninclude = ["b/*", "?.yml"]', paths), [
    'e/b/c.xml',
    'e/a.yml',
  ]);
});

test('compileSelection() leaves out what is always excluded, at any depth', () => {
  const left = ['e/a~', 'e/b/a.tmp', 'e/.a.lock', 'e/a.swp', 'e/ar.conf', 'e/b/ossec.conf'];
  assert.deepEqual(chosen('path = "e"', [...left, 'e/a', 'e/a.tmp.xml', 'e/my-ar.conf']), [
    'e/a',
    'e/a.tmp.xml',
    'e/my-ar.conf',
  ]);
  assert.deepEqual(chosen('path = "e"\nexclude_defaults = false', left), left);
});

test('compileSelection() leaves out all below a directory that is excluded', () => {
  const paths = ['e/p', 'e/private/a', 'e/private/b/c', 'e/x/private/d', 'e/privates'];
  assert.deepEqual(chosen('path = "e"\nexclude = ["private"]', paths), [
    'e/p',
    'e/x/private/d',
    'e/privates',
  ]);
  assert.deepEqual(chosen('path = "e"\nexclude = ["**/private"]', paths), ['e/p', 'e/privates']);
});

test('compileSelection() matches the bytes of names', () => {
  assert.deepEqual(chosen('path = "ü"\ninclude = ["ö*"]', ['ü/öx', 'ü/x']), ['ü/öx']);
  const isChosen = compileSelection(
    configOf(`${masterText}[[sets]]\nname = "a"\npath = "e"`).sets[0]!,
  );
  assert.equal(isChosen('e/\xff\xfe'), true, 'a name that is not UTF-8');
  assert.equal(isChosen('e/a\nb'), true, 'a name with a line feed');
});
