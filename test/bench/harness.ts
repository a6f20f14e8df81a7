/**
 * What all cases need: a directory with trees and nodes, an rsync daemon beside them, contestants
 * that take turns.
 *
 * Every run of a contestant has directories of its own, which stay until the very end: ext4 can be
 * slow long after many files were deleted (it avoids inodes that were in use just before), and a
 * run would pay for what its predecessor left.
 */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { Cluster, type Settings, type TestNode } from '../e2e/cluster.ts';
import { binary, pause } from '../e2e/program.ts';
import { flushDisks, measure, type Run } from './processes.ts';
import { hasOwnDisk } from './own-surroundings.ts';
import { RsyncDaemon } from './rsync.ts';
import type { Result, Table } from './table.ts';
import { writeTree } from './tree.ts';
import { UnisonServer } from './unison.ts';

/** How much to measure. */
export interface BenchOptions {
  /** Turns of each contestant. */
  readonly roundsCount: number;
  /** Files of the large tree. */
  readonly filesCount: number;
  /** Small everything: to see that it works, not to learn figures. */
  readonly isQuick: boolean;
  /** Measure more for a picture. */
  readonly hasPictures: boolean;
}

/** What one case has found. */
export interface Section {
  readonly title: string;
  /** Parts of the page in order: a paragraph in Markdown, or a table. */
  readonly parts: readonly (string | Table)[];
  readonly picture?: Picture | undefined;
}

/** A picture of a section. */
export interface Picture {
  readonly fileName: string;
  readonly alt: string;
  readonly svg: string;
}

/** A file of its own in `test/bench`. */
export interface Case {
  /** As it is called on the command line. */
  readonly name: string;
  /** One line for people who look for a case. */
  readonly summary: string;
  /** Takes its time by design, and is run only when it is named. @default false */
  readonly isLong?: boolean;
  readonly run: (bench: Bench) => Promise<Section>;
}

/** Somebody who does the same work as the others, and is measured. */
export interface Contestant {
  readonly name: string;
  /** Why it cannot take part. @default it can */
  readonly missing?: string | undefined;
  /** Prepares what it needs, then does the work once. */
  readonly run: () => Promise<Run>;
}

/** A daemon that needs longer for a tree never gets through with it, ms. */
const startLimitMs = 300_000;

/** Beyond the time for which a file system without a journal avoids what was deleted, ms. */
const deletionRestMs = 61_000;

/** The whole tree is one set, and nothing is left out of it. */
const oneSet = '\n[[sets]]\nname = "tree"\npath = "."\n';

/** What the cases work with. */
export class Bench {
  readonly options: BenchOptions;
  readonly #cluster = new Cluster();
  readonly #trees = new Map<number, string>();
  #rsync: Promise<RsyncDaemon> | undefined;
  #unison: Promise<UnisonServer> | undefined;
  #pathsCount = 0;
  #workersCount = 0;

  constructor(options: BenchOptions) {
    this.options = options;
  }

  /** Holds everything; on the disk that is measured. */
  get directory(): string {
    return this.#cluster.directory;
  }

  /** A path that nothing has been at. */
  freshPath(name: string): string {
    return join(this.directory, `${name}-${++this.#pathsCount}`);
  }

  /** The large tree, made once for each number of files. It is not to be changed. */
  tree(filesCount = this.options.filesCount): string {
    let path = this.#trees.get(filesCount);
    if (path === undefined) {
      path = this.freshPath('tree');
      console.error(`  writing a tree of ${filesCount} files`);
      writeTree(path, filesCount);
      this.#trees.set(filesCount, path);
    }
    return path;
  }

  /** A master of a tree; it is not started. */
  async master(root: string, config = oneSet): Promise<TestNode> {
    return await this.#cluster.master({ root, config, directory: this.freshPath('master') });
  }

  /** A running master of a tree that has published what is in it. */
  async runningMaster(root: string, config = oneSet): Promise<TestNode> {
    const master = await this.master(root, config);
    master.launch();
    await master.status(({ generation }) => generation !== null, startLimitMs);
    return master;
  }

  /** A worker with an empty tree that has joined a running master; it is not started. */
  async worker(
    master: TestNode,
    settings: Settings = {},
    place: { readonly root?: string; readonly directory?: string } = {},
  ): Promise<TestNode> {
    const { root = this.freshPath('worker-tree'), directory = this.freshPath('worker') } = place;
    const name = `worker-${++this.#workersCount}`;
    return await this.#cluster.worker(master, name, { directory, root, settings });
  }

  /** Ends all daemons of nodes, so that the next case has the machine for itself. */
  async stopNodes(): Promise<void> {
    await Promise.all(this.#cluster.nodes.splice(0).map((node) => node.crash()));
  }

  /** The daemon that serves everything below the directory; started when first asked for. */
  async rsyncDaemon(): Promise<RsyncDaemon> {
    return await (this.#rsync ??= RsyncDaemon.start(this.directory));
  }

  /** A server for everything; started when first asked for. */
  async unisonServer(): Promise<UnisonServer> {
    return await (this.#unison ??= UnisonServer.start(this.directory));
  }

  /** Ends what runs and removes everything. */
  async close(): Promise<void> {
    (await this.#unison)?.stop();
    (await this.#rsync)?.stop();
    await this.stopNodes();
    // It is gone with this program.
    if (hasOwnDisk()) return;
    console.error('Removing what was measured');
    await this.#cluster.close();
    // So that whoever measures next need not know of this.
    await flushDisks();
    if (!this.options.isQuick) await pause(deletionRestMs);
  }
}

/** Lets the contestants take turns, A B A B, and says how each run went. */
export async function alternate(
  contestants: readonly Contestant[],
  roundsCount: number,
): Promise<Result[]> {
  const runs = new Map(contestants.map(({ name }) => [name, [] as Run[]]));
  for (let round = 1; round <= roundsCount; round++) {
    for (const { name, missing, run } of contestants) {
      if (missing !== undefined) continue;
      const done = await run();
      runs.get(name)!.push(done);
      console.error(`  ${round}/${roundsCount} ${name}: ${done.wallMs.toFixed(1)} ms`);
    }
  }
  return contestants.map(({ name, missing }) => ({
    name,
    runs: runs.get(name)!,
    skipped: missing,
  }));
}

/** Measures a command of muster about a node. */
export function measureMuster(
  node: TestNode | undefined,
  words: readonly string[],
  server?: TestNode,
): Promise<Run> {
  return measure({
    program: binary,
    args: node === undefined ? words : [...words, '--dir', node.directory],
    env: node?.startOptions().environment ?? {},
    server: server?.daemon.pid,
  });
}

/** Why a program of this machine cannot take part; undefined where it can. */
export function missingProgram(name: string): string | undefined {
  const places = (process.env['PATH'] ?? '').split(delimiter);
  const isThere = places.some((place) => isExecutable(join(place, name)));
  return isThere ? undefined : `${name} is not installed`;
}

/** Starts the daemon of a worker and waits until it is in step with its running master. */
export async function startInStep(worker: TestNode, master: TestNode): Promise<void> {
  await worker.start();
  await worker.inSync((await master.status()).generation!, startLimitMs);
}

/** All that a master and its one worker have told each other since they connected, bytes. */
export async function bytesExchanged(master: TestNode): Promise<number> {
  const { peers: [peer] } = await master.status();
  if (peer === undefined) throw new Error(`${master.name} has no worker`);
  return peer.bytes_received + peer.bytes_sent;
}

// ---

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
