/**
 * A large content by its blocks, from masters of every kind: honest ones, old ones, and ones that
 * lie. The worker's end is the real one, on a simulated disk.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concatBytes } from '../../../src/base/bytes.ts';
import { ByteWriter } from '../../../src/base/cursor.ts';
import { codeOf } from '../../../src/base/errors.ts';
import { migrate } from '../../../src/base/migrations.ts';
import { Applier, applyMigrations, laterApplyMigrations } from '../../../src/files/apply.ts';
import { BlockCutter, boundsFor } from '../../../src/files/block-cutter.ts';
import { packBlockRow, readRanges } from '../../../src/files/block-list.ts';
import { BundleWriter } from '../../../src/files/bundle.ts';
import type { Entry } from '../../../src/files/entry.ts';
import { SetTable } from '../../../src/files/file-set.ts';
import { versionMigrations, VersionStore } from '../../../src/files/version-store.ts';
import { bringInBlocks, isWorthBlocks } from '../../../src/tasks/integrity/block-transfer.ts';
import { BlockLists } from '../../../src/tasks/integrity/block-lists.ts';
import type { Handlers } from '../../../src/session/handlers.ts';
import { fileSet } from '../../files/material.ts';
import { TreeWorld } from '../../files/tree-world.ts';
import { SessionPair } from '../../session/session-pair.ts';
import { simCompression, simHashing } from '../../sim/hashing.ts';
import { SeededRandom } from '../../sim/random.ts';

const path = 'etc/rules/large.bin';
const set = fileSet();
const never = new AbortController().signal;
const fingerprint = await simHashing.fingerprints();

function entryOf(content: Uint8Array, mtimeMs = 0): Entry {
  return { path, size: content.length, mtimeMs, hash: simHashing.digest('md5', content) };
}

/** The list of a content, with a chance to lie. */
function listOf(
  content: Uint8Array,
  lie: (fingerprint: string, i: number) => string = (text) => text,
): Uint8Array {
  const writer = new ByteWriter();
  const cutter = new BlockCutter(boundsFor(content.length));
  for (let start = 0, i = 0; start < content.length; i++) {
    const end = cutter.next(content, start) ?? content.length;
    const hasher = fingerprint();
    hasher.update(content.subarray(start, end));
    packBlockRow(writer, { length: end - start, fingerprint: lie(hasher.digest(), i) });
    start = end;
  }
  return writer.finish();
}

/** A bundle with the ranges of a content. */
function bundleOf(content: Uint8Array, ranges: Uint8Array): Uint8Array {
  const blocks: Uint8Array[] = [];
  const writer = new BundleWriter(
    { compression: simCompression, compress: false },
    (block) => void blocks.push(block.slice()),
  );
  for (const { offset, length } of readRanges(ranges, content.length)) {
    writer.begin(length);
    writer.write(content.subarray(offset, offset + length));
    writer.end(true);
  }
  writer.flush();
  return concatBytes(blocks);
}

/** A master with this content. */
function honest(content: Uint8Array): Handlers {
  return {
    'content.blocks': async (_, context) => {
      await context.send(listOf(content));
      return {};
    },
    'content.ranges': async ({ ranges }, context) => {
      await context.send(bundleOf(content, ranges));
      return {};
    },
  };
}

interface Attempt {
  /** What `bringInBlocks` gave, or the code of what it threw. */
  readonly outcome: boolean | string;
  readonly fetched: number;
  readonly copied: number;
  /** The bytes that it put into staging; undefined where there is no staged file any more. */
  readonly staged: Uint8Array | undefined;
  /** Whether these are the content that was wanted. */
  readonly isRight: boolean;
}

/** Lets a worker that has `old` bring in what a master says about `wanted`. */
async function attempt(
  old: Uint8Array,
  wanted: Uint8Array,
  handlers: Handlers,
  options: { readonly staged?: Uint8Array } = {},
): Promise<Attempt> {
  const pair = await SessionPair.connect();
  const { world } = pair;
  const ports = pair.ports('worker');
  migrate(ports.database, [...applyMigrations, ...versionMigrations, ...laterApplyMigrations]);
  const sets = new SetTable([set], simHashing, 'md5');
  const versions = new VersionStore(ports, { keepCount: 0 });
  const applier = new Applier(ports, sets, versions, {
    algorithm: 'md5',
    preserveMtime: true,
    flush: true,
    spaceReserveBytes: 0,
  });
  pair.nodes.worker.operator.write(path, old);
  const previous = entryOf(old);
  const entry = entryOf(wanted);
  const session = pair.session('worker');
  pair.session('master', handlers);
  if (options.staged !== undefined) {
    const earlier = await world.settle(applier.stage({ set, entry, previous }));
    await world.settle(earlier.write(options.staged));
    await world.settle(earlier.suspend());
  }
  const file = await world.settle(applier.stage({ set, entry, previous }));
  let fetched = 0;
  let copied = 0;
  const count = (fetchedBytes: number, copiedBytes: number): void => {
    fetched += fetchedBytes;
    copied += copiedBytes;
  };
  const renewed = { set: set.name, entry, previous };
  const outcome = await world.settle(
    bringInBlocks(ports, session, renewed, file, count, never).catch(codeOf),
  );
  const staged = [...pair.nodes.worker.disk.staging.children.values()][0]?.body.view().slice();
  const isRight = await world.settle(file.finish().then(() => true, () => false));
  session.close('finished', 'The test is over');
  await pair.finish();
  return { outcome, fetched, copied, staged, isRight };
}

const random = new SeededRandom('blocks');
const old = random.bytes(5_000_000);
const edited = concatBytes([
  old.subarray(0, 900_000),
  random.bytes(1000),
  old.subarray(900_000, 2_500_000),
  random.bytes(65_536),
  old.subarray(2_565_536, 4_000_000),
  old.subarray(4_100_000),
]);

test('a content that was edited in three places takes the blocks around them', async () => {
  const { outcome, fetched, copied, isRight } = await attempt(old, edited, honest(edited));
  assert.deepEqual({ outcome, isRight }, { outcome: true, isRight: true });
  assert.equal(fetched + copied, edited.length);
  assert.ok(fetched < 1_000_000, String(fetched));
});

test('parts that have moved far are found', async () => {
  const moved = concatBytes([old.subarray(2_500_000), old.subarray(0, 2_500_000)]);
  const { outcome, fetched, isRight } = await attempt(old, moved, honest(moved));
  assert.deepEqual({ outcome, isRight }, { outcome: true, isRight: true });
  assert.ok(fetched < 800_000, String(fetched));
});

test('a content that has nothing in common comes all the same', async () => {
  const other = random.bytes(4_500_000);
  const { outcome, fetched, copied, isRight } = await attempt(old, other, honest(other));
  assert.deepEqual({ outcome, isRight, copied }, { outcome: true, isRight: true, copied: 0 });
  assert.equal(fetched, other.length);
});

test('what an earlier attempt has brought in is gone on with, from the middle of a block', async () => {
  for (const kept of [1, 12_345, 901_000, 2_530_000, edited.length - 1, edited.length]) {
    const staged = edited.subarray(0, kept);
    const result = await attempt(old, edited, honest(edited), { staged });
    assert.ok(result.outcome === true && result.isRight, String(kept));
    assert.equal(result.fetched + result.copied, edited.length - kept, String(kept));
  }
});

test('a master that knows no blocks, or has no such content, leaves it to the whole transfer', async () => {
  const unknown = await attempt(old, edited, {});
  assert.deepEqual([unknown.outcome, unknown.staged?.length], [false, 0]);
  const { 'content.blocks': list } = honest(edited);
  const withoutRanges = await attempt(old, edited, { 'content.blocks': list! });
  assert.equal(withoutRanges.outcome, false);
  // What there is of it is right, so the whole transfer goes on from there.
  const { length } = withoutRanges.staged!;
  assert.deepEqual(withoutRanges.staged, edited.subarray(0, length));
});

test('a master that does not come to an end is not waited for', async () => {
  const silent = () => new Promise<never>(() => {});
  for (const name of ['content.blocks', 'content.ranges'] as const) {
    const { outcome } = await attempt(old, edited, { ...honest(edited), [name]: silent });
    assert.equal(outcome, false, name);
  }
});

test('a list that lies about what blocks are gives a content that is not taken', async () => {
  const other = random.bytes(edited.length);
  const liar = { ...honest(other), 'content.blocks': honest(edited)['content.blocks']! };
  const { outcome, isRight, staged } = await attempt(old, other, liar);
  assert.deepEqual({ outcome, isRight }, { outcome: true, isRight: false });
  assert.equal(staged?.length, other.length, 'never more than was announced');
});

test('a list of other lengths than the content has ends the transfer', async () => {
  const list = listOf(edited);
  const lies = {
    longer: listOf(concatBytes([edited, random.bytes(500_000)])),
    shorter: list.subarray(0, 280),
    'cut in a row': list.subarray(0, 283),
    endless: new Uint8Array(900_000),
    nothing: undefined,
  };
  for (const [name, lie] of Object.entries(lies)) {
    const handlers: Handlers = {
      ...honest(edited),
      'content.blocks': async (_, context) => {
        if (lie !== undefined) await context.send(lie);
        return {};
      },
    };
    const { outcome, staged } = await attempt(old, edited, handlers);
    assert.equal(outcome, 'protocol', name);
    assert.ok((staged?.length ?? 0) <= edited.length, name);
  }
});

test('ranges of other lengths than were asked for end the transfer', async () => {
  for (const change of [-1, 1]) {
    const handlers: Handlers = {
      ...honest(edited),
      'content.ranges': async ({ ranges }, context) => {
        const [first] = readRanges(ranges, edited.length);
        const writer = new ByteWriter();
        writer.u48(first!.offset);
        writer.u48(first!.length + change);
        await context.send(bundleOf(edited, writer.finish()));
        return {};
      },
    };
    assert.equal((await attempt(old, edited, handlers)).outcome, 'protocol');
  }
});

test('isWorthBlocks() leaves alone what is small, nearly there or new to a large part', () => {
  const sized = (size: number, before: number) => ({
    set: 'rules',
    entry: { ...entryOf(old), size },
    previous: { ...entryOf(old), size: before },
  });
  const mebibyte = 1024 * 1024;
  assert.equal(isWorthBlocks(sized(4 * mebibyte, 4 * mebibyte), 0), true);
  assert.equal(isWorthBlocks(sized(4 * mebibyte - 1, 4 * mebibyte), 0), false);
  assert.equal(isWorthBlocks(sized(9 * mebibyte, 9 * mebibyte), 6 * mebibyte), false);
  assert.equal(isWorthBlocks(sized(80 * mebibyte, 9 * mebibyte), 0), false);
});

test('BlockLists cuts a content once for all who ask, and refuses what is not the content', async () => {
  const machine = new TreeWorld();
  const { world, node: { operator }, ports } = machine;
  operator.write(path, edited, { mtimeMs: 1_600_000_000_000 });
  let opened = 0;
  const files = {
    open: (asked: string) => {
      opened++;
      return ports.files.open(asked);
    },
  };
  const lists = new BlockLists({ ...ports, files });
  const entry = entryOf(edited, 1_600_000_000_000);
  const receive = async (signal = never) => {
    const pieces: Uint8Array[] = [];
    await lists.send(entry, signal, async (piece) => void pieces.push(piece));
    return concatBytes(pieces);
  };
  const leaving = new AbortController();
  const left = receive(leaving.signal).then(() => 'whole', codeOf);
  const both = await world.settle(Promise.all([receive(), receive()]));
  leaving.abort();
  assert.deepEqual(both, [listOf(edited), listOf(edited)]);
  assert.deepEqual(await world.settle(receive()), both[0]);
  assert.equal(opened, 1);
  await world.settle(left);

  operator.write(path, old);
  const other = new BlockLists({ ...ports, files });
  const outcome = other.send(entry, never, async () => {}).then(() => 'sent', codeOf);
  assert.equal(await world.settle(outcome), 'changed');
  await world.stop();
});
