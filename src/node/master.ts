/**
 * A master: composed by hand from its parts.
 *
 * It listens, publishes what its tree holds, answers workers from memory, and never dials out.
 */
import { ClusterError } from '../base/errors.ts';
import { isoTime } from '../base/time-text.ts';
import type { Config } from '../config/config.ts';
import { BundleCache } from '../files/bundle-cache.ts';
import type { Generation } from '../files/generation.ts';
import { Publication } from '../files/publication.ts';
import { changesBetween } from '../files/table-difference.ts';
import type { Logger, PlainPorts } from '../ports.ts';
import { Announcer } from '../tasks/integrity/announcement.ts';
import { compareHandlers } from '../tasks/integrity/compare.ts';
import { transferHandlers } from '../tasks/integrity/transfer.ts';
import { LocalIntegrity } from '../tasks/local-integrity.ts';
import { type RoundOutcome, Scheduler } from '../tasks/scheduler.ts';
import { agentsStatusDocument } from './agent-documents.ts';
import {
  type ApproveDocument,
  type CheckDocument,
  type DifferenceDocument,
  type NodesDocument,
  schemaVersion,
  type StatusDocument,
} from './documents.ts';
import {
  differencesOf,
  haltDocuments,
  scanDocuments,
  setDocuments,
  taskDocuments,
} from './report.ts';
import { MasterAgents } from './master-agents.ts';
import type { Membership } from './membership.ts';
import { NativeDoor, type NativeSetting } from './native-door.ts';
import type { NodeFacts } from './node-facts.ts';
import { guardConfigOf, openStorage, type Storage } from './storage.ts';
import { WazuhDoor } from './wazuh-door.ts';
import type { WazuhSetting } from './wazuh-setting.ts';

/** Bundles kept for other workers that ask for the same contents; most do at about the same time. */
const bundlesKept = { bytesMax: 64 * 1024 * 1024, idleMs: 20_000 };

/** A first scan of a large tree on a slow disk may take this long, ms. */
const scanDeadlineMs = 6 * 60 * 60 * 1000;

/** What a master needs beyond the ports of any node. */
export interface MasterPorts extends PlainPorts {
  /** Undefined where no workers of muster's own protocol are served. */
  readonly native: NativeSetting | undefined;
  /** The log without the tag of this node: in it workers have tags of their own. */
  readonly rootLog: Logger;
  /** Of a master that also serves Wazuh workers. */
  readonly wazuh?: WazuhSetting | undefined;
}

/** The master of a cluster. */
export class MasterNode {
  readonly facts: NodeFacts;
  readonly agents: MasterAgents;
  readonly #ports: MasterPorts;
  readonly #config: Config;
  readonly #storage: Storage;
  readonly #publication: Publication;
  readonly #scheduler: Scheduler;
  readonly #native: NativeDoor | undefined;
  readonly #wazuh: WazuhDoor | undefined;
  readonly #localIntegrity: LocalIntegrity;
  readonly #bundles: BundleCache;
  #connectionsCount = 0;
  #isRunning = false;

  private constructor(ports: MasterPorts, config: Config, facts: NodeFacts, storage: Storage) {
    this.#ports = ports;
    this.#config = config;
    this.facts = facts;
    this.#storage = storage;
    this.#scheduler = new Scheduler(ports);
    const { clock, hashing } = ports;
    const { halts, losses, index, sets, tree, algorithm } = storage;
    this.#publication = new Publication(
      { clock, hashing, store: index, halts, losses },
      { sets, algorithm, guard: guardConfigOf(config) },
    );
    this.#bundles = new BundleCache(clock, bundlesKept);
    const { intervalMs } = config.localIntegrity;
    this.#localIntegrity = new LocalIntegrity(tree, this.#publication, {
      intervalMs,
      deadlineMs: scanDeadlineMs,
    });
    this.agents = new MasterAgents(
      {
        ...ports,
        sets,
        tree,
        scheduler: this.#scheduler,
        published: () => this.generation,
        scan: (signal) => this.#scan(signal),
        skewMs: (node) => this.#native?.skewMs(node) ?? 0,
      },
      { config, node: facts, algorithm },
    );
    this.#native = ports.native === undefined ? undefined : this.#makeNativeDoor(ports.native);
    this.#wazuh = ports.wazuh === undefined ? undefined : this.#makeWazuhDoor(ports.wazuh);
  }

  /** Opens the stores and takes up what was published before. */
  static async open(ports: MasterPorts, config: Config, facts: NodeFacts): Promise<MasterNode> {
    const storage = await openStorage(ports, config, config.localIntegrity);
    const node = new MasterNode(ports, config, facts, storage);
    await node.#publication.load((set) => storage.tree.scanner.manifest(set));
    return node;
  }

  /** Who belongs to the cluster. @throws ClusterError `refused` where only Wazuh workers do */
  get membership(): Membership {
    return this.#members().membership;
  }

  /** The latest generation; undefined before the first scan. */
  get generation(): Generation | undefined {
    return this.#publication.latest.value;
  }

  /** Serves until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#native?.open();
    const { tree, sets } = this.#storage;
    const watch = this.#config.localIntegrity.watch
      ? tree.watch(this.#ports.watcher, sets, () => this.#scheduler.wake('local-integrity'))
      : undefined;
    const stopTelling = this.#publication.latest.listen((generation) => {
      if (generation === undefined) return;
      this.agents.groups.wake();
      this.#wazuh?.follow(generation);
      this.#native?.published(generation);
    });
    const tasks = [this.#localIntegrity, ...this.agents.tasks(), ...this.#native?.tasks() ?? []];
    this.#isRunning = true;
    try {
      await this.#wazuh?.open(this.generation);
      await Promise.all(
        tasks.map((task) => this.#scheduler.start(this.#wazuh?.told(task) ?? task, signal)),
      );
    } finally {
      this.#isRunning = false;
      watch?.close();
      stopTelling();
      await this.#native?.close('The master stops');
      await this.#wazuh?.close('The master stops');
      await this.agents.groups.ended();
      this.#bundles.close();
    }
  }

  // --- what the control socket offers ----------------------------------------------------------

  /** Looks at the tree at once. */
  scanNow(): Promise<RoundOutcome> {
    return this.#scheduler.runNow('local-integrity');
  }

  status(): StatusDocument {
    const generation = this.generation;
    const halts = this.#storage.halts.list();
    const sets = setDocuments(
      this.#storage.sets.sets,
      (name) => generation?.manifests.get(name),
      halts,
    );
    return {
      schema_version: schemaVersion,
      node: this.facts.identity.node,
      cluster: this.facts.identity.cluster,
      role: 'master',
      version: this.facts.version,
      pid: this.facts.pid,
      started: isoTime(this.facts.startedMs),
      generation: generation?.number ?? null,
      files: sets.reduce((sum, set) => sum + set.files, 0),
      bytes: sets.reduce((sum, set) => sum + set.bytes, 0),
      sets,
      halted: haltDocuments(halts),
      agents: agentsStatusDocument(this.agents.parts.views.counts(), this.agents.groups),
      tasks: taskDocuments(this.#scheduler.states()),
      certificate_expires: this.#native?.certificateExpires() ?? null,
      longest_loop_hold_ms: this.facts.longestLoopHoldMs(),
      connections: this.#connectionsCount,
      guard_halts: this.#storage.halts.haltedCount,
      master: null,
      last_error: null,
      in_sync: null,
      drift: null,
      peers: [
        ...this.#native?.peerDocuments(generation?.number) ?? [],
        ...this.#wazuh?.peers(generation?.number) ?? [],
      ],
    };
  }

  /** Compares the bytes on disk with the published generation. Changes nothing. */
  async check(signal: AbortSignal): Promise<CheckDocument> {
    const { tree, sets, halts } = this.#storage;
    const generation = this.generation;
    if (generation === undefined) {
      throw new ClusterError('notFound', 'This master has published nothing yet', {
        remedy: 'Run "muster run" first',
      });
    }
    const report = await tree.exclusively(() => tree.scanner.verify(signal));
    const differences: DifferenceDocument[] = [];
    for (const set of sets.sets) {
      const published = generation.manifests.get(set.name)!;
      const actual = tree.scanner.manifest(set.name);
      const changes = await changesBetween(published, actual, this.#ports.clock);
      differences.push(...differencesOf(set.name, published, changes));
    }
    const scanned = scanDocuments(report.problems);
    return {
      schema_version: schemaVersion,
      node: this.facts.identity.node,
      compared_with: 'last published generation',
      generation: generation.number,
      in_sync: differences.length === 0 && scanned.problems.length === 0,
      files: report.filesCount,
      differences,
      ...scanned,
      halted: halts.list().map(({ set, reason }) => ({ set, reason })),
    };
  }

  /** Lets through what a guard has stopped. */
  approve(set: string | undefined): ApproveDocument {
    const approved = this.#storage.halts.approve(set);
    for (const halt of approved) {
      this.#ports.log.log('info', `Set "${halt.set}" was approved: ${halt.reason}.`);
    }
    this.#scheduler.wake('local-integrity');
    return { schema_version: schemaVersion, approved: haltDocuments(approved) };
  }

  /** The nodes that have joined, and those that are connected by the Wazuh protocol. */
  nodes(): NodesDocument {
    const wazuh = this.#wazuh?.nodes() ?? [];
    const joined = this.#native?.nodes() ?? [];
    return {
      schema_version: schemaVersion,
      nodes: [
        ...joined.filter(({ name }) => wazuh.every((node) => node.name !== name)),
        ...wazuh,
      ],
    };
  }

  /** Expels a node and ends its session. */
  revoke(name: string): NodesDocument {
    this.#members().revoke(name);
    return this.nodes();
  }

  // --- internals -----------------------------------------------------------------------------

  /** Looks at the tree at once, and publishes what is new; also where the daemon does not run. */
  async #scan(signal: AbortSignal): Promise<void> {
    if (!this.#isRunning) {
      const log = this.#ports.log.child(this.#localIntegrity.title);
      await this.#localIntegrity.round({ signal, log, starting: () => {} });
      return;
    }
    const outcome = await this.scanNow();
    if (outcome.kind === 'failed') throw outcome.error;
  }

  #members(): NativeDoor {
    if (this.#native !== undefined) return this.#native;
    throw new ClusterError('refused', 'This master serves Wazuh workers only: nobody joins it', {
      remedy:
        'Make a master with "muster init", with node.protocol = "native" in its configuration',
    });
  }

  #makeNativeDoor(setting: NativeSetting): NativeDoor {
    return new NativeDoor(
      {
        ...this.#ports,
        ...setting,
        agents: this.agents,
        onPeer: (node) => {
          this.#connectionsCount += 1;
          this.#wazuh?.nativeCame(node);
        },
      },
      {
        config: this.#config,
        facts: this.facts,
        algorithm: this.#storage.algorithm,
        ...this.#contents(),
      },
    );
  }

  #makeWazuhDoor(setting: WazuhSetting): WazuhDoor {
    return new WazuhDoor(
      {
        ...this.#ports,
        sets: this.#storage.sets,
        scheduler: this.#scheduler,
        agents: this.agents,
        nativePeers: () => this.#native?.peers ?? new Map(),
        endDeadNative: async (node) => await this.#native?.endDead(node),
        cycle: () => this.#localIntegrity.roundsCount,
        filesCount: () => this.#storage.tree.scanner.filesCount,
        onConnection: () => this.#connectionsCount += 1,
      },
      {
        config: this.#config,
        facts: this.facts,
        setting,
        algorithm: this.#storage.algorithm,
      },
    );
  }

  /** What workers are answered about files, and what they are told without having asked. */
  #contents() {
    const { integrity } = this.#config;
    const options = {
      algorithm: this.#storage.algorithm,
      compress: integrity.compress,
      cache: this.#bundles,
      bundleBytesMax: integrity.batchBytes,
    };
    return {
      announcer: new Announcer(this.#ports, this.#publication, options),
      contents: {
        ...compareHandlers(this.#ports, this.#publication),
        ...transferHandlers(this.#ports, this.#publication, options),
      },
    };
  }
}
