import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProtocolError } from '../../src/base/errors.ts';
import { decodePayload, encodePayload } from '../../src/wire/codec.ts';
import {
  creditFrame,
  eventFrame,
  failureFrame,
  readCredit,
  readFailure,
  replyFrame,
  requestFrame,
} from '../../src/wire/compose.ts';
import { type Frame, FrameDecoder } from '../../src/wire/frame.ts';
import { messages, type RequestName } from '../../src/wire/messages.ts';
import { payloadSamples, replySamples } from './samples.ts';

function only(bytes: Uint8Array): Frame {
  const frames = [...new FrameDecoder().push(bytes)];
  assert.equal(frames.length, 1);
  return frames[0]!;
}

const requestNames = Object.keys(replySamples) as RequestName[];

test('requestFrame(), replyFrame() and eventFrame() carry id, number and payload', () => {
  for (const name of requestNames) {
    const { id } = messages[name];
    for (const payload of payloadSamples[name].valid) {
      const frame = only(requestFrame(name, 7, payload as never));
      assert.deepEqual([frame.kind, frame.message, frame.stream], ['request', id, 7]);
      assert.deepEqual(frame.payload, encodePayload(payload));
    }
    for (const reply of replySamples[name].valid) {
      const frame = only(replyFrame(name, 7, reply as never));
      assert.deepEqual([frame.kind, frame.message, frame.stream], ['reply', id, 7]);
      assert.deepEqual(frame.payload, encodePayload(reply));
    }
  }
  const event = only(eventFrame('integrity.published', { generation: 3 }));
  assert.deepEqual([event.kind, event.message, event.stream], ['event', 10, 0]);
  assert.deepEqual(decodePayload(event.payload), { generation: 3 });
});

test('requestFrame() and its kin refuse what the peer would refuse, as a defect of ours', () => {
  const isOurs = (error: unknown) =>
    error instanceof Error && !(error instanceof ProtocolError) &&
    error.message.startsWith('Cannot send ');
  for (const name of requestNames) {
    for (const [, payload] of payloadSamples[name].refused) {
      assert.throws(() => requestFrame(name, 1, payload as never), isOurs);
    }
    for (const [, reply] of replySamples[name].refused) {
      assert.throws(() => replyFrame(name, 1, reply as never), isOurs);
    }
  }
  assert.throws(() => eventFrame('integrity.published', { generation: -1 }), isOurs);
});

test('requestFrame() refuses every payload that is longer than its limit', () => {
  for (const name of requestNames) {
    const { bytesMax } = messages[name];
    const filler = 'x'.repeat(bytesMax);
    const payload = { ...payloadSamples[name].valid[0]!, filler };
    assert.throws(
      () => requestFrame(name, 1, payload as never),
      (error) => String(error).includes(`the limit is ${bytesMax}`),
      name,
    );
  }
});

test('failureFrame() escapes and cuts its message, readFailure() knows codes of ours only', () => {
  const long = only(failureFrame(5, 'noSpace', `a\n${'b'.repeat(3000)}`));
  assert.deepEqual([long.kind, long.message, long.stream], ['failure', 0, 5]);
  const read = readFailure(long.payload);
  assert.equal(read.code, 'noSpace');
  assert.equal(read.message, `a\\n${'b'.repeat(2045)}`);
  const newer = encodePayload({ code: 'newerCode', message: 'a\x1bb' });
  assert.deepEqual(readFailure(newer), { code: 'failed', message: 'a\\x1bb' });
  for (const payload of [{}, { code: 1, message: '' }, { code: '', message: 'x'.repeat(2049) }]) {
    assert.throws(() => readFailure(encodePayload(payload)), ProtocolError);
  }
});

test('creditFrame() and readCredit() keep 32 bits, and take nothing else', () => {
  for (const bytes of [0, 1, 262_144, 2 ** 32 - 1]) {
    const frame = only(creditFrame(9, bytes));
    assert.deepEqual([frame.kind, frame.message, frame.stream], ['credit', 0, 9]);
    assert.equal(readCredit(frame.payload), bytes);
  }
  assert.throws(() => readCredit(new Uint8Array(3)), ProtocolError);
  assert.throws(() => readCredit(new Uint8Array(5)), ProtocolError);
});
