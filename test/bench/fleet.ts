/** Many workers of one master, on one machine. */
import { join } from 'node:path';
import type { TestNode } from '../e2e/cluster.ts';
import type { Bench } from './harness.ts';

/** Where workers have all that is theirs: in memory, so that one disk does not serve them all. */
export const memory = '/dev/shm';

/** The largest time that a fleet takes to be in step, ms. */
export const stepLimitMs = 300_000;

/** Adds workers that are in step, up to such a number. */
export async function grow(
  bench: Bench,
  master: TestNode,
  workers: TestNode[],
  workersCount: number,
  directory: string,
): Promise<void> {
  while (workers.length < workersCount) {
    const own = join(directory, `worker-${workers.length + 1}`);
    const place = { root: join(own, 'tree'), directory: join(own, 'state') };
    const worker = await bench.worker(master, {}, place);
    worker.launch();
    workers.push(worker);
  }
  const { generation } = await master.status();
  for (const worker of workers) await worker.inSync(generation!, stepLimitMs);
}
