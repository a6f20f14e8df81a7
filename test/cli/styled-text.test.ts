import assert from 'node:assert/strict';
import test from 'node:test';
import {
  fitLine,
  fitText,
  plainText,
  renderLine,
  styled,
  textWidth,
} from '../../src/cli/styled-text.ts';

test('renderLine() writes colours only where there are any', () => {
  const line = ['a ', styled('red', 'b'), styled('bold', '')];
  assert.equal(renderLine(line, false), 'a b');
  assert.equal(renderLine(line, true), 'a \x1b[31mb\x1b[0m');
});

test('renderLine() escapes whatever a terminal would act on, in every piece', () => {
  assert.equal(renderLine('a\x1b[2Jb\n', true), 'a\\x1b[2Jb\\n');
  const line = ['\x9b31m', styled('green', 'x\r\u202ey')];
  assert.equal(renderLine(line, true), '\\x9b31m\x1b[32mx\\r\\u202ey\x1b[0m');
});

test('textWidth() counts wide characters twice and combining ones not at all', () => {
  assert.equal(textWidth('etc/rules'), 9);
  assert.equal(textWidth('日本'), 4);
  assert.equal(textWidth('한글・カナ'), 10);
  assert.equal(textWidth('e\u0301'), 1);
  assert.equal(textWidth('ａ'), 2);
  assert.equal(textWidth('ｶﾅ'), 2);
  assert.equal(textWidth('🗝🔑'), 3);
  assert.equal(textWidth('…'), 1);
});

test('fitText() cuts what is too long, and never in the middle of a wide character', () => {
  assert.equal(fitText('abcdef', 6), 'abcdef');
  assert.equal(fitText('abcdefg', 6), 'abcde…');
  assert.equal(fitText('日本語', 5), '日本…');
  assert.equal(fitText('日本語', 4), '日…');
  assert.equal(fitText('abc', 1), '…');
  assert.equal(fitText('abc', 0), '');
});

test('fitText() measures what is shown: escapes are longer than what they stand for', () => {
  assert.equal(fitText('a\x1bb', 6), 'a\\x1bb');
  assert.equal(fitText('a\x1bb', 5), 'a\\x1…');
});

test('fitLine() keeps styles, and shows by "…" that something is left out', () => {
  const line = ['abc', styled('red', 'def'), 'ghi'];
  assert.equal(fitLine(line, 9), line);
  assert.deepEqual(fitLine(line, 5), ['abc', styled('red', 'd…')]);
  assert.deepEqual(fitLine(line, 6), ['abc', styled('red', 'de…')]);
  assert.equal(plainText(fitLine(line, 3)), 'ab…');
  assert.equal(fitLine('abcdef', 3), 'ab…');
});
