/** A worker whose disk runs full: nothing half applied, a clear error, and on it goes later. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { StatusDocument } from '../../src/node/documents.ts';
import { type Cluster, type TestNode, withCluster } from './cluster.ts';
import { cannotMount, withSmallDisk } from './privileged.ts';
import { SeededRandom } from '../sim/random.ts';
import { assertMirror, assertNothingStaged, filesBelow, write } from './tree.ts';

const skip = cannotMount;

/** A worker that lives on a disk of its own, with all that it has. */
async function workerOn(
  cluster: Cluster,
  master: TestNode,
  disk: string,
  settings: Record<string, string> = {},
): Promise<TestNode> {
  const [directory, root] = [join(disk, 'state'), join(disk, 'tree')];
  return await cluster.worker(master, 'worker-1', {
    directory,
    root,
    settings: { 'integrity.interval': '300ms', ...settings },
  });
}

test('a round that would use up the reserve of the disk does not begin', { skip }, async () => {
  await withCluster(async (cluster) => {
    const master = await cluster.master();
    write(master.path('etc/rules/a.xml'), 'small');
    await master.start();
    const place = join(cluster.directory, 'disk');
    await withSmallDisk(place, 'size=30m', async (disk) => {
      const worker = await workerOn(cluster, master, place);
      const { stderr } = await worker.expect(1, 'sync', '--once');
      assert.match(
        stderr,
        /Cannot stage 1 file: 5 bytes and a reserve of \d+ are needed, \d+ bytes/,
      );
      assert.match(stderr, /Free some space in the file system of the state directory/);
      assert.equal(filesBelow(worker.root).size, 0);
      disk.resize('size=100m');
      await worker.expect(0, 'sync', '--once');
      assertMirror(master.root, worker.root);
    });
  });
});

test('a disk that runs full in the middle of a round changes no file', { skip }, async () => {
  await withCluster(async (cluster) => {
    const master = await cluster.master();
    for (let i = 0; i < 100; i++) write(master.path(`etc/rules/${i}.xml`), `rule ${i}\n`);
    await master.start();
    const place = join(cluster.directory, 'disk');
    await withSmallDisk(place, 'size=12m', async (disk) => {
      const worker = await workerOn(cluster, master, place, { 'apply.space_reserve': '0B' });
      await worker.start();
      await worker.inSync(1);
      const before = filesBelow(worker.root);
      // Small files take more room on a disk than they hold: nothing can foresee this.
      await master.stop();
      const random = new SeededRandom('full disk');
      for (let i = 0; i < 4000; i++) writeFileSync(master.path(`etc/rules/n${i}.xml`), `${i}\n`);
      for (let i = 0; i < 20; i++) {
        write(master.path(`etc/lists/${i}`), random.bytes(100_000));
        write(master.path(`etc/rules/${i}.xml`), `changed ${i}\n`);
      }
      await master.start();
      await worker.says(/ERROR: .*(no space left|disk is full|No space)/i);
      const { stderr } = await worker.expect(1, 'sync', '--once');
      assert.match(stderr, /no space left|disk is full/i);
      assert.deepEqual(filesBelow(worker.root), before);
      assert.ok(worker.daemon.isRunning);
      const status = await worker.json<StatusDocument>(0, 'status');
      assert.equal(status.in_sync, false);
      await master.status(({ peers }) => peers.length === 1);

      disk.resize('size=200m');
      await worker.inSync(2);
      assertMirror(master.root, worker.root);
      await worker.stop();
      assertNothingStaged(worker.directory);
    });
  });
});

test('a worker starts and recovers on a disk that is full', { skip }, async () => {
  await withCluster(async (cluster) => {
    const master = await cluster.master();
    write(master.path('etc/rules/a.xml'), 'one');
    await master.start();
    const place = join(cluster.directory, 'disk');
    await withSmallDisk(place, 'size=20m', async (disk) => {
      const worker = await workerOn(cluster, master, place, { 'apply.space_reserve': '0B' });
      await worker.expect(0, 'sync', '--once');
      mkdirSync(join(place, 'other'));
      fill(join(place, 'other/ballast'));
      write(master.path('etc/rules/a.xml'), 'two, and longer than before');
      await master.published();
      const { code, stderr } = await worker.muster('sync', '--once');
      assert.equal(code, 1, stderr);
      assert.match(stderr, /no space left|disk is full|bytes are free/i);
      assert.doesNotMatch(stderr, /defect|at .*\.ts:/);
      disk.resize('size=40m');
      await worker.expect(0, 'sync', '--once');
      assertMirror(master.root, worker.root);
    });
  });
});

/** Writes until there is no room for another byte. */
function fill(path: string): void {
  for (let bytes = 1024 * 1024; bytes >= 1; bytes = Math.floor(bytes / 2)) {
    try {
      for (;;) writeFileSync(path, new Uint8Array(bytes), { flag: 'a' });
    } catch {
      // Not so much more, but perhaps half of it.
    }
  }
}
