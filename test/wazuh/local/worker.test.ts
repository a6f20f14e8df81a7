/** Programs on the machine of a worker: what they are told, and what is passed on for them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toBytes } from '../../../src/base/bytes.ts';
import type { Stream } from '../../../src/ports.ts';
import { type Answer, answering } from '../../../src/wazuh/connection.ts';
import { clusterFailure, internalFailure } from '../../../src/wazuh/failure.ts';
import { encodeMessage, FrameDecoder } from '../../../src/wazuh/frame.ts';
import { sendString } from '../../../src/wazuh/string-transfer.ts';
import { localSocketPort } from '../../sim/network-port.ts';
import { SimNode } from '../../sim/node.ts';
import { PlayedMaster } from '../worker/played-master.ts';

interface Frame {
  readonly counter: number;
  readonly command: string;
  readonly text: string;
}

/** A program of the machine: says what it is told to, and keeps what came. */
class Program {
  readonly heard: Frame[] = [];
  readonly #stream: Stream;
  readonly #all: PlayedMaster;

  private constructor(all: PlayedMaster, stream: Stream) {
    this.#all = all;
    this.#stream = stream;
    void this.#read();
  }

  static async open(all: PlayedMaster, name = 'program'): Promise<Program> {
    const node = new SimNode(all.world, all.network, { name });
    const { signal } = new AbortController();
    const address = `worker1:${localSocketPort}`;
    const dialling = node.ports().plainNetwork.connect(address, { signal });
    return new Program(all, await all.world.settle(dialling));
  }

  say(counter: number, command: string, text = ''): void {
    const [frame] = encodeMessage({ counter, command, body: toBytes(text) });
    this.#stream.write(frame!).catch(() => {});
  }

  /** Waits for so many frames. */
  async frames(count: number): Promise<readonly Frame[]> {
    await this.#all.world.run({
      until: () => this.heard.length >= count,
      limitMs: 300_000,
      what: 'a program hears something',
    });
    return this.heard;
  }

  close(): void {
    this.#stream.close();
  }

  async #read(): Promise<void> {
    const decoder = new FrameDecoder();
    for await (const chunk of this.#stream.readable) {
      for (const { counter, command, body } of decoder.push(chunk)) {
        this.heard.push({ counter, command, text: new TextDecoder().decode(body) });
        // What is asked of a program it takes.
        if (command === 'new_str') this.say(counter, 'ok', '77');
        else if (/^(str_upd|.*_res|dapi_err)$/.test(command)) this.say(counter, 'ok', 'Thanks');
      }
    }
  }
}

/** A worker that is connected, as far as a test does not want it otherwise. */
async function connected(answers: Iterable<readonly [string, Answer]> = []) {
  const all = new PlayedMaster();
  all.changes.answers = answers;
  all.write('etc/rules/a.xml', 'a');
  await all.listen();
  all.startWorker();
  await all.converge();
  return all;
}

const added = 'Added request to API requests queue';

test('a worker tells of itself at once', async () => {
  const all = await connected();
  const program = await Program.open(all);
  program.say(1, 'get_config');
  program.say(2, 'get_hash');
  program.say(3, 'send_file', '/etc/x master');
  program.say(4, 'dapi_fwd', 'w2 {}');
  const [config, hash, file, forward] = await program.frames(4);
  assert.deepEqual(JSON.parse(config!.text), {
    disabled: false,
    name: 'wazuh',
    hidden: 'no',
    node_type: 'worker',
    node_name: 'worker1',
    port: 1516,
    bind_addr: '0.0.0.0',
    nodes: ['master'],
  });
  assert.deepEqual(Object.keys(JSON.parse(hash!.text) as object), ['etc/rules/a.xml']);
  assert.match(file!.text, /"code": 3009/);
  assert.deepEqual(forward, {
    counter: 4,
    command: 'err',
    text: "unknown command 'b'dapi_fwd''",
  });
  program.close();
  await all.stop();
});

test("questions about the cluster are the master's to answer, and its refusal is told", async () => {
  const asked: string[] = [];
  const all = await connected([
    answering('get_nodes', (question) => {
      asked.push(new TextDecoder().decode(question));
      return toBytes('{"items": [], "totalItems": 0}');
    }),
    answering('get_health', () => {
      throw internalFailure('not now');
    }),
  ]);
  const program = await Program.open(all);
  program.say(1, 'get_nodes', '{"filter_type": "all"}');
  const [sent, answer] = await program.frames(2);
  assert.deepEqual(sent, { counter: 1, command: 'ok', text: 'Sent request to master node' });
  assert.equal(answer!.command, 'control_res');
  assert.equal(answer!.text, '{"items": [], "totalItems": 0}');
  assert.equal(asked.at(-1), '{"filter_type": "all"}');
  program.say(2, 'get_health', 'null');
  const refusal = (await program.frames(4))[3]!;
  assert.equal(refusal.command, 'control_res');
  assert.match(refusal.text, /"__wazuh_exception__".*"code": 1000.*"not now"/);
  program.close();
  await all.stop();
});

test('calls and messages for daemons are passed on, and what comes of them is passed back', async () => {
  const all = await connected([
    answering('dapi', ({ client, bytes }, connection) => {
      const text = new TextDecoder().decode(bytes);
      const work = async (): Promise<void> => {
        if (text === '{"f": "bad"}') {
          await connection.request('dapi_err', { client, bytes: toBytes('no such call') });
          return;
        }
        const id = await sendString(connection, toBytes(`result of ${text}`), connection.signal);
        await connection.request('dapi_res', { client, id });
      };
      void work();
      return added;
    }),
    answering('sendsync', ({ client, bytes }, connection) => {
      const work = async (): Promise<void> => {
        const id = await sendString(connection, bytes, connection.signal);
        await connection.request('sendsyn_res', { client, id });
      };
      void work();
      return 'Added request to SendSync requests queue';
    }),
  ]);
  const [program, daemon] = [await Program.open(all), await Program.open(all, 'daemon')];
  program.say(1, 'dapi', '{"f": "good"}');
  assert.deepEqual(
    (await program.frames(4)).map(({ command, text }) => `${command} ${text}`),
    [`ok ${added}`, 'new_str 23', 'str_upd 77 result of {"f": "good"}', 'dapi_res 77'],
  );
  program.say(2, 'dapi', '{"f": "bad"}');
  assert.equal((await program.frames(6))[5]!.text, 'no such call');
  // There is one answer, which is no reply: it has a counter of its own.
  daemon.say(5, 'sendsync', '{"daemon_name": "authd"}');
  const [answer] = await daemon.frames(1);
  assert.equal(answer!.command, 'ok');
  assert.equal(answer!.text, '{"daemon_name": "authd"}');
  assert.notEqual(answer!.counter, 5);
  daemon.say(6, 'sendasync', '{}');
  const later = (await daemon.frames(3)).slice(1);
  assert.deepEqual(later.map(({ text }) => text), [
    'Added request to sendsync requests queue',
    '{}',
  ]);
  program.close();
  daemon.close();
  await all.stop();
});

test('a program whose errand is lost, or takes too long, is told so', async () => {
  const all = await connected([
    answering('dapi', () => added),
    answering('sendsync', () => {
      throw clusterFailure(3009, 'no daemons');
    }),
  ]);
  const program = await Program.open(all);
  program.say(1, 'sendsync', '{}');
  const [refused] = await program.frames(1);
  assert.equal(refused!.command, 'err');
  assert.match(refused!.text, /^Error 3009.*no daemons$/);
  program.say(2, 'dapi', '{}');
  await program.frames(2);
  for (let second = 0; second < 200; second += 50) {
    await all.world.run({ forMs: 50_000 });
    program.say(10, 'echo-c');
  }
  const late = program.heard.find(({ command }) => command === 'dapi_err')!;
  assert.match(late.text, /^Error 3021/);
  program.say(3, 'dapi', '{}');
  await all.world.run({ forMs: 100 });
  all.connection!.close();
  await all.world.run({ forMs: 50 });
  assert.match(program.heard.at(-1)!.text, /^Error 3023/);
  program.close();
  await all.stop();
});

test('without a master a worker says that there is none', async () => {
  const all = new PlayedMaster();
  all.startWorker();
  await all.world.run({ forMs: 1_000 });
  const program = await Program.open(all);
  for (const [i, command] of ['get_nodes', 'get_health', 'dapi', 'sendsync'].entries()) {
    program.say(i, command, '{}');
  }
  for (const { command, text } of await program.frames(4)) {
    assert.equal(command, 'err');
    assert.match(text, /"code": 3023/);
  }
  program.close();
  await all.stop();
});

test("a master that answers nobody's question is told so", async () => {
  const all = await connected();
  const { connection } = all;
  const asked = all.world.settle(
    connection!.request('dapi_err', { client: '12', bytes: toBytes('x') }),
  );
  await assert.rejects(asked, /3032/);
  await all.stop();
});
