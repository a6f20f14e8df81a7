/**
 * Nodes killed at random moments, over and over: whatever is visible in the worker's tree is at any
 * time, byte for byte, some version that the master had; and at last all is in step.
 *
 * The moments come from a seed, which is printed when the test fails; MUSTER_E2E_SEED repeats it.
 */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { basename, join } from 'node:path';
import process from 'node:process';
import { test } from 'node:test';
import { SeededRandom } from '../sim/random.ts';
import { type Cluster, type NodeOptions, type TestNode, withCluster } from './cluster.ts';
import { pause } from './program.ts';
import { assertMirror, assertNothingStaged, write } from './tree.ts';

const seed = process.env['MUSTER_E2E_SEED'] ?? String(Date.now() % 100_000);

/** Files that the checker reads before it lets others run. */
const sliceCount = 100;

/** Files that each change touches. */
const changesCount = 300;

/** The master's tree: every file tells its own name and version, many times. */
class VersionedTree {
  readonly #root: string;
  readonly #random: SeededRandom;
  /** The newest version of each path that there ever was. */
  readonly #newest = new Map<string, number>();
  readonly #present = new Set<string>();

  constructor(root: string, random: SeededRandom) {
    this.#root = root;
    this.#random = random;
  }

  fill(count: number): void {
    for (let i = 0; i < count; i++) this.#put(`etc/lists/${i % 97}/${i}.cdb`);
  }

  /** Changes many files, creates and deletes a few. */
  change(count: number): void {
    const paths = [...this.#present];
    for (let i = 0; i < count; i++) this.#put(paths[this.#below(paths.length)]!);
    for (let i = 0; i < 5; i++) {
      this.#put(`etc/lists/new-${this.#below(100)}/${this.#below(1000)}.cdb`);
      const path = paths[this.#below(paths.length)]!;
      if (this.#present.delete(path)) fs.rmSync(join(this.#root, path));
    }
  }

  /** What is wrong with the content of a file; undefined where it is one of its versions. */
  faultOf(path: string, content: string): string | undefined {
    const newest = this.#newest.get(path);
    if (newest === undefined) return 'was never on the master';
    const version = Number(content.slice(0, 12).split(' ', 1)[0]);
    if (!(version >= 1 && version <= newest)) return `begins with "${content.slice(0, 12)}"`;
    return content === contentOf(path, version) ? undefined : `is torn (version ${version})`;
  }

  #put(path: string): void {
    const version = (this.#newest.get(path) ?? 0) + 1;
    // Before it is there: the worker may be faster than the next line.
    this.#newest.set(path, version);
    this.#present.add(path);
    write(join(this.#root, path), contentOf(path, version));
  }

  #below(limit: number): number {
    return Math.floor(this.#random.float() * limit);
  }
}

function contentOf(path: string, version: number): string {
  return `${version} ${path}\n`.repeat(1 + (path.length * 7 + version * 31) % 40);
}

/** Reads a worker's tree without end, until it is told to stop; gives the number of files read. */
async function watchTree(
  root: string,
  tree: VersionedTree,
  isStopped: () => boolean,
): Promise<number> {
  let count = 0;
  for (;;) {
    for (const path of fs.readdirSync(root, { recursive: true, encoding: 'utf8' })) {
      // Not managed: a copy on its way to its place from another file system.
      if (basename(path).startsWith('.muster-tmp-')) continue;
      let content: string;
      try {
        content = fs.readFileSync(join(root, path), 'utf8');
      } catch {
        continue; // a directory, or gone meanwhile
      }
      const fault = tree.faultOf(path, content);
      if (fault !== undefined) throw new Error(`${path} on the worker ${fault}`);
      if (++count % sliceCount > 0) continue;
      await pause(4);
      if (isStopped()) return count;
    }
    await pause(20);
    if (isStopped()) return count;
  }
}

interface Plan {
  readonly filesCount: number;
  /** Kills of the worker while its tree is filled, and of either node while it follows changes. */
  readonly firstKills: number;
  readonly laterKills: number;
  /** The longest time until a kill of the first kind; for the others it is half of that. */
  readonly delayMsMax: number;
  readonly worker?: (cluster: Cluster) => NodeOptions;
}

async function killOverAndOver(plan: Plan): Promise<void> {
  const random = new SeededRandom(`kills ${seed}`);
  await withCluster(async (cluster) => {
    const master = await cluster.master();
    const tree = new VersionedTree(master.root, random);
    tree.fill(plan.filesCount);
    await master.start();
    const worker = await cluster.worker(master, 'worker-1', plan.worker?.(cluster));
    let isOver = false;
    const watching = watchTree(worker.root, tree, () => isOver);
    watching.catch(() => {});
    try {
      for (let i = 0; i < plan.firstKills; i++) await kill([worker], random, plan.delayMsMax);
      for (let i = 0; i < plan.laterKills; i++) {
        tree.change(changesCount);
        const victims = [[worker], [master], [worker, master]][i % 3]!;
        await kill(victims, random, plan.delayMsMax / 2, [master, worker]);
      }
      for (const node of [master, worker]) if (!node.isRunning) node.launch();
      await worker.inSync(await master.published(), 60_000);
    } finally {
      isOver = true;
    }
    assert.ok(await watching > plan.filesCount, 'the checker has looked at the tree');
    await assertSettled(master, worker);
  }).catch((error: unknown) => {
    throw new Error(`With MUSTER_E2E_SEED=${seed}`, { cause: error });
  });
}

/** Starts what does not run, lets it work for a random time, and kills the victims. */
async function kill(
  victims: readonly TestNode[],
  random: SeededRandom,
  delayMsMax: number,
  nodes = victims,
): Promise<void> {
  for (const node of nodes) if (!node.isRunning) node.launch();
  await pause(50 + random.float() * delayMsMax);
  for (const node of victims) {
    assert.ok(node.isRunning, `${node.name} ended by itself: ${node.daemon.stderr}`);
    await node.crash();
  }
}

async function assertSettled(master: TestNode, worker: TestNode): Promise<void> {
  assertMirror(master.root, worker.root);
  const { peers } = await master.status(({ peers: [peer] }) => peer?.in_sync === true);
  assert.deepEqual(peers.map(({ node }) => node), ['worker-1']);
  await worker.expect(0, 'check');
  await worker.expect(0, 'check', '--offline');
  await worker.stop();
  assertNothingStaged(worker.directory);
  assert.doesNotMatch(master.log() + worker.log(), /defect|mistake in muster/);
}

test('50 kills while 10,000 files are mirrored tear none of them', async () => {
  await killOverAndOver({ filesCount: 10_000, firstKills: 20, laterKills: 30, delayMsMax: 1500 });
});

/** A file system other than that of the temporary directory. */
const elsewhere = '/dev/shm';
const isElsewhere = fs.existsSync(elsewhere) &&
  fs.statSync(elsewhere).dev !== fs.statSync(fs.realpathSync('/tmp')).dev;

test('kills tear no file and leave none behind where the tree is on another disk', {
  skip: isElsewhere ? false : 'there is no second file system at /dev/shm',
}, async () => {
  const root = fs.mkdtempSync(join(elsewhere, 'muster-e2e-'));
  try {
    const worker = () => ({ root });
    await killOverAndOver({
      filesCount: 800,
      firstKills: 10,
      laterKills: 2,
      delayMsMax: 700,
      worker,
    });
  } finally {
    fs.rmSync(root, { recursive: true });
  }
});
