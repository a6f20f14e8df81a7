/**
 * The Wazuh protocol against nonsense: mutated frames, tokens, payloads, documents and archives, from
 * fixed seeds.
 *
 * Whatever comes, nothing but an error that says so is thrown, and never more is held than the
 * limits. MUSTER_FUZZ_RUNS is how many frames and archives there are in all.
 */
import assert from 'node:assert/strict';
import process from 'node:process';
import { test } from 'node:test';
import { concatBytes, toBytes } from '../../src/base/bytes.ts';
import { ClusterError } from '../../src/base/errors.ts';
import { createSymmetricCrypto } from '../../src/runtime/symmetric-crypto.ts';
import { createZlib } from '../../src/runtime/zlib.ts';
import { readGroups, writeGroups } from '../../src/wazuh/agent-groups.ts';
import { readAgentMessage } from '../../src/wazuh/agent-info.ts';
import { type ArchiveLimits, ArchiveReader } from '../../src/wazuh/archive-reader.ts';
import { packLarge, packSmall, packTable } from '../../src/wazuh/archive-writer.ts';
import { readClusterJson } from '../../src/wazuh/cluster-json.ts';
import { readClusterSection } from '../../src/wazuh/cluster-section.ts';
import { type CommandName, commands, isCommandFrom } from '../../src/wazuh/commands.ts';
import { readErrorReply } from '../../src/wazuh/failure.ts';
import { fernetKeys, openToken, sealToken } from '../../src/wazuh/fernet.ts';
import { readOrders, readTable } from '../../src/wazuh/file-table.ts';
import { encodeMessage, FrameDecoder, headerBytes, type Message } from '../../src/wazuh/frame.ts';
import { Reassembly } from '../../src/wazuh/reassembly.ts';
import { plainReplies, takeReply } from '../../src/wazuh/replies.ts';
import { SeededRandom } from '../sim/random.ts';
import { archive, dumpKey, dumpStamp } from '../wazuh/dumps.ts';
import { requestSamples, takenText } from '../wazuh/samples.ts';
import { tellingBytes } from './assailant.ts';
import { mutated } from './mutation.ts';

/** How many mutated frames and archives. */
const runs = Number(process.env['MUSTER_FUZZ_RUNS'] ?? 20_000);

const primitives = createSymmetricCrypto();
const zlib = createZlib();
const keys = fernetKeys(dumpKey);

/** Counts what came of it; anything but an error of ours goes through. */
class Tally {
  accepted = 0;
  refused = 0;

  try(work: () => void): void {
    try {
      work();
      this.accepted++;
    } catch (error) {
      this.refuse(error);
    }
  }

  refuse(error: unknown): void {
    if (!(error instanceof ClusterError)) throw error;
    this.refused++;
  }

  assertBoth(least: number): void {
    assert.ok(this.accepted >= least && this.refused >= least, JSON.stringify(this));
  }
}

function sealed(payload: Uint8Array): Uint8Array {
  return sealToken(primitives, keys, payload, dumpStamp);
}

/** Messages of every command, some of them divided. */
const corpus: readonly Uint8Array[] = requestSamples.flatMap(([command, payload], i) => {
  const message: Message = { counter: i, command, body: sealed(toBytes(payload)) };
  return [concatBytes(encodeMessage(message)), concatBytes(encodeMessage(message, 60))];
});

const limits = [0, 64, 200, 4096];

function readMessage({ command, body }: Message): void {
  const { content } = openToken(primitives, keys, body);
  for (const sender of ['master', 'worker'] as const) {
    if (isCommandFrom(command, sender)) commands[command].request.read(content);
  }
}

/** Feeds bytes in random pieces to all that reads them, and checks what is held. */
function feed(bytes: Uint8Array, random: SeededRandom): void {
  const limit = random.pick(limits);
  const decoder = new FrameDecoder(limit);
  const reassembly = new Reassembly({ bytesMax: limit, messagesMax: random.integer(0, 3) });
  for (let at = 0; at < bytes.length;) {
    const length = random.chance(0.5) ? bytes.length - at : random.integer(1, 60);
    for (const frame of decoder.push(bytes.subarray(at, at + length))) {
      const message = reassembly.take(frame);
      if (message !== undefined) readMessage(message);
    }
    assert.ok(decoder.buffered <= headerBytes + limit && reassembly.buffered <= limit);
    at += length;
  }
}

test('mutated frames in random pieces are read or refused, never more', () => {
  const random = new SeededRandom('fuzz wazuh frames');
  const tally = new Tally();
  for (let i = 0; i < runs * 0.4; i++) {
    const parts = Array.from({ length: random.integer(1, 3) }, () => random.pick(corpus));
    const bytes = mutated(concatBytes(parts), random, tellingBytes);
    tally.try(() => feed(bytes, random));
  }
  tally.assertBoth(runs / 50);
});

test('mutated payloads of every command are read or refused, never more', () => {
  const random = new SeededRandom('fuzz wazuh payloads');
  const tally = new Tally();
  const names = Object.keys(commands) as CommandName[];
  for (let i = 0; i < runs * 0.2; i++) {
    const [name, payload] = random.pick(requestSamples);
    const bytes = mutated(toBytes(payload), random, tellingBytes);
    const command = random.chance(0.8) ? name : random.pick(names);
    tally.try(() => void commands[command].request.read(bytes));
    tally.try(() => void commands[command].reply.read(bytes));
    tally.try(() => takeReply({ command: random.pick(['ok', 'err', 'o']), payload: bytes }));
    plainReplies.unknownCommand(payload);
  }
  tally.assertBoth(runs / 50);
});

const table =
  '{"etc/a": {"mod_time": 1.5, "cluster_item_key": "etc/", "merged": false, "hash": "HASH"}}'
    .replace('HASH', '0f'.repeat(64));
const agents = '{"chunks": {"syncreq": [{"id": 1, "labels": [{"key": "k", "value": "v"}]}]}}';
const section = '<ossec_config><!-- a --><cluster><key>x</key><nodes><node>a</node></nodes>' +
  '</cluster></ossec_config>';
const clusterJson =
  '{"files": {"etc/": {"permissions": "640", "files": ["a"], "recursive": true}}}';

const restless = { breathe: () => Promise.resolve() };

/** Documents, and what reads them. */
const documents: readonly (readonly [Uint8Array, (bytes: Uint8Array) => unknown])[] = [
  [toBytes(table), readTable],
  [
    toBytes(`{"missing": ${table}, "extra": {}, "shared": ${table}}`),
    (bytes) => readOrders(bytes, restless),
  ],
  [
    writeGroups([{ agents: [{ id: 1, name: 'a', groups: ['b'] }], globalHash: 'c' }]),
    readGroups,
  ],
  [toBytes(agents), (bytes) => readAgentMessage(bytes, restless)],
  [toBytes(clusterJson), readClusterJson],
  [toBytes(takenText), readErrorReply],
  [toBytes(section), (bytes) => readClusterSection(new TextDecoder().decode(bytes))],
];

test('mutated documents are read or refused, never more', async () => {
  const random = new SeededRandom('fuzz wazuh documents');
  const tally = new Tally();
  for (let i = 0; i < runs * 0.2; i++) {
    const [bytes, read] = random.pick(documents);
    try {
      await read(mutated(bytes, random, tellingBytes));
      tally.accepted++;
    } catch (error) {
      tally.refuse(error);
    }
  }
  tally.assertBoth(runs / 50);
});

async function* inPieces(bytes: Uint8Array) {
  yield bytes.subarray(0, 1000);
  yield bytes.subarray(1000);
}

/** A short archive with one member of each kind: small, and with a seam. */
async function shortArchive(random: SeededRandom): Promise<Uint8Array> {
  const noise = concatBytes([random.bytes(80), toBytes('|@@//@@|'), random.bytes(80)]);
  return concatBytes([
    packSmall(zlib, 'etc/a', random.bytes(50))!,
    ...await Array.fromAsync(packLarge(zlib, 'etc/b', inPieces(noise))),
    ...await Array.fromAsync(packTable(zlib, toBytes(table))),
  ]);
}

const archiveLimits: ArchiveLimits = {
  membersMax: 5,
  pathBytesMax: 60,
  memberBytesMax: 50_000,
  contentBytesMax: 60_000,
  expansionMax: 100,
};

/** Unpacks in random pieces; gives the bytes of contents. */
async function unpack(bytes: Uint8Array, random: SeededRandom): Promise<number> {
  const reader = new ArchiveReader(zlib, archiveLimits);
  let contentBytes = 0;
  const take = async (events: ReturnType<ArchiveReader['push']>) => {
    for await (const event of events) {
      if (event.kind === 'whole') contentBytes += event.content.length;
      if (event.kind === 'bytes') contentBytes += event.bytes.length;
    }
    assert.ok(contentBytes <= archiveLimits.contentBytesMax && reader.buffered <= 200_000);
  };
  try {
    for (let at = 0; at < bytes.length;) {
      const length = random.chance(0.6) ? bytes.length - at : random.integer(1, 200);
      await take(reader.push(bytes.subarray(at, at + length)));
      at += length;
    }
    await take(reader.finish());
  } finally {
    reader.close();
  }
  return contentBytes;
}

test('mutated archives in random pieces are unpacked or refused, never more', async () => {
  const random = new SeededRandom('fuzz wazuh archives');
  const large = concatBytes(
    await Array.fromAsync(packLarge(zlib, 'etc/c', inPieces(new Uint8Array(2_000_000)))),
  );
  const archives = [archive, await shortArchive(random), await shortArchive(random)];
  const tally = new Tally();
  for (let i = 0; i < runs * 0.2; i++) {
    const isLarge = random.chance(0.01);
    const bytes = mutated(isLarge ? large : random.pick(archives), random, tellingBytes);
    await unpack(bytes, random).then(() => tally.accepted++, (error: unknown) => {
      tally.refuse(error);
    });
  }
  assert.ok(tally.refused >= runs / 50 && tally.accepted > 0, JSON.stringify(tally));
});
