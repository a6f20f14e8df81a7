import assert from 'node:assert/strict';
import { test } from 'node:test';
import { firstComment } from '../../scripts/options.ts';

test('firstComment() gives the text that a source begins with, as it is laid out', () => {
  const source =
    '/**\n * What it does:\n *\n *     how --it is called\n */\nconst a = 1; /** no */\n';
  assert.equal(firstComment(source), 'What it does:\n\n    how --it is called');
});

test('firstComment() is empty where a source begins with something else', () => {
  assert.equal(firstComment('const a = 1;\n/** b */\n'), '');
});
