/**
 * The door of a master for Wazuh workers: what it takes of the master, and what it gives to those who
 * ask the master about its workers.
 */
import { parseAddress } from '../base/address.ts';
import { isoTime } from '../base/time-text.ts';
import type { Config } from '../config/config.ts';
import type { SetTable } from '../files/file-set.ts';
import type { Generation } from '../files/generation.ts';
import type { HashAlgorithm, Listener, Logger, PlainPorts } from '../ports.ts';
import type { Peer } from '../session/acceptor.ts';
import type { Scheduler } from '../tasks/scheduler.ts';
import type { Task } from '../tasks/task.ts';
import { LocalSocket } from '../wazuh/local/local-socket.ts';
import { masterAnswers } from '../wazuh/local/master-answers.ts';
import { masterPhrases } from '../wazuh/log-phrases.ts';
import type { Peer as WazuhPeer, PeerHealth } from '../wazuh/master/peer.ts';
import type { ClusterView, WorkerInfo } from '../wazuh/master/questions.ts';
import { hostAndPort } from '../wazuh/master/host-text.ts';
import { nativeTelling, originalTelling } from '../wazuh/master/telling.ts';
import { WazuhMaster } from '../wazuh/master/wazuh-master.ts';
import { logPhrase } from '../wazuh/phrase-log.ts';
import type { NodesDocument, PeerDocument } from './documents.ts';
import type { MasterAgents } from './master-agents.ts';
import type { NodeFacts } from './node-facts.ts';
import { toldAsOriginal } from './original-rounds.ts';
import { clusterSection, listenLocally } from './wazuh-local.ts';
import type { WazuhSetting } from './wazuh-setting.ts';

/** Wazuh workers may be silent for so long whatever native ones may, ms: theirs is another interval. */
const silenceMsMin = 120_000;

/** What the door takes of the master. */
export interface WazuhDoorPorts extends PlainPorts {
  /** The log without the tag of this node. */
  readonly rootLog: Logger;
  readonly sets: SetTable;
  readonly scheduler: Scheduler;
  readonly agents: MasterAgents;
  /** Native workers in session, by name. */
  readonly nativePeers: () => ReadonlyMap<string, Peer>;
  /** Ends the session of a native worker that does not answer. Never rejects. */
  readonly endDeadNative: (node: string) => Promise<void>;
  /** Rounds of local-integrity that have ended. */
  readonly cycle: () => number;
  /** Files of the master's tree. */
  readonly filesCount: () => number;
  /** A worker came in. */
  readonly onConnection: () => void;
}

/** The door. */
export class WazuhDoor {
  readonly #ports: WazuhDoorPorts;
  readonly #config: Config;
  readonly #facts: NodeFacts;
  readonly #master: WazuhMaster;
  readonly #local: LocalSocket;
  readonly #listeners: Listener[] = [];
  readonly #isOriginal: boolean;

  constructor(
    ports: WazuhDoorPorts,
    options: {
      readonly config: Config;
      readonly facts: NodeFacts;
      readonly setting: WazuhSetting;
      readonly algorithm: HashAlgorithm;
    },
  ) {
    const { config, facts, setting, algorithm } = options;
    this.#ports = ports;
    this.#config = config;
    this.#facts = facts;
    const { agents, nativePeers } = ports;
    this.#isOriginal = config.log.phrases === 'wazuh';
    const tell = this.#isOriginal ? originalTelling(ports.rootLog) : nativeTelling(ports.log);
    this.#master = new WazuhMaster(
      {
        ...ports,
        facts: agents.parts.facts,
        assignments: agents.assignments,
        groups: agents.groups.publication,
        tell,
        view: () => this.#view(),
        onFirstContact: (ids) => agents.groups.changes.firstContact(ids),
        others: {
          isTaken: (node) => nativePeers().has(node),
          endDead: (node) => ports.endDeadNative(node),
        },
      },
      {
        ...setting,
        algorithm,
        master: facts.identity.node,
        cluster: config.wazuh.cluster,
        version: config.wazuh.version,
        helloTimeoutMs: config.master.handshakeTimeoutMs,
        silenceMaxMs: Math.max(config.keepAlive.silenceMaxMs, silenceMsMin),
        peersMax: config.master.sessionsMax,
        groupsIntervalMs: config.agents.groupsIntervalMs,
      },
    );
    const answerPorts = {
      tell,
      view: () => this.#view(),
      published: () => this.#master.published.latest.value,
      views: agents.parts.views,
      section: this.#section(),
    };
    const log = (this.#isOriginal ? ports.rootLog : ports.log).child('Local Server');
    this.#local = new LocalSocket(
      { ...ports, log },
      (client) => masterAnswers(answerPorts, client),
    );
  }

  /** Begins to serve. */
  async open(generation: Generation | undefined): Promise<void> {
    const { plainNetwork, log } = this.#ports;
    const { listen } = this.#config.wazuh;
    if (listen === undefined) return;
    const listener = await plainNetwork.listen(listen, (stream) => this.#master.accept(stream));
    this.#listeners.push(listener);
    if (this.#isOriginal) {
      const { host, port } = parseAddress(listener.address) ?? { host: listener.address, port: 0 };
      logPhrase(log, masterPhrases.main.serving(host, port));
    } else log.log('info', `Serving Wazuh workers on ${listener.address}.`);
    this.follow(generation);
    this.#listeners.push(...await listenLocally(this.#ports, this.#config, this.#local));
  }

  /** This generation was published. */
  follow(generation: Generation | undefined): void {
    if (generation !== undefined) void this.#master.follow(generation);
  }

  /** A native worker came in: a Wazuh worker of its name has to go, since that shows no certificate. */
  nativeCame(node: string): void {
    this.#master.disconnect(node, `A native session of ${node} took over`);
  }

  /** A task of the master, told of in the phrases that this one speaks. */
  told(task: Task): Task {
    if (!this.#isOriginal) return task;
    const { nativePeers, filesCount } = this.#ports;
    const workersCount = () => nativePeers().size + this.#master.peers.size;
    return toldAsOriginal(task, { filesCount, workersCount });
  }

  /** Ends all connections. */
  async close(reason: string): Promise<void> {
    for (const listener of this.#listeners) await listener.close();
    this.#local.close();
    await this.#master.close(reason);
  }

  // --- what is told of the workers -----------------------------------------------------------

  /** The workers, for the status of the master, which has published this generation. */
  peers(generation: number | undefined): PeerDocument[] {
    const nowMs = this.#ports.clock.monotonicMs();
    return [...this.#master.peers.values()].map((peer) =>
      peerDocument(peer, { generation, nowMs })
    );
  }

  /** The workers, for the list of nodes. */
  nodes(): NodesDocument['nodes'] {
    return [...this.#master.peers.values()].map((peer) => ({
      name: peer.node,
      role: 'worker',
      protocol: 'wazuh',
      connected: true,
      joined: isoTime(peer.connectedMs),
      certificate_expires: null,
      revoked: null,
    }));
  }

  // ---

  #section() {
    const { listen = '' } = this.#config.wazuh;
    const { node } = this.#facts.identity;
    const address = parseAddress(listen);
    return clusterSection(this.#config, {
      node_type: 'master',
      node_name: node,
      port: address?.port ?? 0,
      bind_addr: address?.host ?? '',
      nodes: [this.#ownHost()],
    });
  }

  #view(): Promise<ClusterView> {
    const { agents, nativePeers, clock } = this.#ports;
    const own: WorkerInfo[] = [...this.#master.peers.values()].map((peer) => ({
      name: peer.node,
      type: 'worker',
      version: peer.hello.version,
      ip: peer.host,
      health: peer.health,
    }));
    const native: WorkerInfo[] = [...nativePeers()].map(([name, { session, agreement }]) => ({
      name,
      type: 'worker',
      version: agreement.version,
      ip: hostAndPort(session.remote)[0],
      health: healthOf(clock.nowMs() - (clock.monotonicMs() - session.lastHeardMs)),
    }));
    const counts = agents.parts.views.counts().byNode;
    const { identity } = this.#facts;
    const { version } = this.#config.wazuh;
    return Promise.resolve({
      master: { name: identity.node, type: 'master', version, ip: this.#ownHost() },
      workers: [...own, ...native],
      activeAgents: (node) => counts.find((count) => count.node === node)?.byStatus.active ?? 0,
    });
  }

  /** Where workers reach the master, as far as its own configuration says. */
  #ownHost(): string {
    const { master, listen } = this.#config.wazuh;
    const host = parseAddress(master[0] ?? listen ?? '')?.host ?? '';
    return ['', '0.0.0.0', '::'].includes(host) ? this.#facts.identity.node : host;
  }
}

/** What there is to tell of a native worker, whose rounds are other ones. */
function healthOf(heardMs: number): PeerHealth {
  const never = { startedMs: undefined, endedMs: undefined };
  return {
    isIntegrityFree: true,
    check: never,
    sync: { ...never, counts: undefined },
    isAgentInfoFree: true,
    agentInfo: { ...never, chunksCount: 0 },
    groups: { ...never, chunksCount: 0 },
    groupsFull: { ...never, chunksCount: 0 },
    keepAliveMs: heardMs,
  };
}

function peerDocument(
  peer: WazuhPeer,
  { generation, nowMs }: { readonly generation: number | undefined; readonly nowMs: number },
): PeerDocument {
  const { traffic, lastHeardMs, remote } = peer.connection;
  return {
    node: peer.node,
    protocol: 'wazuh',
    address: remote,
    version: peer.hello.version,
    connected_since: isoTime(peer.connectedMs),
    last_heard_ms_ago: Math.round(nowMs - lastHeardMs),
    clock_skew_ms: null,
    generation: peer.inStepWith ?? null,
    // What was in step with an older generation is behind this one.
    in_sync: peer.isInStep === undefined ? null : peer.isInStep && peer.inStepWith === generation,
    halted: [],
    bytes_received: traffic.bytesRead,
    bytes_sent: traffic.bytesWritten,
  };
}
