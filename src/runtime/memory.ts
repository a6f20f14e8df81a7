/**
 * Keeps long work in little memory, on the runtime that would let it grow.
 *
 * bun hands over each chunk of a socket in new memory outside of its heap, and collects that so
 * late that 2 GiB on the way leave 50 MiB behind; what a hundred thousand statements of a database
 * leave in the heap it collects late too. A collection asked for now and then prevents it: with the
 * heap of a node without much else in memory it takes some 10 ms, and with that of one that is taking
 * 50,000 files in some 40. Where it takes longer the heap is large, and what is left behind makes
 * little difference.
 *
 * Nor does it collect while nothing happens: what the work before has left stays for hours. So a
 * process that comes to rest is told to, once.
 */
import { cpuMs } from './cpu-time.ts';
import { loopWoke } from './loop-watch.ts';

/** Bytes left behind between two collections: a second of a fast line. */
const gapBytesMin = 64 * 1024 * 1024;

/** After a collection that held the loop for longer than this the next one is put off, ms. */
const holdMaxMs = 50;

/** How far it is put off, each time anew. */
const putOffFactor = 4;

/** Time between two looks at whether the process rests, ms. */
const restLookMs = 20_000;

/** A process rests that uses no more than this share of a processor. */
const restShareMax = 0.05;

/** So many looks find a process at rest before it is told: by then, nobody holds what is not wanted. */
const restLooksMin = 3;

/** Work that leaves enough behind to be worth a collection: CPU, ms. */
const workMsMin = 2_000;

const runtime = globalThis as {
  readonly Bun?: { gc(isSynchronous: boolean): void; shrink(): void };
};

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

/** Gives back what work has left behind once the process rests, until closed. */
export function tidyAtRest(): { close(): void } {
  let seenMs = cpuMs();
  let workMs = 0;
  let restLooks = 0;
  const timer = setInterval(() => {
    loopWoke();
    const usedMs = cpuMs() - seenMs;
    seenMs += usedMs;
    workMs += usedMs;
    restLooks = usedMs > restLookMs * restShareMax ? 0 : restLooks + 1;
    if (restLooks < restLooksMin || workMs < workMsMin) return;
    workMs = 0;
    // Collects, and gives up compiled code that was for that work; when nothing else is to be done.
    runtime.Bun?.shrink();
  }, restLookMs);
  timer.unref();
  return { close: () => clearInterval(timer) };
}
