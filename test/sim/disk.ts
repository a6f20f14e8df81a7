/**
 * A simulated disk: the managed tree, staging and versions, the database, and what a crash does.
 *
 * What was written and not flushed is, after `crash`, lost, cut short, full of zeros, or there: the
 * seed decides for each file. What was done to the names in a directory and not flushed is there
 * up to some step that the seed decides for each directory, and undone from there on. One step (a
 * rename) is always undone or there as a whole. A rename belongs to the directory it leads into.
 *
 * What the operator does by `SimOperator` is durable at once.
 */
import { type BytePath, displayPath } from '../../src/base/bytes.ts';
import { ClusterError } from '../../src/base/errors.ts';
import type { FileKind } from '../../src/ports.ts';
import { MachineDatabase } from './database.ts';
import { allBelow, FileBody, type Inode } from './inode.ts';
import type { Life } from './life.ts';
import type { DelayRange, SeededRandom } from './random.ts';

/** How a disk is. */
export interface DiskOptions {
  /** Times are cut to multiples of this; 0 for as fine as a number can tell. @default 0 */
  readonly mtimeGranularityMs?: number;
  /** How long one operation takes. @default 0.01 to 0.1, at times 5 ms */
  readonly latency?: DelayRange;
  /** Bytes that fit. @default Infinity */
  readonly quotaBytes?: number;
}

/** What is about to be done to a disk: a fault hook can make it fail, or kill the node. */
export interface DiskOperation {
  readonly verb: string;
  readonly path: BytePath;
}

/** What the operating system may refuse. */
export type Denial = 'read' | 'write' | 'facts';

interface NameStep {
  readonly directory: Inode;
  readonly sequence: number;
  readonly undo: () => void;
}

const DEFAULT_LATENCY: DelayRange = { minMs: 0.01, typicalMs: 0.1, maxMs: 5 };

/** A disk of a machine. */
export class SimDisk {
  readonly name: string;
  readonly database = new MachineDatabase();
  readonly random: SeededRandom;
  readonly root: Inode;
  readonly staging: Inode;
  readonly versions: Inode;
  /** Names in directories that the runtime cannot represent, by directory. */
  readonly unreadableNames = new Map<BytePath, string[]>();
  latency: DelayRange;
  quotaBytes: number;
  /** Hashes of all that the operator ever put at a path of this disk. */
  readonly planted = new Map<BytePath, Set<string>>();
  /** Called before each operation of the ports: may throw, or kill the node. */
  fault: (operation: DiskOperation) => void = () => {};
  readonly #granularityMs: number;
  readonly #nowMs: () => number;
  readonly #denials = new Map<BytePath, Set<Denial>>();
  readonly #listeners = new Set<(path: BytePath | undefined) => void>();
  readonly #unflushed = new Set<Inode>();
  #steps: NameStep[] = [];
  #usedBytes = 0;
  #lastInode = 1;
  #lastSequence = 0;

  constructor(name: string, nowMs: () => number, random: SeededRandom, options: DiskOptions = {}) {
    this.name = name;
    this.#nowMs = nowMs;
    this.random = random;
    this.latency = options.latency ?? DEFAULT_LATENCY;
    this.quotaBytes = options.quotaBytes ?? Infinity;
    this.#granularityMs = options.mtimeGranularityMs ?? 0;
    this.root = this.makeInode('directory', 0o755);
    this.staging = this.makeInode('directory', 0o700);
    this.versions = this.makeInode('directory', 0o700);
  }

  get freeBytes(): number {
    return Math.max(0, this.quotaBytes - this.#usedBytes);
  }

  /** Does something to the disk on behalf of a program: takes time, and can be made to fail. */
  perform<T>(life: Life, verb: string, path: BytePath, work: () => T): Promise<T> {
    return life.operation(`${verb} ${path}`, this.random.delayMs(this.latency), () => {
      this.fault({ verb, path });
      life.mustBeAlive();
      return work();
    });
  }

  /** Makes the operating system refuse something at a path and below. */
  deny(path: BytePath, denial: Denial): void {
    const known = this.#denials.get(path) ?? new Set();
    this.#denials.set(path, known.add(denial));
  }

  /** Takes back what was denied at a path. */
  allow(path: BytePath): void {
    this.#denials.delete(path);
  }

  isDenied(path: BytePath, denial: Denial): boolean {
    if (this.#denials.size === 0) return false;
    for (let part = path;; part = part.slice(0, Math.max(0, part.lastIndexOf('/')))) {
      if (this.#denials.get(part)?.has(denial)) return true;
      if (part === '') return false;
    }
  }

  mustAllow(path: BytePath, denial: Denial, verb: string): void {
    if (!this.isDenied(path, denial)) return;
    throw new ClusterError('permission', `Cannot ${verb} "${displayPath(path)}": not permitted`);
  }

  /** Calls back for every path of the tree that changes; undefined where any may have. */
  onChange(listener: (path: BytePath | undefined) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Tells those who listen that something changed. */
  changed(path: BytePath | undefined): void {
    for (const listener of this.#listeners) listener(path);
  }

  /** The time as this file system would note it. */
  stampMs(): number {
    return this.rounded(this.#nowMs());
  }

  /** A time as this file system can keep it. */
  rounded(ms: number): number {
    const granularityMs = this.#granularityMs;
    return granularityMs === 0 ? ms : Math.floor(ms / granularityMs) * granularityMs;
  }

  makeInode(kind: FileKind, mode: number, target = ''): Inode {
    const ms = this.stampMs();
    return {
      number: ++this.#lastInode,
      kind,
      body: new FileBody(),
      children: new Map(),
      target,
      linksCount: 0,
      mode,
      owner: undefined,
      group: undefined,
      mtimeMs: ms,
      ctimeMs: ms,
    };
  }

  /** Changes a content, within the quota; not durable. */
  edit(inode: Inode, change: (body: FileBody) => void): void {
    const before = inode.body.size;
    change(inode.body);
    if (inode.linksCount > 0) this.#usedBytes += inode.body.size - before;
    inode.mtimeMs = inode.ctimeMs = this.stampMs();
    this.#unflushed.add(inode);
  }

  /** Gives a name in a directory another meaning, or none; not durable. */
  bind(directory: Inode, name: string, inode: Inode | undefined): void {
    this.#change([{ directory, name, inode }], directory);
  }

  /** Moves a name: one step, which belongs to the directory it leads into. */
  rename(from: Inode, fromName: string, to: Inode, toName: string): void {
    const inode = from.children.get(fromName);
    if (inode === undefined || (inode === to.children.get(toName))) return;
    inode.ctimeMs = this.stampMs();
    this.#change([
      { directory: to, name: toName, inode },
      { directory: from, name: fromName, inode: undefined },
    ], to);
  }

  /** Makes a content durable. */
  flush(inode: Inode): void {
    inode.body.flush();
    this.#unflushed.delete(inode);
  }

  /** Makes the names in directories durable. */
  flushNames(directories: ReadonlySet<Inode>): void {
    this.#steps = this.#steps.filter((step) => !directories.has(step.directory));
  }

  /** The power fails: what was not flushed is gone, or partly so, or not. */
  crash(): void {
    this.#loseNames();
    for (const inode of this.#unflushed) this.#loseContent(inode);
    this.#unflushed.clear();
    this.#recount();
    this.changed(undefined);
  }

  #change(bindings: readonly Binding[], owner: Inode): void {
    const before = bindings.map(({ directory, name }) => ({
      directory,
      name,
      inode: directory.children.get(name),
    }));
    for (const binding of bindings) this.#set(binding);
    this.#steps.push({
      directory: owner,
      sequence: this.#lastSequence++,
      undo: () => {
        for (const binding of before.toReversed()) this.#set(binding);
      },
    });
  }

  #set({ directory, name, inode }: Binding): void {
    const old = directory.children.get(name);
    if (old === inode) return;
    if (old !== undefined && --old.linksCount === 0) this.#usedBytes -= old.body.size;
    if (inode === undefined) directory.children.delete(name);
    else directory.children.set(name, inode);
    if (inode !== undefined && ++inode.linksCount === 1) this.#usedBytes += inode.body.size;
    directory.mtimeMs = directory.ctimeMs = this.stampMs();
  }

  #loseNames(): void {
    const byDirectory = Map.groupBy(this.#steps, (step) => step.directory);
    const undone: NameStep[] = [];
    for (const steps of byDirectory.values()) {
      const kept = this.random.pick([0, steps.length, this.random.integer(0, steps.length)]);
      undone.push(...steps.slice(kept));
    }
    undone.sort((left, right) => right.sequence - left.sequence);
    for (const step of undone) step.undo();
    this.#steps = [];
  }

  #loseContent(inode: Inode): void {
    const { size } = inode.body;
    const shorter = this.random.integer(0, size);
    const fate = this.random.pick(['lost', 'cut', 'zeros', 'kept']);
    if (fate === 'lost') inode.body.replace(inode.body.durable());
    if (fate === 'cut') inode.body.truncate(shorter);
    if (fate === 'zeros') inode.body.write(shorter, new Uint8Array(size - shorter));
    inode.body.flush();
  }

  /** What hung below a directory that is no longer there takes no room. */
  #recount(): void {
    const inodes = new Set<Inode>();
    for (const directory of [this.root, this.staging, this.versions]) {
      for (const [, inode] of allBelow(directory)) inodes.add(inode);
    }
    this.#usedBytes = 0;
    for (const inode of inodes) this.#usedBytes += inode.body.size;
  }
}

// ---

interface Binding {
  readonly directory: Inode;
  readonly name: string;
  readonly inode: Inode | undefined;
}
