import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import process from 'node:process';
import test from 'node:test';
import { protocolMarkdown } from '../../scripts/protocol.ts';
import { messages } from '../../src/wire/messages.ts';

const page = new URL('../../docs/protocol.md', import.meta.url);

test('docs/protocol.md is what protocolMarkdown() gives (UPDATE_DOCS=1 writes it)', async () => {
  const text = protocolMarkdown();
  if (process.env['UPDATE_DOCS'] === '1') await writeFile(page, text);
  assert.equal(await readFile(page, 'utf8'), text);
});

test('protocolMarkdown() has a section with the id of every message', () => {
  const text = protocolMarkdown();
  for (const [name, { id }] of Object.entries(messages)) {
    const start = text.indexOf(`### ${name}\n`);
    assert.ok(start > 0, name);
    const section = text.slice(start, text.indexOf('\n#', start + 1));
    assert.match(section, new RegExp(`\\. Message ${id}, `), name);
  }
});

test('protocolMarkdown() describes fields with bounds and comments, also those of lists', () => {
  const text = protocolMarkdown();
  for (
    const line of [
      '- `generation`: whole number, at least 0. Generation that the worker holds; 0 for none.',
      '- `sets`: list of at most 256 objects',
      '  - `digest`: text of 16 bytes',
      '- `leaves`: bytes, at most 512 bytes. One bit per leaf.',
      '- `roundMs`: number, may be missing',
      '- `algorithm`: one of `md5`, `sha256`, `blake2b`',
    ]
  ) assert.ok(text.split('\n').includes(line), line);
});
