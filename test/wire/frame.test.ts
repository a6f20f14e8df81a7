import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProtocolError } from '../../src/base/errors.ts';
import {
  encodeFrame,
  type Frame,
  FrameDecoder,
  type FrameKind,
  frameKinds,
  headerBytes,
  payloadBytesMax,
} from '../../src/wire/frame.ts';
import { SeededRandom } from '../sim/random.ts';

const kinds = Object.keys(frameKinds) as FrameKind[];
const random = new SeededRandom('frames');

/** One frame of each kind, with payloads of different lengths. */
const samples: readonly Frame[] = kinds.map((kind, i) => ({
  kind,
  message: i * 1000,
  stream: i * 500_000_000,
  payload: random.bytes(i * 7),
}));

function encode({ kind, message, stream, payload }: Frame): Uint8Array {
  return encodeFrame(kind, message, stream, payload);
}

function decode(...chunks: Uint8Array[]): Frame[] {
  const decoder = new FrameDecoder();
  const frames = chunks.flatMap((chunk) => [...decoder.push(chunk)]);
  assert.equal(decoder.buffered, 0);
  return frames;
}

function header(length: number, kind: number): Uint8Array {
  const bytes = new Uint8Array(headerBytes);
  new DataView(bytes.buffer).setUint32(0, length);
  bytes[4] = kind;
  return bytes;
}

function fault(name: string): (error: unknown) => boolean {
  return (error) => error instanceof ProtocolError && error.fault === name;
}

test('encodeFrame() lays the header out as documented', () => {
  const bytes = encodeFrame('data', 0x1234, 0x89abcdef, Uint8Array.of(9, 8, 7));
  assert.deepEqual(
    bytes,
    Uint8Array.of(0, 0, 0, 3, 5, 0, 0x12, 0x34, 0x89, 0xab, 0xcd, 0xef, 9, 8, 7),
  );
});

test('encodeFrame() refuses a payload that is too long for any frame', () => {
  const longest = encodeFrame('data', 0, 1, new Uint8Array(payloadBytesMax));
  assert.equal(longest.length, headerBytes + payloadBytesMax);
  assert.throws(
    () => encodeFrame('data', 0, 1, new Uint8Array(payloadBytesMax + 1)),
    /Cannot send a data frame of 262145 bytes: the limit is 262144/,
  );
});

test('FrameDecoder.push() yields every kind of frame that comes whole', () => {
  for (const frame of samples) assert.deepEqual(decode(encode(frame)), [frame]);
});

test('FrameDecoder.push() yields every kind of frame that comes byte by byte', () => {
  for (const frame of samples) {
    const bytes = Array.from(encode(frame), (byte) => Uint8Array.of(byte));
    assert.deepEqual(decode(...bytes), [frame]);
  }
});

test('FrameDecoder.push() yields every kind of frame whatever the point where it is split', () => {
  for (const frame of samples) {
    const bytes = encode(frame);
    for (let at = 0; at <= bytes.length; at++) {
      assert.deepEqual(decode(bytes.subarray(0, at), bytes.subarray(at)), [frame], `at ${at}`);
    }
  }
});

test('FrameDecoder.push() yields two frames of any kinds that come at once', () => {
  for (const first of samples) {
    for (const second of samples) {
      const both = Uint8Array.of(...encode(first), ...encode(second));
      assert.deepEqual(decode(both), [first, second]);
    }
  }
});

test('FrameDecoder.push() yields all frames of a stream that is split anywhere twice', () => {
  const frames = [samples[2]!, samples[0]!, samples[7]!];
  const bytes = Uint8Array.of(...frames.flatMap((frame) => [...encode(frame)]));
  for (let one = 0; one <= bytes.length; one++) {
    for (let two = one; two <= bytes.length; two++) {
      const chunks = [bytes.subarray(0, one), bytes.subarray(one, two), bytes.subarray(two)];
      assert.deepEqual(decode(...chunks), frames, `at ${one} and ${two}`);
    }
  }
});

test('FrameDecoder.push() passes over empty chunks and ignores flags that it does not know', () => {
  const bytes = encode(samples[3]!);
  bytes[5] = 0xff;
  const empty = new Uint8Array(0);
  assert.deepEqual(decode(empty, bytes.subarray(0, 5), empty, bytes.subarray(5), empty), [
    samples[3],
  ]);
});

test('FrameDecoder.push() refuses a length above the limit from the header alone', () => {
  for (const limit of [0, 1, 4096, payloadBytesMax]) {
    for (const length of [limit + 1, 2 * limit + 1, 0xffffffff]) {
      const decoder = new FrameDecoder(limit);
      const push = () => [...decoder.push(header(length, frameKinds.request))];
      assert.throws(push, fault('frameTooLarge'));
      assert.throws(push, fault('frameTooLarge'), 'and goes on refusing');
    }
    const atLimit = new FrameDecoder(limit);
    const frames = [...atLimit.push(header(limit, frameKinds.data))];
    assert.equal(frames.length, limit === 0 ? 1 : 0);
  }
});

test('FrameDecoder.push() refuses the header when its last byte arrives, not before', () => {
  const decoder = new FrameDecoder(100);
  const bytes = header(101, frameKinds.request);
  for (let at = 0; at < headerBytes - 1; at++) {
    assert.deepEqual([...decoder.push(bytes.subarray(at, at + 1))], []);
  }
  assert.throws(() => [...decoder.push(bytes.subarray(headerBytes - 1))], fault('frameTooLarge'));
});

test('FrameDecoder.push() refuses every kind that is none', () => {
  const known = new Set<number>(Object.values(frameKinds));
  for (let kind = 0; kind < 256; kind++) {
    const push = () => [...new FrameDecoder().push(header(0, kind))];
    if (known.has(kind)) assert.equal(push().length, 1);
    else assert.throws(push, fault('unknownKind'));
  }
});

test('FrameDecoder.push() yields the frames before a broken one', () => {
  const decoder = new FrameDecoder(100);
  const bytes = Uint8Array.of(...encode(samples[1]!), ...header(101, frameKinds.data));
  const frames: Frame[] = [];
  assert.throws(() => {
    for (const frame of decoder.push(bytes)) frames.push(frame);
  }, fault('frameTooLarge'));
  assert.deepEqual(frames, [samples[1]]);
});

test('FrameDecoder.limit changes what is accepted from the next header on', () => {
  const small = encodeFrame('request', 1, 1, new Uint8Array(10));
  const large = encodeFrame('request', 1, 2, new Uint8Array(200));
  const decoder = new FrameDecoder(100);
  const lengths: number[] = [];
  for (const frame of decoder.push(Uint8Array.of(...small, ...large))) {
    lengths.push(frame.payload.length);
    decoder.limit = 1000;
  }
  assert.deepEqual(lengths, [10, 200]);
});

test('FrameDecoder holds the bytes of one frame at most, however they come', () => {
  const decoder = new FrameDecoder(1000);
  const bytes = encodeFrame('data', 0, 1, random.bytes(1000));
  let most = 0;
  for (const byte of Uint8Array.of(...bytes, ...bytes)) {
    const frames = [...decoder.push(Uint8Array.of(byte))];
    most = Math.max(most, decoder.buffered);
    for (const frame of frames) assert.deepEqual(frame.payload, bytes.subarray(headerBytes));
  }
  assert.equal(most, headerBytes + 1000 - 1);
  assert.equal(decoder.buffered, 0);
});

test('FrameDecoder yields payloads that stay as they are, in plain arrays', () => {
  const first = encodeFrame('data', 0, 1, Uint8Array.of(1, 2, 3));
  const decoder = new FrameDecoder();
  const gathered = first.slice(0, 13);
  const [rest] = [first.slice(13)];
  assert.deepEqual([...decoder.push(gathered)], []);
  const frames = [...decoder.push(rest)];
  gathered.fill(0);
  rest.fill(0);
  assert.deepEqual(frames[0]!.payload, Uint8Array.of(1, 2, 3));
  class Chunk extends Uint8Array {}
  for (const frame of new FrameDecoder().push(new Chunk(first))) {
    assert.equal(frame.payload.constructor, Uint8Array);
  }
});
