import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProtocolError, type ProtocolFault } from '../../src/base/errors.ts';
import { encodeMessage, FrameDecoder } from '../../src/wazuh/frame.ts';
import { Reassembly } from '../../src/wazuh/reassembly.ts';
import { SeededRandom } from '../sim/random.ts';

const random = new SeededRandom('wazuh reassembly');

function partsOf(counter: number, body: Uint8Array, command = 'echo') {
  const decoder = new FrameDecoder();
  return encodeMessage({ counter, command, body }, 120).flatMap((bytes) => [
    ...decoder.push(bytes),
  ]);
}

function fault(name: ProtocolFault): (error: unknown) => boolean {
  return (error) => error instanceof ProtocolError && error.fault === name;
}

test('Reassembly.take() passes on what is not divided', () => {
  const body = random.bytes(10);
  const message = { counter: 1, command: 'ok', body };
  assert.deepEqual(new Reassembly().take({ ...message, isDivided: false }), message);
});

test('Reassembly.take() joins the parts of messages that come mingled', () => {
  const reassembly = new Reassembly();
  const [left, right] = [random.bytes(450), random.bytes(330)];
  const [leftParts, rightParts] = [partsOf(1, left), partsOf(2, right, 'dapi_res')];
  const messages = [];
  for (let i = 0; i < leftParts.length; i++) {
    for (const parts of [leftParts, rightParts]) {
      if (parts[i] !== undefined) messages.push(reassembly.take(parts[i]!));
    }
  }
  assert.deepEqual(messages.filter((message) => message !== undefined), [
    { counter: 2, command: 'dapi_res', body: right },
    { counter: 1, command: 'echo', body: left },
  ]);
  assert.equal(reassembly.buffered, 0);
});

test('Reassembly.take() bounds how many messages are begun', () => {
  const reassembly = new Reassembly();
  for (let counter = 0; counter < 10; counter++) {
    assert.equal(reassembly.take(partsOf(counter, random.bytes(200))[0]!), undefined);
  }
  assert.throws(
    () => reassembly.take(partsOf(10, random.bytes(200))[0]!),
    fault('tooManyRequests'),
  );
  assert.equal(reassembly.take(partsOf(9, random.bytes(100))[0]!)?.body.length, 200);
});

test('Reassembly.take() bounds the bytes of all messages together', () => {
  const reassembly = new Reassembly({ bytesMax: 250, messagesMax: 10 });
  reassembly.take(partsOf(1, random.bytes(200))[0]!);
  reassembly.take(partsOf(2, random.bytes(200))[0]!);
  assert.equal(reassembly.buffered, 200);
  assert.throws(() => reassembly.take(partsOf(3, random.bytes(200))[0]!), fault('frameTooLarge'));
});

test('Reassembly.take() accepts no divided message before limits allow it', () => {
  const reassembly = new Reassembly({ bytesMax: 0, messagesMax: 0 });
  const [part] = partsOf(1, random.bytes(200));
  assert.throws(() => reassembly.take(part!), fault('tooManyRequests'));
  reassembly.limits = { bytesMax: 1000, messagesMax: 1 };
  assert.equal(reassembly.take(part!), undefined);
});

test('Reassembly.take() refuses parts that name two commands', () => {
  const reassembly = new Reassembly();
  reassembly.take(partsOf(1, random.bytes(200), 'echo')[0]!);
  assert.throws(
    () => reassembly.take(partsOf(1, random.bytes(200), 'dapi')[1]!),
    fault('malformed'),
  );
});
