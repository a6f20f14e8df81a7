/**
 * The checker of "no torn file": at every instant, what is visible at a managed path of a worker is
 * something that was visible at this path of the master at some time, or was put there by the
 * operator's own hand. It looks, after every event, at the paths that changed since.
 */
import type { BytePath } from '../../src/base/bytes.ts';
import type { SimDisk } from './disk.ts';
import { allBelow, walk } from './inode.ts';
import type { World } from './world.ts';

/** Watches the disks of a cluster for contents that never were on the master. */
export class TornFileChecker {
  readonly #master: ChangedPaths;
  readonly #workers: ChangedPaths[] = [];
  readonly #isManaged: (path: BytePath) => boolean;
  readonly #everOnMaster = new Map<BytePath, Set<string>>();

  constructor(
    world: World,
    master: SimDisk,
    workers: readonly SimDisk[] = [],
    isManaged: (path: BytePath) => boolean = () => true,
  ) {
    this.#master = new ChangedPaths(master);
    this.#isManaged = isManaged;
    for (const worker of workers) this.addWorker(worker);
    world.check('no torn file', () => this.check());
  }

  addWorker(disk: SimDisk): void {
    this.#workers.push(new ChangedPaths(disk));
  }

  /** Throws where a worker shows something that the master never had. */
  check(): void {
    for (const [path, hash] of this.#master.take()) {
      this.#everOnMaster.set(path, (this.#everOnMaster.get(path) ?? new Set()).add(hash));
    }
    for (const worker of this.#workers) {
      for (const [path, hash] of worker.take()) {
        if (!this.#isManaged(path) || this.#isKnown(worker.disk, path, hash)) continue;
        throw new Error(`"${path}" on ${worker.disk.name} never was on the master: ${hash}`);
      }
    }
  }

  #isKnown(worker: SimDisk, path: BytePath, hash: string): boolean {
    return this.#everOnMaster.get(path)?.has(hash) === true ||
      this.#master.disk.planted.get(path)?.has(hash) === true ||
      worker.planted.get(path)?.has(hash) === true;
  }
}

// ---

/** The regular files of a disk that changed since they were last asked for, with their hashes. */
class ChangedPaths {
  readonly disk: SimDisk;
  readonly #paths = new Set<BytePath>();
  /** Any path may have changed, as after a crash and at the beginning. */
  #isAll = true;

  constructor(disk: SimDisk) {
    this.disk = disk;
    disk.onChange((path) => {
      if (path === undefined) this.#isAll = true;
      else this.#paths.add(path);
    });
  }

  take(): [BytePath, string][] {
    if (!this.#isAll && this.#paths.size === 0) return [];
    const taken: [BytePath, string][] = [];
    if (this.#isAll) {
      for (const [path, inode] of allBelow(this.disk.root)) {
        if (inode.kind === 'file') taken.push([path, inode.body.hash()]);
      }
    } else {
      for (const path of this.#paths) {
        const found = walk(this.disk.root, path);
        if (found.kind === 'found' && found.inode.kind === 'file') {
          taken.push([path, found.inode.body.hash()]);
        }
      }
    }
    this.#isAll = false;
    this.#paths.clear();
    return taken;
  }
}
