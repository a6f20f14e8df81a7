import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agentAt, keysLines } from '../../src/agents/keys-file.ts';
import { toBytes } from '../../src/base/bytes.ts';

const read = (text: string) => Array.from(keysLines(toBytes(text)), ({ line }) => line);

test('keysLines() reads agents and removals, and skips comments', () => {
  const text = '001 web any 6a1f\n\n# a comment\n 9 indented\n002 !old any 77\n003 #gone any 77\n' +
    '1024 db 10.0.0.0/24 c3d4 more\n000 manager 127.0.0.1 k\n';
  assert.deepEqual(read(text), [
    { kind: 'agent', id: 1, name: 'web', ip: 'any' },
    { kind: 'removed', id: 2 },
    { kind: 'removed', id: 3 },
    { kind: 'agent', id: 1024, name: 'db', ip: '10.0.0.0/24' },
  ]);
});

test('keysLines() reads a last line without an end, and lines that end as on Windows', () => {
  assert.deepEqual(read('001 a any k\r\n002 b any k'), [
    { kind: 'agent', id: 1, name: 'a', ip: 'any' },
    { kind: 'agent', id: 2, name: 'b', ip: 'any' },
  ]);
  assert.deepEqual(read(''), []);
});

test('keysLines() names the lines that it cannot read', () => {
  const text = `x web any k\n4 \n5 web any\n6 ${
    'n'.repeat(129)
  } any k\n7 \xff any k\n99999999999 w any k\n`;
  const found = read(text);
  assert.deepEqual(found.map((line) => line.kind), Array(6).fill('unreadable'));
  const first = found[0]!;
  assert.ok(first.kind === 'unreadable');
  assert.equal(first.lineNumber, 1);
  assert.match(first.problem, /number of an agent/);
});

test('agentAt() reads again what keysLines() has found', () => {
  const content = toBytes('# comment\n001 web any k\n\n002 db 10.0.0.1 k');
  const agents = Array.from(keysLines(content), ({ start }) => agentAt(content, start));
  assert.deepEqual(agents.map(({ id, name, ip }) => [id, name, ip]), [
    [1, 'web', 'any'],
    [2, 'db', '10.0.0.1'],
  ]);
});
