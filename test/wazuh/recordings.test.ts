/** What real nodes said, read by our decoder and said again by our encoder. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concatBytes, fromBytes } from '../../src/base/bytes.ts';
import { createSymmetricCrypto } from '../../src/runtime/symmetric-crypto.ts';
import { decodeBase64 } from '../../src/wazuh/base64.ts';
import { commands, isCommandFrom } from '../../src/wazuh/commands.ts';
import { WazuhFailure } from '../../src/wazuh/failure.ts';
import { fernetKeys, openToken, sealToken } from '../../src/wazuh/fernet.ts';
import {
  chunkBytes,
  encodeMessage,
  FrameDecoder,
  headerBytes,
  type Message,
} from '../../src/wazuh/frame.ts';
import type { Layout } from '../../src/wazuh/layouts.ts';
import { Reassembly } from '../../src/wazuh/reassembly.ts';
import { failureReply, okReply, takeReply } from '../../src/wazuh/replies.ts';
import { SeededRandom } from '../sim/random.ts';
import {
  needsRecordings,
  type RecordedFrame,
  recordedStreams,
  recordingKey,
  wireOf,
  wrongKey,
} from './recordings.ts';

const names = ['standing', 'session', 'errors', 'divided', 'probe-master', 'probe-worker'];
const primitives = createSymmetricCrypto();
const keys = fernetKeys(recordingKey);

/** All that one end sent, in chunks of random lengths. */
function* chunksOf(bytes: Uint8Array, random: SeededRandom): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length;) {
    const length = random.integer(1, random.chance(0.5) ? 30 : 5000);
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

function keysOf(name: string, { connection }: RecordedFrame) {
  return name === 'errors' && connection === 7 ? fernetKeys(wrongKey) : keys;
}

/** The frame of each message: the last one, where it was divided. */
function lastFrames(frames: readonly RecordedFrame[]): RecordedFrame[] {
  return frames.filter(({ isDivided }) => !isDivided);
}

for (const name of names) {
  const needs = name === 'standing' ? {} : needsRecordings;

  test(`every frame of recording "${name}" is decoded`, needs, () => {
    const random = new SeededRandom(name);
    for (const frames of recordedStreams(name)) {
      const decoder = new FrameDecoder();
      const reassembly = new Reassembly();
      const messages: Message[] = [];
      for (const chunk of chunksOf(wireOf(frames), random)) {
        for (const frame of decoder.push(chunk)) {
          const message = reassembly.take(frame);
          if (message !== undefined) messages.push(message);
        }
      }
      assert.equal(decoder.buffered + reassembly.buffered, 0);
      const expected = lastFrames(frames);
      assert.equal(messages.length, expected.length);
      expected.forEach((frame, i) => {
        const { command, counter, body } = messages[i]!;
        assert.deepEqual({ command, counter }, { command: frame.command, counter: frame.counter });
        const open = () => openToken(primitives, keysOf(name, frame), body).content;
        if (frame.isBadToken && name !== 'errors') assert.throws(open, /Cannot decrypt a message/);
        else if (frame.plain !== undefined) assert.deepEqual(open(), frame.plain);
      });
    }
  });

  test(`every frame of recording "${name}" is encoded to the same bytes`, needs, () => {
    for (const frames of recordedStreams(name)) {
      // Where messages are divided the limit had been lowered, else each would have 5 MiB.
      const chunk = frames.some(({ isDivided }) => isDivided) ? 200 : chunkBytes;
      let parts: RecordedFrame[] = [];
      for (const frame of frames) {
        parts.push(frame);
        if (frame.isDivided) continue;
        if (frame.plain !== undefined) {
          const wire = concatBytes(encodedAgain(frame, parts, keysOf(name, frame), chunk));
          assert.deepEqual(wire, wireOf(parts), `${frame.command} ${frame.counter}`);
        }
        parts = [];
      }
    }
  });

  test(
    `every payload of recording "${name}" is read and written by its layout`,
    needsRecordings,
    () => {
      for (const frame of recordedStreams(name).flat()) {
        if (frame.plain === undefined) continue;
        const { command, answers, plain, sender } = frame;
        if (answers === undefined) {
          if (isCommandFrom(command, sender)) {
            assertSame(commands[command].request as Layout<unknown>, plain, command);
          } else assert.ok(['nosuchcmd', '', 'hello'].includes(command), command);
        } else if (command.startsWith('ok')) {
          const asker = sender === 'master' ? 'worker' : 'master';
          assert.ok(isCommandFrom(answers, asker), answers);
          const layout = commands[answers].reply as Layout<unknown>;
          assertSame(layout, takeReply({ command, payload: plain }), answers);
        } else {
          assert.throws(() => takeReply({ command, payload: plain }), WazuhFailure);
          const text = fromBytes(plain);
          if (text.startsWith('{')) assertFailureAgain(plain);
        }
      }
    },
  );
}

/** The frames as we would send them at the same time, with the same chance. */
function encodedAgain(
  frame: RecordedFrame,
  parts: readonly RecordedFrame[],
  frameKeys: typeof keys,
  chunk: number,
): Uint8Array[] {
  const plain = frame.plain!;
  const token = concatBytes(parts.map(({ wire }) => wire.subarray(headerBytes)));
  const sealed = decodeBase64(token)!;
  const timeS = Number(new DataView(sealed.buffer).getBigUint64(1));
  const stamp = { timeS, iv: sealed.slice(9, 25) };
  const isGood = frame.answers !== undefined && frame.command.startsWith('ok');
  const command = isGood ? okReply(frame.answers, plain).command : frame.command;
  const body = sealToken(primitives, frameKeys, plain, stamp);
  const message = { counter: frame.counter, command, body };
  return encodeMessage(message, plain.length > chunk ? chunk : undefined);
}

/** Commands whose arguments the recordings hold in forms that their senders made up. */
const odd = ['new_str', 'hello'];

function assertSame(layout: Layout<unknown>, plain: Uint8Array, command: string): void {
  let value: unknown;
  try {
    value = layout.read(plain);
  } catch (error) {
    assert.ok(odd.includes(command), `${command}: ${String(error)}`);
    return;
  }
  assert.deepEqual(layout.write(value), plain, command);
}

function assertFailureAgain(plain: Uint8Array): void {
  try {
    takeReply({ command: 'err', payload: plain });
  } catch (error) {
    assert.ok(error instanceof WazuhFailure);
    assert.deepEqual(failureReply(error.failure), { command: 'err', payload: plain });
  }
}
