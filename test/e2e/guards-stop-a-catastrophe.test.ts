/** Deletion guards on both ends, approvals, and rolling back. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type {
  ApproveDocument,
  RollbackDocument,
  SyncDocument,
  VersionsDocument,
} from '../../src/node/documents.ts';
import { type Cluster, type TestNode, withCluster } from './cluster.ts';
import { assertMirror, filesBelow, write } from './tree.ts';

/** Files in set "rules". */
const rulesCount = 20;

const reasons: Readonly<Record<string, RegExp>> = {
  'agent-keys': /"etc\/client\.keys" would shrink from \d+ to \d+ bytes \(by 75 %\)/,
  rules: /11 of 20 files \(55 %\) would be deleted: more than the limit of 50 %/,
  shared: /all 3 files would be deleted: the set would be empty/,
};

async function masterWithTree(cluster: Cluster): Promise<TestNode> {
  const master = await cluster.master();
  write(master.path('etc/client.keys'), keys(80));
  for (let i = 0; i < rulesCount; i++) write(master.path(`etc/rules/${i}.xml`), `rule ${i}\n`);
  for (let i = 0; i < 3; i++) write(master.path(`etc/shared/default/${i}`), `shared ${i}\n`);
  write(master.path('etc/decoders/a.xml'), 'decoder\n');
  await master.start();
  return master;
}

function keys(count: number): string {
  return Array.from({ length: count }, (_, i) => `${100 + i} agent any 0123456789abcdef\n`).join(
    '',
  );
}

/** Three catastrophes, and one change as there are every day. */
function breakTree(master: TestNode): void {
  write(master.path('etc/client.keys'), keys(20));
  for (let i = 0; i < 11; i++) rmSync(master.path(`etc/rules/${i}.xml`));
  rmSync(master.path('etc/shared'), { recursive: true });
  write(master.path('etc/decoders/a.xml'), 'another decoder\n');
}

function assertHalted(halted: readonly { set: string; reason: string }[], sets: string[]): void {
  assert.deepEqual(halted.map(({ set }) => set).sort(), sets);
  for (const { set, reason } of halted) assert.match(reason, reasons[set]!);
}

test('a master does not publish a catastrophe until it is approved', async () => {
  await withCluster(async (cluster) => {
    const master = await masterWithTree(cluster);
    const worker = await cluster.worker(master, 'worker-1');
    await worker.start();
    await worker.inSync(1);
    await master.stop();
    const before = filesBelow(worker.root);
    breakTree(master);
    await master.start();
    const status = await master.status(({ halted }) => halted.length === 3);
    assertHalted(status.halted, ['agent-keys', 'rules', 'shared']);
    await master.says(/ERROR: .* Set "rules" is halted and not published: 11 of 20 files/);
    assert.match((await master.expect(0, 'status')).stdout, /muster approve/);
    const changed = () => readFileSync(worker.path('etc/decoders/a.xml'), 'utf8');
    await worker.status(() => changed() === 'another decoder\n');
    assert.equal(filesBelow(worker.root).size, before.size);
    // What is on the disk is not what was published.
    await master.expect(6, 'check');

    const one = await master.json<ApproveDocument>(0, 'approve', 'rules');
    assert.deepEqual(one.approved.map(({ set }) => set), ['rules']);
    await worker.status(() => !existsSync(worker.path('etc/rules/0.xml')));
    assert.ok(existsSync(worker.path('etc/shared/default/0')));
    await master.expect(0, 'approve');
    // The worker trusts its master's approval.
    await worker.status(({ in_sync: isInSync, files }) => isInSync === true && files === 11);
    assertMirror(master.root, worker.root);
    assert.deepEqual((await master.status()).halted, []);
  });
});

test('a worker does not take over a catastrophe until it is approved', async () => {
  await withCluster(async (cluster) => {
    const master = await masterWithTree(cluster);
    const worker = await cluster.worker(master, 'worker-1');
    await worker.expect(0, 'sync', '--once');
    const before = filesBelow(worker.root);
    await master.stop();
    breakTree(master);
    // A master that has lost its memory does not know that anything is missing.
    for (const suffix of ['', '-wal', '-shm']) {
      rmSync(join(master.directory, `muster.db${suffix}`), { force: true });
    }
    await master.start();
    assert.deepEqual((await master.status()).halted, []);

    const dry = await worker.json<SyncDocument>(6, 'sync', '--once', '--dry-run');
    assertHalted(dry.halted, ['agent-keys', 'rules', 'shared']);
    const halted = await worker.expect(6, 'sync', '--once');
    assert.match(halted.stderr, /Set "rules" is halted: 11 of 20 files \(55 %\)/);
    assert.match(halted.stderr, /To let it through: muster approve rules --dir /);
    const quiet = await worker.expect(6, 'sync', '--once', '--quiet');
    assert.match(
      quiet.stderr,
      /^muster: sync: set "agent-keys" is halted: .* \(and 2 more sets\)\n$/,
    );
    assert.equal(filesBelow(worker.root).size, before.size);
    assert.equal(readFileSync(worker.path('etc/decoders/a.xml'), 'utf8'), 'another decoder\n');

    await worker.start();
    const status = await worker.status((found) => found.halted.length === 3);
    assertHalted(status.halted, ['agent-keys', 'rules', 'shared']);
    // The master shows whose sets are halted.
    const { peers } = await master.status((found) => found.peers[0]?.halted.length === 3);
    assertHalted(peers[0]!.halted, ['agent-keys', 'rules', 'shared']);
    await worker.stop();
    await assertExactApproval(master, worker);
  });
});

/** An approval is for one content; what comes after it is judged anew. */
async function assertExactApproval(master: TestNode, worker: TestNode): Promise<void> {
  await worker.expect(0, 'approve', 'rules');
  for (let i = 11; i < 15; i++) rmSync(master.path(`etc/rules/${i}.xml`));
  await master.published();
  const again = await worker.json<SyncDocument>(6, 'sync', '--once');
  assert.match(again.halted.find(({ set }) => set === 'rules')!.reason, /15 of 20 files/);
  await worker.expect(0, 'approve');
  const { removed, replaced } = await worker.json<SyncDocument>(0, 'sync', '--once');
  assert.deepEqual([removed, replaced], [18, 1]);
  assertMirror(master.root, worker.root);
  await worker.expect(0, 'check');
}

test('rollback puts a generation or a file back, and holds it until it is approved', async () => {
  await withCluster(async (cluster) => {
    const master = await masterWithTree(cluster);
    const worker = await cluster.worker(master, 'worker-1');
    await worker.expect(0, 'sync', '--once');
    const before = filesBelow(worker.root);
    write(master.path('etc/rules/0.xml'), 'new rule\n');
    rmSync(master.path('etc/rules/1.xml'));
    write(master.path('etc/rules/brand-new.xml'), 'brand new\n');
    const generation = await master.published();
    await worker.json<SyncDocument>(0, 'sync', '--once');
    const list = await worker.json<VersionsDocument>(0, 'versions');
    // The newest come first.
    const kinds = Object.fromEntries(list.versions.toReversed().map((v) => [v.path, v.kind]));
    assert.equal(kinds['etc/rules/0.xml'], 'replaced');
    assert.equal(kinds['etc/rules/1.xml'], 'removed');

    // The first generation brought all that is there.
    const back = await worker.json<RollbackDocument>(0, 'rollback', '--generation', '2');
    assert.deepEqual([back.restored, back.removed, back.held], [2, 1, ['rules']]);
    assert.deepEqual(contents(filesBelow(worker.root)), contents(before));
    for (const words of [['sync', '--once'], ['check']]) {
      const { stderr } = await worker.expect(6, ...words);
      assert.match(stderr, /Set "rules" is halted: this content was rolled back on this node/);
    }
    await worker.expect(0, 'approve');
    const forward = await worker.json<SyncDocument>(0, 'sync', '--once');
    assert.equal(forward.generation, generation);
    assertMirror(master.root, worker.root);
    await assertVersionBack(master, worker);
  });
});

/** One file goes back; the next content of the master's ends that without any approval. */
async function assertVersionBack(master: TestNode, worker: TestNode): Promise<void> {
  const { versions } = await worker.json<VersionsDocument>(0, 'versions', 'etc/rules/0.xml');
  const oldest = versions.findLast(({ kind }) => kind === 'replaced')!;
  const { restored } = await worker.json<RollbackDocument>(
    0,
    'rollback',
    '--version',
    String(oldest.id),
  );
  assert.equal(restored, 1);
  assert.equal(readFileSync(worker.path('etc/rules/0.xml'), 'utf8'), 'rule 0\n');
  await worker.expect(6, 'sync', '--once');
  write(master.path('etc/rules/5.xml'), 'next rule\n');
  await master.published();
  await worker.expect(0, 'sync', '--once');
  assertMirror(master.root, worker.root);
  await worker.expect(1, 'rollback', '--version', '999999');
}

function contents(files: ReturnType<typeof filesBelow>): Record<string, string> {
  return Object.fromEntries([...files].map(([path, { hash }]) => [path, hash]));
}
