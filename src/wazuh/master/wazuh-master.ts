/**
 * muster as the master of Wazuh workers: the door, and for each worker that comes in what it is
 * answered and sent.
 */
import type { AgentId } from '../../agents/agent.ts';
import type { GroupPublication } from '../../agents/group-publication.ts';
import type { Assignments } from '../../agents/store/assignments.ts';
import type { FactsStore } from '../../agents/store/facts.ts';
import { ClusterError, describeError } from '../../base/errors.ts';
import type { SetTable } from '../../files/file-set.ts';
import type { Generation } from '../../files/generation.ts';
import type { HashAlgorithm, PlainPorts, Stream } from '../../ports.ts';
import type { Scheduler } from '../../tasks/scheduler.ts';
import { callAnswer, relayAnswers } from '../calls.ts';
import type { ClusterJson } from '../cluster-json.ts';
import { type Answer, answering } from '../connection.ts';
import { fernetKeys } from '../fernet.ts';
import { IncomingStrings } from '../string-transfer.ts';
import { SyncedFiles } from '../synced-files.ts';
import { AgentsReceived } from './agents-received.ts';
import { Door, type OtherNames } from './door.ts';
import { GroupsSend } from './groups-send.ts';
import { WorkerIntegrity } from './integrity.ts';
import type { Peer } from './peer.ts';
import { PublishedFilesTable } from './published-files.ts';
import { PublishedGroups } from './published-groups.ts';
import { type ClusterView, healthAnswer, nodesAnswer } from './questions.ts';
import type { MasterTelling } from './telling.ts';

/** What a master of Wazuh workers stands on. */
export interface WazuhMasterPorts extends PlainPorts {
  readonly sets: SetTable;
  readonly scheduler: Scheduler;
  readonly facts: FactsStore;
  readonly assignments: Assignments;
  readonly groups: GroupPublication;
  /** Number of the last round of local-integrity that has ended. */
  readonly cycle: () => number;
  readonly tell: MasterTelling;
  /** The nodes of the cluster, those of other protocols too. */
  readonly view: () => Promise<ClusterView>;
  /** Agents were stored for the first time. */
  readonly onFirstContact: (ids: readonly AgentId[]) => void;
  /** A worker came in. */
  readonly onConnection: () => void;
  /** Names that are in use by another protocol. */
  readonly others: OtherNames;
}

/** Settings of it. */
export interface WazuhMasterOptions {
  /** The cluster's key, 32 characters. */
  readonly key: string;
  readonly master: string;
  readonly cluster: string;
  readonly version: string;
  readonly clusterJson: ClusterJson;
  /** The cluster's hash. */
  readonly algorithm: HashAlgorithm;
  readonly helloTimeoutMs: number;
  /** How long a worker may be without a keep-alive, ms. */
  readonly silenceMaxMs: number;
  readonly peersMax: number;
  /** Pause between two sends of groups, ms. */
  readonly groupsIntervalMs: number;
}

/** Workers of which it is remembered what groups they have. */
const confirmedMax = 10_000;

/** The master of Wazuh workers. */
export class WazuhMaster {
  readonly published: PublishedFilesTable;
  readonly #ports: WazuhMasterPorts;
  readonly #options: WazuhMasterOptions;
  readonly #door: Door;
  readonly #groups: PublishedGroups;
  /** Snapshots of groups that workers have confirmed, by name. */
  readonly #confirmed = new Map<string, number>();
  readonly #sending = new Set<Promise<void>>();
  readonly #stop = new AbortController();

  constructor(ports: WazuhMasterPorts, options: WazuhMasterOptions) {
    this.#ports = ports;
    this.#options = options;
    const { key, algorithm } = options;
    this.published = new PublishedFilesTable({
      ...ports,
      log: ports.log.child('Local integrity'),
      algorithm,
      synced: new SyncedFiles(options.clusterJson),
    });
    this.#groups = new PublishedGroups({ ...ports, publication: ports.groups });
    this.#door = new Door(ports, {
      ...options,
      keys: fernetKeys(key),
      others: ports.others,
      onPeer: (peer) => this.#serve(peer),
    });
  }

  /** Connected workers, by name. */
  get peers(): ReadonlyMap<string, Peer> {
    return this.#door.peers;
  }

  /** Takes a stream of somebody who wants in. */
  accept(stream: Stream): void {
    this.#door.accept(stream);
  }

  /** This generation was published: the table follows in the background. Never rejects. */
  async follow(generation: Generation): Promise<void> {
    await this.#following(() => this.published.follow(generation, this.#stop.signal));
  }

  /** Ends the connection of a worker, if there is one. */
  disconnect(node: string, reason: string): void {
    this.#door.disconnect(node, new ClusterError('superseded', reason));
  }

  /** Ends all, and waits until nothing goes on. */
  async close(reason: string): Promise<void> {
    const error = new ClusterError('aborted', reason);
    this.#stop.abort(error);
    await this.#door.close(error);
    await Promise.all(this.#sending);
  }

  // ---

  #serve(peer: Peer): (readonly [string, Answer])[] {
    const { random, scheduler, groups, view, tell } = this.#ports;
    const { node, connection } = peer;
    this.#ports.onConnection();
    // Whoever has the key may come under many names.
    if (this.#confirmed.size > confirmedMax) this.#confirmed.clear();
    const strings = new IncomingStrings(random);
    const groupsSend = new GroupsSend(
      {
        clock: this.#ports.clock,
        groups: this.#groups,
        latest: () => groups.latest.value,
        confirmed: this.#confirmed,
        wake: () => scheduler.wake('agent-groups-send', node),
      },
      peer,
      { intervalMs: this.#options.groupsIntervalMs },
    );
    const integrity = new WorkerIntegrity(
      {
        ...this.#ports,
        published: this.published,
        retry: () => void this.#retry(),
        onCompared: () => groupsSend.filesCame(),
      },
      peer,
    );
    const agents = new AgentsReceived(this.#ports, peer, strings);
    const sending = scheduler.startInstance(groupsSend, node, connection.signal, peer.log)
      .finally(() => this.#sending.delete(sending));
    this.#sending.add(sending);
    return [
      ...strings.answers(),
      ...integrity.answers(),
      ...agents.answers(),
      ...groupsSend.answers(),
      callAnswer((name, client) => tell.called(name, node, client)),
      ...relayAnswers(),
      answering('get_nodes', async (question) => nodesAnswer(await view(), question)),
      answering('get_health', async (question) => healthAnswer(await view(), question)),
    ];
  }

  /** Looks again at contents that could not be had. */
  async #retry(): Promise<void> {
    await this.#following(() => this.published.retry(this.#stop.signal));
  }

  async #following(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      const text = `Cannot compute the table for Wazuh workers: ${describeError(error)}`;
      this.#ports.log.child('Local integrity').log('error', text);
    }
  }
}
