/** The ways in which a hostile master is played: tables, streams and frames that are not honest. */
import { ByteWriter } from '../../src/base/cursor.ts';
import { CODEC_STORED, CODEC_ZSTD, packBlock } from '../../src/files/bundle-format.ts';
import { readItems } from '../../src/files/bundle.ts';
import { leafOf, readLeaves } from '../../src/files/digest-tree.ts';
import type { Entry } from '../../src/files/entry.ts';
import { Manifest } from '../../src/files/manifest.ts';
import { createCompression } from '../../src/runtime/compression.ts';
import { createHashing } from '../../src/runtime/hashing.ts';
import { encodePayload } from '../../src/wire/codec.ts';
import { encodeFrame } from '../../src/wire/frame.ts';
import { messages } from '../../src/wire/messages.ts';
import type { Attack, HostileHandlers } from './hostile-master.ts';

const hashing = await createHashing();
const compression = createCompression();
const content = new TextEncoder().encode('evil');
const good: Entry = entryOf('etc/rules/good.xml', new TextEncoder().encode('good'));

function entryOf(path: string, bytes: Uint8Array, facts: Partial<Entry> = {}): Entry {
  const hash = hashing.digest('md5', bytes);
  return { path, size: bytes.length, mtimeMs: 1_700_000_000_000, hash, ...facts };
}

/** What a lying table is made of. */
interface Lie {
  readonly set?: string;
  /** Rows of the set, as the worker gets them. */
  readonly rows: (leaves: ReadonlySet<number>) => Uint8Array;
  readonly digest?: string;
  /** The answer to what is fetched. */
  readonly bundle?: (count: number) => Iterable<Uint8Array>;
}

/** A master with a lying table: all other sets are in step. */
function liar(lie: Lie): HostileHandlers {
  const name = lie.set ?? 'rules';
  return {
    'integrity.check': (request) => ({
      generation: 1,
      state: 'differs',
      sets: request.sets.map((set) => ({
        name: set.name,
        state: set.name === name ? 'differs' as const : 'same' as const,
        digest: set.name === name ? lie.digest ?? 'x'.repeat(16) : set.digest,
        entriesCount: 1,
        isApproved: true,
      })),
    }),
    // Nothing that the worker has is as it should be, so that it asks for all rows.
    'integrity.digests': (request) => ({
      digests: new Uint8Array(64 * 16 * Math.max(1, request.branches.length)).fill(7),
    }),
    'integrity.rows': async (request, context) => {
      await context.send(lie.rows(new Set(readLeaves(request.leaves))));
      return {};
    },
    'content.fetch': async (request, context) => {
      const { length } = readItems(request.items, 'md5');
      for (const piece of lie.bundle?.(length) ?? []) await context.send(piece);
      return {};
    },
  };
}

/** An honest table that holds one entry which is not honest. */
function table(entry: Entry, more: Partial<Lie> = {}): HostileHandlers {
  const entries = [good, entry];
  const manifest = Manifest.fromEntries({ hashing, algorithm: 'md5' }, entries);
  return liar({
    rows: (leaves) => packed(entries.filter(({ path }) => leaves.has(leafOf(path)))),
    digest: manifest.rootDigest,
    bundle: () => [packBlock(record(content).length, CODEC_STORED, record(content))],
    ...more,
  });
}

/** Rows in the order of their leaves, as a worker expects them. */
function packed(entries: readonly Entry[]): Uint8Array {
  const writer = new ByteWriter();
  for (const entry of entries.toSorted((a, b) => leafOf(a.path) - leafOf(b.path))) {
    writer.u16(entry.path.length);
    writer.text(entry.path);
    writer.u48(entry.size);
    writer.f64(entry.mtimeMs);
    writer.text(entry.hash);
  }
  return writer.finish();
}

/** One record of a bundle with a content; `length` may lie. */
function record(bytes: Uint8Array, length = bytes.length): Uint8Array {
  const writer = new ByteWriter();
  writer.u8(0);
  writer.u48(length);
  writer.bytes(bytes);
  writer.u8(0);
  return writer.finish();
}

function stored(bytes: Uint8Array): Uint8Array {
  return packBlock(bytes.length, CODEC_STORED, bytes).slice();
}

function u32(...values: number[]): Uint8Array {
  const writer = new ByteWriter();
  for (const value of values) writer.u32(value);
  return writer.finish();
}

const evil = (path: string): HostileHandlers => table(entryOf(path, content));
const rule = (facts: Partial<Entry>, more: Partial<Lie> = {}): HostileHandlers =>
  table(entryOf('etc/rules/evil.xml', content, facts), more);

/** The content that was asked for, and more without end. */
function* endless(): Generator<Uint8Array> {
  yield stored(record(content));
  const block = stored(new Uint8Array(200_000));
  for (;;) yield block;
}

/** Paths that lead out of the sets, and what the worker calls them. */
const badPaths: readonly (readonly [name: string, path: string, says: RegExp])[] = [
  ['a path above the root', '../outside/evil', /component "\.\."/],
  ['a path that climbs out', 'etc/rules/../../../outside/evil', /component "\.\."/],
  ['an absolute path', '/etc/rules/evil.xml', /starts with "\/"/],
  ['a path with a trailing slash', 'etc/rules/evil.xml/', /ends with "\/"/],
  ['a path with an empty component', 'etc//rules/evil.xml', /empty component/],
  ['a path with a dot component', './etc/rules/evil.xml', /component "\."/],
  ['a path with a NUL byte', 'etc/rules/evil\0.xml', /NUL byte/],
  ['a name of 300 bytes', `etc/rules/${'e'.repeat(300)}`, /longer than 255 bytes/],
  ['a name of its own temporary files', 'etc/rules/.muster-tmp-evil', /\.muster-tmp-/],
  ['a path in no set', 'etc/ossec.conf', /does not belong to set/],
  ['a path in another set', 'etc/client.keys', /does not belong to set/],
  ['an excluded name', 'etc/rules/evil.tmp', /does not belong to set/],
  ['a path through a symbolic link', 'etc/rules/link/evil', /symbolic link|not a directory|link/],
];

/** All attacks. */
export const attacks: readonly Attack[] = [
  ...badPaths.map(([name, path, says]) => ({ name, says, handlers: evil(path) })),
  {
    name: 'a content that does not have its hash',
    says: /does not have the size and hash/,
    handlers: rule({}, { bundle: () => [stored(record(new TextEncoder().encode('vile')))] }),
  },
  {
    name: 'a content shorter than its entry',
    says: /sends 2 bytes of a file of which 4 are missing/,
    handlers: rule({}, { bundle: () => [stored(record(content.subarray(0, 2)))] }),
  },
  {
    name: 'a content longer than its entry',
    says: /sends 9 bytes of a file of which 4 are missing/,
    handlers: rule({}, { bundle: () => [stored(record(new Uint8Array(9)))] }),
  },
  {
    name: 'a stream that never ends',
    says: /record|block|bundle|items/i,
    handlers: rule({}, { bundle: endless }),
  },
  {
    name: 'a stream that ends early',
    says: /fewer contents/,
    handlers: rule({}, { bundle: () => [stored(record(content).subarray(0, 5))] }),
  },
  {
    name: 'a block that unpacks to more than it says',
    says: /unpack|block/,
    handlers: rule({}, {
      bundle: () => [packBlock(100_000, CODEC_ZSTD, compression.compress(new Uint8Array(1 << 20)))],
    }),
  },
  {
    name: 'a block that says it holds gigabytes',
    says: /block of \d+ bytes/i,
    handlers: rule({}, { bundle: () => [new Uint8Array([...u32(0xffffffff), 1, ...u32(9)])] }),
  },
  {
    name: 'a file larger than any disk',
    says: /bytes are free|are needed/,
    handlers: rule({ size: 2 ** 47 }),
  },
  {
    name: 'a modification time that is no number',
    says: /time/,
    handlers: liar({
      rows: () => packed([entryOf('etc/rules/evil.xml', content, { mtimeMs: Number.NaN })]),
    }),
  },
  {
    name: 'the same path twice',
    says: /order|twice|sorted|same path/i,
    handlers: liar({ rows: () => new Uint8Array([...packed([good]), ...packed([good])]) }),
  },
  {
    name: 'rows that do not fit their digest',
    says: /do not fit its digest/,
    handlers: liar({ rows: () => packed([good, entryOf('etc/rules/evil.xml', content)]) }),
  },
  {
    name: 'rows cut in the middle',
    says: /early|end/i,
    handlers: liar({ rows: () => packed([good]).subarray(0, 20) }),
  },
  {
    name: 'an answer about a set that was not asked for',
    says: /answers for set/,
    handlers: {
      'integrity.check': () => ({
        generation: 1,
        state: 'same',
        sets: [{
          name: 'evil',
          state: 'differs',
          digest: 'x'.repeat(16),
          entriesCount: 0,
          isApproved: true,
        }],
      }),
    },
  },
  {
    name: 'a delta that names unknown sets',
    says: /names the set/,
    handlers: {
      'integrity.check': async (request, context) => {
        await context.send(new Uint8Array([0, 200, 0, 0]));
        const sets = request.sets.map((set) => ({
          name: set.name,
          state: 'differs' as const,
          digest: set.digest,
          entriesCount: 0,
          isApproved: true,
        }));
        return { generation: 1, state: 'delta', sets };
      },
    },
  },
  {
    name: 'a frame that announces gigabytes',
    says: /announces|limit/,
    onStream: (stream) =>
      void stream.write(new Uint8Array([255, 255, 255, 255, 2, 0, 0, 0, 0, 0, 0, 1])),
  },
  {
    name: 'bytes that are no frames',
    says: /Frame of unknown kind|announces/,
    onStream: (stream) => void stream.write(new Uint8Array(5000).fill(0x41)),
  },
  {
    name: 'an answer to a request that was never made',
    says: /answers no request/,
    onStream: (stream) => void stream.write(encodeFrame('reply', 1, 99, encodePayload({}))),
  },
  {
    name: 'a request that only workers may send',
    says: /may not send/,
    onStream: (stream) =>
      void stream.write(
        encodeFrame('request', messages['integrity.rows'].id, 1, encodePayload({})),
      ),
  },
];
