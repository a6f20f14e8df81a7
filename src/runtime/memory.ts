/**
 * Keeps a long transfer in little memory, on the runtime that would let it grow.
 *
 * bun hands over each chunk of a socket in new memory outside of its heap, and collects that so
 * late that 2 GiB on the way leave 50 MiB behind. A collection asked for now and then prevents it:
 * with the heap of a node without much else in memory it takes some 10 ms. Where it takes longer
 * the heap is large, and what a transfer leaves behind makes no difference.
 */

/** Bytes received between two collections: a second of a fast line. */
const gapBytesMin = 64 * 1024 * 1024;

/** After a collection that held the loop for longer than this the next one is put off, ms. */
const holdMaxMs = 20;

/** How far it is put off, each time anew. */
const putOffFactor = 4;

const runtime = globalThis as { readonly Bun?: { gc(isSynchronous: boolean): void } };

let receivedBytes = 0;
let gapBytes = gapBytesMin;

/** To be told of all that arrives. */
export function received(bytes: number): void {
  receivedBytes += bytes;
  if (receivedBytes < gapBytes || runtime.Bun === undefined) return;
  receivedBytes = 0;
  const startMs = performance.now();
  runtime.Bun.gc(true);
  gapBytes = performance.now() - startMs > holdMaxMs ? gapBytes * putOffFactor : gapBytesMin;
}
