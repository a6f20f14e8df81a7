/**
 * A worker: composed by hand from its parts.
 *
 * It dials the master, keeps the session, and brings its own tree in step with the master's.
 */
import { ClusterError, describeError } from '../base/errors.ts';
import { isoTime } from '../base/time-text.ts';
import type { Config } from '../config/config.ts';
import type { OwnCertificate } from '../identity/issuing.ts';
import type { Ports, Stream } from '../ports.ts';
import { Dialer, type MasterLink } from '../session/dialer.ts';
import { Renewal, renewByMaster } from '../tasks/certificates.ts';
import { compareWithMaster } from '../tasks/integrity/compare.ts';
import type { RoundProgress } from '../tasks/integrity/execution.ts';
import { Integrity, publishedHandlers } from '../tasks/integrity/integrity.ts';
import { leftDifferent, type RoundResult } from '../tasks/integrity/round-result.ts';
import { KeepAlive, keepAliveHandlers } from '../tasks/keep-alive.ts';
import { Scheduler } from '../tasks/scheduler.ts';
import { closingLine, type Task } from '../tasks/task.ts';
import { agentsStatusDocument } from './agent-documents.ts';
import { askedRound } from './asked-round.ts';
import type { ApproveDocument, CheckDocument, RollbackDocument } from './documents.ts';
import type { StatusDocument, SyncDocument } from './documents.ts';
import type { NodeFacts } from './node-facts.ts';
import { differencesOf, syncDocument, taskDocuments } from './report.ts';
import type { RollbackRequest } from './rollback.ts';
import { guardConfigOf } from './storage.ts';
import { WorkerAgents } from './worker-agents.ts';
import { type Compared, WorkerTree } from './worker-tree.ts';

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
  readonly #tree: WorkerTree;
  readonly #scheduler: Scheduler;
  readonly #dialer: Dialer;
  readonly #integrity: Integrity;
  readonly #keepAlive: KeepAlive;
  readonly #renewal: Renewal;
  #isRunning = false;

  private constructor(ports: WorkerPorts, config: Config, facts: NodeFacts, tree: WorkerTree) {
    this.#ports = ports;
    this.#config = config;
    this.facts = facts;
    this.#tree = tree;
    const { storage } = tree;
    this.#scheduler = new Scheduler(ports);
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
    const tree = await WorkerTree.open(ports, config, facts, {
      algorithm: config.localIntegrity.algorithm,
      preserveMtime: config.apply.preserveMtime,
    });
    return new WorkerNode(ports, config, facts, tree);
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
    const { tree, sets } = this.#tree.storage;
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
    return await (this.#isRunning ? work() : this.#dialer.during(signal, work));
  }

  /** One round at once. A session is needed: that of `run`, or one made by `withSession`. */
  async sync(
    request: { readonly dryRun: boolean },
    signal: AbortSignal,
    onProgress?: (progress: RoundProgress) => void,
  ): Promise<SyncDocument> {
    const integrity = this.#integrity;
    const { result, durationMs } = await askedRound(
      { clock: this.#ports.clock, log: this.#ports.log.child(integrity.title) },
      { signal, isDryRun: request.dryRun, onProgress },
      (asked) => integrity.synchronise(asked),
    );
    if (!request.dryRun) {
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
  check(request: { readonly offline: boolean }, signal: AbortSignal): Promise<CheckDocument> {
    return this.#tree.check(request, (within) => this.#compareWithMaster(within), signal);
  }

  status(): StatusDocument {
    return {
      ...this.#tree.status(),
      agents: agentsStatusDocument(this.agents.parts.views.counts(), this.agents.groups),
      tasks: taskDocuments(this.#scheduler.states()),
      certificate_expires: isoTime(this.#ports.own.facts().notAfterMs),
      connections: this.#dialer.connectionsCount,
      master: this.#masterDocument(),
      last_error: this.#dialer.lastError?.message ?? null,
      in_sync: this.lastResult?.isInSync ?? null,
      drift: this.lastResult === undefined ? null : leftDifferent(this.lastResult),
    };
  }

  /** Lets through what a guard has stopped, or what was rolled back. */
  approve(set: string | undefined): ApproveDocument {
    const document = this.#tree.approve(set);
    this.#scheduler.wake('integrity');
    return document;
  }

  /** The kept versions. */
  versions(path: string | undefined) {
    return this.#tree.versions(path);
  }

  /** Puts older versions back, and holds their sets there. */
  rollback(request: RollbackRequest): Promise<RollbackDocument> {
    return this.#tree.rollback(request);
  }

  // --- internals -----------------------------------------------------------------------------

  #makeDialer(): Dialer {
    const { identity, version, epoch } = this.facts;
    const { worker } = this.#config;
    return new Dialer(this.#ports, {
      self: { identity, version, epoch, algorithm: this.#tree.storage.algorithm },
      addresses: worker.master,
      pauseMinMs: worker.reconnectMinMs,
      pauseMaxMs: worker.reconnectMaxMs,
      connectTimeoutMs: worker.connectTimeoutMs,
      identify: (stream) => this.#ports.identify(stream),
      handlers: {
        ...keepAliveHandlers,
        ...publishedHandlers(
          () => this.#integrity.announcements,
          () => this.#scheduler.wake('integrity'),
        ),
        ...this.agents.groups.handlers(),
      },
    });
  }

  #makeIntegrity(): Integrity {
    const { integrity, guard } = this.#config;
    const { sets, tree, halts, losses, index, algorithm } = this.#tree.storage;
    const { clock, compression, files, hashing } = this.#ports;
    const ports = {
      clock,
      compression,
      files,
      hashing,
      sets,
      tree,
      applier: this.#tree.applier,
      applied: this.#tree.applied,
      halts,
      losses,
      index,
      hooks: this.#tree.hooks,
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

  async #compareWithMaster(signal: AbortSignal): Promise<Compared> {
    const { tree, sets, algorithm } = this.#tree.storage;
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
