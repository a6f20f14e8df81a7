/** The local socket of a node in a Wazuh cluster, and what the node tells there of itself. */
import { parseAddress } from '../base/address.ts';
import type { ByteString } from '../base/bytes.ts';
import { describeError } from '../base/errors.ts';
import type { Config } from '../config/config.ts';
import type { Manifest } from '../files/manifest.ts';
import type { SetTable } from '../files/file-set.ts';
import type { Clock, Listener, Logger, PlainNetwork, PlainPorts } from '../ports.ts';
import type { Answer, Connection } from '../wazuh/connection.ts';
import { LocalSocket, localSocketPath } from '../wazuh/local/local-socket.ts';
import { rulesetHashes, type SectionJson } from '../wazuh/local/own-facts.ts';
import { WorkerAnswers } from '../wazuh/local/worker-answers.ts';
import type { IncomingStrings } from '../wazuh/string-transfer.ts';
import type { SyncedFiles } from '../wazuh/synced-files.ts';

/**
 * Opens the socket; the listener, or none: without it the cluster does its work as well, and that it
 * is not there is told.
 */
export async function listenLocally(
  { plainNetwork, log }: { readonly plainNetwork: PlainNetwork; readonly log: Logger },
  { node }: Config,
  socket: LocalSocket,
): Promise<readonly Listener[]> {
  try {
    const path = `${node.root}/${localSocketPath}`;
    return [await plainNetwork.listenLocal(path, (stream) => socket.accept(stream))];
  } catch (error) {
    log.log('warning', `Programs of Wazuh cannot ask: ${describeError(error)}`);
    return [];
  }
}

/** What the configuration of an original node would say of the cluster, but for the key. */
export function clusterSection({ wazuh }: Config, of: SectionJson): SectionJson {
  return { disabled: false, name: wazuh.cluster, hidden: 'no', ...of };
}

/** What the local socket of a worker stands on. */
export interface WorkerLocalPorts extends PlainPorts {
  readonly clock: Clock;
  readonly sets: SetTable;
  readonly synced: SyncedFiles;
  readonly manifest: (set: string) => Manifest;
  /** The connection with the master, undefined while there is none. */
  readonly connection: () => Connection | undefined;
}

/** The local socket of a worker. */
export class WorkerLocal {
  readonly #ports: WorkerLocalPorts;
  readonly #config: Config;
  readonly #socket: LocalSocket;
  readonly #answers: WorkerAnswers;
  #listeners: readonly Listener[] = [];

  constructor(ports: WorkerLocalPorts, config: Config) {
    this.#ports = ports;
    this.#config = config;
    const log = ports.log.child('Local Server');
    this.#socket = new LocalSocket({ ...ports, log }, (client) => this.#answers.toProgram(client));
    this.#answers = new WorkerAnswers({
      ...ports,
      rulesetHashes: () => rulesetHashes(this.#rows()),
      section: this.#section(),
      client: (name: ByteString) => this.#socket.client(name),
    });
  }

  /** Begins to answer programs. */
  async open(): Promise<void> {
    this.#listeners = await listenLocally(this.#ports, this.#config, this.#socket);
  }

  /** Answers to the master over one connection. */
  answers(strings: IncomingStrings): readonly (readonly [string, Answer])[] {
    return this.#answers.toMaster(strings);
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    for (const listener of this.#listeners) await listener.close();
    this.#socket.close();
  }

  // ---

  #section(): SectionJson {
    const { node, wazuh } = this.#config;
    const address = parseAddress(wazuh.master[0] ?? '');
    return clusterSection(this.#config, {
      node_type: 'worker',
      node_name: node.name,
      port: address?.port ?? 0,
      bind_addr: '0.0.0.0',
      nodes: address === undefined ? [] : [address.host],
    });
  }

  *#rows() {
    const { sets, synced, manifest } = this.#ports;
    for (const { name } of sets.sets) {
      for (const { path, hash } of manifest(name).entries()) {
        const setKey = synced.keyOf(path);
        if (setKey !== undefined) yield [path, { setKey, hash }] as const;
      }
    }
  }
}
