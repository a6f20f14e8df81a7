import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import process from 'node:process';
import test from 'node:test';
import { eachKey } from '../../src/config/keys.ts';
import { configurationMarkdown } from '../../scripts/configuration-markdown.ts';

const page = new URL('../../docs/configuration.md', import.meta.url);

test('docs/configuration.md is what configurationMarkdown() gives (UPDATE_DOCS=1 writes it)', async () => {
  const text = configurationMarkdown();
  if (process.env['UPDATE_DOCS'] === '1') await writeFile(page, text);
  assert.equal(await readFile(page, 'utf8'), text);
});

test('configurationMarkdown() documents every key', () => {
  const text = configurationMarkdown();
  for (const { name, key } of eachKey()) {
    assert.ok(text.includes(`| \`${name}\``) && text.includes(key.doc), name);
  }
});

test('configurationMarkdown() has no bar within a cell, which would end it', () => {
  const rows = configurationMarkdown().split('\n').filter((line) => line.startsWith('|'));
  for (const row of rows) assert.ok([4, 5].includes(row.split('|').length - 1), row);
});
