/**
 * A worker of a Wazuh cluster: the tree of any worker, kept in step over the protocol of Wazuh.
 */
import { describeError } from '../base/errors.ts';
import type { Config } from '../config/config.ts';
import type { PlainPorts } from '../ports.ts';
import type { RoundProgress } from '../tasks/integrity/execution.ts';
import { leftDifferent } from '../tasks/integrity/round-result.ts';
import { Scheduler } from '../tasks/scheduler.ts';
import { callAnswer } from '../wazuh/calls.ts';
import { answering, type Connection } from '../wazuh/connection.ts';
import { type FernetKeys, fernetKeys } from '../wazuh/fernet.ts';
import { IncomingFiles } from '../wazuh/file-transfer.ts';
import { IncomingStrings } from '../wazuh/string-transfer.ts';
import { SyncedFiles } from '../wazuh/synced-files.ts';
import { type GroupsStore, IncomingGroups } from '../wazuh/worker/agent-groups.ts';
import { type AgentNewsSource, WazuhAgentInfo } from '../wazuh/worker/agent-info.ts';
import { type MasterAnswers, WazuhDialer } from '../wazuh/worker/dialer.ts';
import { WazuhIntegrity } from '../wazuh/worker/integrity.ts';
import { nativeTelling, originalTelling, type WorkerTelling } from '../wazuh/worker/telling.ts';
import { type AskForNews, WdbAgents } from '../wazuh/worker/wdb-agents.ts';
import { agentsStatusDocument } from './agent-documents.ts';
import { askedRound } from './asked-round.ts';
import type { CheckDocument, StatusDocument, SyncDocument } from './documents.ts';
import { KnownMaster } from './known-master.ts';
import type { NodeFacts } from './node-facts.ts';
import { differencesOf, failureDocument, syncDocument, taskDocuments } from './report.ts';
import { guardConfigOf } from './storage.ts';
import { WazuhAgents } from './wazuh-agents.ts';
import { WorkerLocal } from './wazuh-local.ts';
import type { WazuhSetting } from './wazuh-setting.ts';
import { type Compared, WorkerTree } from './worker-tree.ts';

/** Name of the value that holds what the database told and the master has not taken. */
const keptNewsName = 'wazuh.untold';

/** The database of a Wazuh installation: in place of muster's own store for agents and groups. */
export interface WazuhDatabase {
  readonly askForNews: AskForNews;
  readonly groups: GroupsStore;
  close(): void;
}

/** A worker of a Wazuh cluster. */
export class WazuhWorkerNode {
  readonly facts: NodeFacts;
  readonly agents: WazuhAgents;
  readonly tree: WorkerTree;
  readonly #ports: PlainPorts;
  readonly #config: Config;
  readonly #keys: FernetKeys;
  readonly #scheduler: Scheduler;
  readonly #dialer: WazuhDialer;
  readonly #integrity: WazuhIntegrity;
  readonly #info: WazuhAgentInfo;
  readonly #tell: WorkerTelling;
  readonly #groupsStore: GroupsStore;
  readonly #local: WorkerLocal;
  readonly #master: KnownMaster;
  #isRunning = false;

  private constructor(
    ports: PlainPorts,
    config: Config,
    facts: NodeFacts,
    tree: WorkerTree,
    { key, clusterJson }: WazuhSetting,
    database: WazuhDatabase | undefined,
  ) {
    this.#ports = ports;
    this.#config = config;
    this.#keys = fernetKeys(key);
    this.#master = new KnownMaster(ports.log);
    this.facts = facts;
    this.tree = tree;
    const { storage } = tree;
    this.#scheduler = new Scheduler(ports);
    this.agents = new WazuhAgents(
      { ...ports, sets: storage.sets, actual: (set) => storage.tree.scanner.manifest(set) },
      { config, node: facts, algorithm: storage.algorithm },
    );
    const telling = config.log.phrases === 'wazuh' ? originalTelling : nativeTelling;
    const tell = telling(ports.log);
    this.#tell = tell;
    this.#dialer = this.#makeDialer();
    const connection = () => this.#connection;
    const { integrity } = config;
    const source = this.#newsOf(database);
    const synced = new SyncedFiles(clusterJson);
    const { sets, tree: { scanner } } = storage;
    const manifest = (set: string) => scanner.manifest(set);
    this.#local = new WorkerLocal({ ...ports, sets, synced, manifest, connection }, config);
    this.#groupsStore = database?.groups ?? this.agents.groups;
    this.#info = new WazuhAgentInfo({ ...ports, source, connection, tell }, {
      intervalMs: config.agents.infoIntervalMs,
    });
    this.#integrity = new WazuhIntegrity(
      {
        ...ports,
        ...storage,
        synced,
        applier: tree.applier,
        applied: tree.applied,
        hooks: tree.hooks,
        connection,
        lastError: () => this.#dialer.lastError,
        onCompared: (_, isInStep) => this.agents.follow(isInStep),
        tell,
      },
      {
        node: facts.identity.node,
        intervalMs: integrity.intervalMs,
        deadlineMs: integrity.timeoutMs,
        guard: guardConfigOf(config),
      },
    );
  }

  /**
   * Opens the stores and mends what a crash may have left half done.
   * @param database that of the installation that this node stands beside, if there is one
   */
  static async open(
    ports: PlainPorts,
    config: Config,
    facts: NodeFacts,
    setting: WazuhSetting,
    database?: WazuhDatabase,
  ): Promise<WazuhWorkerNode> {
    // Masters tell hashes of this kind, and no modification times.
    const options = { algorithm: 'blake2b', preserveMtime: false } as const;
    const tree = await WorkerTree.open(ports, config, facts, options);
    return new WazuhWorkerNode(ports, config, facts, tree, setting, database);
  }

  /** Works until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { tree, sets } = this.tree.storage;
    const wake = () => this.#scheduler.wake('integrity');
    const { watch: isWatching } = this.#config.localIntegrity;
    const watch = isWatching ? tree.watch(this.#ports.watcher, sets, wake) : undefined;
    const stopListening = this.#dialer.link.listen((link) => {
      if (link === undefined) return;
      wake();
      this.#scheduler.wake('agent-info');
      void this.#master.meet(link.connection);
    });
    this.#isRunning = true;
    try {
      await this.#local.open();
      await Promise.all([
        this.#dialer.run(signal),
        this.#scheduler.start(this.#integrity, signal),
        this.#scheduler.start(this.#info, signal),
      ]);
    } finally {
      this.#isRunning = false;
      watch?.close();
      stopListening();
      await this.#local.close();
    }
  }

  /**
   * Does work that needs the master: over the connection of `run` where it runs, else over one that
   * is made for this and closed after it.
   */
  async withSession<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    return await (this.#isRunning ? work() : this.#dialer.during(signal, work));
  }

  /** One round at once. A connection is needed: that of `run`, or one made by `withSession`. */
  async sync(
    request: { readonly dryRun: boolean },
    signal: AbortSignal,
    onProgress?: (progress: RoundProgress) => void,
  ): Promise<SyncDocument> {
    const integrity = this.#integrity;
    const { result, durationMs } = await askedRound(
      { clock: this.#ports.clock, log: this.#ports.log.child(integrity.title) },
      { signal, isDryRun: request.dryRun, onProgress, isToldElsewhere: this.#tell.tellsRounds },
      async (asked) => {
        const granted = await integrity.synchronise({ ...asked, isPatient: true });
        if (granted === undefined) throw new Error('Invariant broken: a patient round is granted');
        return granted;
      },
    );
    if (!request.dryRun) await this.#tellAgents(signal);
    return syncDocument(this.facts.identity.node, result, { isDryRun: request.dryRun, durationMs });
  }

  /** Tells the master of agents. The files are in step, whatever comes of this. */
  async #tellAgents(signal: AbortSignal): Promise<void> {
    if (this.#isRunning) {
      this.#scheduler.wake('agent-info');
      return;
    }
    const log = this.#ports.log.child(this.#info.title);
    try {
      await this.#info.round({ signal, log, starting: () => log.log('info', 'Starting.') });
    } catch (error) {
      if (!signal.aborted) log.log('error', describeError(error));
    }
  }

  /** Compares the bytes on disk with the master, or with what was applied last. */
  check(request: { readonly offline: boolean }, signal: AbortSignal): Promise<CheckDocument> {
    return this.tree.check(request, (within) => this.#compareWithMaster(within), signal);
  }

  status(): StatusDocument {
    const { lastResult } = this.#integrity;
    return {
      ...this.tree.status(),
      agents: agentsStatusDocument(this.agents.parts.views.counts(), this.agents.groups),
      tasks: taskDocuments(this.#scheduler.states()),
      certificate_expires: null,
      connections: this.#dialer.connectionsCount,
      master: this.#master.document(this.#dialer.link.value, this.#config.wazuh.version),
      last_error: this.#dialer.lastError?.message ?? null,
      in_sync: lastResult?.isInSync ?? null,
      drift: lastResult === undefined ? null : leftDifferent(lastResult),
    };
  }

  /** Lets through what a guard has stopped, or what was rolled back. */
  approve(set: string | undefined) {
    const document = this.tree.approve(set);
    this.#scheduler.wake('integrity');
    return document;
  }

  versions(path: string | undefined) {
    return this.tree.versions(path);
  }

  rollback(request: Parameters<WorkerTree['rollback']>[0]) {
    return this.tree.rollback(request);
  }

  // --- internals -----------------------------------------------------------------------------

  get #connection(): Connection | undefined {
    return this.#dialer.link.value?.connection;
  }

  #newsOf(database: WazuhDatabase | undefined): AgentNewsSource {
    if (database === undefined) return this.agents.news;
    const { values } = this.agents.parts;
    return new WdbAgents(this.#ports.clock, database.askForNews, {
      get: () => values.get(keptNewsName),
      set: (text) => values.set(keptNewsName, text),
    });
  }

  #makeDialer(): WazuhDialer {
    const { worker, wazuh, keepAlive } = this.#config;
    return new WazuhDialer(this.#ports, {
      node: this.facts.identity.node,
      cluster: wazuh.cluster,
      version: wazuh.version,
      keys: this.#keys,
      addresses: wazuh.master,
      pauseMinMs: worker.reconnectMinMs,
      pauseMaxMs: worker.reconnectMaxMs,
      connectTimeoutMs: worker.connectTimeoutMs,
      keepAlive,
      answers: () => this.#answers(),
      tell: this.#tell,
    });
  }

  /** Answers to the master over one connection. */
  #answers(): MasterAnswers {
    const { hashing, random } = this.#ports;
    const { inbox } = this.#integrity;
    const strings = new IncomingStrings(random);
    const files = new IncomingFiles(hashing, inbox.receiver);
    const store = this.#groupsStore;
    const groups = new IncomingGroups({ ...this.#ports, store, tell: this.#tell }, strings);
    return {
      entries: [
        answering('echo', (payload) => payload),
        answering('echo-m', (payload) => payload),
        callAnswer((name, client) => this.#tell.called(name, this.#master.name, client)),
        ...this.#local.answers(strings),
        ...files.answers(),
        ...strings.answers(),
        ...inbox.answers(),
        ...this.#info.answers(),
        ...groups.answers(),
      ],
      close: () => files.close(),
    };
  }

  async #compareWithMaster(signal: AbortSignal): Promise<Compared> {
    const log = this.#ports.log.child(this.#integrity.title);
    const { generation, differences, failures } = await this.#integrity.compare({ signal, log });
    const { scanner } = this.tree.storage.tree;
    return {
      generation,
      differences: differences.flatMap(({ set, changes }) =>
        differencesOf(set, scanner.manifest(set), changes)
      ),
      problems: failures.map(failureDocument),
    };
  }
}
