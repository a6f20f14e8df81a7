/** How long one large new file takes, and how much memory both ends need for it. */
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { firstCopies } from './contestants.ts';
import { alternate, type Case } from './harness.ts';
import { resultsTable, size } from './table.ts';

const mebibyte = 1024 ** 2;

/** The disk has to hold the copies of all rounds until the end. */
const roundsMax = 3;

export const largeFile: Case = {
  name: 'large-file',
  summary: 'one large file to an empty worker',
  run: async (bench) => {
    const { isQuick, roundsCount } = bench.options;
    const bytes = (isQuick ? 64 : 1024) * mebibyte;
    const tree = bench.freshPath('tree');
    mkdirSync(tree);
    writeRandomFile(join(tree, 'large.bin'), bytes);
    const master = await bench.runningMaster(tree);
    const contestants = firstCopies(bench, tree, master);
    const results = await alternate(contestants, Math.min(roundsCount, roundsMax));
    await bench.stopNodes();
    return {
      title: 'A large file',
      parts: [
        `One file of ${size(bytes)} that no compression makes smaller, to an empty worker, ` +
        `in at most ${roundsMax} rounds.`,
        resultsTable(results),
      ],
    };
  },
};

function writeRandomFile(path: string, bytes: number): void {
  const piece = new Uint8Array(mebibyte);
  const file = openSync(path, 'wx');
  for (let written = 0; written < bytes; written += piece.length) {
    // It gives no more than 64 KiB at a time.
    for (let i = 0; i < piece.length; i += 65_536) {
      crypto.getRandomValues(piece.subarray(i, i + 65_536));
    }
    writeSync(file, piece);
  }
  closeSync(file);
}
