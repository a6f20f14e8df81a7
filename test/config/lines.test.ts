import assert from 'node:assert/strict';
import test from 'node:test';
import { lineOf, locateKeys } from '../../src/config/lines.ts';

const text = `# head [not.a.table]
include = [
  "a = 1",  # ] not the end
  "b"
]

[node]   # comment
name = "x # y"
root = """
[log]
level = "debug"
""""
role='worker'
"state" = '''
a = 2
'''
worker.master = 1

[[sets]]
name = "one"
  [ keep_alive ]
interval = { a = [1,
 2], b = "}" }
misses_max = 3
[[sets]]
path = "b\\\\"
mode = "c\\""
name = "two"`;

test('locateKeys() finds tables and keys whatever stands in values and comments', () => {
  assert.deepEqual([...locateKeys(text)], [
    ['include', 2],
    ['node', 7],
    ['node.name', 8],
    ['node.root', 9],
    ['node.role', 13],
    ['node.state', 14],
    ['node.worker.master', 17],
    ['sets[0]', 19],
    ['sets[0].name', 20],
    ['keep_alive', 21],
    ['keep_alive.interval', 22],
    ['keep_alive.misses_max', 24],
    ['sets[1]', 25],
    ['sets[1].path', 26],
    ['sets[1].mode', 27],
    ['sets[1].name', 28],
  ]);
});

test('locateKeys() counts lines that end in CR LF, and a byte order mark is no key', () => {
  assert.deepEqual([...locateKeys('\ufeff[a]\r\nb = 1\r\n\r\nc = 2\r\n')], [
    ['a', 1],
    ['a.b', 2],
    ['a.c', 4],
  ]);
});

test('locateKeys() ends on any text, valid or not', () => {
  for (let end = 0; end <= text.length; end++) locateKeys(text.slice(0, end));
  for (const broken of ['[', '[[', '"', "'''", 'a', 'a=', 'a = "\\', '=', ']', '[[a']) {
    locateKeys(broken);
  }
});

test('lineOf() falls back to what is around the key', () => {
  const lines = locateKeys('[node]\nname = "x"\n');
  assert.equal(lineOf(lines, 'node.name'), 2);
  assert.equal(lineOf(lines, 'node.root'), 1);
  assert.equal(lineOf(lines, 'log.level'), undefined);
});
