/**
 * Keeps long work in little memory, on the runtime that would let it grow.
 *
 * bun hands over each chunk of a socket in new memory outside of its heap, and collects that so
 * late that 2 GiB on the way leave 50 MiB behind; what a hundred thousand statements of a database
 * leave in the heap it collects late too. A collection asked for now and then prevents it: with the
 * heap of a node without much else in memory it takes some 10 ms. Where it takes longer the heap is
 * large, and what is left behind makes no difference.
 */

/** Bytes left behind between two collections: a second of a fast line. */
const gapBytesMin = 64 * 1024 * 1024;

/** After a collection that held the loop for longer than this the next one is put off, ms. */
const holdMaxMs = 20;

/** How far it is put off, each time anew. */
const putOffFactor = 4;

const runtime = globalThis as { readonly Bun?: { gc(isSynchronous: boolean): void } };

let leftBytes = 0;
let gapBytes = gapBytesMin;

/** To be told of what is left behind: all that arrives, and a guess for each statement. */
export function leftBehind(bytes: number): void {
  leftBytes += bytes;
  if (leftBytes < gapBytes || runtime.Bun === undefined) return;
  leftBytes = 0;
  const startMs = performance.now();
  runtime.Bun.gc(true);
  gapBytes = performance.now() - startMs > holdMaxMs ? gapBytes * putOffFactor : gapBytesMin;
}
