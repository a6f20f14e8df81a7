import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toBytes } from '../../../src/base/bytes.ts';
import { defaultClusterJson } from '../../../src/wazuh/cluster-json.ts';
import { compareTables, readOrders } from '../../../src/wazuh/file-table.ts';
import { archiveBytesMax, ArchiveLimit } from '../../../src/wazuh/master/archive-limit.ts';
import { SyncedFiles, unsendableReason } from '../../../src/wazuh/synced-files.ts';
import { simHashing } from '../../sim/hashing.ts';
import { Publishing } from './publishing.ts';

const blake2b = (content: string) =>
  simHashing.digest('blake2b', new TextEncoder().encode(content));

test('a path belongs to the set of cluster.json that chooses it', () => {
  const synced = new SyncedFiles(defaultClusterJson);
  const keys: Record<string, string | undefined> = {
    'etc/client.keys': 'etc/',
    'etc/ossec.conf': undefined,
    'etc/other/client.keys': undefined,
    'etc/shared/default/agent.conf': 'etc/shared/',
    'etc/shared/ar.conf': undefined,
    'etc/shared/a/x.swp': undefined,
    'etc/shared/a/x~': undefined,
    'etc/sharedother/x': undefined,
    'var/multigroups/ab/merged.mg': 'var/multigroups/',
    'var/multigroups/ab/agent.conf': undefined,
    'etc/lists/amazon/x': 'etc/lists/',
    'ruleset/sca/x.yml': undefined,
  };
  for (const [path, key] of Object.entries(keys)) assert.equal(synced.keyOf(path), key, path);
});

test('what real nodes cannot take is known by its name', () => {
  assert.equal(unsendableReason('etc/shared/default/merged.mg'), undefined);
  assert.match(unsendableReason('etc/rules/x.merged') ?? '', /merged/);
  assert.equal(unsendableReason('etc/x.merged/y'), undefined);
  assert.match(unsendableReason('etc/rules/\xff') ?? '', /UTF-8/);
});

for (const algorithm of ['md5', 'blake2b'] as const) {
  test(`a published table has the BLAKE2b hashes of what was published (${algorithm})`, async () => {
    const publishing = new Publishing(algorithm);
    const files = {
      'etc/client.keys': '001 a any k\n',
      'etc/rules/a.xml': 'a',
      'etc/rules/large.xml': 'l'.repeat(300_000),
      'ruleset/sca/p.yml': 'not of a Wazuh set',
    };
    publishing.write(files);
    await publishing.follow(publishing.generation(files));
    const { table, open, generation } = publishing.published.latest.value!;
    assert.equal(generation.number, 1);
    assert.equal(open.size, 0);
    assert.deepEqual([...table.keys()].sort(), [
      'etc/client.keys',
      'etc/rules/a.xml',
      'etc/rules/large.xml',
    ]);
    assert.deepEqual(table.get('etc/rules/a.xml'), {
      setKey: 'etc/rules/',
      mtimeS: 1_700_000_000.5,
      hash: blake2b('a'),
      isMerged: false,
    });
    assert.equal(table.get('etc/rules/large.xml')?.hash, blake2b('l'.repeat(300_000)));
  });
}

test('a table follows the generations, and one that was published stays as it is', async () => {
  const publishing = new Publishing();
  const [before, after] = [
    { 'etc/rules/a.xml': 'a', 'etc/rules/b.xml': 'b', 'etc/rules/c.xml': 'c' },
    { 'etc/rules/a.xml': 'changed', 'etc/rules/c.xml': 'c', 'etc/rules/d.xml': 'd' },
  ];
  publishing.write(before);
  await publishing.follow(publishing.generation(before));
  const first = publishing.published.latest.value!;
  publishing.write(after);
  await publishing.follow(publishing.generation(after));
  const second = publishing.published.latest.value!;
  assert.deepEqual([...first.table.keys()].sort(), Object.keys(before));
  assert.deepEqual([...second.table.keys()].sort(), Object.keys(after));
  assert.equal(second.table.get('etc/rules/a.xml')?.hash, blake2b('changed'));
  const { missing, shared, extra } = compareTables(second.table, first.table);
  assert.deepEqual([[...missing.keys()], [...shared.keys()], [...extra.keys()]], [
    ['etc/rules/d.xml'],
    ['etc/rules/a.xml'],
    ['etc/rules/b.xml'],
  ]);
});

test('what is not on the disk as it was published is open, until it is', async () => {
  const publishing = new Publishing();
  const files = { 'etc/rules/a.xml': 'published', 'etc/rules/b.xml': 'b'.repeat(200_000) };
  publishing.write({ 'etc/rules/a.xml': 'not published', 'etc/rules/b.xml': 'c'.repeat(200_000) });
  await publishing.follow(publishing.generation(files));
  assert.equal(publishing.published.latest.value?.table.size, 0);
  assert.deepEqual([...publishing.published.latest.value!.open].sort(), Object.keys(files));
  publishing.write(files);
  await publishing.world.settle(publishing.published.retry(new AbortController().signal));
  assert.deepEqual([...publishing.published.latest.value!.table.keys()].sort(), Object.keys(files));
  assert.equal(publishing.published.latest.value?.open.size, 0);
});

test('files that real nodes cannot take are left out, and that is said once', async () => {
  const publishing = new Publishing();
  const files = { 'etc/rules/a.merged': 'a', 'etc/rules/\xff.xml': 'b', 'etc/rules/c.xml': 'c' };
  publishing.write(files);
  await publishing.follow(publishing.generation(files));
  await publishing.follow(publishing.generation({ ...files, 'etc/rules/a.merged': 'new' }));
  assert.deepEqual([...publishing.published.latest.value!.table.keys()], ['etc/rules/c.xml']);
  assert.deepEqual(publishing.logged().sort(), [
    '"etc/rules/\\xff.xml" is not sent to workers of the Wazuh protocol: its name is not UTF-8.',
    '"etc/rules/a.merged" is not sent to workers of the Wazuh protocol: its name is one of a merged file.',
  ]);
  const isMirrored = (path: string) => publishing.published.isMirrored(path);
  assert.deepEqual(
    ['etc/rules/a.merged', 'etc/lists/x', 'etc/rules/x'].map(isMirrored),
    [false, false, true],
  );
});

test('an archive has the files that a worker lacks, and a table of them', async () => {
  const publishing = new Publishing();
  const files = {
    'etc/rules/a.xml': 'a',
    'etc/rules/b.xml': 'a |@@//@@| within',
    'etc/rules/large.xml': 'x'.repeat(400_000),
  };
  publishing.write(files);
  const generation = publishing.generation(files);
  await publishing.follow(generation);
  const { table } = publishing.published.latest.value!;
  const own = new Map([['etc/rules/b.xml', {
    ...table.get('etc/rules/b.xml')!,
    hash: blake2b(''),
  }]]);
  own.set('etc/rules/gone.xml', table.get('etc/rules/a.xml')!);
  const { members } = await publishing.archive(generation, compareTables(table, own));
  const [last] = members.splice(-1);
  assert.deepEqual(new Map(members), new Map(Object.entries(files)));
  assert.equal(last?.[0], 'files_metadata.json');
  const orders = await readOrders(toBytes(last?.[1] ?? ''), { breathe: () => Promise.resolve() });
  assert.deepEqual([...orders.missing.keys()].sort(), ['etc/rules/a.xml', 'etc/rules/large.xml']);
  assert.deepEqual([...orders.shared.keys()], ['etc/rules/b.xml']);
  assert.deepEqual([...orders.extra.keys()], ['etc/rules/gone.xml']);
  assert.equal(orders.shared.get('etc/rules/b.xml')?.hash, blake2b(files['etc/rules/b.xml']));
});

test('an archive names nothing that does not fit or has changed since', async () => {
  const publishing = new Publishing();
  const files: Record<string, string> = { 'etc/rules/huge.xml': 'h'.repeat(500_000) };
  for (let i = 0; i < 40; i++) files[`etc/rules/${i}.xml`] = `${i}`.repeat(10);
  publishing.write(files);
  const generation = publishing.generation(files);
  await publishing.follow(generation);
  const { table } = publishing.published.latest.value!;
  publishing.write({ 'etc/rules/1.xml': 'changed since' });
  publishing.node.operator.remove('etc/rules/2.xml');
  const difference = compareTables(table, new Map());
  const { members, leftOutCount } = await publishing.archive(generation, difference, 100_000);
  const [last] = members.splice(-1);
  const named = [
    ...(await readOrders(toBytes(last?.[1] ?? ''), { breathe: () => Promise.resolve() })).missing
      .keys(),
  ];
  assert.deepEqual(named, members.map(([path]) => path));
  assert.equal(leftOutCount, 41 - named.length);
  assert.ok(named.length > 0);
  for (const path of ['etc/rules/1.xml', 'etc/rules/2.xml', 'etc/rules/huge.xml']) {
    assert.ok(!named.includes(path), path);
  }
  assert.ok(publishing.logged().includes('1 files are too large for an archive now.'));
});

test('a large file that changes while it is packed is not named', async () => {
  const publishing = new Publishing();
  const files = { 'etc/rules/large.xml': 'x'.repeat(300_000), 'etc/rules/a.xml': 'a' };
  publishing.write(files);
  const generation = publishing.generation(files);
  await publishing.follow(generation);
  const { table } = publishing.published.latest.value!;
  publishing.write({ 'etc/rules/large.xml': 'y'.repeat(300_000) });
  const { members } = await publishing.archive(generation, compareTables(table, new Map()));
  const orders = await readOrders(toBytes(members.at(-1)?.[1] ?? ''), {
    breathe: () => Promise.resolve(),
  });
  assert.deepEqual([...orders.missing.keys()], ['etc/rules/a.xml']);
});

test('the limit of archives goes down where a worker gave up, and up where it was quick', () => {
  const limit = new ArchiveLimit();
  assert.equal(limit.bytes, archiveBytesMax);
  limit.cancelled(100_000_000);
  assert.equal(limit.bytes, 80_000_000);
  limit.cancelled(1_000_000);
  assert.equal(limit.bytes, 30 * 1024 ** 2);
  limit.sent(1000);
  limit.sent(100_000);
  assert.equal(limit.bytes, 30 * 1024 ** 2 * 1.25);
  for (let i = 0; i < 100; i++) limit.sent(1000);
  assert.equal(limit.bytes, archiveBytesMax);
});
