/** One file changes on the master's disk, and arrives on those of workers. */
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import type { Bench } from './harness.ts';
import { treePath, treeText, wordsFrom } from './tree.ts';

/** A change that has not arrived after this long is lost, ms. */
const arrivalLimitMs = 30_000;

/** Pause between two looks at the disks of workers, ms; the error of each latency. */
const lookMs = 0.25;

const words = wordsFrom(2);

/** Changes a file in one tree, and gives the time until the last of the others has it, ms. */
export async function changeArrives(
  bench: Bench,
  from: string,
  copies: readonly string[],
  index: number,
): Promise<number> {
  let missing = copies.map((copy) => treePath(copy, index)).map((path) => ({
    path,
    before: inodeOf(path),
  }));
  const startMs = changeFile(bench, from, index);
  const cell = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    // Who does not replace it at once leaves a moment without it.
    missing = missing.filter(({ path, before }) => [before, undefined].includes(inodeOf(path)));
    if (missing.length === 0) break;
    // Blocks: a timer would be up to 2 ms late.
    Atomics.wait(cell, 0, 0, lookMs);
    if (performance.now() - startMs > arrivalLimitMs) {
      throw new Error(
        `A change did not arrive at "${missing[0]!.path}" within ${arrivalLimitMs} ms`,
      );
    }
  }
  const latencyMs = performance.now() - startMs;
  const wanted = readFileSync(treePath(from, index), 'utf8');
  for (const path of copies.map((copy) => treePath(copy, index))) {
    if (readFileSync(path, 'utf8') !== wanted) {
      throw new Error(`"${path}" is not what was put in place on the master`);
    }
  }
  return latencyMs;
}

/** Replaces a file whole and gives the moment before. */
export function changeFile(bench: Bench, root: string, index: number): number {
  // Beside the tree, so that the rename is all that happens in it.
  const draft = bench.freshPath('draft');
  writeFileSync(draft, treeText(words, draft));
  const startMs = performance.now();
  renameSync(draft, treePath(root, index));
  return startMs;
}

// ---

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}
