/** Many paths below a root, looked up with as few steps as possible and without holding the loop. */
import type { Clock } from '../ports.ts';
import { fileError } from './file-errors.ts';
import type { RootedDirectory, Walk } from './rooted-directory.ts';
import { inSlices } from './slices.ts';

/** What walking takes. */
export interface WalkPorts {
  readonly root: RootedDirectory;
  readonly clock: Pick<Clock, 'monotonicMs' | 'breathe'>;
}

/**
 * Calls `work` for each item, with a walk that ends before anything else may run. Items near each
 * other are best given one after the other.
 */
export async function walkEach<T>(
  { root, clock }: WalkPorts,
  items: readonly T[],
  work: (walk: Walk, item: T, index: number) => void,
): Promise<void> {
  await inSlices(clock, items.length, (start, mayGoOn) => {
    let walk: Walk;
    try {
      walk = root.walk();
    } catch (error) {
      throw fileError('enter', '', error, 'writer');
    }
    try {
      let index = start;
      do work(walk, items[index]!, index++); while (index < items.length && mayGoOn());
      return index;
    } finally {
      walk.close();
    }
  });
}
