/**
 * The wire against nonsense: mutated frames, mutated payloads and random bytes, from fixed seeds.
 *
 * Whatever comes, nothing but a ProtocolError is thrown, and never more is held than the limit.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concatBytes } from '../../src/base/bytes.ts';
import { ByteReader } from '../../src/base/cursor.ts';
import { ProtocolError } from '../../src/base/errors.ts';
import { closeFrame, ourReason, readClose } from '../../src/session/close-reason.ts';
import type { Handlers } from '../../src/session/handlers.ts';
import { decodePayload, encodePayload } from '../../src/wire/codec.ts';
import { failureFrame, readCredit, readFailure } from '../../src/wire/compose.ts';
import {
  encodeFrame,
  type Frame,
  FrameDecoder,
  type FrameKind,
  frameKinds,
  headerBytes,
} from '../../src/wire/frame.ts';
import {
  messageById,
  type MessageName,
  messages,
  type RequestName,
} from '../../src/wire/messages.ts';
import { SessionPair } from '../session/session-pair.ts';
import { SeededRandom } from '../sim/random.ts';
import { payloadSamples, replySamples } from '../wire/samples.ts';
import { mutated } from './mutation.ts';

const names = Object.keys(messages) as MessageName[];

/** Limits that a session has, and small ones that mutations exceed often. */
const limits = [0, 64, 1000, 4096, 256 * 1024];

/** Samples that are short enough to be mutated often. */
function corpus(): Uint8Array[] {
  const frames = [closeFrame(ourReason('shutdown', 'Bye')), failureFrame(1, 'stale', 'Too old')];
  for (const name of names) {
    const { id, answer } = messages[name];
    const kind = answer === 'reply' ? 'request' : 'event';
    for (const payload of payloadSamples[name].valid) {
      frames.push(encodeFrame(kind, id, 1, encodePayload(payload)));
    }
    if (answer === 'none') continue;
    for (const reply of replySamples[name as RequestName].valid) {
      frames.push(encodeFrame('reply', id, 1, encodePayload(reply)));
    }
  }
  for (const kind of ['data', 'credit', 'cancel'] as const) {
    frames.push(encodeFrame(kind, 0, 1, Uint8Array.of(0, 0, 4, 0)));
  }
  return frames.filter((frame) => frame.length < 2000);
}

/** Bytes that mean something in msgpack: types, and counts at their borders. */
const telling = [
  0x00,
  0x7f,
  0x80,
  0x81,
  0x8f,
  0x90,
  0x91,
  0x9f,
  0xa0,
  0xbf,
  0xc0,
  0xc1,
  0xc4,
  0xc6,
  0xc7,
  0xc9,
  0xcb,
  0xcf,
  0xd4,
  0xd8,
  0xd9,
  0xdb,
  0xdc,
  0xdd,
  0xde,
  0xdf,
  0xe0,
  0xff,
]; // deno-fmt-ignore-line

/** Reads a frame as a session does, limits of the table left out so that all readers are reached. */
function readFrame(frame: Frame): void {
  const entry = messageById(frame.message);
  switch (frame.kind) {
    case 'request':
      if (entry?.answer === 'reply') entry.request(decodePayload(frame.payload), entry.name);
      return;
    case 'reply':
      if (entry?.answer === 'reply') entry.reply(decodePayload(frame.payload), entry.name);
      return;
    case 'event':
      if (entry?.answer === 'none') entry.event(decodePayload(frame.payload), entry.name);
      return;
    case 'failure':
      readFailure(frame.payload);
      return;
    case 'credit':
      readCredit(frame.payload);
      return;
    case 'close':
      readClose(frame.payload);
      return;
    case 'data':
    case 'cancel':
      return;
  }
}

/** Counts what came of it; anything but a ProtocolError goes through. */
class Tally {
  accepted = 0;
  refused = 0;

  try(work: () => void): void {
    try {
      work();
      this.accepted += 1;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.refused += 1;
    }
  }
}

/** Feeds bytes in random pieces; gives the frames, and checks what the decoder holds. */
function feed(bytes: Uint8Array, random: SeededRandom, onFrame: (frame: Frame) => void): void {
  const limit = random.pick(limits);
  const decoder = new FrameDecoder(limit);
  for (let at = 0; at < bytes.length;) {
    const length = random.chance(0.5) ? bytes.length - at : random.integer(0, 40);
    try {
      for (const frame of decoder.push(bytes.subarray(at, at + length))) {
        assert.ok(frame.payload.length <= limit);
        onFrame(frame);
      }
    } finally {
      assert.ok(decoder.buffered <= headerBytes + limit, `${decoder.buffered} bytes are held`);
    }
    at += length;
  }
}

test('mutated frames in random pieces are read or refused, never more', () => {
  const random = new SeededRandom('fuzz frames');
  const frames = corpus();
  const tally = new Tally();
  for (let i = 0; i < 60_000; i++) {
    const parts = Array.from({ length: random.integer(1, 3) }, () => random.pick(frames));
    const broken = mutated(concatBytes(parts), random, telling);
    tally.try(() => feed(broken, random, readFrame));
  }
  assert.ok(tally.accepted > 5000 && tally.refused > 5000, JSON.stringify(tally));
});

test('mutated payloads of every message are read or refused, never more', () => {
  const random = new SeededRandom('fuzz payloads');
  const frames = corpus();
  const tally = new Tally();
  for (let i = 0; i < 120_000; i++) {
    const bytes = mutated(random.pick(frames), random, telling, headerBytes);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, bytes.length - headerBytes);
    for (const frame of new FrameDecoder().push(bytes)) tally.try(() => readFrame(frame));
  }
  assert.ok(tally.accepted > 5000 && tally.refused > 5000, JSON.stringify(tally));
});

test('random payloads are read or refused, never more', () => {
  const random = new SeededRandom('fuzz random');
  const kinds = Object.keys(frameKinds) as FrameKind[];
  const tally = new Tally();
  for (let i = 0; i < 20_000; i++) {
    const payload = random.bytes(random.integer(0, 60)).map((byte) =>
      random.chance(0.5) ? random.pick(telling) : byte
    );
    const id = messages[random.pick(names)].id;
    const frame = { kind: random.pick(kinds), message: id, stream: 1, payload };
    tally.try(() => readFrame(frame));
    tally.try(() => void decodePayload(payload));
  }
  assert.ok(tally.accepted > 100 && tally.refused > 5000, JSON.stringify(tally));
});

test('random bytes fed to the frame decoder are refused or waited for, never more', () => {
  const random = new SeededRandom('fuzz bytes');
  for (let i = 0; i < 5000; i++) {
    new Tally().try(() => feed(random.bytes(random.integer(1, 300)), random, () => {}));
  }
});

test('random reads of random packed rows stay within them', () => {
  const random = new SeededRandom('fuzz rows');
  const tally = new Tally();
  const reads = ['u8', 'u16', 'u32', 'u48', 'f64', 'text', 'bytes'] as const;
  for (let i = 0; i < 20_000; i++) {
    const bytes = random.bytes(random.integer(0, 40));
    const start = random.integer(0, bytes.length);
    const end = random.integer(start, bytes.length);
    const reader = new ByteReader(bytes, start, end);
    tally.try(() => {
      for (let j = random.integer(1, 8); j > 0; j--) {
        const read = random.pick(reads);
        if (read === 'text' || read === 'bytes') reader[read](random.integer(0, 12));
        else reader[read]();
      }
    });
    assert.ok(reader.position >= start && reader.position <= end);
  }
  assert.ok(tally.accepted > 1000 && tally.refused > 1000, JSON.stringify(tally));
});

test('a session that is told nonsense ends for one reason, or goes on, and has no defect', async () => {
  const random = new SeededRandom('fuzz session');
  const frames = corpus();
  const codes = new Map<string, number>();
  for (let seed = 1; seed <= 300; seed++) {
    const pair = await SessionPair.connect({ seed });
    const handlers = Object.fromEntries(
      Object.entries(replySamples).map(([name, { valid }]) => [name, () => valid[0]]),
    ) as Handlers;
    const session = pair.session('master', handlers, { isOpen: seed % 3 > 0 });
    // A request of ours, so that answers have something to belong to.
    session.request('session.ping', {}).catch(() => {});
    const raw = pair.raw('worker').read();
    for (let i = 0; i < 20; i++) {
      const frame = random.pick(frames);
      raw.send(random.chance(0.2) ? mutated(frame, random, telling) : frame);
    }
    await pair.world.run({ forMs: 50 });
    if (!session.signal.aborted) session.close('finished', 'Survived');
    const { code } = await pair.world.settle(session.closed);
    codes.set(code, (codes.get(code) ?? 0) + 1);
    await pair.finish();
    assert.deepEqual(pair.logged('master'), [], `seed ${seed}`);
  }
  assert.ok(codes.get('protocol')! > 50, JSON.stringify([...codes]));
});
