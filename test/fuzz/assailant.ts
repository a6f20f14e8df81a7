/**
 * Somebody with the key of a Wazuh cluster, or a program on a node's machine, who means harm: says
 * what the protocol has, in any order, whole or damaged, beside frames that are none.
 */
import { concatBytes, fromBytes, toBytes } from '../../src/base/bytes.ts';
import type { Ports, Stream } from '../../src/ports.ts';
import { archive } from '../wazuh/dumps.ts';
import { requestSamples, takenText } from '../wazuh/samples.ts';
import { commands } from '../../src/wazuh/commands.ts';
import { Connection } from '../../src/wazuh/connection.ts';
import { type FernetKeys, sealToken } from '../../src/wazuh/fernet.ts';
import { encodeMessage } from '../../src/wazuh/frame.ts';
import type { SeededRandom } from '../sim/random.ts';
import { simHashing } from '../sim/hashing.ts';
import { simZlib } from '../sim/zlib.ts';
import { mutated } from './mutation.ts';

/** Bytes that mean something: separators, flags, digits, JSON, base64, zlib, borders. */
export const tellingBytes = Array.from(
  ' -d|@/{}[]",:\\0129aAgE=_<>&!\n\x00\x01\x78\x7f\x80\xff',
  (character) => character.charCodeAt(0),
);

/** What an end is, to the one that is beset. */
export type Guise = 'worker' | 'master' | 'local';

const localCommands = 'get_config get_nodes get_health get_hash send_file dapi dapi_fwd sendsync ' +
  'sendasync sendrreload echo echo-c new_str control_res ok nosuchthing';

/** Commands of each guise, and one that there is not. */
const names: Readonly<Record<Guise, readonly string[]>> = {
  worker: namesFrom('worker'),
  master: namesFrom('master'),
  local: localCommands.split(' '),
};

function namesFrom(sender: 'worker' | 'master'): string[] {
  const known = Object.entries(commands).filter(([, { from }]) =>
    from === sender || from === 'both'
  );
  return [...known.map(([name]) => name), 'nosuchthing'];
}

const result = '{"updated_chunks": 1, "error_messages": [], "time_spent": 0.1}';
const row = (key: string) =>
  `{"mod_time": 1.5, "cluster_item_key": "${key}", "merged": false, "hash": "${'0f'.repeat(64)}"}`;

/** Documents that are sent as strings and in archives. */
const documents = [
  '{"chunks": {"syncreq": [{"id": 1, "name": "a", "labels": [{"key": "k", "value": "v"}]}], ' +
  '"syncreq_keepalive": [{"id": 2}], "syncreq_status": [{"id": 3, "connection_status": "x"}]}}',
  '{"chunks": ["[{\\"data\\":[{\\"id\\":1,\\"name\\":\\"a\\",\\"groups\\":[\\"web\\"]}],\\"hash\\":\\"x\\"}]"]}',
  `{"etc/rules/a.xml": ${row('etc/rules/')}, "etc/client.keys": ${row('etc/')}}`,
  `{"missing": {"etc/rules/new.xml": ${row('etc/rules/')}, "../../evil": ${row('etc/')}}, ` +
  `"extra": {"etc/rules/a.xml": ${row('etc/rules/')}, "etc/ossec.conf": ${row('etc/')}}, ` +
  `"shared": {"etc/lists/l": ${row('etc/lists/')}}}`,
  '{"items": [{"name": "m", "type": "master", "version": "4.14.7", "ip": "x"}], "totalItems": 1}',
  '{"f": {"__callable__": {"__name__": "x", "__module__": "wazuh.core.agent", ' +
  '"__qualname__": "Agent.get_agents_overview"}}, "f_kwargs": {"limit": 1}}',
  '{"filter_node": ["w1"], "limit": 1, "select": ["name"], "sort": {"fields": ["name"]}}',
  result,
  takenText,
  'null',
];

/** One end that means harm. */
export class Assailant {
  readonly connection: Connection;
  /** Requests that had a good reply, and those that had not. */
  readonly tally = { accepted: 0, refused: 0 };
  readonly #stream: Stream;
  readonly #ports: Ports;
  readonly #random: SeededRandom;
  readonly #guise: Guise;
  readonly #keys: FernetKeys | undefined;
  /** What the other end has named: tasks, ids of strings. */
  readonly #words = ['None', '12', 'task'];
  #path = 0;

  constructor(
    { ports, stream, connection, random, guise, keys }: {
      readonly ports: Ports;
      readonly stream: Stream;
      /** One that is there already. @default one of its own, with answers of any kind */
      readonly connection?: Connection | undefined;
      readonly random: SeededRandom;
      readonly guise: Guise;
      readonly keys: FernetKeys | undefined;
    },
  ) {
    this.#ports = ports;
    this.#stream = stream;
    this.#random = random;
    this.#guise = guise;
    this.#keys = keys;
    this.connection = connection ?? this.#connect();
  }

  /** Whether the other end has had enough. */
  get isOver(): boolean {
    return this.connection.signal.aborted;
  }

  /** Says something; how many frames that were. Resolves when it is answered, or never will be. */
  async step(): Promise<number> {
    const random = this.#random;
    if (random.chance(0.05)) return await this.#sayNonsense();
    if (random.chance(0.1) && this.#guise !== 'local') return await this.#sendArchive();
    if (random.chance(0.15) && this.#guise !== 'local') return await this.#sendString();
    await this.#ask(random.pick(names[this.#guise]), this.damaged(this.#payload()));
    return 1;
  }

  // ---

  #connect(): Connection {
    const { clock, log, symmetricCrypto: primitives } = this.#ports;
    const random = this.#random;
    const answer = () => Promise.resolve(this.damaged(this.#payload()));
    const isLocal = this.#guise === 'local';
    const asked = isLocal
      ? ['new_str', 'str_upd', 'dapi_res', 'dapi_err', 'control_res']
      : names.master;
    const connection = new Connection({
      stream: this.#stream,
      clock,
      log,
      random,
      primitives,
      keys: this.#keys,
      peerRole: isLocal ? 'local' : 'master',
      answers: new Map(asked.map((name) => [name, answer])),
    });
    connection.open();
    return connection;
  }

  /** The reply, if a good one comes. What it names is used later. */
  async #ask(command: string, payload: Uint8Array): Promise<string | undefined> {
    try {
      const reply = fromBytes((await this.connection.ask(command, payload)).subarray(0, 64));
      this.tally.accepted++;
      if (/^[0-9a-f-]{4,40}$/.test(reply)) {
        this.#words.push(reply);
        if (this.#words.length > 20) this.#words.shift();
      }
      return reply;
    } catch {
      this.tally.refused++;
      return undefined;
    }
  }

  /** A file as it has to be sent, but for what is in it: an archive, mostly a bad one. */
  async #sendArchive(): Promise<number> {
    const begin = this.#guise === 'worker' ? 'syn_i_w_m' : 'syn_m_c';
    const task = await this.#ask(begin, new Uint8Array(0)) ?? 'None';
    const path = `queue/cluster/${this.#random.pick(['w1', 'worker1'])}/${++this.#path}.zip`;
    const content = this.damaged(this.#archive());
    await this.#ask('new_file', toBytes(`/${path}`));
    await this.#ask('file_upd', concatBytes([toBytes(`/${path} `), content]));
    const hash = toBytes(simHashing.digest('sha256', content));
    await this.#ask('file_end', concatBytes([toBytes(`/${path} `), hash]));
    await this.#ask(`${begin}_e`, toBytes(`${task} ${path}`));
    return 5;
  }

  #archive(): Uint8Array {
    const random = this.#random;
    if (random.chance(0.3)) return archive;
    const member = (path: string, content: Uint8Array) =>
      concatBytes([toBytes(`${path}|//@@//|`), simZlib.deflate(content)]);
    const paths = [
      'etc/rules/new.xml',
      '../../evil',
      '/etc/lists/l',
      'etc/ossec.conf',
      'etc/shared/',
    ];
    const members = Array.from({ length: random.integer(0, 3) }, () =>
      concatBytes([
        member(random.pick(paths), random.bytes(random.integer(0, 200))),
        toBytes('|@@//@@|'),
      ]));
    const table = this.damaged(toBytes(random.pick(documents)));
    return concatBytes([...members, member('files_metadata.json', table)]);
  }

  /** A string as it has to be sent, and what it is for. */
  async #sendString(): Promise<number> {
    const text = this.damaged(toBytes(this.#random.pick(documents)));
    const id = await this.#ask('new_str', toBytes(String(text.length))) ?? '12';
    await this.#ask('str_upd', concatBytes([toBytes(`${id} `), text]));
    const takers = this.#guise === 'worker'
      ? ['syn_a_w_m']
      : ['syn_g_m_w', 'syn_g_m_w_c', 'dapi_res', 'sendsyn_res'];
    const taker = this.#random.pick(takers);
    await this.#ask(taker, toBytes(taker.endsWith('_res') ? `12 ${id}` : id));
    return 3;
  }

  /** Frames that are damaged on the wire, which mostly is the end of the connection. */
  async #sayNonsense(): Promise<number> {
    const random = this.#random;
    const message = {
      counter: random.integer(0, 2 ** 32 - 1),
      command: random.pick(names[this.#guise]),
      body: this.#sealed(this.#payload()),
    };
    const frames = encodeMessage(message, random.chance(0.3) ? 60 : undefined);
    const bytes = mutated(concatBytes(frames), random, tellingBytes);
    for (let at = 0; at < bytes.length;) {
      const length = random.chance(0.5) ? bytes.length : random.integer(1, 60);
      await this.#stream.write(bytes.subarray(at, at + length)).catch(() => {});
      at += length;
    }
    return frames.length;
  }

  #sealed(payload: Uint8Array): Uint8Array {
    if (this.#keys === undefined) return payload;
    const stamp = { timeS: 1_700_000_000, iv: this.#random.bytes(16) };
    return sealToken(this.#ports.symmetricCrypto, this.#keys, payload, stamp);
  }

  #payload(): Uint8Array {
    const random = this.#random;
    const word = () => random.pick(this.#words);
    switch (random.integer(0, 5)) {
      case 0:
        return toBytes(random.pick(requestSamples)[1]);
      case 1:
        return toBytes(word());
      case 2:
        return toBytes(
          `${word()} ${random.pick([...documents, word(), 'queue/cluster/w1/1.zip'])}`,
        );
      case 3:
        return toBytes(random.pick(documents));
      case 4:
        return toBytes(random.pick(['', 'True', 'False', '5', '-1', '999999999999999', '../../x']));
      default:
        return random.bytes(random.integer(0, 80));
    }
  }

  /** Mostly with something wrong. */
  damaged(bytes: Uint8Array): Uint8Array {
    return this.#random.chance(0.6) ? mutated(bytes, this.#random, tellingBytes) : bytes;
  }
}
