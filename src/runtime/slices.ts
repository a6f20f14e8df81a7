/**
 * Synchronous work on many items without holding the event loop.
 *
 * The disk is worked on synchronously, which costs a fraction of what asynchronous calls cost, in
 * slices short enough that nobody waits noticeably for the loop.
 */
import { throwIfAborted } from '../base/async.ts';
import type { Clock } from '../ports.ts';

/**
 * How long a slice goes on, ms. The loop may be held for 50 ms; a single slow access to a disk can
 * take more than half of that.
 */
const sliceMs = 8;

/** A slice: works on items from `start` on while `mayGoOn()`, returns where the next one starts. */
export type Slice = (start: number, mayGoOn: () => boolean) => number;

/**
 * Calls `slice` until it has worked on `count` items, with the loop free in between. Each slice
 * works on one item at least.
 */
export async function inSlices(
  clock: Pick<Clock, 'monotonicMs' | 'breathe'>,
  count: number,
  slice: Slice,
  signal?: AbortSignal,
): Promise<void> {
  for (let next = 0; next < count;) {
    throwIfAborted(signal);
    const endMs = clock.monotonicMs() + sliceMs;
    next = slice(next, () => clock.monotonicMs() < endMs);
    await clock.breathe();
  }
}

/** `inSlices` for work that needs nothing around a slice. */
export function eachInSlices<T>(
  clock: Pick<Clock, 'monotonicMs' | 'breathe'>,
  items: readonly T[],
  work: (item: T, index: number) => void,
): Promise<void> {
  return inSlices(clock, items.length, (start, mayGoOn) => {
    let index = start;
    do work(items[index]!, index++); while (index < items.length && mayGoOn());
    return index;
  });
}

/** Works on items asynchronously, a few at a time; throws the first error when all have stopped. */
export async function concurrently<T>(
  count: number,
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    try {
      while (next < items.length) await work(items[next++]!);
    } catch (error) {
      next = items.length;
      throw error;
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: count }, worker));
  for (const result of ended) if (result.status === 'rejected') throw result.reason;
}
