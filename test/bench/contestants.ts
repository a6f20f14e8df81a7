/**
 * Who takes turns at copying a tree: muster, rsync from its daemon, unison from its server, cp.
 *
 * A first copy goes to a place of its own in each round, and is compared with the original after
 * it was measured; a repeated one finds what it copied before.
 */
import type { TestNode } from '../e2e/cluster.ts';
import { type Bench, type Contestant, measureMuster, missingProgram } from './harness.ts';
import { type Command, finish, measure, type Run } from './processes.ts';

/** Copies of a tree that begin with nothing. The master of the tree runs. */
export function firstCopies(bench: Bench, tree: string, master: TestNode): Contestant[] {
  const rsync = (name: string, adapt: (command: Command) => Command): Contestant => ({
    name,
    missing: missingProgram('rsync'),
    run: async () => {
      const copy = bench.freshPath('rsync');
      const daemon = await bench.rsyncDaemon();
      return await checked(tree, copy, measure(adapt(daemon.mirror(tree, copy))));
    },
  });
  return [
    {
      name: 'muster sync --once',
      run: async () => {
        const worker = await bench.worker(master);
        const run = measureMuster(worker, ['sync', '--once'], master);
        return await checked(tree, worker.root, run);
      },
    },
    rsync('rsync -a', (command) => command),
    rsync('rsync -a, then sync', thenSync),
    {
      name: 'unison',
      missing: missingProgram('unison'),
      run: async () => {
        const copy = bench.freshPath('unison');
        return await checked(tree, copy, measure((await bench.unisonServer()).mirror(tree, copy)));
      },
    },
    {
      name: 'cp -r',
      run: async () => {
        const copy = bench.freshPath('cp');
        const run = measure({ program: 'cp', args: ['-r', tree, copy] });
        return await checked(tree, copy, run);
      },
    },
  ];
}

/**
 * Copies of a tree to places that are in step already; `change` runs before each turn of the first
 * contestant, and what it changes is news to both.
 */
export async function repeatedCopies(
  bench: Bench,
  nodes: { readonly master: TestNode; readonly worker: TestNode },
  change: () => void = () => {},
): Promise<Contestant[]> {
  const { master, worker } = nodes;
  await worker.expect(0, 'sync', '--once');
  return [
    {
      name: 'muster sync --once',
      run: () => {
        change();
        return measureMuster(worker, ['sync', '--once'], master);
      },
    },
    await repeatedPeer('rsync -a', 'rsync', async () => {
      const mirror = (await bench.rsyncDaemon()).mirror(master.root, bench.freshPath('rsync'));
      return { first: mirror, again: () => measure(mirror) };
    }),
    await repeatedPeer('unison', 'unison', async () => {
      const mirror = (await bench.unisonServer()).mirror(master.root, bench.freshPath('unison'));
      return { first: mirror, again: () => measure(mirror) };
    }),
  ];
}

/**
 * Copies of a tree to places that have an older state of it, each compared with the original
 * afterwards. `change` runs before each turn of the first contestant, and is over when the master
 * has published what it changes. rsync sends what differs, as it does between machines.
 */
export async function renewedCopies(
  bench: Bench,
  nodes: { readonly master: TestNode; readonly worker: TestNode },
  change: () => Promise<void>,
): Promise<Contestant[]> {
  const { master, worker } = nodes;
  await worker.expect(0, 'sync', '--once');
  const rsync = (name: string, adapt: (command: Command) => Command) =>
    repeatedPeer(name, 'rsync', async () => {
      const copy = bench.freshPath('rsync');
      const first = (await bench.rsyncDaemon()).mirror(master.root, copy);
      return { first, again: () => checked(master.root, copy, measure(adapt(first))) };
    });
  return [
    {
      name: 'muster sync --once',
      run: async () => {
        await change();
        const run = measureMuster(worker, ['sync', '--once'], master);
        return await checked(master.root, worker.root, run);
      },
    },
    await rsync('rsync -a', (command) => command),
    await rsync('rsync -a, then sync', thenSync),
  ];
}

// ---

/** A peer that has been at work once before it is measured, if it is there. */
async function repeatedPeer(
  name: string,
  program: string,
  prepare: () => Promise<{ readonly first: Command; readonly again: () => Promise<Run> }>,
): Promise<Contestant> {
  const missing = missingProgram(program);
  if (missing !== undefined) {
    return { name, missing, run: () => Promise.reject(new Error(missing)) };
  }
  const { first, again } = await prepare();
  await finish(first);
  return { name, run: again };
}

/** Fails where a copy is not like its original: who copies nothing is fast. */
async function checked(original: string, copy: string, measured: Promise<Run>): Promise<Run> {
  const run = await measured;
  await finish({ program: 'diff', args: ['-rq', original, copy] });
  return run;
}

function thenSync({ program, args, ...rest }: Command): Command {
  return { ...rest, program: 'sh', args: ['-c', '"$@" && sync', 'sh', program, ...args] };
}
