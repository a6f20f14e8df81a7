import assert from 'node:assert/strict';
import test from 'node:test';
import { renderLine, styled, textWidth } from '../../src/cli/styled-text.ts';
import { type Cell, type Column, renderTable } from '../../src/cli/table.ts';

const columns: Column[] = [{ title: 'NAME' }, { title: 'SIZE', isNumber: true }, { title: 'PATH' }];
const rows: Cell[][] = [
  ['a', '1', 'etc/rules'],
  [styled('red', 'worker-1'), '12345', ''],
  ['b', '22', 'a/very/long/path/of/some/file.xml'],
];

function textOf(width: number, hasColor = false): string {
  return renderTable(columns, rows, width).map((line) => renderLine(line, hasColor)).join('\n');
}

test('renderTable() pads columns, numbers to the right, and ends no line in blanks', () => {
  assert.equal(
    textOf(Infinity),
    `NAME       SIZE  PATH
a             1  etc/rules
worker-1  12345
b            22  a/very/long/path/of/some/file.xml`,
  );
});

test('renderTable() cuts the widest column until the table fits', () => {
  assert.equal(
    textOf(30),
    `NAME       SIZE  PATH
a             1  etc/rules
worker-1  12345
b            22  a/very/long/…`,
  );
});

test('renderTable() never makes a line wider than it may be, however narrow', () => {
  for (let width = 1; width < 60; width++) {
    for (const line of textOf(width).split('\n')) assert.ok(textWidth(line) <= width, line);
  }
});

test('renderTable() aligns by what is shown: wide characters, escapes and colours', () => {
  const lines = renderTable([{ title: 'A' }, { title: 'B' }], [
    ['日本', 'x'],
    ['\x1b', 'x'],
    [styled('green', 'ab'), 'x'],
  ], 80);
  assert.deepEqual(lines.map((line) => renderLine(line, true)), [
    '\x1b[1mA\x1b[0m     \x1b[1mB\x1b[0m',
    '日本  x',
    '\\x1b  x',
    '\x1b[32mab\x1b[0m    x',
  ]);
});

test('renderTable() shrinks equally wide columns one after the other', () => {
  const wide = 'x'.repeat(20);
  const lines = renderTable([{ title: 'A' }, { title: 'B' }], [[wide, wide]], 34);
  assert.equal(renderLine(lines[1]!, false), `${wide}  ${'x'.repeat(11)}…`);
});
