import assert from 'node:assert/strict';
import test from 'node:test';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { concatBytes, fromBytes, toHex } from '../../src/base/bytes.ts';
import {
  type AbsenceReason,
  type BundleEvent,
  type BundleItem,
  BundleReader,
  BundleWriter,
  packItems,
  readItems,
} from '../../src/files/bundle.ts';
import type { Compression } from '../../src/ports.ts';
import { simCompression } from '../sim/hashing.ts';
import { SeededRandom } from '../sim/random.ts';
import { assertMalformed, mutated, unlessMalformed, wordPath } from './material.ts';

const KiB = 1024;

const zstd: Compression = {
  compress: (bytes) => new Uint8Array(zstdCompressSync(bytes)),
  decompress: (bytes, bytesMax) =>
    new Uint8Array(zstdDecompressSync(bytes, { maxOutputLength: bytesMax })),
};

/** What happens to one item: it is absent, or has a content, complete or not. */
type Fate =
  | AbsenceReason
  | { readonly bytes: Uint8Array; readonly isComplete: boolean };

interface WriteOptions {
  readonly compression?: Compression;
  readonly compress?: boolean;
  /** Bytes handed to `write` at a time. */
  readonly pieceBytes?: number;
}

/** The blocks of a bundle. */
function blocksOf(fates: readonly Fate[], options: WriteOptions = {}): Uint8Array[] {
  const { compression = simCompression, compress = true, pieceBytes = 64 * KiB } = options;
  const blocks = new Blocks();
  const writer = new BundleWriter({ compression, compress }, blocks.take);
  for (const fate of fates) {
    if (typeof fate === 'string') {
      writer.add(fate);
      continue;
    }
    writer.begin(fate.bytes.length);
    for (let at = 0; at < fate.bytes.length; at += pieceBytes) {
      writer.write(fate.bytes.subarray(at, at + pieceBytes));
    }
    writer.end(fate.isComplete);
  }
  writer.flush();
  return blocks.whole;
}

/** Puts the parts that a writer hands over together again. */
class Blocks {
  readonly whole: Uint8Array[] = [];
  #header: Uint8Array | undefined;

  readonly take = (part: Uint8Array): void => {
    const header = this.#header;
    this.#header = undefined;
    if (header !== undefined) this.whole.push(concatBytes([header, part]));
    else if (new DataView(part.buffer, part.byteOffset).getUint32(5) === 0) {
      this.whole.push(part.slice());
    } else this.#header = part.slice();
  };
}

/** What a reader makes of chunks. */
function fatesOf(
  chunks: Iterable<Uint8Array>,
  itemsCount: number,
  compression = simCompression,
): { fates: Fate[]; isFinished: boolean } {
  const reader = new BundleReader({ compression, itemsCount });
  const fates: Fate[] = [];
  let present: { item: number; length: number; parts: Uint8Array[] } | undefined;
  const take = (event: BundleEvent): void => {
    assert.equal(event.item, fates.length, 'items come in order');
    assert.equal(present !== undefined, event.kind === 'bytes' || event.kind === 'end');
    if (event.kind === 'begin') {
      present = { item: event.item, length: event.length, parts: [] };
    } else if (event.kind === 'bytes') {
      assert.ok(event.bytes.length > 0);
      present!.parts.push(event.bytes.slice());
    } else if (event.kind === 'absent') {
      fates.push(event.reason);
    } else {
      const bytes = concatBytes(present!.parts);
      if (event.isComplete) assert.equal(bytes.length, present!.length);
      fates.push({ bytes, isComplete: event.isComplete });
      present = undefined;
    }
  };
  for (const chunk of chunks) for (const event of reader.push(chunk)) take(event);
  return { fates, isFinished: reader.isFinished };
}

function content(bytes: Uint8Array | string, isComplete = true): Fate {
  return {
    bytes: typeof bytes === 'string' ? Uint8Array.from(bytes, (c) => c.charCodeAt(0)) : bytes,
    isComplete,
  };
}

function noise(length: number): Uint8Array {
  return new SeededRandom('noise').bytes(length);
}

/** Raw length, codec and stored length of blocks. */
function headersOf(blocks: readonly Uint8Array[]): [number, number, number][] {
  return blocks.map((block) => {
    const view = new DataView(block.buffer, block.byteOffset);
    assert.equal(block.length, 9 + view.getUint32(5));
    return [view.getUint32(0), view.getUint8(4), view.getUint32(5)];
  });
}

/** A block made by hand. */
function block(rawBytes: number, codec: number, stored: Uint8Array | number[]): Uint8Array {
  const bytes = new Uint8Array(9 + stored.length);
  new DataView(bytes.buffer).setUint32(0, rawBytes);
  bytes[4] = codec;
  new DataView(bytes.buffer).setUint32(5, stored.length);
  bytes.set(stored, 9);
  return bytes;
}

function stored(...raw: number[]): Uint8Array {
  return block(raw.length, 0, raw);
}

const allFates: readonly Fate[] = [
  'changed',
  content('first'),
  'vanished',
  content(''),
  content('x'.repeat(200)),
  'unreadable',
  content('changed on the way', false),
  'unknown',
  content('last'),
];

test('readItems() reads what packItems() packed', () => {
  const random = new SeededRandom('items');
  const items: BundleItem[] = Array.from({ length: 50 }, () => ({
    setIndex: random.integer(0, 255),
    path: wordPath(random),
    hash: fromBytes(random.bytes(16)),
    offset: random.pick([0, 1, 2 ** 32 + 1, 2 ** 48 - 1]),
  }));
  const packed = packItems(items);
  assert.deepEqual(readItems(packed, 'md5'), items);
  assert.deepEqual(readItems(packItems([]), 'md5'), []);
  const item = { setIndex: 1, path: 'a', hash: '0123456789abcdef', offset: 258 };
  assert.equal(toHex(fromBytes(packItems([item]))), `01000161${toHex(item.hash)}000000000102`);
});

test('readItems() throws nothing but ProtocolError, whatever the bytes', () => {
  const item = { setIndex: 0, path: 'a/b', hash: '0123456789abcdef', offset: 0 };
  assertMalformed(() => readItems(packItems([{ ...item, path: '../a' }]), 'md5'), /"\.\."/);
  assertMalformed(() => readItems(packItems([item]).subarray(1), 'md5'), /Path|too early/);
  assertMalformed(() => readItems(packItems([item]), 'sha256'), /too early/);
  const random = new SeededRandom('fuzz items');
  const packed = packItems([item, item, item]);
  for (let round = 0; round < 2000; round++) {
    unlessMalformed(() => readItems(mutated(random, packed), 'md5'));
    unlessMalformed(() => readItems(random.bytes(random.integer(0, 60)), 'md5'));
  }
});

test('BundleReader takes apart what BundleWriter wrote, cut at any place', () => {
  const bytes = concatBytes(blocksOf(allFates));
  const expected = { fates: allFates, isFinished: true };
  assert.deepEqual(fatesOf([bytes], allFates.length), expected);
  const single = Array.from(bytes, (byte) => Uint8Array.of(byte));
  assert.deepEqual(fatesOf(single, allFates.length), expected);
  for (let at = 0; at <= bytes.length; at++) {
    const chunks = [bytes.subarray(0, at), bytes.subarray(at)];
    assert.deepEqual(fatesOf(chunks, allFates.length), expected, `cut at ${at}`);
  }
});

test('BundleReader takes apart bundles of many blocks, with records across their edges', () => {
  const random = new SeededRandom('bundles');
  for (let round = 0; round < 60; round++) {
    const fates = Array.from({ length: random.integer(0, 12) }, (): Fate => {
      if (random.chance(0.2)) return random.pick(['changed', 'vanished', 'unknown']);
      const length = random.pick([0, 1, 500, 40 * KiB, 256 * KiB - 8, 256 * KiB, 300 * KiB]);
      const bytes = random.chance(0.5) ? new Uint8Array(length).fill(65) : noise(length);
      return content(bytes, random.chance(0.8));
    });
    const compression = random.pick([simCompression, zstd]);
    const compress = random.chance(0.7);
    const pieceBytes = random.pick([777, 64 * KiB, 1024 * KiB]);
    const bytes = concatBytes(blocksOf(fates, { compression, compress, pieceBytes }));
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < bytes.length;) {
      const end = at + random.pick([1, 9, 1000, 100 * KiB, 400 * KiB]);
      chunks.push(bytes.subarray(at, end));
      at = end;
    }
    assert.deepEqual(fatesOf(chunks, fates.length, compression), { fates, isFinished: true });
  }
});

test('BundleWriter cuts blocks so that they fit a frame, and compresses what becomes smaller', () => {
  const bytes = new Uint8Array(600 * KiB).fill(65);
  const headers = headersOf(blocksOf([content(bytes)], { compression: zstd }));
  // Header and block have 256 KiB; the bytes of the content begin with a block of their own.
  const full = 256 * KiB - 9;
  assert.deepEqual(headers.map(([raw]) => raw), [7, full, full, 88 * KiB + 18 + 1]);
  for (const [raw, codec, length] of headers.slice(1)) {
    assert.equal(codec, 1);
    assert.ok(length < raw / 100);
  }
  const plain = headersOf(blocksOf([content(bytes)], { compression: zstd, compress: false }));
  assert.deepEqual(plain.map(([, codec]) => codec), [0, 0, 0, 0]);
});

test('BundleWriter stores a block of which compression saves less than a sixteenth', () => {
  const saving = (savedBytes: number): Compression => ({
    compress: (bytes) => bytes.slice(savedBytes),
    decompress: () => assert.fail('not called'),
  });
  // 4,096 bytes of the record, of which a sixteenth are 256.
  const fates = [content(noise(4088))];
  assert.deepEqual(headersOf(blocksOf(fates, { compression: saving(256) })), [[4096, 1, 3840]]);
  assert.deepEqual(headersOf(blocksOf(fates, { compression: saving(255) })), [[4096, 0, 4096]]);
});

test('BundleWriter gives up on an item of which four blocks did not compress', () => {
  let tried = 0;
  const counting: Compression = {
    ...zstd,
    compress: (bytes) => {
      tried++;
      return zstd.compress(bytes);
    },
  };
  const large = content(noise(10 * 256 * KiB));
  blocksOf([large], { compression: counting });
  assert.equal(tried, 4);
  tried = 0;
  const headers = headersOf(
    blocksOf([large, content(new Uint8Array(1024 * KiB))], { compression: counting }),
  );
  assert.equal(headers.filter(([, codec]) => codec === 1).length, 4, 'the next item is tried');
  tried = 0;
  const mixed = [1, 2].flatMap(() => [noise(3 * 256 * KiB), new Uint8Array(512 * KiB)]);
  blocksOf([content(concatBytes(mixed))], { compression: counting });
  assert.equal(tried, 10, 'a block that pays starts the count anew');
});

test('BundleWriter ends an item early with a cut, and the next one comes whole', () => {
  for (const written of [0, 1, 300 * KiB]) {
    const blocks = new Blocks();
    const options = { compression: simCompression, compress: true };
    const writer = new BundleWriter(options, blocks.take);
    writer.begin(2 ** 48 - 1);
    writer.write(noise(written));
    writer.end(false);
    writer.begin(2);
    writer.write(Uint8Array.of(7, 8));
    writer.end(true);
    writer.flush();
    const { fates, isFinished } = fatesOf(blocks.whole, 2);
    assert.equal(isFinished, true);
    assert.deepEqual(fates, [content(noise(written), false), content(Uint8Array.of(7, 8))]);
  }
});

test('BundleWriter takes copies: what was written may change', () => {
  const blocks = new Blocks();
  const writer = new BundleWriter({ compression: simCompression, compress: false }, blocks.take);
  const piece = new Uint8Array(300 * KiB).fill(1);
  writer.begin(2 * piece.length);
  writer.write(piece);
  writer.write(piece.fill(2));
  writer.end(true);
  writer.flush();
  const [fate] = fatesOf(blocks.whole, 1).fates;
  assert.ok(typeof fate === 'object');
  assert.deepEqual(fate.bytes.slice(300 * KiB - 1, 300 * KiB + 1), Uint8Array.of(1, 2));
});

test('BundleWriter refuses calls out of order', () => {
  const writer = (): BundleWriter =>
    new BundleWriter({ compression: simCompression, compress: true }, () => {});
  const begun = (length: number): BundleWriter => {
    const begun = writer();
    begun.begin(length);
    return begun;
  };
  const bytes = new Uint8Array(3);
  assert.throws(() => writer().write(bytes), /Invariant broken/);
  assert.throws(() => writer().end(true), /Invariant broken/);
  assert.throws(() => writer().begin(2 ** 48), /Invariant broken/);
  assert.throws(() => begun(3).begin(3), /Invariant broken/);
  assert.throws(() => begun(3).add('changed'), /Invariant broken/);
  assert.throws(() => begun(2).write(bytes), /Invariant broken/);
  assert.throws(() => begun(3).end(true), /Invariant broken/);
});

test('BundleReader.isFinished is true only when every item has arrived whole', () => {
  const bytes = concatBytes(blocksOf(allFates));
  for (let length = 0; length < bytes.length; length++) {
    const { isFinished } = fatesOf([bytes.subarray(0, length)], allFates.length);
    assert.equal(isFinished, false, `${length} of ${bytes.length} bytes`);
  }
  assert.equal(fatesOf([], 0).isFinished, true);
  assert.equal(fatesOf([bytes], allFates.length + 1).isFinished, false);
});

test('BundleReader refuses bytes after the last item', () => {
  const bytes = concatBytes(blocksOf(['changed']));
  const read = (...chunks: Uint8Array[]): unknown => fatesOf(chunks, 1);
  assert.doesNotThrow(() => read(bytes, new Uint8Array(0)));
  assertMalformed(() => read(bytes, Uint8Array.of(0)), /goes on after its last item/);
  assertMalformed(() => read(concatBytes([bytes, bytes])), /goes on after its last item/);
  assertMalformed(() => read(stored(1, 1)), /goes on after its last item/);
  assertMalformed(() => read(bytes, block(0, 2, [])), /goes on after its last item/);
  assertMalformed(() => fatesOf([Uint8Array.of(0)], 0), /goes on after its last item/);
});

test('BundleReader refuses blocks whose headers do not add up, before it takes their bytes', () => {
  const MiB = 1024 * KiB;
  const header = (rawBytes: number, codec: number, storedBytes: number): Uint8Array => {
    const bytes = block(rawBytes, codec, []);
    new DataView(bytes.buffer).setUint32(5, storedBytes);
    return bytes;
  };
  const wrong: [number, number, number][] = [
    [0, 0, 0],
    [0, 1, 1],
    [MiB + 1, 0, MiB + 1],
    [2 ** 32 - 1, 1, 100],
    [100, 0, 99],
    [100, 0, 101],
    [100, 1, 0],
    [100, 1, 100],
    [100, 1, 2 ** 32 - 1],
    [100, 3, 100],
    [100, 255, 50],
    [1, 2, 0],
    [0, 2, 1],
  ];
  for (const [rawBytes, codec, storedBytes] of wrong) {
    const chunk = header(rawBytes, codec, storedBytes);
    assertMalformed(() => fatesOf([chunk], 1), /^A block of /);
  }
  for (const [rawBytes, codec, storedBytes] of [[MiB, 0, MiB], [MiB, 1, MiB - 1]] as const) {
    assert.doesNotThrow(() => fatesOf([header(rawBytes, codec, storedBytes)], 1));
  }
});

test('BundleReader refuses records that break the format', () => {
  const read = (...chunks: Uint8Array[]): unknown => fatesOf(chunks, 2);
  const begun = stored(0, 0, 0, 0, 0, 0, 2);
  assertMalformed(() => read(stored(5)), /status 5/);
  assertMalformed(() => read(stored(255)), /status 255/);
  assertMalformed(() => read(begun, stored(65, 66, 2)), /ends with 2/);
  const cut = block(0, 2, []);
  assertMalformed(() => read(cut), /is cut where/);
  assertMalformed(() => read(stored(0, 0, 0), cut), /is cut where/);
  assertMalformed(() => read(begun, stored(65, 66), cut), /is cut where/);
  assert.doesNotThrow(() => read(begun, stored(65), cut));
});

test('BundleReader refuses compressed blocks that are damaged or of another length', () => {
  const raw = new Uint8Array(1000);
  raw.set([0, 0, 0, 0, 0, 3, 225]); // a record of 993 bytes, its trailer yet to come
  for (const compression of [simCompression, zstd]) {
    const packed = compression.compress(raw);
    const read = (rawBytes: number, bytes: Uint8Array): unknown =>
      fatesOf([block(rawBytes, 1, bytes)], 1, compression);
    assert.doesNotThrow(() => read(1000, packed));
    assertMalformed(() => read(999, packed), /cannot be decompressed/);
    assertMalformed(() => read(1001, packed), /has 1000 bytes instead of 1001/);
    // Some report a block that was cut short, others give what little there is.
    const half = packed.subarray(0, packed.length >> 1);
    assertMalformed(() => read(1000, half), /cannot be decompressed|instead of 1000/);
    assertMalformed(() => read(1000, noise(50)), /cannot be decompressed/);
  }
});

test('BundleReader throws nothing but ProtocolError and holds one block, whatever the bytes', () => {
  const random = new SeededRandom('fuzz bundles');
  const fates = [...allFates, content(new Uint8Array(5000).fill(66)), content(noise(300))];
  const bytes = concatBytes(blocksOf(fates));
  let malformed = 0;
  for (let round = 0; round < 4000; round++) {
    const other = random.chance(0.2)
      ? random.bytes(random.integer(0, 200))
      : mutated(random, bytes);
    const at = random.integer(0, other.length);
    const reader = new BundleReader({ compression: simCompression, itemsCount: fates.length });
    const result = unlessMalformed(() => {
      for (const chunk of [other.subarray(0, at), other.subarray(at)]) {
        for (const event of reader.push(chunk)) {
          assert.ok(event.item < fates.length);
          if (event.kind === 'bytes') assert.ok(event.bytes.length <= 1024 * KiB);
        }
      }
      return reader;
    });
    if (result === undefined) malformed++;
  }
  assert.ok(malformed > 1000, `${malformed} were malformed`);
});
