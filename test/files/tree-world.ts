/**
 * A simulated machine with a managed tree, for tests that play the program on it themselves.
 */
import { type BytePath, fromText } from '../../src/base/bytes.ts';
import { migrate } from '../../src/base/migrations.ts';
import {
  Applier,
  applyMigrations,
  type ApplyOptions,
  laterApplyMigrations,
} from '../../src/files/apply.ts';
import type { Entry, EntryChange } from '../../src/files/entry.ts';
import { type FileSet, SetTable } from '../../src/files/file-set.ts';
import {
  directoryMigrations,
  indexMigrations,
  IndexStore,
  leafMigrations,
} from '../../src/files/index-store.ts';
import { changesFromLeaves } from '../../src/files/plan.ts';
import {
  Scanner,
  type ScannerOptions,
  type ScanReport,
  type ScanScope,
} from '../../src/files/scan.ts';
import { differingLeaves } from '../../src/files/table-difference.ts';
import { versionMigrations, VersionStore } from '../../src/files/version-store.ts';
import type { Ports } from '../../src/ports.ts';
import type { DiskOptions } from '../sim/disk.ts';
import type { WatcherOptions } from '../sim/watcher.ts';
import { simHashing } from '../sim/hashing.ts';
import { SimNetwork } from '../sim/network.ts';
import { SimNode } from '../sim/node.ts';
import { World } from '../sim/world.ts';
import { fileSet } from './material.ts';

/** How the machine is. */
export interface TreeWorldOptions {
  readonly seed?: number;
  /** @default one set of everything below etc/rules */
  readonly sets?: readonly FileSet[];
  readonly disk?: DiskOptions;
  readonly watcher?: WatcherOptions;
}

/** Never aborted. */
export const never = new AbortController().signal;

/** Looks everywhere. */
export const everywhere: ScanScope = { kind: 'full' };

/** A machine with a tree. */
export class TreeWorld {
  readonly world: World;
  readonly node: SimNode;
  readonly sets: SetTable;

  constructor(options: TreeWorldOptions = {}) {
    this.world = new World({ seed: options.seed ?? 1 });
    const { disk = {}, watcher = {} } = options;
    const network = new SimNetwork(this.world);
    this.node = new SimNode(this.world, network, { name: 'node', disk, watcher });
    this.sets = new SetTable(options.sets ?? [fileSet()], simHashing, 'md5');
  }

  /** Ports of the present incarnation, with all tables made. */
  get ports(): Ports {
    const ports = this.node.ports();
    migrate(ports.database, [
      ...indexMigrations,
      ...applyMigrations,
      ...versionMigrations,
      ...laterApplyMigrations,
      ...leafMigrations,
      ...directoryMigrations,
    ]);
    return ports;
  }

  /** Runs the world until a promise settles. */
  run<T>(promise: Promise<T>): Promise<T> {
    return this.world.settle(promise);
  }

  /** Lets time pass. */
  pass(ms: number): Promise<void> {
    return this.world.run({ forMs: ms });
  }

  indexStore(): IndexStore {
    return new IndexStore(this.ports, this.sets, { algorithm: 'md5' });
  }

  /** A scanner of this incarnation, with what the store remembers. */
  async scanner(options: Partial<ScannerOptions> = {}): Promise<Scanner> {
    const scanner = this.makeScanner(options);
    await this.run(scanner.load());
    return scanner;
  }

  /** As `scanner`, but still to be loaded. */
  makeScanner(options: Partial<ScannerOptions> = {}): Scanner {
    const { files, clock, hashing, log } = this.ports;
    return new Scanner(
      { tree: files, clock, hashing, log },
      this.sets,
      { algorithm: 'md5', racyWindowMs: 100, rehashEveryMs: 86_400_000, ...options },
      this.indexStore(),
    );
  }

  /** Kills the node once so many more transactions were committed; the result tells whether it has. */
  killAfter(transactions: number): () => boolean {
    const { database } = this.ports;
    let left = transactions;
    const exec = database.exec.bind(database);
    database.exec = (sql) => {
      exec(sql);
      if (sql === 'COMMIT' && --left === 0) this.node.kill();
    };
    return () => left <= 0;
  }

  versions(keepCount = 3): VersionStore {
    return new VersionStore(this.ports, { keepCount });
  }

  /** An applier of this incarnation; nothing has been recovered yet. */
  applier(options: Partial<ApplyOptions> = {}, versions = this.versions()): Applier {
    return new Applier(this.ports, this.sets, versions, {
      algorithm: 'md5',
      preserveMtime: true,
      flush: true,
      spaceReserveBytes: 0,
      ...options,
    });
  }
}

/** An entry for a content, with its real hash. */
export function entryOf(path: BytePath, content: string, mtimeMs = 1_600_000_000_000): Entry {
  const bytes = new TextEncoder().encode(content);
  return { path, size: bytes.length, mtimeMs, hash: simHashing.digest('md5', bytes) };
}

/** The bytes of a text. */
export function bytesOf(content: string): Uint8Array {
  return new TextEncoder().encode(content);
}

/** Paths as byte strings. */
export function paths(...texts: string[]): BytePath[] {
  return texts.map(fromText);
}

/** The changes of one set that a scan reports. */
export function changesOf({ changes }: ScanReport, set: string): EntryChange[] {
  const change = changes.get(set);
  if (change === undefined) return [];
  const leaves = differingLeaves(change.before, change.after);
  return leaves.flatMap((leaf) =>
    changesFromLeaves(change.before.leafEntries(leaf), change.after.leafEntries(leaf))
  );
}
