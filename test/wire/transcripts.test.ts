/**
 * Compares every exchange with its transcript in `transcripts/`. A change of the protocol shows
 * there as a difference to be reviewed: run with MUSTER_RECORD=1 to write them anew.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { test } from 'node:test';
import { messages } from '../../src/wire/messages.ts';
import { exchanges, type Scene } from './exchanges.ts';
import { transcriptOf } from './transcript.ts';

const directory = new URL('transcripts/', import.meta.url);
const isRecording = process.env.MUSTER_RECORD === '1';

function textOf(scenes: readonly Scene[]): string {
  return scenes.map(({ title, frames }) => `# ${title}\n${transcriptOf(frames)}`).join('\n');
}

for (const [name, play] of Object.entries(exchanges)) {
  test(`the exchange ${name} is word for word the one of its transcript`, async () => {
    const file = new URL(`${name}.txt`, directory);
    const text = textOf(await play());
    if (isRecording) writeFileSync(file, text);
    assert.equal(text, readFileSync(file, 'utf8'));
  });
}

test('every transcript has its exchange, and every message is in one', () => {
  const files = readdirSync(directory).sort();
  assert.deepEqual(files, Object.keys(exchanges).map((name) => `${name}.txt`).sort());
  const all = files.map((name) => readFileSync(new URL(name, directory), 'utf8')).join('');
  for (const name of Object.keys(messages)) assert.ok(all.includes(` ${name} `), name);
});
