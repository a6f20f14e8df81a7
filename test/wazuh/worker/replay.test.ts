/**
 * Recordings of a real master played to our worker: it says what the recorded worker said, apart from
 * marks and times of its own, and its tree becomes what the recorded one became.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Deferred, deferred } from '../../../src/base/async.ts';
import { concatBytes, fromBytes, fromText, toBytes, toHex } from '../../../src/base/bytes.ts';
import type { Stream } from '../../../src/ports.ts';
import type { Connection } from '../../../src/wazuh/connection.ts';
import { fernetKeys, openToken, sealToken } from '../../../src/wazuh/fernet.ts';
import { encodeMessage, FrameDecoder } from '../../../src/wazuh/frame.ts';
import { simCrypto } from '../../sim/hashing.ts';
import { dumpKey } from '../dumps.ts';
import { answering } from '../../../src/wazuh/connection.ts';
import { type FileTable, readTable } from '../../../src/wazuh/file-table.ts';
import { sendFile } from '../../../src/wazuh/file-transfer.ts';
import { sendString } from '../../../src/wazuh/string-transfer.ts';
import { simHashing } from '../../sim/hashing.ts';
import {
  needsRecordings,
  type RecordedFrame,
  recordedFrames,
  recordedTree,
} from '../recordings.ts';
import { PlayedMaster, tableOf } from './played-master.ts';

/** The archives that one end sent, as bytes, in their order. */
function archivesOf(
  frames: readonly RecordedFrame[],
  sender: RecordedFrame['sender'],
): Uint8Array[] {
  const pieces = new Map<string, Uint8Array[]>();
  for (const { command, plain, answers, sender: from } of frames) {
    if (command !== 'file_upd' || answers !== undefined || from !== sender) continue;
    const space = plain!.indexOf(0x20);
    const path = fromBytes(plain!, 0, space);
    pieces.set(path, [...pieces.get(path) ?? [], plain!.subarray(space + 1)]);
  }
  return [...pieces.values()].map((parts) => concatBytes(parts));
}

/** What of a table counts. */
function rowsOf(table: FileTable): string[] {
  return [...table].map(([path, { setKey, hash, isMerged }]) =>
    `${path} ${setKey} ${toHex(hash)} ${isMerged}`
  ).sort();
}

async function pushRaw(connection: Connection, archive: Uint8Array): Promise<void> {
  const task = await connection.request('syn_m_c', undefined);
  const path = 'queue/cluster/worker1/worker1-1795384958.450863-8d03.zip';
  const { signal } = connection;
  const content = (async function* () {
    // Cut at odd places: real masters cut where they like.
    for (let at = 0; at < archive.length; at += 777) {
      yield await Promise.resolve(archive.subarray(at, at + 777));
    }
  })();
  await sendFile(connection, `/${path}`, content, { hashing: simHashing, signal });
  await connection.request('syn_m_c_e', { task, path });
}

test('our worker and the recorded master', needsRecordings, async () => {
  const frames = recordedFrames('session');
  const sent = archivesOf(frames, 'master');
  const recorded = await Promise.all(
    archivesOf(frames, 'worker').map(async (archive) =>
      rowsOf(readTable(await tableOf([archive])))
    ),
  );
  const all = new PlayedMaster();
  const tables: string[][] = [];
  const results: unknown[] = [];
  let answersLeft: (Uint8Array | undefined)[] = [sent[0], undefined, sent[1]];
  all.changes.answers = [
    answering('syn_w_g_e', (result) => {
      results.push(result);
      return 'Thanks';
    }),
  ];
  all.changes.compared = async (connection, table) => {
    tables.push(rowsOf(table));
    const [next, ...rest] = answersLeft;
    answersLeft = rest;
    if (next === undefined) await connection.request('syn_m_c_ok', undefined);
    else await pushRaw(connection, next);
  };
  for (const [path, { content }] of Object.entries(recordedTree('worker_before'))) {
    all.worker.operator.write(fromText(path), content);
  }
  await all.listen();
  all.startWorker();
  const until = async (count: number): Promise<void> => {
    await all.world.run({ until: () => tables.length >= count, limitMs: 60_000 });
    await all.world.run({ forMs: 500 });
  };
  const treeOf = (name: string): Record<string, string> =>
    Object.fromEntries(
      Object.entries(recordedTree(name)).map(([path, { content }]) => [path, fromBytes(content)]),
    );
  await until(1);
  assert.deepEqual(tables[0], recorded[0]);
  assert.deepEqual(all.workerTree(), treeOf('worker_after_first_sync'));
  await until(2);
  assert.deepEqual(tables[1], recorded[1]);
  await until(3);
  assert.deepEqual(tables[2], recorded[2]);
  assert.deepEqual(all.workerTree(), treeOf('worker_after_change'));
  await until(4);
  assert.deepEqual(tables[3], recorded[3]);
  assert.equal(all.node!.status().in_sync, true);

  const groups = frames.find(({ command, plain }) =>
    command === 'str_upd' && fromBytes(plain!).includes('965dbdcefc3a4d143ef4f317eb97b632e506c576')
  )!;
  const bytes = groups.plain!.subarray(groups.plain!.indexOf(0x20) + 1);
  const { connection } = all;
  const id = await all.world.settle(sendString(connection!, bytes, connection!.signal));
  await all.world.settle(connection!.request('syn_g_m_w', id));
  await all.world.run({ until: () => results.length > 0, limitMs: 5_000 });
  assert.deepEqual({ ...results[0] as object, time_spent: 0 }, {
    updated_chunks: 1,
    error_messages: [],
    time_spent: 0,
  });
  assert.equal(
    await all.world.settle(all.node!.agents.groups.globalHash()),
    '965dbdcefc3a4d143ef4f317eb97b632e506c576',
  );
  await all.stop();
});

const keys = fernetKeys(dumpKey);

/** A master that says anything, and grants nothing. */
class RawMaster {
  readonly #asked = new Map<number, Deferred<{ command: string; payload: string }>>();
  #stream: Stream | undefined;
  #seal = 0;

  async take(stream: Stream): Promise<void> {
    this.#stream = stream;
    const decoder = new FrameDecoder();
    for await (const chunk of stream.readable) {
      for (const { counter, command, body } of decoder.push(chunk)) {
        const payload = fromBytes(openToken(simCrypto, keys, body).content);
        const asked = this.#asked.get(counter);
        if (asked !== undefined) asked.resolve({ command, payload });
        else if (command === 'hello') this.#send(counter, 'ok', toBytes('Client worker1 added'));
        else if (command.endsWith('_p')) this.#send(counter, 'ok', toBytes('False'));
        else this.#send(counter, 'ok', toBytes('Thanks'));
      }
    }
  }

  get isConnected(): boolean {
    return this.#stream !== undefined;
  }

  ask(counter: number, command: string, payload: Uint8Array) {
    const asked = deferred<{ command: string; payload: string }>();
    this.#asked.set(counter, asked);
    this.#send(counter, command, payload);
    return asked.promise;
  }

  close(): void {
    this.#stream?.abort();
  }

  #send(counter: number, command: string, payload: Uint8Array): void {
    const stamp = { timeS: 1_700_000_000, iv: new Uint8Array(16).fill(++this.#seal) };
    const body = sealToken(simCrypto, keys, payload, stamp);
    for (const frame of encodeMessage({ counter, command, body })) void this.#stream!.write(frame);
  }
}

test('odd requests are answered as the recorded worker answered', needsRecordings, async () => {
  const frames = recordedFrames('probe-worker').filter(({ isBadToken }) => !isBadToken);
  const all = new PlayedMaster();
  const raw = new RawMaster();
  const listening = all.master.ports().plainNetwork.listen('master:1516', (stream) => {
    raw.take(stream).catch(() => {});
  });
  const listener = await all.world.settle(listening);
  all.startWorker();
  await all.world.run({ until: () => all.node?.status().master !== undefined, limitMs: 5_000 });
  await all.world.run({ until: () => all.node?.status().connections === 1, limitMs: 5_000 });
  // Archives that nobody asked for are refused here, and strings have ids of their own.
  const others = ['syn_m_c', 'new_file', 'file_upd', 'file_end', 'new_str', 'str_upd'];
  let comparedCount = 0;
  for (const { sender, answers, command, plain, counter } of frames) {
    if (sender !== 'master' || answers !== undefined || plain === undefined) continue;
    const reply = frames.find((frame) => frame.counter === counter && frame.answers === command);
    const text = fromBytes(plain);
    const isOfTask = /^syn_m_c_[er]$/.test(command) && !text.startsWith('nosuch');
    if (reply === undefined || others.includes(command) || isOfTask) continue;
    const answer = await all.world.settle(raw.ask(counter, command, plain));
    assert.equal(answer.command, reply.command, `${command} ${text}`);
    assert.equal(answer.payload, fromBytes(reply.plain!), `${command} ${text}`);
    comparedCount += 1;
  }
  assert.ok(comparedCount >= 10, `${comparedCount} compared`);
  const outside = await all.world.settle(raw.ask(7, 'new_file', toBytes('/etc/x')));
  assert.deepEqual(outside, { command: 'err', payload: 'Write path not allowed' });
  await all.world.settle(listener.close());
  raw.close();
  await all.stop();
});
