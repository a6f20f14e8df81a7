import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateSync, inflateSync } from 'node:zlib';
import { concatBytes, fromBytes, toBytes } from '../../src/base/bytes.ts';
import { ClusterError } from '../../src/base/errors.ts';
import { createZlib } from '../../src/runtime/zlib.ts';
import { indexOfSeparator, memberSeparator, tablePath } from '../../src/wazuh/archive-format.ts';
import {
  type ArchiveLimits,
  archiveLimits,
  ArchiveReader,
} from '../../src/wazuh/archive-reader.ts';
import { packLarge, packSmall, packTable } from '../../src/wazuh/archive-writer.ts';
import { SeededRandom } from '../sim/random.ts';
import { archive } from './dumps.ts';
import { needsRecordings, recordedFrames } from './recordings.ts';

const zlib = createZlib();
const random = new SeededRandom('archives');

/** Paths and contents of an archive, and which came in pieces. */
async function unpack(chunks: Iterable<Uint8Array>, limits: ArchiveLimits = archiveLimits) {
  const reader = new ArchiveReader(zlib, limits);
  const members = new Map<string, Uint8Array>();
  const large: string[] = [];
  let path: string | undefined;
  let pieces: Uint8Array[] = [];
  const take = async (events: ReturnType<ArchiveReader['push']>) => {
    for await (const event of events) {
      if (event.kind === 'bytes') {
        assert.notEqual(path, undefined);
        pieces.push(event.bytes);
      } else if (event.kind === 'end') {
        members.set(path!, concatBytes(pieces));
        [path, pieces] = [undefined, []];
      } else {
        assert.equal(path, undefined);
        if (event.kind === 'whole') members.set(event.path, event.content);
        else large.push(path = event.path);
      }
    }
    assert.ok(reader.buffered < 200_000);
  };
  try {
    for (const chunk of chunks) await take(reader.push(chunk));
    await take(reader.finish());
  } finally {
    reader.close();
  }
  assert.equal(path, undefined);
  return { members, large };
}

async function* piecesOf(bytes: Uint8Array, length: number) {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

async function pack(files: Iterable<readonly [string, Uint8Array]>, pieceBytes = 100_000) {
  const parts: Uint8Array[] = [];
  for (const [path, content] of files) {
    const small = content.length < 100_000 ? packSmall(zlib, path, content) : undefined;
    if (small !== undefined) parts.push(small);
    else parts.push(...await Array.fromAsync(packLarge(zlib, path, piecesOf(content, pieceBytes))));
  }
  parts.push(...await Array.fromAsync(packTable(zlib, toBytes('{}'))));
  return concatBytes(parts);
}

function isCorrupt(reason: RegExp): (error: unknown) => boolean {
  return (error) =>
    error instanceof ClusterError && error.code === 'corrupt' && reason.test(error.message);
}

const dumped = new Map([
  ['etc/client.keys', '001 a any k\n'],
  ['etc/shared/default/agent.conf', '<agent_config/>\n'],
]);

test('ArchiveReader takes the worked example apart, wherever it is cut', async () => {
  for (let at = 0; at <= archive.length; at++) {
    const { members } = await unpack([archive.subarray(0, at), archive.subarray(at)]);
    assert.deepEqual([...members.keys()], [...dumped.keys(), tablePath]);
    for (const [path, text] of dumped) assert.equal(fromBytes(members.get(path)!), text);
    assert.match(fromBytes(members.get(tablePath)!), /^\{"missing": .*\}\}\}$/);
  }
});

test('ArchiveReader keeps nothing of a chunk that may be used again', async () => {
  // Of the class that sockets and files give: its slices are views.
  const chunk = Buffer.from(archive.subarray(0, 60));
  const reader = new ArchiveReader(zlib);
  const paths = [];
  for await (const event of reader.push(chunk)) paths.push(event);
  chunk.fill(0);
  for await (const event of reader.push(archive.subarray(60))) paths.push(event);
  for await (const event of reader.finish()) paths.push(event);
  assert.equal(paths.length, 3);
});

test('ArchiveReader takes an archive apart byte by byte', async () => {
  const { members } = await unpack(Array.from(archive, (byte) => Uint8Array.of(byte)));
  assert.deepEqual([...members.keys()], [...dumped.keys(), tablePath]);
});

test('the archives of the recordings are unpacked', needsRecordings, async () => {
  for (const name of ['session', 'errors', 'probe-worker']) {
    for (const { command, plain } of recordedFrames(name)) {
      if (command !== 'file_upd' || plain === undefined) continue;
      const { members } = await unpack([plain.subarray(plain.indexOf(0x20) + 1)]);
      const hasTable = members.has(tablePath) || name === 'probe-worker';
      assert.ok(hasTable && members.size > 0);
    }
  }
});

test('packSmall() and packTable() give archives that real nodes would take apart alike', async () => {
  const files = [...dumped].map(([path, text]) => [path, toBytes(text)] as const);
  const whole = await pack(files);
  assert.deepEqual(asRealNodesDo(whole), new Map([...files, [tablePath, toBytes('{}')]]));
  assert.equal(fromBytes(whole.subarray(23, 25)), '\x78\x01');
});

/** Takes an archive apart at the separators. */
function asRealNodesDo(whole: Uint8Array): Map<string, Uint8Array> {
  const members = fromBytes(whole).split('|@@//@@|').map((member) => {
    const at = member.indexOf('|//@@//|');
    return [
      member.slice(0, at),
      new Uint8Array(inflateSync(toBytes(member.slice(at + 8)))),
    ] as const;
  });
  return new Map(members);
}

test('files of every kind come out as they went in, however they are cut', async () => {
  const files = new Map([
    ['empty', new Uint8Array(0)],
    ['small', random.bytes(100)],
    ['zeros', new Uint8Array(3_000_000)],
    ['noise', random.bytes(1_500_000)],
    ['p\xc3\xa4th with space', toBytes('x'.repeat(50_000))],
  ]);
  const whole = await pack(files);
  files.set(tablePath, toBytes('{}'));
  for (const length of [whole.length, 700_001, 65_536, 1000]) {
    const chunks = [];
    for (let at = 0; at < whole.length; at += length) chunks.push(whole.slice(at, at + length));
    const { members, large } = await unpack(chunks);
    assert.deepEqual(members, files);
    assert.deepEqual(large, ['zeros', 'noise']);
  }
});

test('a content that holds separators is packed so that real nodes are not misled', async () => {
  const separator = fromBytes(memberSeparator);
  const noise = () => fromBytes(random.bytes(3000));
  const single = toBytes(noise() + separator + noise());
  // Without a seam the separator may stand in the archive as it is; that depends on the zlib.
  assert.ok(indexOfSeparator(deflateSync(single), memberSeparator) > 0);
  assert.equal(packSmall(zlib, 'x', single), undefined);
  assert.deepEqual(asRealNodesDo(await pack([['x', single]])).get('x'), single);
  const text = [separator, noise(), separator + separator, noise(), noise() + separator].join('');
  const content = toBytes(text);
  for (const pieceBytes of [1, 5, 100, 5000]) {
    const whole = await pack([['x', content]], pieceBytes);
    assert.deepEqual(asRealNodesDo(whole).get('x'), content, `pieces of ${pieceBytes}`);
    assert.deepEqual((await unpack([whole])).members.get('x'), content);
  }
});

test('ArchiveReader is not misled by a separator within a content', async () => {
  const content = concatBytes([random.bytes(200), memberSeparator, random.bytes(200)]);
  const parts = [toBytes('x|//@@//|'), zlib.deflate(content)];
  assert.deepEqual((await unpack([concatBytes(parts)])).members.get('x'), content);
});

test('ArchiveReader refuses what is cut, wherever', async () => {
  for (let length = 0; length < archive.length; length++) {
    await unpack([archive.subarray(0, length)]).then(
      ({ members }) => assert.ok(!members.has(tablePath), `cut at ${length}`),
      (error: unknown) => assert.ok(isCorrupt(/Cannot unpack an archive/)(error)),
    );
  }
  const large = await pack([['big', random.bytes(1_500_000)]]);
  await assert.rejects(unpack([large.subarray(0, 800_000)]), isCorrupt(/"big" is damaged or cut/));
});

test('ArchiveReader refuses damage in small and large contents', async () => {
  const wrong = archive.slice();
  wrong[30]! ^= 1;
  await assert.rejects(unpack([wrong]), isCorrupt(/"etc\/client.keys" is damaged/));
  const large = await pack([['big', random.bytes(1_500_000)]]);
  large[1_000_000]! ^= 1;
  await assert.rejects(unpack([large]), isCorrupt(/"big" is damaged/));
});

test('ArchiveReader refuses what is no archive', async () => {
  await assert.rejects(unpack([]), isCorrupt(/it is empty/));
  await assert.rejects(unpack([toBytes('x'.repeat(5000))]), isCorrupt(/path is longer than 4096/));
  await assert.rejects(unpack([toBytes('x|//@@//|no zlib')]), isCorrupt(/"x" is damaged/));
  const garbage = concatBytes([toBytes('x|//@@//|'), zlib.deflate(toBytes('x')), toBytes('more')]);
  await assert.rejects(unpack([garbage]), isCorrupt(/"x" is not followed by a separator/));
  const open = concatBytes([archive, memberSeparator]);
  await assert.rejects(unpack([open]), isCorrupt(/it ends too early/));
});

test('ArchiveReader keeps to its limits', async () => {
  const zeros = await pack([['zeros', new Uint8Array(100 * 1024 * 1024)]]);
  const keeping = (limit: Partial<ArchiveLimits>) =>
    unpack([zeros], { ...archiveLimits, expansionMax: 2000, ...limit });
  await assert.rejects(keeping({ expansionMax: 50 }), isCorrupt(/more than 50 times its own/));
  await assert.rejects(keeping({ memberBytesMax: 5_000_000 }), isCorrupt(/longer than 5000000/));
  await assert.rejects(keeping({ contentBytesMax: 9_000_000 }), isCorrupt(/more than 9000000 b/));
  await assert.rejects(keeping({ membersMax: 1 }), isCorrupt(/more than 1 members/));
  await assert.rejects(keeping({ pathBytesMax: 4 }), isCorrupt(/path is longer than 4 bytes/));
});
