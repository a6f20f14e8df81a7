/**
 * The managed tree of a worker with all that stands on it: stores, applying, versions, halts. What
 * can be asked of it does not depend on how the worker talks to its master.
 */
import { ClusterError } from '../base/errors.ts';
import { isoTime } from '../base/time-text.ts';
import type { Config } from '../config/config.ts';
import { Applier } from '../files/apply.ts';
import { tablesFromStore } from '../files/stored-tables.ts';
import { changesBetween } from '../files/table-difference.ts';
import { VersionStore } from '../files/version-store.ts';
import type { PlainPorts } from '../ports.ts';
import { AppliedState } from '../tasks/integrity/applied-state.ts';
import {
  type ApproveDocument,
  type CheckDocument,
  type DifferenceDocument,
  type ProblemDocument,
  type RollbackDocument,
  schemaVersion,
  type StatusDocument,
} from './documents.ts';
import { Hooks } from './hooks.ts';
import type { NodeFacts } from './node-facts.ts';
import { differencesOf, haltDocuments, scanDocuments, setDocuments } from './report.ts';
import {
  type RollbackParts,
  type RollbackRequest,
  rollbackTo,
  versionsDocument,
} from './rollback.ts';
import { openStorage, type Storage, type StorageOptions } from './storage.ts';

/** What a tree was compared with, and what came of it. */
export interface Compared {
  readonly generation: number;
  readonly differences: readonly DifferenceDocument[];
  readonly problems: readonly ProblemDocument[];
}

/** How the tree of a worker is opened. */
export interface WorkerTreeOptions extends StorageOptions {
  /** Whether files get the modification time that they have on the master. */
  readonly preserveMtime: boolean;
}

/** The managed tree of a worker. */
export class WorkerTree {
  readonly storage: Storage;
  readonly applier: Applier;
  readonly applied: AppliedState;
  readonly hooks: Hooks;
  readonly #ports: PlainPorts;
  readonly #facts: NodeFacts;
  readonly #versions: VersionStore;
  readonly #root: string;

  private constructor(
    ports: PlainPorts,
    config: Config,
    facts: NodeFacts,
    storage: Storage,
    options: WorkerTreeOptions,
  ) {
    this.#ports = ports;
    this.#facts = facts;
    this.storage = storage;
    this.applied = new AppliedState(storage);
    const { apply, node, paths } = config;
    this.#root = node.root;
    this.#versions = new VersionStore(ports, { keepCount: apply.keepVersions });
    this.applier = new Applier(ports, storage.sets, this.#versions, {
      algorithm: storage.algorithm,
      preserveMtime: options.preserveMtime,
      flush: apply.flush,
      spaceReserveBytes: apply.spaceReserveBytes,
    });
    const place = { node: facts.identity.node, root: this.#root, staging: paths.staging };
    this.hooks = new Hooks(ports, config.hooks, place);
  }

  /** Opens the stores and mends what a crash may have left half done. */
  static async open(
    ports: PlainPorts,
    config: Config,
    facts: NodeFacts,
    options: WorkerTreeOptions,
  ): Promise<WorkerTree> {
    const storage = await openStorage(ports, config, options);
    const tree = new WorkerTree(ports, config, facts, storage, options);
    const { redone, madeCount, droppedCount, discardedCount } = await tree.applier.recover();
    if (redone.length + madeCount + droppedCount + discardedCount > 0) {
      ports.log.log(
        'info',
        `Recovered from an interruption: ${redone.length + madeCount} changes completed, ` +
          `${droppedCount} undone, ${discardedCount} staged files dropped.`,
      );
    }
    return tree;
  }

  /** Compares the bytes on disk with the master, or with what was applied last. */
  async check(
    request: { readonly offline: boolean },
    compareWithMaster: (signal: AbortSignal) => Promise<Compared>,
    signal: AbortSignal,
  ): Promise<CheckDocument> {
    const { tree, halts } = this.storage;
    const report = await tree.exclusively(() => tree.scanner.verify(signal));
    const compared = request.offline
      ? await this.#compareWithApplied()
      : await compareWithMaster(signal);
    const { differences, generation } = compared;
    const scanned = scanDocuments(report.problems);
    const problems = [...compared.problems, ...scanned.problems];
    return {
      schema_version: schemaVersion,
      node: this.#facts.identity.node,
      compared_with: request.offline ? 'last applied generation' : 'master',
      generation,
      in_sync: differences.length === 0 && problems.length === 0,
      files: report.filesCount,
      differences,
      problems,
      unmanaged: scanned.unmanaged,
      halted: halts.list().map(({ set, reason }) => ({ set, reason })),
    };
  }

  /** What status says of the node and its files. */
  status() {
    const { tree: { scanner }, sets: { sets }, halts } = this.storage;
    const halted = halts.list();
    const documents = setDocuments(sets, (name) => scanner.manifest(name), halted);
    const { identity, version, pid, startedMs } = this.#facts;
    return {
      schema_version: schemaVersion,
      node: identity.node,
      cluster: identity.cluster,
      role: 'worker',
      version,
      pid,
      started: isoTime(startedMs),
      generation: this.applied.generation,
      files: scanner.filesCount,
      bytes: documents.reduce((sum, set) => sum + set.bytes, 0),
      sets: documents,
      halted: haltDocuments(halted),
      longest_loop_hold_ms: this.#facts.longestLoopHoldMs(),
      guard_halts: halts.haltedCount,
      peers: [],
    } satisfies Partial<StatusDocument>;
  }

  /** Lets through what a guard has stopped, or what was rolled back. */
  approve(set: string | undefined): ApproveDocument {
    const approved = this.storage.halts.approve(set);
    for (const halt of approved) {
      this.#ports.log.log('info', `Set "${halt.set}" was approved: ${halt.reason}.`);
    }
    return { schema_version: schemaVersion, approved: haltDocuments(approved) };
  }

  /** The kept versions. */
  versions(path: string | undefined) {
    return versionsDocument(this.#rollbackParts(), path);
  }

  /** Puts older versions back, and holds their sets there. */
  async rollback(request: RollbackRequest): Promise<RollbackDocument> {
    const { tree } = this.storage;
    const done = await tree.exclusively(() => rollbackTo(this.#rollbackParts(), request));
    const what = request.generation === undefined
      ? `version ${request.version}`
      : `generation ${request.generation}`;
    this.#ports.log.log(
      'info',
      `Rolled back ${what}: ${done.restored} restored, ${done.removed} removed. ` +
        `Held until approved: ${done.held.join(', ') || 'nothing'}.`,
    );
    return done;
  }

  // --- internals -----------------------------------------------------------------------------

  #rollbackParts(): RollbackParts {
    const { sets, tree, halts } = this.storage;
    return {
      node: this.#facts.identity.node,
      versions: this.#versions,
      applier: this.applier,
      applied: this.applied,
      scanner: tree.scanner,
      halts,
      sets,
    };
  }

  async #compareWithApplied(): Promise<Compared> {
    const { tree, sets, index, algorithm } = this.storage;
    const { clock, hashing } = this.#ports;
    const applied = await index.loadPublished();
    if (applied === undefined) {
      throw new ClusterError('notFound', 'This worker has not applied any generation yet', {
        remedy: 'Run "muster sync --once" or "muster run" first',
      });
    }
    const wanted = await tablesFromStore(applied, sets, { hashing, algorithm }, clock);
    const differences: DifferenceDocument[] = [];
    for (const set of sets.sets) {
      const actual = tree.scanner.manifest(set.name);
      const changes = await changesBetween(actual, wanted.get(set.name)!, clock);
      differences.push(...differencesOf(set.name, actual, changes));
    }
    return { generation: applied.generation, differences, problems: [] };
  }
}
