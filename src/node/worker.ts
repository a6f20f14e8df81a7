/**
 * A worker: composed by hand from its parts.
 *
 * It dials the master, keeps the session, and brings its own tree in step with the master's.
 */
import { ClusterError, describeError } from '../base/errors.ts';
import { isoTime } from '../base/time-text.ts';
import type { Config } from '../config/config.ts';
import { Applier } from '../files/apply.ts';
import { changesBetween } from '../files/table-difference.ts';
import { tablesFromStore } from '../files/stored-tables.ts';
import { VersionStore } from '../files/version-store.ts';
import type { OwnCertificate } from '../identity/issuing.ts';
import type { Ports, Stream } from '../ports.ts';
import { Dialer, type MasterLink } from '../session/dialer.ts';
import { Renewal, renewByMaster } from '../tasks/certificates.ts';
import { compareWithMaster } from '../tasks/integrity/compare.ts';
import type { RoundProgress } from '../tasks/integrity/execution.ts';
import { Integrity, publishedHandlers } from '../tasks/integrity/integrity.ts';
import type { RoundResult } from '../tasks/integrity/round-result.ts';
import { leftDifferent, reportOf } from '../tasks/integrity/round-result.ts';
import { KeepAlive, keepAliveHandlers } from '../tasks/keep-alive.ts';
import { Scheduler } from '../tasks/scheduler.ts';
import { closingLine, type Task } from '../tasks/task.ts';
import { agentsStatusDocument } from './agent-documents.ts';
import {
  type ApproveDocument,
  type CheckDocument,
  type DifferenceDocument,
  type RollbackDocument,
  schemaVersion,
  type StatusDocument,
  type SyncDocument,
} from './documents.ts';
import { Hooks } from './hooks.ts';
import type { NodeFacts } from './node-facts.ts';
import { WorkerAgents } from './worker-agents.ts';
import {
  differencesOf,
  haltDocuments,
  scanDocuments,
  setDocuments,
  syncDocument,
  taskDocuments,
} from './report.ts';
import {
  type RollbackParts,
  type RollbackRequest,
  rollbackTo,
  versionsDocument,
} from './rollback.ts';
import { guardConfigOf, openStorage, type Storage } from './storage.ts';

/** What a worker needs beyond the ports of any node. */
export interface WorkerPorts extends Ports {
  readonly own: OwnCertificate;
  /** @throws ClusterError('authentication') where the stream's other end is not our master */
  identify(stream: Stream): void;
}

/** A worker of a cluster. */
export class WorkerNode {
  readonly facts: NodeFacts;
  readonly agents: WorkerAgents;
  readonly #ports: WorkerPorts;
  readonly #config: Config;
  readonly #storage: Storage;
  readonly #scheduler: Scheduler;
  readonly #dialer: Dialer;
  readonly #integrity: Integrity;
  readonly #keepAlive: KeepAlive;
  readonly #renewal: Renewal;
  readonly #applier: Applier;
  readonly #versions: VersionStore;
  #isRunning = false;

  private constructor(ports: WorkerPorts, config: Config, facts: NodeFacts, storage: Storage) {
    this.#ports = ports;
    this.#config = config;
    this.facts = facts;
    this.#storage = storage;
    this.#scheduler = new Scheduler(ports);
    const { clock, files, database } = ports;
    this.#versions = new VersionStore(
      { files, database, clock },
      { keepCount: config.apply.keepVersions },
    );
    this.#applier = new Applier(ports, storage.sets, this.#versions, {
      algorithm: storage.algorithm,
      preserveMtime: config.apply.preserveMtime,
      flush: config.apply.flush,
      spaceReserveBytes: config.apply.spaceReserveBytes,
    });
    const session = () => this.link?.session;
    this.agents = new WorkerAgents(
      {
        ...ports,
        sets: storage.sets,
        actual: (set) => storage.tree.scanner.manifest(set),
        session,
        wake: () => this.#scheduler.wake('agent-info'),
      },
      { config, node: facts, algorithm: storage.algorithm },
    );
    this.#dialer = this.#makeDialer();
    this.#keepAlive = new KeepAlive(ports, config.keepAlive, session);
    const renew = renewByMaster(ports.own, session);
    this.#renewal = new Renewal(ports, ports.own, renew, config.certificates);
    this.#integrity = this.#makeIntegrity();
  }

  /** Opens the stores and mends what a crash may have left half done. */
  static async open(ports: WorkerPorts, config: Config, facts: NodeFacts): Promise<WorkerNode> {
    const storage = await openStorage(ports, config);
    const node = new WorkerNode(ports, config, facts, storage);
    const recovery = await node.#applier.recover();
    const { redone, madeCount, droppedCount, discardedCount } = recovery;
    if (redone.length + madeCount + droppedCount + discardedCount > 0) {
      ports.log.log(
        'info',
        `Recovered from an interruption: ${redone.length + madeCount} changes completed, ` +
          `${droppedCount} undone, ${discardedCount} staged files dropped.`,
      );
    }
    return node;
  }

  /** The link to the master; undefined while there is none. */
  get link(): MasterLink | undefined {
    return this.#dialer.link.value;
  }

  /** What the last finished round found and did. */
  get lastResult(): RoundResult | undefined {
    return this.#integrity.lastResult;
  }

  /** Works until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { watcher } = this.#ports;
    const { tree, sets } = this.#storage;
    const wake = () => this.#scheduler.wake('integrity');
    const watch = this.#config.localIntegrity.watch ? tree.watch(watcher, sets, wake) : undefined;
    const stopListening = this.#dialer.link.listen((link) => {
      if (link === undefined) return;
      wake();
      this.agents.info.askAgainSoon();
      this.#scheduler.wake('agent-info');
      this.#scheduler.wake('certificates');
    });
    this.#isRunning = true;
    try {
      await Promise.all([
        this.#dialer.run(signal),
        this.#scheduler.start(this.#integrity, signal),
        this.#scheduler.start(this.#keepAlive, signal),
        this.#scheduler.start(this.agents.info, signal),
        this.#scheduler.start(this.#renewal, signal),
      ]);
    } finally {
      this.#isRunning = false;
      watch?.close();
      stopListening();
    }
  }

  /**
   * Does work that needs the master: over the session of `run` where it runs, else over one that is
   * made for this and closed after it.
   */
  async withSession<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (this.#isRunning || this.link !== undefined) return await work();
    const { session } = await this.#dialer.connect(signal);
    try {
      return await work();
    } finally {
      session.close('finished', 'The command is done');
      this.#dialer.link.publish(undefined);
    }
  }

  /** One round at once. A session is needed: that of `run`, or one made by `connect`. */
  async sync(
    request: { readonly dryRun: boolean },
    signal: AbortSignal,
    onProgress?: (progress: RoundProgress) => void,
  ): Promise<SyncDocument> {
    const { clock } = this.#ports;
    const log = this.#ports.log.child(this.#integrity.title);
    const startedMs = clock.monotonicMs();
    const round = this.#integrity.synchronise({
      signal,
      log,
      isDryRun: request.dryRun,
      onProgress,
      onWork: () => log.log('info', 'Starting.'),
    });
    // As the scheduler does: the log tells how a round has ended, whoever wanted it.
    round.catch((error: unknown) => {
      if (!signal.aborted) log.log('error', describeError(error));
    });
    const result = await round;
    const durationMs = clock.monotonicMs() - startedMs;
    if (!request.dryRun) {
      const { level, text, facts } = closingLine(reportOf(result), durationMs);
      log.log(level, text, facts);
      await this.#exchangeAgents(signal);
      // A node that knows one-shot rounds alone has no other occasion.
      if (!this.#isRunning) await this.#renewOnce(signal);
    }
    return syncDocument(this.facts.identity.node, result, { isDryRun: request.dryRun, durationMs });
  }

  /** Brings to the master what agents have reported, and gets its assignments. */
  async #exchangeAgents(signal: AbortSignal): Promise<void> {
    const session = this.link?.session;
    if (session === undefined) return;
    if (this.#isRunning) {
      const outcome = await this.#scheduler.runNow('agent-info');
      if (outcome.kind === 'failed') throw outcome.error;
    } else {
      await this.#roundOnce(this.agents.info, signal);
    }
    await this.agents.groups.pull(session, signal);
  }

  /** Renews the certificate if it is due. The round before it is done, whatever comes of this. */
  async #renewOnce(signal: AbortSignal): Promise<void> {
    await this.#roundOnce(this.#renewal, signal).catch(() => {});
  }

  /** One round of a task that no scheduler runs, logged as one would. */
  async #roundOnce(task: Task, signal: AbortSignal): Promise<void> {
    const log = this.#ports.log.child(task.title);
    const startedMs = this.#ports.clock.monotonicMs();
    try {
      const report = await task.round({ signal, log, starting: () => {} });
      const durationMs = this.#ports.clock.monotonicMs() - startedMs;
      const { level, text, facts } = closingLine(report, durationMs);
      log.log(level, text, facts);
    } catch (error) {
      log.log('error', describeError(error));
      throw error;
    }
  }

  /** Compares the bytes on disk with the master, or with what was applied last. */
  async check(
    request: { readonly offline: boolean },
    signal: AbortSignal,
  ): Promise<CheckDocument> {
    const { tree, halts } = this.#storage;
    const report = await tree.exclusively(() => tree.scanner.verify(signal));
    const compared = request.offline
      ? await this.#compareWithApplied()
      : await this.#compareWithMaster(signal);
    const { differences, generation } = compared;
    const scanned = scanDocuments(report.problems);
    const problems = [...compared.problems, ...scanned.problems];
    return {
      schema_version: schemaVersion,
      node: this.facts.identity.node,
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

  status(): StatusDocument {
    const { scanner } = this.#storage.tree;
    const halts = this.#storage.halts.list();
    const sets = setDocuments(this.#storage.sets.sets, (name) => scanner.manifest(name), halts);
    const { identity } = this.facts;
    return {
      schema_version: schemaVersion,
      node: identity.node,
      cluster: identity.cluster,
      role: 'worker',
      version: this.facts.version,
      pid: this.facts.pid,
      started: isoTime(this.facts.startedMs),
      generation: this.#integrity.applied.generation,
      files: scanner.filesCount,
      bytes: sets.reduce((sum, set) => sum + set.bytes, 0),
      sets,
      halted: haltDocuments(halts),
      agents: agentsStatusDocument(this.agents.parts.views.counts()),
      tasks: taskDocuments(this.#scheduler.states()),
      certificate_expires: isoTime(this.#ports.own.facts().notAfterMs),
      longest_loop_hold_ms: this.facts.longestLoopHoldMs(),
      connections: this.#dialer.connectionsCount,
      guard_halts: this.#storage.halts.haltedCount,
      master: this.#masterDocument(),
      last_error: this.#dialer.lastError?.message ?? null,
      in_sync: this.lastResult?.isInSync ?? null,
      drift: this.lastResult === undefined ? null : leftDifferent(this.lastResult),
      peers: [],
    };
  }

  /** Lets through what a guard has stopped, or what was rolled back. */
  approve(set: string | undefined): ApproveDocument {
    const approved = this.#storage.halts.approve(set);
    for (const halt of approved) {
      this.#ports.log.log('info', `Set "${halt.set}" was approved: ${halt.reason}.`);
    }
    this.#scheduler.wake('integrity');
    return { schema_version: schemaVersion, approved: haltDocuments(approved) };
  }

  /** The kept versions. */
  versions(path: string | undefined) {
    return versionsDocument(this.#rollbackParts(), path);
  }

  /** Puts older versions back, and holds their sets there. */
  async rollback(request: RollbackRequest): Promise<RollbackDocument> {
    const { tree } = this.#storage;
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

  #makeDialer(): Dialer {
    const { identity, version, epoch } = this.facts;
    const { worker } = this.#config;
    return new Dialer(this.#ports, {
      self: { identity, version, epoch, algorithm: this.#storage.algorithm },
      addresses: worker.master,
      pauseMinMs: worker.reconnectMinMs,
      pauseMaxMs: worker.reconnectMaxMs,
      connectTimeoutMs: worker.connectTimeoutMs,
      identify: (stream) => this.#ports.identify(stream),
      handlers: {
        ...keepAliveHandlers,
        ...publishedHandlers(() => this.#scheduler.wake('integrity')),
        ...this.agents.groups.handlers(),
      },
    });
  }

  #makeIntegrity(): Integrity {
    const { integrity, guard } = this.#config;
    const { sets, tree, halts, losses, index, algorithm } = this.#storage;
    const { clock, compression } = this.#ports;
    const ports = {
      clock,
      compression,
      sets,
      tree,
      applier: this.#applier,
      halts,
      losses,
      index,
      hooks: this.#hooks(),
      session: () => this.link?.session,
      lastError: () => this.#dialer.lastError,
      onCompared: (generation: number, isInStep: (set: string) => boolean) =>
        this.agents.follow(generation, isInStep),
    };
    return new Integrity(ports, {
      intervalMs: integrity.intervalMs,
      deadlineMs: integrity.timeoutMs,
      algorithm,
      batchBytes: integrity.batchBytes,
      guard: guardConfigOf(this.#config),
      isMasterTrusted: guard.trustMasterApproval,
    });
  }

  #hooks(): Hooks {
    const { hooks, node, paths } = this.#config;
    const place = { node: this.facts.identity.node, root: node.root, staging: paths.staging };
    return new Hooks(this.#ports, hooks, place);
  }

  #rollbackParts(): RollbackParts {
    const { sets, tree, halts } = this.#storage;
    return {
      node: this.facts.identity.node,
      versions: this.#versions,
      applier: this.#applier,
      applied: this.#integrity.applied,
      scanner: tree.scanner,
      halts,
      sets,
    };
  }

  async #compareWithMaster(signal: AbortSignal) {
    const { tree, sets, algorithm } = this.#storage;
    const session = this.link?.session;
    if (session === undefined) {
      throw this.#dialer.lastError ??
        new ClusterError('unreachable', 'Cannot compare: no master is connected');
    }
    const comparison = await compareWithMaster(this.#ports, session, {
      generation: this.#integrity.applied.generation,
      sets,
      algorithm,
      manifest: (set) => tree.scanner.manifest(set),
    }, signal);
    return {
      generation: comparison.generation,
      differences: comparison.differences.flatMap(({ set, changes }) =>
        differencesOf(set, tree.scanner.manifest(set), changes)
      ),
      problems: comparison.excluded.map(({ set, reason }) => ({ path: `set "${set}"`, reason })),
    };
  }

  async #compareWithApplied() {
    const { tree, sets, index, algorithm } = this.#storage;
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

  #masterDocument(): StatusDocument['master'] {
    const link = this.link;
    if (link === undefined) return null;
    return {
      node: link.agreement.node,
      address: link.session.remote,
      version: link.agreement.version,
      connected_since: isoTime(link.connectedMs),
      round_trip_ms: this.#keepAlive.state.roundTripMs ?? null,
      clock_skew_ms: Math.round(link.agreement.skewMs),
    };
  }
}
