import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concatBytes, fromBytes, toBytes } from '../../src/base/bytes.ts';
import { ClusterError } from '../../src/base/errors.ts';
import { answering } from '../../src/wazuh/connection.ts';
import { type FileSink, IncomingFiles, sendFile } from '../../src/wazuh/file-transfer.ts';
import { IncomingStrings, sendString } from '../../src/wazuh/string-transfer.ts';
import { simHashing } from '../sim/hashing.ts';
import { SeededRandom } from '../sim/random.ts';
import { ConnectionPair } from './connection-pair.ts';

const { signal } = new AbortController();
const path = '/queue/cluster/w1/a.zip';

/** Keeps what comes. */
class Kept implements FileSink {
  readonly pieces: Uint8Array[] = [];
  end: 'finished' | 'discarded' | undefined;
  writeError: Error | undefined;

  write(bytes: Uint8Array): Promise<void> {
    if (this.writeError !== undefined) return Promise.reject(this.writeError);
    this.pieces.push(bytes);
    return Promise.resolve();
  }

  finish(): Promise<void> {
    this.end = 'finished';
    return Promise.resolve();
  }

  discard(): void {
    this.end = 'discarded';
  }
}

async function* of(...pieces: Uint8Array[]) {
  yield* pieces;
}

/** A master that takes files below its directory, a worker, and what came in. */
async function filesPair() {
  const pair = await ConnectionPair.connect();
  const sinks = new Map<string, Kept>();
  const files = new IncomingFiles(simHashing, {
    open: (name) => {
      if (!name.startsWith('queue/cluster/')) return undefined;
      const sink = new Kept();
      sinks.set(name, sink);
      return sink;
    },
  });
  const master = pair.connection('master', files.answers());
  return { pair, sinks, files, master };
}

test('sendFile() sends pieces that IncomingFiles hands on', async () => {
  const { pair, sinks, master } = await filesPair();
  const worker = pair.connection('worker');
  const random = new SeededRandom('files');
  const pieces = [random.bytes(10), random.bytes(2_500_000), random.bytes(7)];
  const sent = sendFile(worker, path, of(...pieces), { hashing: simHashing, signal });
  assert.equal(await pair.world.settle(sent), 2_500_017);
  const sink = sinks.get('queue/cluster/w1/a.zip')!;
  assert.equal(sink.end, 'finished');
  assert.deepEqual(sink.pieces.map(({ length }) => length), [1_048_576, 1_048_576, 402_865]);
  assert.deepEqual(concatBytes(sink.pieces), concatBytes(pieces));
  worker.close();
  master.close();
  await pair.finish();
});

test('sendFile() and sendString() send a piece when the one before was taken', async () => {
  const pair = await ConnectionPair.connect();
  const { clock } = pair.ports('master');
  let [underWay, most, count] = [0, 0, 0];
  const take = async <T>(reply: T): Promise<T> => {
    most = Math.max(most, ++underWay);
    await clock.sleep(100);
    [underWay, count] = [underWay - 1, count + 1];
    return reply;
  };
  const master = pair.connection('master', [
    answering('new_file', () => take('Ready to receive new file')),
    answering('file_upd', () => take('File updated')),
    answering('file_end', () => take('File received correctly')),
    answering('new_str', () => take('12')),
    answering('str_upd', () => take('String updated')),
  ]);
  const worker = pair.connection('worker');
  const bytes = new Uint8Array(2_500_000);
  await pair.world.settle(sendFile(worker, path, of(bytes), { hashing: simHashing, signal }));
  await pair.world.settle(sendString(worker, bytes, signal));
  assert.deepEqual([most, count], [1, 9]);
  worker.close();
  master.close();
  await pair.finish();
});

test('sendFile() ends a file early where the receiver has given up', async () => {
  const { pair, sinks, master } = await filesPair();
  const worker = pair.connection('worker');
  const [hashing, isCancelled] = [simHashing, () => sinks.size > 0];
  const sent = sendFile(worker, path, of(new Uint8Array(10)), { hashing, signal, isCancelled });
  assert.equal(await pair.world.settle(sent), 0);
  assert.equal(sinks.get('queue/cluster/w1/a.zip')?.end, 'finished');
  worker.close();
  master.close();
  await pair.finish();
});

test('IncomingFiles refuses as real nodes do, and forgets what is wrong', async () => {
  const { pair, sinks, files, master } = await filesPair();
  const raw = pair.raw('worker');
  const hash = (text: string) => simHashing.digest('sha256', toBytes(text));
  raw.say(1, 'new_file', '/etc/passwd');
  raw.say(2, 'file_upd', '/etc/passwd x');
  raw.say(3, 'new_file', path);
  raw.say(4, 'file_upd', `${path} abc`);
  raw.say(5, 'file_end', toBytes(`${path} ${hash('abd')}`));
  raw.say(6, 'file_upd', `${path} x`);
  raw.say(7, 'new_file', path);
  raw.say(8, 'file_end', toBytes(`${path} ${hash('')}`));
  for (let i = 0; i < 5; i++) raw.say(10 + i, 'new_file', `queue/cluster/w1/${i}`);
  await pair.world.run({ until: () => raw.heard.length === 13, limitMs: 1000 });
  const heard = [...raw.heard].sort((a, b) => Number(a.split(' ')[0]) - Number(b.split(' ')[0]))
    .map((text) => text.replace(/\{.*"extra_message": "([^"]*)".*/, '$1'));
  assert.deepEqual(heard, [
    '1 err Write path not allowed',
    "2 err b'/etc/passwd'",
    '3 ok Ready to receive new file',
    '4 ok File updated',
    "5 err File wasn't correctly received. Checksums aren't equal.",
    "6 err b'/queue/cluster/w1/a.zip'",
    '7 ok Ready to receive new file',
    '8 ok File received correctly',
    ...[10, 11, 12, 13].map((counter) => `${counter} ok Ready to receive new file`),
    '14 err Too many files at once',
  ]);
  files.close();
  assert.equal(sinks.get('queue/cluster/w1/2')?.end, 'discarded');
  master.close();
  await pair.finish();
});

test('a sink that fails is told to the sender, and the file is forgotten', async () => {
  const { pair, sinks, master } = await filesPair();
  const raw = pair.raw('worker');
  raw.say(1, 'new_file', path);
  await pair.world.run({ until: () => raw.heard.length === 1, limitMs: 1000 });
  const sink = sinks.get('queue/cluster/w1/a.zip')!;
  sink.writeError = new ClusterError('noSpace', 'The disk is full');
  raw.say(2, 'file_upd', `${path} abc`);
  await pair.world.run({ until: () => raw.heard.length === 2, limitMs: 1000 });
  assert.match(raw.heard[1]!, /^2 err .*"code": 1000, "extra_message": "The disk is full"/);
  assert.equal(sink.end, 'discarded');
  master.close();
  await pair.finish();
});

test('strings come in under an id and are taken once', async () => {
  const pair = await ConnectionPair.connect();
  const strings = new IncomingStrings(pair.ports('master').random);
  const master = pair.connection('master', strings.answers());
  const worker = pair.connection('worker');
  const text = new SeededRandom('strings').bytes(2_000_000);
  const id = await pair.world.settle(sendString(worker, text, signal));
  assert.match(id, /^[0-9]{1,10}$/);
  assert.equal(strings.buffered, 2_000_000);
  assert.deepEqual(strings.take(id), text);
  assert.equal(strings.buffered, 0);
  assert.equal(strings.take(id), undefined);
  worker.close();
  master.close();
  await pair.finish();
});

test('IncomingStrings keeps to sizes and limits', async () => {
  const pair = await ConnectionPair.connect();
  const strings = new IncomingStrings(pair.ports('master').random, 100);
  const master = pair.connection('master', strings.answers());
  const raw = pair.raw('worker');
  const say = async (command: string, payload: string) => {
    const count = raw.heard.length;
    raw.say(count, command, payload);
    await pair.world.run({ until: () => raw.heard.length > count, limitMs: 1000 });
    return raw.heard[count]!.replace(/^\d+ /, '').replace(/\{.*"extra_message": "([^"]*)".*/, '$1');
  };
  const idOf = async (size: number) => (await say('new_str', String(size))).replace('ok ', '');
  assert.equal(
    await say('new_str', '101'),
    'error Requested size exceeds maximum allowed limit',
  );
  assert.equal(await say('str_upd', '77 abc'), "err b'77'");
  const id = await idOf(5);
  assert.equal(await say('str_upd', `${id} abc`), 'ok String updated');
  assert.equal(await say('str_upd', `${id} defgh`), 'ok String updated');
  assert.equal(await say('err_str', '5'), 'ok None');
  assert.equal(fromBytes(strings.take(id)!), 'abcde');
  const empty = await idOf(9);
  assert.equal(await say('err_str', '9'), `ok ${empty}`);
  assert.equal(strings.take(empty), undefined);
  const [left, right] = [await idOf(80), await idOf(80)];
  await say('str_upd', `${left} ${'x'.repeat(80)}`);
  assert.equal(await say('str_upd', `${right} ${'x'.repeat(80)}`), 'err Too many bytes in strings');
  assert.equal(strings.buffered, 80);
  for (let i = 0; i < 31; i++) await idOf(1);
  assert.equal(await say('new_str', '1'), 'err Too many strings at once');
  master.close();
  await pair.finish();
});
