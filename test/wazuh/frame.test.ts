import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concatBytes, fromBytes, toBytes } from '../../src/base/bytes.ts';
import { ProtocolError } from '../../src/base/errors.ts';
import {
  bodyBytesMax,
  encodeMessage,
  type Frame,
  FrameDecoder,
  headerBytes,
  type Message,
} from '../../src/wazuh/frame.ts';
import { SeededRandom } from '../sim/random.ts';
import { helloPlain } from './dumps.ts';

const random = new SeededRandom('wazuh frames');

const samples: readonly Message[] = [
  { counter: 0, command: 'hello', body: toBytes('worker1 wazuh worker 4.14.7') },
  { counter: 0xffffffff, command: 'syn_i_w_m_p', body: random.bytes(100) },
  { counter: 7, command: 'ok', body: new Uint8Array(0) },
  { counter: 0x2d2d2d2d, command: 'file_upd', body: random.bytes(1000) },
];

function encode(message: Message): Uint8Array {
  return concatBytes(encodeMessage(message));
}

function decode(...chunks: Uint8Array[]): Frame[] {
  const decoder = new FrameDecoder();
  const frames = chunks.flatMap((chunk) => [...decoder.push(chunk)]);
  assert.equal(decoder.buffered, 0);
  assert.equal(decoder.isInBody, false);
  return frames;
}

function header(command: string, length: number): Uint8Array {
  const bytes = encode({ counter: 1, command, body: new Uint8Array(0) });
  new DataView(bytes.buffer).setUint32(4, length);
  return bytes;
}

function whole(message: Message): Frame {
  return { ...message, isDivided: false };
}

test('encodeMessage() gives the worked example of a hello', () => {
  const body = toBytes('worker1 wazuh worker 4.14.7');
  assert.deepEqual(encodeMessage({ counter: 0x01020304, command: 'hello', body }), [helloPlain]);
});

test('encodeMessage() pads names with a space and dashes', () => {
  const fieldOf = (command: string) => fromBytes(header(command, 0), 8, 20);
  assert.equal(fieldOf('echo'), 'echo -------');
  assert.equal(fieldOf('syn_i_w_m'), 'syn_i_w_m --');
  assert.equal(fieldOf('syn_i_w_m_'), 'syn_i_w_m_ -');
  assert.equal(fieldOf('syn_i_w_m_p'), 'syn_i_w_m_p ');
  assert.equal(fieldOf('ok '), 'ok  --------');
  assert.equal(fieldOf(''), ' -----------');
  assert.throws(() => fieldOf('sendsync_err'), /"sendsync_err": the limit is 11 bytes/);
});

test('encodeMessage() cuts a body into frames of a size and flags all but the last', () => {
  const body = random.bytes(250);
  for (const command of ['str_upd', 'syn_i_w_m_p']) {
    const parts = encodeMessage({ counter: 5, command, body }, 120);
    assert.deepEqual(parts.map((part) => part.length), [120, 120, 70]);
    assert.deepEqual(parts.map((part) => fromBytes(part, 19, 20)), ['d', 'd', '-']);
    const frames = decode(...parts);
    assert.deepEqual(frames.map((frame) => frame.isDivided), [true, true, false]);
    assert.ok(frames.every((frame) => frame.counter === 5 && frame.command === command));
    assert.deepEqual(concatBytes(frames.map((frame) => frame.body)), body);
  }
});

test('encodeMessage() makes no empty last part', () => {
  const parts = encodeMessage({ counter: 5, command: 'echo', body: random.bytes(200) }, 120);
  assert.deepEqual(parts.map((part) => part.length), [120, 120]);
});

test('encodeMessage() refuses a body that no peer would accept', () => {
  const body = new Uint8Array(bodyBytesMax + 1);
  assert.throws(
    () => encodeMessage({ counter: 1, command: 'echo', body }),
    /Cannot send 268435457 bytes at once: the limit is 268435456/,
  );
});

test('FrameDecoder.push() yields frames that come whole, byte by byte and split anywhere', () => {
  for (const message of samples) {
    const bytes = encode(message);
    assert.deepEqual(decode(bytes), [whole(message)]);
    assert.deepEqual(decode(...Array.from(bytes, (byte) => Uint8Array.of(byte))), [whole(message)]);
    for (let at = 0; at <= bytes.length; at++) {
      const cut = [bytes.subarray(0, at), bytes.subarray(at)];
      assert.deepEqual(decode(...cut), [whole(message)], `split at ${at}`);
    }
  }
});

test('FrameDecoder.push() yields several frames from one chunk, wherever it ends', () => {
  const bytes = concatBytes(samples.map(encode));
  for (let at = 0; at <= bytes.length; at++) {
    const frames = decode(bytes.subarray(0, at), bytes.subarray(at));
    assert.deepEqual(frames, samples.map(whole), `split at ${at}`);
  }
});

test('FrameDecoder.push() takes any filler behind the space, and a name without one', () => {
  const bytes = encode({ counter: 1, command: 'echo', body: new Uint8Array(0) });
  bytes.set(toBytes('echo ~!@#$%-'), 8);
  assert.deepEqual(decode(bytes).map(({ command, isDivided }) => ({ command, isDivided })), [
    { command: 'echo', isDivided: false },
  ]);
  bytes.set(toBytes('abcdefghijkd'), 8);
  assert.deepEqual(decode(bytes).map(({ command, isDivided }) => ({ command, isDivided })), [
    { command: 'abcdefghijk', isDivided: true },
  ]);
});

test('FrameDecoder.push() refuses a length above the limit from the header alone', () => {
  const isTooLarge = (error: unknown) =>
    error instanceof ProtocolError && error.fault === 'frameTooLarge';
  assert.throws(() => [...new FrameDecoder().push(header('echo', bodyBytesMax + 1))], isTooLarge);
  const decoder = new FrameDecoder(100);
  assert.deepEqual([...decoder.push(encode({ ...samples[1]!, counter: 1 }))].length, 1);
  assert.throws(() => [...decoder.push(header('echo', 101))], isTooLarge);
});

test('FrameDecoder.limit holds from the next header on', () => {
  const decoder = new FrameDecoder(100);
  const frames = concatBytes([encode(samples[0]!), encode(samples[3]!)]);
  const commands: string[] = [];
  for (const frame of decoder.push(frames)) {
    commands.push(frame.command);
    decoder.limit = 1000;
  }
  assert.deepEqual(commands, ['hello', 'file_upd']);
});

test('FrameDecoder holds what has arrived, not what a header announces', () => {
  const decoder = new FrameDecoder();
  assert.deepEqual([...decoder.push(header('echo', bodyBytesMax))], []);
  assert.equal(decoder.buffered, headerBytes);
  assert.equal(decoder.isInBody, true);
  assert.deepEqual([...decoder.push(new Uint8Array(10))], []);
  assert.equal(decoder.buffered, headerBytes + 10);
});
