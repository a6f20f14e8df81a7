/**
 * Watches "d" below the directory given and what is in it, changes something there, and prints the
 * warnings and hints that came of it as JSON, and whether all is watched.
 */
import * as fs from 'node:fs';
import process from 'node:process';
import { systemClock } from '../../../src/runtime/clock.ts';
import { createWatcher } from '../../../src/runtime/watcher.ts';

const root = process.argv[2]!;
const warnings: string[] = [];
const hints: (string | null)[] = [];
const options = { root, clock: systemClock, onWarning: (text: string) => void warnings.push(text) };
const watch = createWatcher(options).watch(['d'], (hint) => void hints.push(hint ?? null));
watch.add('d');
for (const name of fs.readdirSync(`${root}/d`)) watch.add(`d/${name}`);
// That a watch was refused may be told as well, before or after this.
while (!hints.includes('d/file')) {
  fs.writeFileSync(`${root}/d/file`, '');
  await systemClock.sleep(5);
}
const { isWhole } = watch;
watch.close();
console.log(JSON.stringify({ warnings, hints, isWhole }));
