/**
 * Scanning and applying on the real disk and database, as far as the simulated ones could differ.
 */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { migrate } from '../../src/base/migrations.ts';
import { Applier, applyMigrations, laterApplyMigrations } from '../../src/files/apply.ts';
import { SetTable } from '../../src/files/file-set.ts';
import {
  directoryMigrations,
  indexMigrations,
  IndexStore,
  leafMigrations,
} from '../../src/files/index-store.ts';
import { Scanner } from '../../src/files/scan.ts';
import { versionMigrations, VersionStore } from '../../src/files/version-store.ts';
import type { Logger } from '../../src/ports.ts';
import { systemClock as clock } from '../../src/runtime/clock.ts';
import { openDatabase } from '../../src/runtime/database.ts';
import { openFiles } from '../../src/runtime/files.ts';
import { createHashing } from '../../src/runtime/hashing.ts';
import { systemRandom as random } from '../../src/runtime/random.ts';
import { fileSet } from './material.ts';
import { bytesOf, changesOf, entryOf, everywhere, never } from './tree-world.ts';

const log: Logger = { log: () => {}, child: () => log };

/** Everything of a node that touches the disk, opened anew as after a restart. */
async function open(directory: string) {
  const root = join(directory, 'root');
  const stateDirectory = join(directory, 'state');
  for (const path of [root, stateDirectory]) fs.mkdirSync(path, { recursive: true });
  const hashing = await createHashing();
  const onWarning = (text: string): void => assert.fail(text);
  const files = await openFiles({ root, stateDirectory, clock, hashing, onWarning });
  const database = openDatabase(join(stateDirectory, 'muster.db'));
  migrate(database, [
    ...indexMigrations,
    ...applyMigrations,
    ...laterApplyMigrations,
    ...versionMigrations,
    ...leafMigrations,
    ...directoryMigrations,
  ]);
  const set = fileSet({ prune: true });
  const sets = new SetTable([set], hashing, 'md5');
  const store = new IndexStore({ clock, database, hashing }, sets, { algorithm: 'md5' });
  const options = { algorithm: 'md5', racyWindowMs: 50, rehashEveryMs: 86_400_000 } as const;
  const scanner = new Scanner({ tree: files, clock, hashing, log }, sets, options, store);
  await scanner.load();
  const versions = new VersionStore({ clock, database, files }, { keepCount: 3 });
  const ports = { files, clock, log, hashing, random, database };
  const applying = {
    algorithm: 'md5',
    preserveMtime: true,
    flush: true,
    spaceReserveBytes: 0,
  } as const;
  const applier = new Applier(ports, sets, versions, applying);
  return { root, set, files, scanner, versions, applier, close: () => database.close() };
}

type Node = Awaited<ReturnType<typeof open>>;

async function place(node: Node, contents: Readonly<Record<string, string>>, generation: number) {
  const items = Object.entries(contents).map(([path, content]) => ({
    set: node.set,
    entry: entryOf(path, content),
    previous: node.scanner.manifest('rules').get(path),
    bytes: bytesOf(content),
  }));
  assert.deepEqual(await node.applier.stageSmall(items), []);
  const report = await node.applier.commitBatch(generation);
  assert.deepEqual(report.failures, []);
  await node.scanner.adopt(report.placed);
  await node.applier.finish();
  await node.scanner.flush();
  return report;
}

test('new directories are moved as a whole, in whatever order their files came', async () => {
  const directory = fs.mkdtempSync(join(tmpdir(), 'muster-files-'));
  try {
    const node = await open(directory);
    const items = (paths: readonly string[]) =>
      paths.map((path) => ({ set: node.set, entry: entryOf(path, path), bytes: bytesOf(path) }));
    const scattered = Array.from({ length: 1500 }, (_, i) => `etc/rules/${i % 3}/${i}`);
    // Alone in its batch a file is staged alone: it must not be there before its directory.
    await node.applier.stageSmall(items(['etc/rules/0/first']));
    for (const from of [0, 500, 1000]) {
      assert.deepEqual(
        await node.applier.stageSmall(items(scattered.slice(from, from + 500))),
        [],
      );
    }
    const staging = join(directory, 'state/staging');
    const inodes = (path: string): number[] =>
      fs.readdirSync(path, { withFileTypes: true })
        .filter((item) => item.isDirectory())
        .map(({ name }) => fs.statSync(join(path, name)).ino)
        .sort((left, right) => left - right);
    const made = inodes(staging);
    assert.equal(made.length, 3);
    const { createdCount, failures } = await node.applier.commitBatch(1);
    assert.deepEqual([createdCount, failures], [1501, []]);
    assert.deepEqual(inodes(join(node.root, 'etc/rules')), made, 'they are the same directories');
    await node.applier.finish();
    node.close();
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
});

/** Nothing is known of what is at a path. */
const unknown = (): undefined => undefined;

test('Applier and Scanner agree on a real disk, over a restart and a rollback', async () => {
  const directory = fs.mkdtempSync(join(tmpdir(), 'muster-files-'));
  try {
    const first = await open(directory);
    await place(first, { 'etc/rules/a': 'one', 'etc/rules/sub/deep/caf\xc3\xa9': 'one' }, 1);
    const report = await place(first, { 'etc/rules/a': 'two' }, 2);
    assert.deepEqual([report.createdCount, report.replacedCount], [0, 1]);
    const leaving = [{ path: 'etc/rules/sub/deep/caf\xc3\xa9' }];
    const removal = await first.applier.remove(first.set, leaving, 2);
    assert.deepEqual([removal.failures, removal.directoriesCount], [[], 2]);
    await first.scanner.forget(removal.removed);
    await first.applier.finish();
    await first.scanner.flush();
    const large = { set: first.set, entry: entryOf('etc/rules/large', 'large content') };
    const incoming = await first.applier.stage(large);
    await incoming.write(bytesOf('large '));
    await incoming.suspend();
    first.close();

    const second = await open(directory);
    const recovery = await second.applier.recover();
    assert.equal(recovery.versionsDiscardedCount + recovery.discardedCount, 0);
    const scan = await second.scanner.scan(everywhere, never);
    assert.deepEqual([scan.changes.size, scan.hashedCount, scan.filesCount], [0, 0, 1]);
    const resumed = await second.applier.stage(large);
    assert.equal(resumed.offset, 6);
    await resumed.write(bytesOf('content'));
    await resumed.finish();
    assert.equal((await second.applier.commitBatch(3)).createdCount, 1);

    const plan = await second.versions.restorePlan(2);
    assert.deepEqual(await second.applier.stageVersions(plan.restore, unknown), []);
    await second.applier.commitBatch(second.versions.lastGeneration());
    await second.applier.remove(second.set, plan.remove, second.versions.lastGeneration());
    await second.applier.finish();
    const read = (path: string): string => fs.readFileSync(join(second.root, path), 'utf8');
    assert.deepEqual([read('etc/rules/a'), read('etc/rules/sub/deep/café')], ['one', 'one']);
    assert.equal(fs.existsSync(join(second.root, 'etc/rules/large')), false);
    assert.deepEqual(await second.files.staged(), new Map());
    const verified = await second.scanner.verify(never);
    assert.deepEqual(changesOf(verified, 'rules').length, 2);
    second.close();
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
});
