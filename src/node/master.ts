/**
 * A master: composed by hand from its parts.
 *
 * It listens, publishes what its tree holds, answers workers from memory, and never dials out.
 */
import { ClusterError, describeError } from '../base/errors.ts';
import { isoTime } from '../base/time-text.ts';
import type { Config } from '../config/config.ts';
import type { Generation } from '../files/generation.ts';
import { Publication } from '../files/publication.ts';
import { changesBetween } from '../files/table-difference.ts';
import type { OwnCertificate } from '../identity/issuing.ts';
import type { NodeRegistry } from '../identity/node-registry.ts';
import type { Logger, NodeIdentity, Ports, Stream } from '../ports.ts';
import { Acceptor, type Peer } from '../session/acceptor.ts';
import type { HandlersFor } from '../session/handlers.ts';
import { Renewal, renewByAuthority } from '../tasks/certificates.ts';
import { compareHandlers } from '../tasks/integrity/compare.ts';
import { transferHandlers } from '../tasks/integrity/transfer.ts';
import { keepAliveHandlers, SilenceSweep } from '../tasks/keep-alive.ts';
import { LocalIntegrity } from '../tasks/local-integrity.ts';
import { type RoundOutcome, Scheduler } from '../tasks/scheduler.ts';
import type { PayloadOf } from '../wire/messages.ts';
import { agentsStatusDocument } from './agent-documents.ts';
import {
  type ApproveDocument,
  type CheckDocument,
  type DifferenceDocument,
  type NodesDocument,
  type PeerDocument,
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
import { Membership, type MembershipSetting } from './membership.ts';
import type { NodeFacts } from './node-facts.ts';
import { guardConfigOf, openStorage, type Storage } from './storage.ts';
import { WazuhDoor } from './wazuh-door.ts';
import type { WazuhSetting } from './wazuh-setting.ts';

/** Bundles kept for other workers that ask for the same contents; most do at about the same time. */
const bundleCache = { bytesMax: 64 * 1024 * 1024, idleMs: 20_000 };

/** A first scan of a large tree on a slow disk may take this long, ms. */
const scanDeadlineMs = 6 * 60 * 60 * 1000;

/** What a master needs beyond the ports of any node. */
export interface MasterPorts extends Ports, MembershipSetting {
  readonly own: OwnCertificate;
  /** @throws ClusterError('authentication') where the stream's other end may not come in */
  identify(stream: Stream, registry: NodeRegistry): NodeIdentity;
  /** The log without the tag of this node: in it workers have tags of their own. */
  readonly rootLog: Logger;
  /** Of a master that also serves Wazuh workers. */
  readonly wazuh?: WazuhSetting | undefined;
}

/** The master of a cluster. */
export class MasterNode {
  readonly facts: NodeFacts;
  readonly agents: MasterAgents;
  readonly membership: Membership;
  readonly #ports: MasterPorts;
  readonly #config: Config;
  readonly #storage: Storage;
  readonly #publication: Publication;
  readonly #scheduler: Scheduler;
  readonly #acceptor: Acceptor;
  readonly #wazuh: WazuhDoor | undefined;
  readonly #localIntegrity: LocalIntegrity;
  readonly #reports = new Map<string, PayloadOf<'node.report'>>();
  #connectionsCount = 0;
  #address = '';
  #isRunning = false;

  private constructor(ports: MasterPorts, config: Config, facts: NodeFacts, storage: Storage) {
    this.#ports = ports;
    this.#config = config;
    this.facts = facts;
    this.#storage = storage;
    this.#scheduler = new Scheduler(ports);
    this.membership = new Membership(ports, ports, facts.identity);
    const { clock, hashing } = ports;
    const { halts, losses, index, sets, tree, algorithm } = storage;
    this.#publication = new Publication(
      { clock, hashing, store: index, halts, losses },
      { sets, algorithm, guard: guardConfigOf(config) },
    );
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
        skewMs: (node) => this.#acceptor.peers.get(node)?.agreement.skewMs ?? 0,
      },
      { config, node: facts, algorithm },
    );
    this.#acceptor = this.#makeAcceptor();
    this.#wazuh = ports.wazuh === undefined ? undefined : this.#makeWazuhDoor(ports.wazuh);
  }

  /** Opens the stores and takes up what was published before. */
  static async open(ports: MasterPorts, config: Config, facts: NodeFacts): Promise<MasterNode> {
    const storage = await openStorage(ports, config, config.localIntegrity);
    const node = new MasterNode(ports, config, facts, storage);
    await node.#publication.load();
    return node;
  }

  /** The address that workers can reach; empty until it listens. */
  get address(): string {
    return this.#address;
  }

  /** The latest generation; undefined before the first scan. */
  get generation(): Generation | undefined {
    return this.#publication.latest.value;
  }

  /** Serves until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { network, watcher, log } = this.#ports;
    const { master, localIntegrity, keepAlive, certificates } = this.#config;
    const listener = await network.listen(
      master.listen,
      (stream) => this.#acceptor.accept(stream),
    );
    this.#address = listener.address;
    log.log('info', `Serving on ${listener.address}.`);
    const { tree, sets } = this.#storage;
    const watch = localIntegrity.watch
      ? tree.watch(watcher, sets, () => this.#scheduler.wake('local-integrity'))
      : undefined;
    const stopTelling = this.#publication.latest.listen((generation) => {
      if (generation === undefined) return;
      this.agents.groups.wake();
      this.#wazuh?.follow(generation);
      for (const { session } of this.#acceptor.peers.values()) {
        session.event('integrity.published', { generation: generation.number });
      }
    });
    const sessions = () => [...this.#acceptor.peers.values()].map((peer) => peer.session);
    const { own, issuer } = this.#ports;
    const renew = renewByAuthority(this.#ports, own, issuer, this.facts.identity);
    this.#isRunning = true;
    try {
      await this.#wazuh?.open(this.generation);
      await Promise.all([
        ...[this.#localIntegrity, ...this.agents.tasks()].map((task) =>
          this.#scheduler.start(this.#wazuh?.told(task) ?? task, signal)
        ),
        this.#scheduler.start(new SilenceSweep(this.#ports, keepAlive, sessions), signal),
        this.#scheduler.start(new Renewal(this.#ports, own, renew, certificates), signal),
      ]);
    } finally {
      this.#isRunning = false;
      watch?.close();
      stopTelling();
      this.#acceptor.close('The master stops');
      await this.#wazuh?.close('The master stops');
      await this.agents.groups.ended();
      await listener.close();
    }
  }

  // --- what the control socket offers ----------------------------------------------------------

  /** Looks at the tree at once. */
  scanNow(): Promise<RoundOutcome> {
    return this.#scheduler.runNow('local-integrity');
  }

  status(): StatusDocument {
    const { clock, own } = this.#ports;
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
      certificate_expires: isoTime(own.facts().notAfterMs),
      longest_loop_hold_ms: this.facts.longestLoopHoldMs(),
      connections: this.#connectionsCount,
      guard_halts: this.#storage.halts.haltedCount,
      master: null,
      last_error: null,
      in_sync: null,
      drift: null,
      peers: [
        ...[...this.#acceptor.peers.values()].map((peer) =>
          peerDocument(peer, this.#reports.get(peer.identity.node), {
            generation: generation?.number,
            nowMs: clock.monotonicMs(),
          })
        ),
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
    const joined = this.membership.list((name) => this.#acceptor.peers.has(name));
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
    this.membership.revoke(name);
    this.#acceptor.disconnect(name, 'authentication', `The certificate of ${name} was revoked`);
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

  #makeAcceptor(): Acceptor {
    const { clock, log } = this.#ports;
    const { identity, version, epoch } = this.facts;
    const { algorithm } = this.#storage;
    return new Acceptor({ clock, log }, {
      self: { identity, version, epoch, algorithm },
      identify: (stream) => this.#ports.identify(stream, this.membership.registry),
      handlers: this.#handlers(),
      joinHandlers: this.membership.joinHandlers({
        cluster: identity.cluster,
        master: identity.node,
        algorithm,
        sets: this.#config.sets,
      }),
      sessionsMax: this.#config.master.sessionsMax,
      helloTimeoutMs: this.#config.master.handshakeTimeoutMs,
      onPeer: (peer) => this.#greet(peer),
    });
  }

  #makeWazuhDoor(setting: WazuhSetting): WazuhDoor {
    return new WazuhDoor(
      {
        ...this.#ports,
        sets: this.#storage.sets,
        scheduler: this.#scheduler,
        agents: this.agents,
        nativePeers: () => this.#acceptor.peers,
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

  #handlers(): Omit<HandlersFor<'worker'>, 'session.hello'> {
    const { integrity } = this.#config;
    return {
      ...keepAliveHandlers,
      ...this.membership.handlers(),
      ...this.agents.handlers(),
      ...compareHandlers(this.#ports, this.#publication),
      ...transferHandlers(this.#ports, this.#publication, {
        algorithm: this.#storage.algorithm,
        compress: integrity.compress,
        cache: bundleCache,
        bundleBytesMax: integrity.batchBytes,
      }),
      'node.report': (report, context) => {
        this.#reports.set(context.peer, report);
        this.agents.groups.reported(context.peer);
        return {};
      },
    };
  }

  #greet(peer: Peer): void {
    const { node } = peer.identity;
    this.#connectionsCount += 1;
    this.#reports.delete(node);
    this.#wazuh?.nativeCame(node);
    this.agents.groups.serve(node, peer.session);
    const log = this.#ports.log.child(`Worker ${node}`);
    log.log('info', `Connected from ${peer.session.remote}, muster ${peer.agreement.version}.`);
    peer.session.closed.catch((error: unknown) => log.log('error', describeError(error)));
  }
}

function peerDocument(
  peer: Peer,
  report: PayloadOf<'node.report'> | undefined,
  now: { readonly generation: number | undefined; readonly nowMs: number },
): PeerDocument {
  const { bytesRead, bytesWritten } = peer.session.traffic;
  return {
    node: peer.identity.node,
    protocol: 'native',
    address: peer.session.remote,
    version: peer.agreement.version,
    connected_since: isoTime(peer.connectedMs),
    last_heard_ms_ago: Math.round(now.nowMs - peer.session.lastHeardMs),
    clock_skew_ms: Math.round(peer.agreement.skewMs),
    generation: report?.generation ?? null,
    // What was in step with an older generation is behind this one.
    in_sync: report === undefined ? null : report.isInSync && report.generation === now.generation,
    halted: report?.halted ?? [],
    bytes_received: bytesRead,
    bytes_sent: bytesWritten,
  };
}
