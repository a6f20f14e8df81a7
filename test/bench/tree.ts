/** The large tree of the measurements: many files of the size of a rule file, made from a seed. */
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Bytes of each file. */
export const fileBytes = 2560;

const directoryFilesCount = 100;

/** When the files were changed last: so long ago that nobody need look at them twice. */
const changedSeconds = Date.UTC(2024, 0, 1) / 1000;

const vocabulary = '<rule> </rule> level match description group session opened failed user address'
  .concat(' port from for password accepted denied connection closed warning service kernel')
  .split(' ');

/** Writes a tree of files that look like text and are all different, last changed long ago. */
export function writeTree(root: string, filesCount: number): void {
  const words = wordsFrom(1);
  for (let i = 0; i < filesCount; i++) {
    const path = treePath(root, i);
    if (i % directoryFilesCount === 0) mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, treeText(words, i));
    utimesSync(path, changedSeconds, changedSeconds);
  }
}

/** Path of a file of the large tree. */
export function treePath(root: string, index: number): string {
  const directory = Math.floor(index / directoryFilesCount);
  const top = Math.floor(directory / directoryFilesCount);
  return join(root, `part-${top}`, `group-${directory}`, `rules-${index}.xml`);
}

/** A text of the size of all files of the large tree. */
export function treeText(words: Iterator<string, never>, mark: number | string): string {
  let text = `<!-- ${mark} -->\n`;
  while (text.length < fileBytes) text += words.next().value;
  return text.slice(0, fileBytes);
}

/** Words without end, the same ones from the same seed. */
export function* wordsFrom(seed: number): Generator<string, never> {
  let state = seed;
  for (;;) {
    // A linear congruential generator modulo 2^32; its high bits are random enough for texts.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const number = state >>> 12;
    yield number % 9 === 0 ? `id="${number}"\n` : `${vocabulary[number % vocabulary.length]!} `;
  }
}
