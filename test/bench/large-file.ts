/**
 * How long one large file takes, new or changed in a small part, and how much memory both ends need
 * for it.
 */
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { TestNode } from '../e2e/cluster.ts';
import { pause } from '../e2e/program.ts';
import { firstCopies, renewedCopies } from './contestants.ts';
import { alternate, type Bench, type Case } from './harness.ts';
import { resultsTable, size, type Table } from './table.ts';

const mebibyte = 1024 ** 2;

/** The disk has to hold the copies of all rounds until the end. */
const roundsMax = 3;

export const largeFile: Case = {
  name: 'large-file',
  summary: 'one large file: to an empty worker, and with a small part of it changed',
  run: async (bench) => {
    const { isQuick, roundsCount } = bench.options;
    const bytes = (isQuick ? 64 : 1024) * mebibyte;
    const tree = bench.freshPath('tree');
    mkdirSync(tree);
    const path = join(tree, 'large.bin');
    writeRandomFile(path, bytes);
    const master = await bench.runningMaster(tree);
    await settle(bench);
    const contestants = firstCopies(bench, tree, master);
    const results = await alternate(contestants, Math.min(roundsCount, roundsMax));
    const worker = await bench.worker(master);
    const replaced = await renewed(
      bench,
      master,
      worker,
      path,
      (to) => replaceMiddle(path, to, bytes),
    );
    const inserted = await renewed(bench, master, worker, path, (to) => insertNearStart(path, to));
    await bench.stopNodes();
    return {
      title: 'A large file',
      parts: [
        `One file of ${size(bytes)} that no compression makes smaller, to an empty worker, ` +
        `in at most ${roundsMax} rounds. ` +
        'The master has had time to read the file twice after it was written.',
        resultsTable(results),
        `The same file after ${
          size(changedBytes)
        } in its middle have been replaced, to a worker that ` +
        'has it as it was. rsync compares the two files too, and sends what differs.',
        replaced,
        `The same after ${size(changedBytes)} have been inserted near its start:`,
        inserted,
      ],
    };
  },
};

/** Longer than the master's interval and the reading of the file, ms. */
const settleMs = 12_000;

/** Bytes that are replaced or inserted. */
const changedBytes = 65_536;

/** Where bytes are inserted. */
const insertedAt = 123_456;

/**
 * A file that was written a moment ago is read once more by the master, since its time could not
 * tell of another change; that has nothing to do with who asks for it.
 */
async function settle({ options }: Bench): Promise<void> {
  if (!options.isQuick) await pause(settleMs);
}

async function renewed(
  bench: Bench,
  master: TestNode,
  worker: TestNode,
  path: string,
  make: (to: string) => void,
): Promise<Table> {
  const contestants = await renewedCopies(bench, { master, worker }, async () => {
    // Beside the tree: nobody publishes it before it is whole.
    const changed = bench.freshPath('large');
    make(changed);
    renameSync(changed, path);
    await master.published();
    await settle(bench);
  });
  const roundsCount = Math.min(bench.options.roundsCount, roundsMax);
  return resultsTable(await alternate(contestants, roundsCount));
}

function replaceMiddle(path: string, to: string, bytes: number): void {
  copyFileSync(path, to);
  const file = openSync(to, 'r+');
  writeSync(file, crypto.getRandomValues(new Uint8Array(changedBytes)), 0, changedBytes, bytes / 2);
  closeSync(file);
}

function insertNearStart(path: string, to: string): void {
  const [source, target] = [openSync(path, 'r'), openSync(to, 'wx')];
  const piece = new Uint8Array(mebibyte);
  const start = readSync(source, piece.subarray(0, insertedAt));
  writeSync(target, piece.subarray(0, start));
  writeSync(target, crypto.getRandomValues(new Uint8Array(changedBytes)));
  for (let count = readSync(source, piece); count > 0; count = readSync(source, piece)) {
    writeSync(target, piece.subarray(0, count));
  }
  closeSync(source);
  closeSync(target);
}

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
