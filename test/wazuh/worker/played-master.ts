/**
 * A worker of a Wazuh cluster on a simulated machine (the real node), and a master that a test
 * plays: it answers as real ones do, out of a tree that the test gives it.
 */
import { type BytePath, fromBytes, fromText, toBytes } from '../../../src/base/bytes.ts';
import { parseConfig } from '../../../src/config/parse.ts';
import { WazuhWorkerNode } from '../../../src/node/wazuh-worker.ts';
import type { Listener, Stream } from '../../../src/ports.ts';
import { ArchiveReader } from '../../../src/wazuh/archive-reader.ts';
import { packSmall, packTable } from '../../../src/wazuh/archive-writer.ts';
import { defaultClusterJson } from '../../../src/wazuh/cluster-json.ts';
import { type Answer, answering, Connection } from '../../../src/wazuh/connection.ts';
import { fernetKeys } from '../../../src/wazuh/fernet.ts';
import {
  compareTables,
  type FileRow,
  type FileTable,
  isSame,
  readTable,
  writeDifference,
} from '../../../src/wazuh/file-table.ts';
import { type FileSink, IncomingFiles, sendFile } from '../../../src/wazuh/file-transfer.ts';
import { replyTexts, welcomeText } from '../../../src/wazuh/replies.ts';
import { IncomingStrings } from '../../../src/wazuh/string-transfer.ts';
import { SyncedFiles } from '../../../src/wazuh/synced-files.ts';
import { orderlyLink } from '../../session/session-pair.ts';
import { simHashing } from '../../sim/hashing.ts';
import { SimNetwork } from '../../sim/network.ts';
import { SimNode } from '../../sim/node.ts';
import { World } from '../../sim/world.ts';
import { simZlib } from '../../sim/zlib.ts';
import { dumpKey } from '../dumps.ts';

const workerConfig = `
[node]
name = "worker1"
role = "worker"
protocol = "wazuh"
root = "/tree"
[wazuh]
master = ["master:1516"]
[worker]
reconnect_min = "200ms"
reconnect_max = "2s"
connect_timeout = "3s"
[local_integrity]
watch = false
interval = "1s"
[integrity]
interval = "3s"
timeout = "60s"
[keep_alive]
interval = "5s"
silence_max = "12s"
`;

/** What a master sends: as it is, or as a test wants it. */
export interface SentArchive {
  readonly members: ReadonlyMap<BytePath, Uint8Array>;
  /** The table, as JSON text. */
  readonly table: Uint8Array;
}

/** What is played otherwise than a real master would. */
export interface MasterChanges {
  /** Changes what is sent. */
  archive?: (archive: SentArchive) => SentArchive;
  /** In place of comparing what the worker has with the tree. */
  compared?: (connection: Connection, worker: FileTable) => Promise<void>;
  /** Replaces answers. */
  answers?: Iterable<readonly [string, Answer]>;
  /** Permissions, one after the other; true when they are used up. */
  permissions?: boolean[];
}

/** A worker and the master that is played for it. */
export class PlayedMaster {
  readonly world: World;
  readonly network: SimNetwork;
  readonly master: SimNode;
  readonly worker: SimNode;
  /** The master's tree. */
  readonly tree = new Map<BytePath, Uint8Array>();
  /** Commands of the worker with their payloads, in order. */
  readonly heard: { readonly command: string; readonly payload: Uint8Array }[] = [];
  /** Tables that the worker sent. */
  readonly tables: FileTable[] = [];
  readonly strings: string[] = [];
  readonly changes: MasterChanges = {};
  /** The newest last. */
  readonly connections: Connection[] = [];
  /** What they are on. */
  readonly streams: Stream[] = [];
  node: WazuhWorkerNode | undefined;
  readonly #key: string;
  readonly #config: string;
  #listener: Listener | undefined;
  #strings: IncomingStrings | undefined;

  constructor(
    options: {
      readonly seed?: number;
      readonly key?: string;
      /** Changes the worker's configuration. */
      readonly configured?: (text: string) => string;
    } = {},
  ) {
    this.world = new World({ seed: options.seed ?? 1 });
    this.network = new SimNetwork(this.world, orderlyLink);
    this.master = new SimNode(this.world, this.network, { name: 'master', role: 'master' });
    this.worker = new SimNode(this.world, this.network, { name: 'worker1' });
    this.#key = options.key ?? dumpKey;
    this.#config = (options.configured ?? String)(workerConfig);
  }

  async listen(): Promise<void> {
    const { plainNetwork } = this.master.ports();
    const listening = plainNetwork.listen('master:1516', (stream) => this.#take(stream));
    this.#listener = await this.world.settle(listening);
  }

  /** Starts the worker as a daemon. */
  startWorker(more = ''): void {
    this.worker.start(async (ports, signal) => {
      this.node = await this.open(ports, more);
      await this.node.run(signal);
    });
  }

  /** Opens the worker without running it. */
  open(ports = this.worker.ports(), more = ''): Promise<WazuhWorkerNode> {
    const { config } = parseConfig({ fileName: '/state/muster.toml', text: this.#config + more });
    const facts = {
      identity: { cluster: 'wazuh', node: 'worker1', role: 'worker' },
      version: '0.0.0-sim',
      epoch: '1',
      pid: 1,
      startedMs: 0,
      longestLoopHoldMs: () => 0,
    } as const;
    return WazuhWorkerNode.open(ports, config, facts, {
      key: this.#key,
      clusterJson: defaultClusterJson,
    });
  }

  write(path: string, content: string): void {
    this.tree.set(fromText(path), toBytes(fromText(content)));
  }

  /** What is in the worker's tree, as text. */
  workerTree(): Record<string, string> {
    const { operator } = this.worker;
    const paths = [...operator.snapshot().keys()].sort();
    return Object.fromEntries(paths.map((path) => [path, fromBytes(operator.read(path)!)]));
  }

  /** Runs until the worker's tree is the master's. */
  async converge(limitMs = 30_000): Promise<void> {
    await this.world.run({ until: () => this.isConverged(), limitMs, what: 'the trees are equal' });
  }

  isConverged(): boolean {
    const there = this.workerTree();
    return Object.keys(there).length === this.tree.size &&
      [...this.tree].every(([path, content]) => there[path] === fromBytes(content));
  }

  /** A string that the worker sent over the newest connection. */
  take(id: string): Uint8Array | undefined {
    return this.#strings?.take(id);
  }

  get connection(): Connection | undefined {
    return this.connections.at(-1);
  }

  async stop(): Promise<void> {
    await this.world.settle(this.worker.stop());
    if (this.#listener !== undefined) await this.world.settle(this.#listener.close());
    this.network.heal();
    for (const connection of this.connections) connection.close();
    await this.world.stop();
  }

  // ---

  #take(stream: Stream): void {
    this.streams.push(stream);
    const { clock, log, random } = this.master.ports();
    const archives = new Map<BytePath, Uint8Array[]>();
    const files = new IncomingFiles(simHashing, { open: (path) => sink(archives, path) });
    const strings = new IncomingStrings(random);
    this.#strings = strings;
    const answers: (readonly [string, Answer])[] = [
      answering('hello', ({ node }, connection) => {
        connection.open();
        return welcomeText(node);
      }),
      answering('echo-c', (payload) => payload),
      answering(
        'get_nodes',
        () =>
          toBytes('{"items": [{"name": "m", "type": "master", "version": "4.14.7", "ip": "x"}]}'),
      ),
      answering('syn_i_w_m_p', () => this.changes.permissions?.shift() ?? true),
      answering('syn_a_w_m_p', () => true),
      answering('syn_i_w_m', () => 'task-1'),
      answering('syn_i_w_m_r', () => replyTexts.failure),
      answering('syn_i_w_m_e', ({ path }, connection) => {
        void this.#compare(connection, archives.get(path) ?? []).catch(() => {});
        return replyTexts.archive;
      }),
      answering('dapi_res', ({ id }) => {
        this.strings.push(fromBytes(strings.take(id) ?? new Uint8Array()));
        return replyTexts.dapi_res;
      }),
      ...files.answers(),
      ...strings.answers(),
      ...this.changes.answers ?? [],
    ];
    this.connections.push(
      new Connection({
        stream,
        clock,
        log,
        random,
        primitives: this.master.ports().symmetricCrypto,
        keys: fernetKeys(dumpKey),
        peerRole: 'worker',
        answers: new Map(
          answers.map(([command, answer]) => [command, this.#noting(command, answer)]),
        ),
      }),
    );
  }

  #noting(command: string, answer: Answer): Answer {
    return (payload, connection) => {
      this.heard.push({ command, payload: payload.slice() });
      return answer(payload, connection);
    };
  }

  async #compare(connection: Connection, pieces: readonly Uint8Array[]): Promise<void> {
    const worker = readTable(await tableOf(pieces));
    this.tables.push(worker);
    if (this.changes.compared !== undefined) {
      await this.changes.compared(connection, worker);
      return;
    }
    const difference = compareTables(this.#table(), worker);
    if (isSame(difference)) {
      await connection.request('syn_m_c_ok', undefined);
      return;
    }
    const members = new Map(
      [...difference.missing.keys(), ...difference.shared.keys()].map((path) =>
        [path, this.tree.get(path)!] as const
      ),
    );
    const meant = { members, table: writeDifference(difference) };
    await this.push(connection, this.changes.archive?.(meant) ?? meant);
  }

  /** Sends an archive. */
  async push(connection: Connection, archive: SentArchive): Promise<void> {
    const task = await connection.request('syn_m_c', undefined);
    const path = 'queue/cluster/worker1/worker1-1.zip';
    const { signal } = connection;
    await sendFile(connection, `/${path}`, packed(archive), { hashing: simHashing, signal });
    await connection.request('syn_m_c_e', { task, path });
  }

  #table(): FileTable {
    const synced = new SyncedFiles(defaultClusterJson);
    return new Map([...this.tree].map(([path, content]): [BytePath, FileRow] => [path, {
      setKey: synced.keyOf(path) ?? 'etc/',
      mtimeS: 1_700_000_000.25,
      hash: simHashing.digest('blake2b', content),
      isMerged: false,
    }]));
  }
}

// ---

function sink(archives: Map<BytePath, Uint8Array[]>, path: BytePath): FileSink {
  const pieces: Uint8Array[] = [];
  return {
    write: (bytes) => {
      pieces.push(bytes.slice());
      return Promise.resolve();
    },
    finish: () => {
      archives.set(path, pieces);
      return Promise.resolve();
    },
    discard: () => {},
  };
}

/** The table in an archive that holds nothing else. */
export async function tableOf(pieces: readonly Uint8Array[]): Promise<Uint8Array> {
  const reader = new ArchiveReader(simZlib);
  const contents: Uint8Array[] = [];
  const take = async (events: AsyncIterable<{ readonly kind: string }>): Promise<void> => {
    for await (const event of events) {
      if ('content' in event && event.content instanceof Uint8Array) contents.push(event.content);
    }
  };
  for (const piece of pieces) await take(reader.push(piece));
  await take(reader.finish());
  return contents[0]!;
}

async function* packed({ members, table }: SentArchive): AsyncGenerator<Uint8Array> {
  for (const [path, content] of members) {
    const member = packSmall(simZlib, path, content);
    if (member === undefined) throw new Error('A test sends no separators');
    yield member;
  }
  yield* packTable(simZlib, table);
}
