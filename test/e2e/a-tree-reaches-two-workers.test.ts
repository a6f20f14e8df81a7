/** The main job: workers mirror their master's files, and follow what happens to them. */
import assert from 'node:assert/strict';
import {
  cpSync,
  existsSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { CheckDocument, StatusDocument, SyncDocument } from '../../src/node/documents.ts';
import { type Cluster, type TestNode, withCluster } from './cluster.ts';
import { defaultMode, isStranger, sampleRules, writeSampleTree } from './sample-tree.ts';
import { assertMirror, assertNothingStaged, filesBelow, write } from './tree.ts';

/** Real rules, decoders, lists and policies, where somebody has put them beside the project. */
const realTree = fileURLToPath(new URL('../../../shared/data/wazuh-tree', import.meta.url));

/** A running master with the sample tree, and a worker that has joined. */
async function sampleCluster(cluster: Cluster) {
  const master = await cluster.master();
  const filesCount = await writeSampleTree(master.root);
  await master.start();
  return { master, filesCount, worker: await cluster.worker(master, 'worker-1') };
}

test('two workers mirror a tree of some 370 files and follow its changes', async () => {
  await withCluster(async (cluster) => {
    const { master, filesCount, worker: first } = await sampleCluster(cluster);
    const workers = [first, await cluster.worker(master, 'worker-2')];
    await Promise.all(workers.map((worker) => worker.start()));
    for (const worker of workers) {
      const status = await worker.inSync(1);
      assert.equal(status.files, filesCount);
      assertMirror(master.root, worker.root, { isLeftOut: isStranger, modeOf: defaultMode });
    }
    await assertFollows(master, workers);
    for (const node of [...workers, master]) {
      assert.equal((await node.stop()).code, 143);
      assertNothingStaged(node.directory);
      assert.deepEqual(node.complaints(), []);
    }
  });
});

/** A change, a new directory and deletions reach all workers; each is seen before the next. */
async function assertFollows(master: TestNode, workers: readonly TestNode[]): Promise<void> {
  const steps: readonly (() => void)[] = [
    () => write(master.path(sampleRules[7]!), '<group name="changed"/>\n'),
    () => write(master.path('etc/lists/new/deep/er/list'), 'key:value\n'),
    () => rmSync(master.path(sampleRules[8]!)),
    () => rmSync(master.path('etc/shared/web'), { recursive: true }),
  ];
  for (const step of steps) {
    const before = (await master.status()).generation!;
    step();
    // A directory that goes may take more than one generation with it.
    for (const worker of workers) {
      await worker.status(({ generation, in_sync: isInSync }) =>
        generation! > before && isInSync === true && !isBehind(master, worker)
      );
    }
  }
  for (const worker of workers) {
    assertMirror(master.root, worker.root, { isLeftOut: isStranger, modeOf: defaultMode });
    // Set "shared" prunes, set "rules" does not have to.
    assert.ok(!existsSync(worker.path('etc/shared/web')), 'the emptied directory is gone');
    assert.match(worker.log(), /\[Integrity check\] Starting\.\n/);
    const finished = /Finished in \d+\.\d{3}s\. Files to create: 0 \| Files to update: 1 \| /;
    assert.match(worker.log(), finished);
  }
}

function isBehind(master: TestNode, worker: TestNode): boolean {
  const managed = [...filesBelow(master.root).keys()].filter((path) => !isStranger(path));
  const mirrored = filesBelow(worker.root);
  return managed.length !== mirrored.size || managed.some((path) => !mirrored.has(path));
}

test('check finds a file tampered with behind size and time, sync --once repairs it', async () => {
  await withCluster(async (cluster) => {
    const { master, filesCount, worker } = await sampleCluster(cluster);
    const first = await worker.json<SyncDocument>(0, 'sync', '--once');
    assert.equal(first.created, filesCount);
    assert.equal((await worker.expect(0, 'check')).code, 0);
    const tampered = sampleRules[3]!;
    tamperUnseen(worker.path(tampered));

    for (const mode of [[], ['--offline']]) {
      const found = await worker.json<CheckDocument>(4, 'check', ...mode);
      const [difference, ...more] = found.differences;
      assert.deepEqual(more, []);
      assert.equal(difference?.path, tampered);
      assert.equal(difference.action, 'replace');
    }
    assert.match((await worker.expect(4, 'diff')).stdout, new RegExp(`^~ ${tampered} \\(.+\\)\n$`));
    const quiet = await worker.expect(4, 'check', '--quiet');
    assert.equal(quiet.stdout, '');
    assert.equal(quiet.stderr.trimEnd().split('\n').length, 1, quiet.stderr);

    const before = filesBelow(worker.root);
    const dry = await worker.json<SyncDocument>(4, 'sync', '--once', '--dry-run');
    assert.deepEqual([dry.replaced, dry.differences.length], [0, 1]);
    assert.deepEqual(filesBelow(worker.root), before);

    const repaired = await worker.json<SyncDocument>(0, 'sync', '--once');
    assert.equal(repaired.replaced, 1);
    assertMirror(master.root, worker.root, { isLeftOut: isStranger, modeOf: defaultMode });
    await assertQuiet(worker);
  });
});

/** Other content of the same size, with the modification time put back. */
function tamperUnseen(path: string): void {
  const { mtime, atime } = statSync(path);
  const content = readFileSync(path);
  for (let i = 0; i < content.length; i++) content[i] = content[i]! ^ 1;
  writeFileSync(path, content);
  utimesSync(path, atime, mtime);
}

/** Commands that find nothing to say, say nothing. */
async function assertQuiet(worker: TestNode): Promise<void> {
  for (const words of [['sync', '--once'], ['check'], ['check', '--offline']]) {
    const { stdout, stderr } = await worker.expect(0, ...words, '--quiet');
    assert.deepEqual([stdout, stderr], ['', ''], words.join(' '));
  }
}

test('sync, check and status ask the daemon where one runs', async () => {
  await withCluster(async (cluster) => {
    const master = await cluster.master();
    write(master.path('etc/rules/a.xml'), 'one');
    await master.start();
    const worker = await cluster.worker(master, 'worker-1');
    await worker.start();
    await worker.inSync(1);
    write(worker.path('etc/rules/a.xml'), 'two');
    const synced = await worker.json<SyncDocument>(0, 'sync', '--once');
    assert.equal(synced.in_sync, true);
    assert.equal(readFileSync(worker.path('etc/rules/a.xml'), 'utf8'), 'one');
    await worker.expect(0, 'check');
    await worker.expect(0, 'check', '--offline');
    await master.expect(0, 'check');

    const status = await worker.json<StatusDocument>(0, 'status');
    assert.equal(status.schema_version, 1);
    assert.deepEqual([status.role, status.node, status.in_sync], ['worker', 'worker-1', true]);
    assert.equal(status.pid, worker.daemon.pid);
    assert.equal(status.master?.node, 'master-1');
    const { peers } = await master.json<StatusDocument>(0, 'status');
    assert.deepEqual(peers.map(({ node }) => node), ['worker-1']);
  });
});

test('two workers mirror the real rule set', {
  skip: existsSync(realTree) ? false : 'there is no real tree beside the project',
}, async () => {
  await withCluster(async (cluster) => {
    const sets = ['[[sets]]', 'name = "ruleset"', 'path = "ruleset"', 'mode = "0640"', ''];
    const master = await cluster.master({ config: `\n${sets.join('\n')}` });
    cpSync(realTree, master.root, { recursive: true });
    await master.start();
    const filesCount = filesBelow(master.root).size;
    // The sets come with the token.
    const workers = [
      await cluster.worker(master, 'worker-1'),
      await cluster.worker(master, 'worker-2'),
    ];
    await Promise.all(workers.map((worker) => worker.start()));
    for (const worker of workers) {
      const status = await worker.inSync(1);
      assert.equal(status.files, filesCount);
      assertMirror(master.root, worker.root, { modeOf: () => 0o640 });
    }
  });
});
