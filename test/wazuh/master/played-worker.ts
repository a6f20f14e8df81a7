/** A worker that a test plays: sends tables, takes archives and strings, and keeps what came. */
import { concatBytes, fromBytes } from '../../../src/base/bytes.ts';
import type { Zlib } from '../../../src/ports.ts';
import { ArchiveReader } from '../../../src/wazuh/archive-reader.ts';
import { packTable } from '../../../src/wazuh/archive-writer.ts';
import { type Answer, answering, type Connection } from '../../../src/wazuh/connection.ts';
import {
  type FileOrders,
  type FileTable,
  readOrders,
  writeTable,
} from '../../../src/wazuh/file-table.ts';
import { IncomingFiles, sendFile } from '../../../src/wazuh/file-transfer.ts';
import { IncomingStrings, sendString } from '../../../src/wazuh/string-transfer.ts';
import { never } from '../../files/tree-world.ts';
import { simHashing } from '../../sim/hashing.ts';
import { simZlib } from '../../sim/zlib.ts';
import { SeededRandom } from '../../sim/random.ts';

/** The members of an archive, by path. */
export async function membersOf(
  archive: Uint8Array,
  zlib: Zlib = simZlib,
): Promise<Map<string, Uint8Array>> {
  const reader = new ArchiveReader(zlib);
  const members = new Map<string, Uint8Array>();
  let path = '';
  let pieces: Uint8Array[] = [];
  const take = async (events: ReturnType<ArchiveReader['push']>) => {
    for await (const event of events) {
      if (event.kind === 'whole') members.set(event.path, event.content);
      else if (event.kind === 'begin') [path, pieces] = [event.path, []];
      else if (event.kind === 'bytes') pieces.push(event.bytes);
      else members.set(path, concatBytes(pieces));
    }
  };
  await take(reader.push(archive));
  await take(reader.finish());
  return members;
}

/** Where a worker is played: in a simulated world or on a real machine. */
export interface Stage {
  /** A worker that was let in. */
  join(name: string, answers: Iterable<readonly [string, Answer]>): Promise<Connection>;
  settle<T>(promise: Promise<T>): Promise<T>;
  until(condition: () => boolean, limitMs: number): Promise<void>;
  readonly zlib: Zlib;
}

/** A worker in session. */
export class PlayedWorker {
  readonly #stage: Stage;
  readonly #name: string;
  /** What the master told of integrity: `ok`, `begin`, `done`, or the code of a failure. */
  readonly integrity: string[] = [];
  readonly archives: Uint8Array[] = [];
  /** Paths that archives were sent to, and those that were named at their ends. */
  readonly paths: string[] = [];
  /** Strings that came, after the command that they were for. */
  readonly strings: [command: string, text: string][] = [];
  /** What was said of agents. */
  readonly results: string[] = [];
  connection!: Connection;
  /** Called for each string of groups; gives what the worker answers. */
  onGroups: (text: string) => readonly string[] = () => [];
  /** Called for each piece of an archive, before it is taken. */
  onPiece: () => Promise<void> = () => Promise.resolve();
  /** In place of what became of groups, told once for each string. */
  groupsError: string | undefined;
  #paths = 0;

  private constructor(stage: Stage, name: string) {
    this.#stage = stage;
    this.#name = name;
  }

  static async join(stage: Stage, name = 'w1'): Promise<PlayedWorker> {
    const worker = new PlayedWorker(stage, name);
    worker.connection = await stage.join(name, worker.#answers());
    return worker;
  }

  settle<T>(promise: Promise<T>): Promise<T> {
    return this.#stage.settle(promise);
  }

  permission(): Promise<boolean> {
    return this.settle(this.connection.request('syn_i_w_m_p', undefined));
  }

  /** Sends a table, and waits for what the master says. */
  async check(
    table: FileTable,
  ): Promise<{ orders: FileOrders; members: Map<string, Uint8Array> } | undefined> {
    const before = this.integrity.length;
    const task = await this.begin();
    await this.upload(task, table);
    const isOver = () => this.integrity.length > before && this.integrity.at(-1) !== 'begin';
    await this.#stage.until(isOver, 300_000);
    if (this.integrity.at(-1) !== 'done') return undefined;
    const members = await membersOf(this.archives.at(-1)!, this.#stage.zlib);
    const orders = await readOrders(members.get('files_metadata.json')!, {
      breathe: () => Promise.resolve(),
    });
    members.delete('files_metadata.json');
    return { orders, members };
  }

  begin(): Promise<string> {
    return this.settle(this.connection.request('syn_i_w_m', undefined));
  }

  async upload(task: string, table: FileTable | Uint8Array): Promise<void> {
    const path = `queue/cluster/${this.#name}/${++this.#paths}.zip`;
    const content = table instanceof Uint8Array
      ? (async function* () {
        yield await Promise.resolve(table);
      })()
      : packTable(this.#stage.zlib, writeTable(table));
    const options = { hashing: simHashing, signal: never };
    await this.settle(sendFile(this.connection, `/${path}`, content, options));
    await this.settle(this.connection.request('syn_i_w_m_e', { task, path }));
  }

  /** Sends what agents reported, and waits for what the master says. */
  async tell(text: string): Promise<string> {
    const before = this.results.length;
    const bytes = new TextEncoder().encode(text);
    const id = await this.settle(sendString(this.connection, bytes, never));
    await this.settle(this.connection.request('syn_a_w_m', id));
    await this.#stage.until(() => this.results.length > before, 60_000);
    return this.results.at(-1)!;
  }

  #answers(): (readonly [string, Answer])[] {
    const strings = new IncomingStrings(new SeededRandom('worker'));
    const take = (command: 'syn_g_m_w' | 'syn_g_m_w_c') =>
      answering(command, (id) => {
        const text = new TextDecoder().decode(strings.take(id));
        this.strings.push([command, text]);
        const result = {
          updated_chunks: 1,
          error_messages: this.onGroups(text),
          time_spent: 0,
        };
        const isFull = command === 'syn_g_m_w_c';
        const told = this.groupsError === undefined
          ? this.connection.request(isFull ? 'syn_wgc_e' : 'syn_w_g_e', result)
          : this.connection.request(isFull ? 'syn_wgc_err' : 'syn_w_g_err', this.groupsError);
        told.catch(() => {});
        return id;
      });
    const files = new IncomingFiles(simHashing, {
      open: (path) => {
        this.paths.push(path);
        const pieces: Uint8Array[] = [];
        return {
          write: async (bytes) => {
            await this.onPiece();
            pieces.push(bytes);
          },
          finish: () => {
            this.archives.push(concatBytes(pieces));
            return Promise.resolve();
          },
          discard: () => {},
        };
      },
    });
    const integrity = (text: string) => {
      this.integrity.push(text);
      return 'Thanks';
    };
    return [
      ...strings.answers(),
      ...files.answers(),
      answering('cancel_task', ({ failure }) => integrity(`cancelled ${failure.code}`)),
      answering('syn_m_c_ok', () => integrity('ok')),
      answering('syn_m_c', () => {
        integrity('begin');
        return 'task-of-the-worker';
      }),
      answering('syn_m_c_e', ({ path }) => {
        this.paths.push(path);
        return integrity('done');
      }),
      answering('syn_m_c_r', ({ failure }) => integrity(String(failure.code))),
      answering('syn_m_a_e', (result) => {
        this.results.push(`${result.updated_chunks} ${result.error_messages.join()}`);
        return 'Thanks';
      }),
      answering('syn_m_a_err', (text) => {
        this.results.push(text);
        return 'Thanks';
      }),
      take('syn_g_m_w'),
      take('syn_g_m_w_c'),
      answering('dapi_res', ({ client, id }) => {
        this.strings.push([`dapi_res ${client}`, fromBytes(strings.take(id) ?? new Uint8Array(0))]);
        return 'Response forwarded to worker';
      }),
      answering('sendsyn_err', ({ client, bytes }) => {
        this.strings.push([`sendsyn_err ${client}`, fromBytes(bytes)]);
        return 'SendSync error forwarded to worker';
      }),
    ];
  }
}
