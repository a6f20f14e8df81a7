/**
 * Swaps a directory for a link that leads out of the tree, and back, as fast as it can, until told
 * to stop. Runs on a thread of its own, beside what is tested.
 */
import * as fs from 'node:fs';
import { workerData } from 'node:worker_threads';

/** What is swapped, and what with. */
export interface SwapOrder {
  /** The name in the tree. */
  readonly path: string;
  /** Where the real directory, or file, is while the link is there. */
  readonly aside: string;
  /** Where the link leads. */
  readonly target: string;
  /** Word 0: 1 asks to stop. Word 1: how often it has swapped. */
  readonly state: Int32Array;
}

const { path, aside, target, state } = workerData as SwapOrder;
let lostCount = 0;

/** Does a step; whatever has been put in its way meanwhile is moved out of it. */
function step(work: () => void): void {
  for (;;) {
    try {
      return work();
    } catch {
      fs.renameSync(path, `${path}.lost${lostCount++}`);
    }
  }
}

while (Atomics.load(state, 0) === 0) {
  fs.renameSync(path, aside);
  step(() => fs.symlinkSync(target, path));
  fs.unlinkSync(path);
  step(() => fs.renameSync(aside, path));
  // The real one shall be there about half of the time.
  for (let i = 0; i < 20_000; i++) Atomics.load(state, 0);
  Atomics.add(state, 1, 1);
}
