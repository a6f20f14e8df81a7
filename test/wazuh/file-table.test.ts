import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concatBytes, fromBytes, fromText, toBytes, toHex } from '../../src/base/bytes.ts';
import { ProtocolError } from '../../src/base/errors.ts';
import { tablePath } from '../../src/wazuh/archive-format.ts';
import { ArchiveReader } from '../../src/wazuh/archive-reader.ts';
import {
  compareTables,
  differencePieces,
  type FileRow,
  type FileTable,
  isSame,
  readLongTable,
  readOrders,
  readTable,
  tablePieces,
  writeDifference,
  writeTable,
} from '../../src/wazuh/file-table.ts';
import { pathFromText, pathToText } from '../../src/wazuh/path-text.ts';
import { createZlib } from '../../src/runtime/zlib.ts';
import { simHashing } from '../sim/hashing.ts';
import { SeededRandom } from '../sim/random.ts';
import { archive } from './dumps.ts';
import { needsRecordings, recordedFrames } from './recordings.ts';

function row(content: string, setKey = 'etc/shared/'): FileRow {
  const hash = simHashing.digest('blake2b', toBytes(content));
  return { setKey, mtimeS: 1_700_000_000.25, hash, isMerged: false };
}

const restless = { breathe: () => Promise.resolve() };

/** The table in an archive. */
async function tableOf(bytes: Uint8Array): Promise<Uint8Array | undefined> {
  const reader = new ArchiveReader(createZlib());
  for await (const event of reader.push(bytes)) {
    if (event.kind === 'whole' && event.path === tablePath) return event.content;
  }
  return undefined;
}

function isMalformed(error: unknown): boolean {
  return error instanceof ProtocolError && error.fault === 'malformed';
}

/** A piece is valid until the next. */
function whole(pieces: Iterable<Uint8Array>): Uint8Array {
  return concatBytes(Array.from(pieces, (piece) => piece.slice()));
}

test('hashes are BLAKE2b with 64 bytes', () => {
  assert.match(toHex(row('').hash), /^786a02f7.{114}9be2ce$/);
});

test('readOrders() reads the table of the worked example', async () => {
  const { missing, extra, shared } = await readOrders((await tableOf(archive))!, restless);
  assert.deepEqual([...missing], [[
    'etc/client.keys',
    {
      setKey: 'etc/',
      isMerged: false,
      hash: row('001 a any k\n').hash,
    },
  ]]);
  assert.equal(extra.size, 0);
  assert.deepEqual(shared.get('etc/shared/default/agent.conf'), {
    setKey: 'etc/shared/',
    isMerged: false,
    hash: row('<agent_config/>\n').hash,
  });
});

test('a table is read as it was written, whatever its paths', () => {
  const table: FileTable = new Map([
    ['etc/client.keys', row('a', 'etc/')],
    [fromText('etc/shared/ñ😀'), row('b')],
    ['etc/shared/\xff\xc3(\xf0\x9f', { ...row('c'), mtimeS: 0.5, isMerged: true }],
    ['__proto__', row('d')],
    ['1', row('e')],
  ]);
  const sorted = (rows: FileTable) => [...rows].sort(([a], [b]) => a < b ? -1 : 1);
  assert.deepEqual(sorted(readTable(writeTable(table))), sorted(table));
  assert.deepEqual(sorted(readTable(whole(tablePieces(table)))), sorted(table));
});

test('paths have the texts that Python gives them', () => {
  assert.equal(pathToText('a\xff\xc3\xa9\xc3'), 'a\udcffé\udcc3');
  assert.equal(pathFromText('a\udcffé\udcc3'), 'a\xff\xc3\xa9\xc3');
  assert.equal(pathFromText('a\ud800'), undefined);
  assert.equal(pathFromText('a\udc7f'), undefined);
  const random = new SeededRandom('paths');
  for (let i = 0; i < 500; i++) {
    const path = fromBytes(random.bytes(random.integer(1, 12)));
    assert.equal(pathFromText(pathToText(path)), path);
  }
});

test('compareTables() tells what is missing, extra and different', async () => {
  const same = row('same');
  const master: FileTable = new Map([
    ['new', row('new')],
    ['same', same],
    ['changed', row('after')],
  ]);
  const worker: FileTable = new Map([
    ['same', { ...same, mtimeS: 1 }],
    ['changed', row('before')],
    ['old', row('old')],
  ]);
  const difference = compareTables(master, worker);
  assert.deepEqual(difference, {
    missing: new Map([['new', row('new')]]),
    extra: new Map([['old', row('old')]]),
    shared: new Map([['changed', row('after')]]),
  });
  assert.equal(isSame(difference), false);
  assert.equal(isSame(compareTables(master, master)), true);
  const { missing, extra, shared } = await readOrders(writeDifference(difference), restless);
  assert.deepEqual([...missing.keys(), ...extra.keys(), ...shared.keys()], [
    'new',
    'old',
    'changed',
  ]);
});

test('readOrders() takes orders that say no more than they have to', async () => {
  const text = '{"missing": {"a": {"cluster_item_key": "etc/", "merged": false}}, ' +
    '"extra": {"b": {"cluster_item_key": "etc/"}}, "shared": {}, "extra_valid": {}}';
  const { missing, extra } = await readOrders(toBytes(text), restless);
  assert.deepEqual(missing.get('a'), { setKey: 'etc/', hash: undefined, isMerged: false });
  assert.equal(extra.size, 1);
});

test('readTable() and readOrders() refuse everything else', async () => {
  const good = fromBytes(writeTable(new Map([['a', row('a')]])));
  for (
    const text of [
      '',
      '[]',
      '{"a": 1}',
      good.replace('false', '0'),
      good.replace(/"hash":"./, '"hash":"'),
      good.replace('"a"', '"\\ud800"'),
      good.replace('1700000000.25', 'null'),
    ]
  ) assert.throws(() => readTable(toBytes(text)), isMalformed, text);
  for (const text of ['{}', '{"missing": {}, "extra": {}}', '{"missing": []}']) {
    await assert.rejects(readOrders(toBytes(text), restless), isMalformed, text);
  }
});

test(
  'the tables of the recordings are read and lead to what the master said',
  needsRecordings,
  async () => {
    let table: FileTable = new Map();
    let ordersCount = 0;
    for (const { command, plain, sender, connection } of recordedFrames('session')) {
      if (command !== 'file_upd' || plain === undefined || connection !== 1) continue;
      const text = await tableOf(plain.subarray(plain.indexOf(0x20) + 1));
      if (text === undefined) continue;
      if (sender === 'worker') {
        table = readTable(text);
        continue;
      }
      const { missing, extra, shared } = await readOrders(text, restless);
      ordersCount++;
      for (const path of missing.keys()) assert.ok(!table.has(path), path);
      for (const [path, { hash }] of extra) assert.equal(table.get(path)?.hash, hash);
      for (const [path, { hash }] of shared) assert.notEqual(table.get(path)?.hash, hash);
    }
    assert.equal(ordersCount, 2);
  },
);

test('a long table is read, and a long difference written, in parts', async () => {
  const random = new SeededRandom('long tables');
  const paths = ['a"b', 'c\\', '\\"', 'caf\xc3\xa9', '{', '}],', '\xff'];
  const table = new Map(
    Array.from({ length: 2345 }, (_, i) => [
      `etc/rules/${random.pick(paths)}/${i}`,
      { setKey: 'etc/rules/', mtimeS: i + 0.5, hash: fromBytes(random.bytes(64)), isMerged: false },
    ]),
  );
  let breaths = 0;
  const clock = {
    breathe: () => {
      breaths++;
      return Promise.resolve();
    },
  };
  assert.deepEqual(await readLongTable(writeTable(table), clock), table);
  assert.ok(breaths > 3);
  assert.deepEqual(await readLongTable(toBytes(' {} '), clock), new Map());
  const difference = { missing: table, extra: new Map(), shared: new Map([...table].slice(0, 3)) };
  assert.deepEqual(
    JSON.parse(new TextDecoder().decode(whole(differencePieces(difference)))),
    JSON.parse(new TextDecoder().decode(writeDifference(difference))),
  );
  for (const text of ['', '[]', '{', '{"a": {}', '{}}', '{} x', '{"a', '{"a": 1}', '{]']) {
    await assert.rejects(readLongTable(toBytes(text), clock), ProtocolError, text);
  }
});
