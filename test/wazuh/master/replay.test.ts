/**
 * Recordings of real workers played to our master: frame by frame it answers as the recorded one
 * did, apart from marks that it makes up itself, times, and what is a hole in the original.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concatBytes, fromBytes, toBytes } from '../../../src/base/bytes.ts';
import type { Stream } from '../../../src/ports.ts';
import { fernetKeys, openToken, sealToken } from '../../../src/wazuh/fernet.ts';
import { encodeMessage, FrameDecoder } from '../../../src/wazuh/frame.ts';
import { Reassembly } from '../../../src/wazuh/reassembly.ts';
import { simCrypto } from '../../sim/hashing.ts';
import {
  needsRecordings,
  type RecordedFrame,
  recordedFrames,
  recordedTree,
  recordingKey,
} from '../recordings.ts';
import { MasterWorld } from './master-world.ts';
import { membersOf } from './played-worker.ts';

const keys = fernetKeys(recordingKey);
const replyNames = ['ok', 'ok-m', 'ok-c', 'err', 'error'];

interface Heard {
  readonly command: string;
  readonly counter: number;
  readonly payload: string;
}

/** The recorded worker, played to our master. */
class Replay {
  readonly world: MasterWorld;
  /** What our master says in place of what the recorded one said. */
  readonly #ids = new Map<string, string>();
  readonly #replies = new Map<number, Heard>();
  readonly #requests: Heard[] = [];
  /** Pieces of the file that comes in. */
  #pieces: string[] = [];
  #stream!: Stream;
  hasEnded = false;
  #seal = 0;

  private constructor(world: MasterWorld) {
    this.world = world;
  }

  static async connect(world: MasterWorld): Promise<Replay> {
    const replay = new Replay(world);
    replay.#stream = await world.dial();
    void replay.#read();
    return replay;
  }

  /** A request of the worker; gives our master's reply. */
  async ask(frame: RecordedFrame): Promise<Heard> {
    this.#send(frame.counter, frame.command, this.#translated(frame.plain!));
    return await this.#replyTo(frame);
  }

  /** The same with the bytes that were recorded. */
  async askRaw(frame: RecordedFrame): Promise<Heard> {
    this.sendRaw(frame.wire);
    return await this.#replyTo(frame);
  }

  async #replyTo(frame: RecordedFrame): Promise<Heard> {
    await this.#until(() => this.#replies.has(frame.counter), `reply to ${frame.command}`);
    const reply = this.#replies.get(frame.counter)!;
    this.#replies.delete(frame.counter);
    return reply;
  }

  /** What our master stands for where the recorded one said `recorded`. */
  learn(recorded: string, ours: string): void {
    this.#ids.set(recorded, ours);
  }

  /** What a recorded text is in our session. */
  expected(recorded: string): string {
    return this.#ids.get(recorded) ?? recorded;
  }

  /** The next request of our master. */
  async heard(command: string): Promise<Heard> {
    await this.#until(() => this.#requests.length > 0, `request ${command}`);
    return this.#requests.shift()!;
  }

  answer(request: Heard, frame: RecordedFrame): void {
    this.#send(request.counter, frame.command, this.#translated(frame.plain!));
  }

  /** Bytes as they were recorded. */
  sendRaw(wire: Uint8Array): void {
    this.#stream.write(wire).catch(() => {});
  }

  takePiece(piece: string): void {
    this.#pieces.push(piece);
  }

  /** What came of a file. */
  takeFile(): Uint8Array {
    const whole = concatBytes(this.#pieces.map(toBytes));
    this.#pieces = [];
    return whole;
  }

  close(): void {
    this.#stream.close();
  }

  #translated(plain: Uint8Array): Uint8Array {
    let text = fromBytes(plain);
    for (const [recorded, ours] of this.#ids) {
      if (text === recorded || text.startsWith(`${recorded} `)) {
        text = ours + text.slice(recorded.length);
        break;
      }
    }
    return toBytes(text);
  }

  #send(counter: number, command: string, payload: Uint8Array): void {
    const iv = new Uint8Array(16).fill(++this.#seal);
    const body = sealToken(simCrypto, keys, payload, { timeS: 1_700_000_000, iv });
    for (const bytes of encodeMessage({ counter, command, body })) this.sendRaw(bytes);
  }

  #until(condition: () => boolean, what: string): Promise<void> {
    return this.world.world.run({ until: condition, limitMs: 30_000, what });
  }

  async #read(): Promise<void> {
    const decoder = new FrameDecoder();
    const reassembly = new Reassembly({ bytesMax: 1e8, messagesMax: 10 });
    try {
      for await (const chunk of this.#stream.readable) {
        for (const frame of decoder.push(chunk)) {
          const message = reassembly.take(frame);
          if (message === undefined) continue;
          const { command, counter, body } = message;
          const payload = fromBytes(openToken(simCrypto, keys, body).content);
          const heard = { command, counter, payload };
          if (replyNames.includes(command)) this.#replies.set(counter, heard);
          else this.#requests.push(heard);
        }
      }
    } catch {
      // How it ended does not matter here.
    }
    this.hasEnded = true;
    this.#stream.close();
  }
}

/** Replies that name something that each master makes up for itself. */
const makesUp = ['syn_i_w_m', 'new_str'];

/** A text without what differs from run to run. */
function normal(text: string): string {
  return text
    .replaceAll(/"20\d\d-\d\d-\d\dT[0-9:.]+Z"/g, '"T"')
    .replaceAll(/"time_spent": [0-9.e-]+/g, '"time_spent": N')
    // Exceptions of the interpreter are in words of its own.
    .replaceAll(/("code": 1000, "extra_message": )"(?!b'|not enough|too many)[^"]*"/g, '$1"…"')
    .replaceAll(/(error while trying to load JSON: ).*/g, '$1…');
}

/** The table of an archive, times to the millisecond. */
function tableOf(json: Uint8Array | undefined): unknown {
  const text = new TextDecoder().decode(json);
  return JSON.parse(
    text,
    (key, value: unknown) => key === 'mod_time' ? Math.round(Number(value) * 1000) / 1000 : value,
  );
}

async function assertSameArchive(ours: Uint8Array, recorded: Uint8Array): Promise<void> {
  const [left, right] = [await membersOf(ours), await membersOf(recorded)];
  const metadata = 'files_metadata.json';
  assert.deepEqual(tableOf(left.get(metadata)), tableOf(right.get(metadata)));
  for (const members of [left, right]) members.delete(metadata);
  assert.deepEqual(left, right);
}

/** What a frame of the recording says, without the path of an archive. */
function withoutPath(payload: string): string {
  return payload.replace(
    /(\/?queue\/cluster\/[\w-]+\/[\w-]+)-[0-9.]+-[0-9a-f]{32}\.zip/,
    '$1-T-X.zip',
  );
}

interface PlayOptions {
  /** Called before a frame is played. */
  readonly before?: (frame: RecordedFrame, at: number) => void | Promise<void>;
  /** Replies that differ on purpose. */
  readonly isOther?: (frame: RecordedFrame) => boolean;
}

/** Plays one connection. */
async function play(
  replay: Replay,
  frames: readonly RecordedFrame[],
  { before, isOther = () => false }: PlayOptions = {},
): Promise<number> {
  let played = 0;
  /** Recorded pieces of the file that our master sends, and whether ours was compared. */
  let recordedPieces: Uint8Array[] = [];
  for (const [at, frame] of frames.entries()) {
    if (frame.answers !== undefined) continue;
    await before?.(frame, at);
    const reply = frames.find((other) =>
      other.answers === frame.command && other.counter === frame.counter &&
      other.sender !== frame.sender
    );
    if (reply === undefined) throw new Error(`Nothing answers ${frame.command}`);
    const where = `frame ${at}, ${frame.command}`;
    played++;
    if (frame.sender === 'worker') {
      const heard = await replay.ask(frame);
      const recorded = fromBytes(reply.plain!);
      assert.equal(heard.command, reply.command, where);
      if (makesUp.includes(frame.command)) replay.learn(recorded, heard.payload);
      else if (!isOther(frame)) {
        assert.equal(normal(heard.payload), normal(replay.expected(recorded)), where);
      }
      continue;
    }
    if (frame.command === 'file_upd') {
      recordedPieces.push(frame.plain!.subarray(frame.plain!.indexOf(0x20) + 1));
    }
    const request = await replay.heard(frame.command);
    assert.equal(request.command, frame.command, where);
    const recorded = fromBytes(frame.plain!);
    if (frame.command === 'file_upd') {
      replay.takePiece(request.payload.slice(request.payload.indexOf(' ') + 1));
    } else if (frame.command === 'file_end') {
      await assertSameArchive(replay.takeFile(), concatBytes(recordedPieces));
      recordedPieces = [];
    } else if (frame.command === 'str_upd') {
      const json = (text: string) => JSON.parse(text.slice(text.indexOf(' ') + 1)) as unknown;
      assert.deepEqual(json(request.payload), json(recorded), where);
    } else if (frame.command === 'new_str') {
      assert.match(request.payload, /^[0-9]+$/);
    } else assert.equal(normal(withoutPath(request.payload)), normal(withoutPath(recorded)), where);
    replay.answer(request, reply);
  }
  return played;
}

function framesOf(name: string, connection = 1): RecordedFrame[] {
  return recordedFrames(name).filter((frame) => frame.connection === connection);
}

test('a session of 95 seconds with a real worker', needsRecordings, async () => {
  const world = await MasterWorld.open({ key: recordingKey });
  await world.publish(recordedTree('master_before'));
  world.register('agent000001', 'agent000002', 'agent000003');
  const frames = framesOf('session');
  const replay = await Replay.connect(world);
  await world.assign({ 1: 'default', 2: 'default,web', 3: 'default' });
  let [sends, checks] = [0, 0];
  const played = await play(replay, frames, {
    before: async ({ sender, command }, at) => {
      if (command === 'syn_i_w_m_p') world.cycle++;
      // What the operator of the recording did between the second check and the third.
      if (command === 'syn_i_w_m_p' && ++checks === 3) {
        await world.publish(recordedTree('master_after_change'));
      }
      if (sender !== 'master' || command !== 'new_str') return;
      if (++sends === 2) await world.assign({ 3: 'web,db' });
      // The full set was asked for by the worker.
      const isAsked = frames[at - 1]?.answers === 'syn_w_g_c';
      if (!isAsked) void world.scheduler.runNow('agent-groups-send', 'worker1');
    },
    isOther: ({ command }) =>
      // The object of the interpreter; and here the end of sending groups is told.
      command === 'syn_w_g_c' || command === 'get_health',
  });
  assert.equal(played, frames.filter(({ answers }) => answers === undefined).length);
  const known = world.facts.get(1)!;
  assert.equal(known.data.os_codename, 'Jammy Jellyfish');
  assert.deepEqual(known.data.labels, [['site', 'madrid']]);
  assert.equal(world.facts.get(3)?.status.connection_status, 'active');
  replay.close();
  await world.finish();
});

test('the health of a real worker', needsRecordings, async () => {
  const frames = framesOf('session');
  const reply = frames.find(({ answers }) => answers === 'get_health');
  const recorded = JSON.parse(new TextDecoder().decode(reply?.plain)) as Health;
  const world = await MasterWorld.open({ key: recordingKey });
  const replay = await Replay.connect(world);
  await play(replay, frames.slice(0, 2));
  const question = frames.find(({ command, answers }) =>
    command === 'get_health' && answers === undefined
  );
  const heard = JSON.parse((await replay.ask(question!)).payload) as Health;
  assert.deepEqual(shapeOf(heard.nodes), shapeOf(recorded.nodes));
  assert.equal(heard.n_connected_nodes, recorded.n_connected_nodes);
  replay.close();
  await world.finish();
});

interface Health {
  readonly n_connected_nodes: number;
  readonly nodes: Record<string, unknown>;
}

/** Names, and kinds of values; the extra kind of files before a first sync aside. */
function shapeOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return typeof value;
  return new Map(
    Object.entries(value)
      .filter(([name]) => name !== 'extra_valid')
      .map(([name, inner]) => [name, shapeOf(inner)]),
  );
}

test('odd requests to a real master', needsRecordings, async () => {
  const world = await MasterWorld.open({ key: recordingKey, activeAgents: 0 });
  await world.publish(recordedTree('master_before'));
  const probe = framesOf('probe-master');
  const start = probe.findIndex(({ plain }) =>
    plain !== undefined && fromBytes(plain) === 'probe1 wazuh worker 4.14.7'
  );
  const end = probe.findIndex(({ plain }, at) => at > start && plain === undefined);
  const played = probe.slice(start, end);
  // A table with something that is no hash is not compared here.
  const badTable = played.findLastIndex(({ command }) => command === 'syn_i_w_m');
  const replay = await Replay.connect(world);
  await play(replay, played.slice(0, badTable), {
    before: ({ command }, at) => {
      if (command === 'syn_i_w_m_p' && played[at + 1]?.plain?.length === 4) world.cycle++;
    },
  });
  const badToken = probe[end]!;
  assert.ok(badToken.isBadToken);
  replay.sendRaw(badToken.wire);
  await world.world.run({ until: () => replay.hasEnded, limitMs: 1000 });
  await world.finish();
});

test('hellos that a real master refused, each with its code', needsRecordings, async () => {
  const world = await MasterWorld.open({ key: recordingKey });
  const all = recordedFrames('errors');
  const good = await Replay.connect(world);
  await play(good, framesOf('errors').slice(0, 2));
  for (const connection of [2, 3, 4, 5, 6, 7]) {
    const frames = all.filter((frame) => frame.connection === connection);
    const refused = await Replay.connect(world);
    if (frames.some(({ isBadToken }) => isBadToken)) refused.sendRaw(frames[0]!.wire);
    else await play(refused, frames);
    await world.world.run({ until: () => refused.hasEnded, limitMs: 1000 });
  }
  assert.deepEqual([...world.master.peers.keys()], ['worker1']);
  good.close();
  await world.finish();
});

test('a hello that is too short is answered as by a real master', needsRecordings, async () => {
  const world = await MasterWorld.open({ key: recordingKey });
  const frames = framesOf('probe-master');
  const at = frames.findIndex(({ command, sender }) => sender === 'worker' && command === 'hello');
  const replay = await Replay.connect(world);
  await play(replay, frames.slice(at, at + 2));
  await world.world.run({ until: () => replay.hasEnded, limitMs: 1000 });
  await world.finish();
});

test('divided messages of a real worker', needsRecordings, async () => {
  const world = await MasterWorld.open({ key: recordingKey });
  const frames = framesOf('divided');
  const replay = await Replay.connect(world);
  await play(replay, frames.filter(({ command, answers }) => (answers ?? command) === 'hello'));
  const divided = frames.filter(({ sender, command, answers }) =>
    sender === 'worker' && command === 'echo' && answers === undefined
  );
  assert.ok(divided.some(({ isDivided }) => isDivided));
  const whole = divided.find(({ isDivided }) => !isDivided)!;
  const parts = divided.filter(({ counter }) => counter === whole.counter);
  for (const { wire } of parts.slice(0, -1)) replay.sendRaw(wire);
  const answered = await replay.askRaw(whole);
  assert.equal(answered.payload, fromBytes(whole.plain!));
  replay.close();
  await world.finish();
});
