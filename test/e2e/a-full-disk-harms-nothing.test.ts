/** A worker whose disk runs full: nothing half applied, a clear error, and on it goes later. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { StatusDocument } from '../../src/node/documents.ts';
import { SeededRandom } from '../sim/random.ts';
import { type TestNode, withCluster } from './cluster.ts';
import { cannotMount, type SmallDisk, withSmallDisk } from './privileged.ts';
import { assertMirror, assertNothingStaged, filesBelow, write } from './tree.ts';

const skip = cannotMount;

/** Lets `work` use a worker that lives on a small disk with all that it has. */
async function withWorkerOn(
  options: string,
  settings: Record<string, string>,
  work: (nodes: { master: TestNode; worker: TestNode; disk: SmallDisk }) => Promise<void>,
): Promise<void> {
  await withSmallDisk(options, (disk) =>
    withCluster(async (cluster) => {
      const master = await cluster.master();
      for (let i = 0; i < 100; i++) write(master.path(`etc/rules/${i}.xml`), `rule ${i}\n`);
      await master.start();
      const worker = await cluster.worker(master, 'worker-1', {
        directory: join(disk.path, 'state'),
        root: join(disk.path, 'tree'),
        settings: { 'integrity.interval': '300ms', ...settings },
      });
      await work({ master, worker, disk });
    }));
}

const noReserve = { 'apply.space_reserve': '0B' };

test('a round that would use up the reserve of the disk does not begin', { skip }, async () => {
  await withWorkerOn('size=30m', {}, async ({ master, worker, disk }) => {
    const { stderr } = await worker.expect(1, 'sync', '--once');
    assert.match(
      stderr,
      /Cannot stage 100 files: 790 bytes and a reserve of 67108864 are needed, \d+/,
    );
    assert.match(stderr, /Free some space in the file system of the state directory/);
    assert.match(worker.log(), /ERROR: .* Cannot stage 100 files: /);
    assert.equal(filesBelow(worker.root).size, 0);
    disk.resize('size=100m');
    await worker.expect(0, 'sync', '--once');
    assertMirror(master.root, worker.root);
  });
});

test('a disk that runs full in the middle of a round changes no file', { skip }, async () => {
  await withWorkerOn('size=12m', noReserve, async ({ master, worker, disk }) => {
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
    await worker.says(/ERROR: .*(no space left|disk is full)/i);
    const { stderr } = await worker.expect(1, 'sync', '--once');
    assert.match(stderr, /no space left|disk is full/i);
    assert.deepEqual(filesBelow(worker.root), before);
    const status = await worker.json<StatusDocument>(0, 'status');
    assert.equal(status.in_sync, false);
    await master.status(({ peers }) => peers[0]?.in_sync === false);

    disk.resize('size=200m');
    await worker.inSync(2);
    assertMirror(master.root, worker.root);
    await worker.stop();
    assertNothingStaged(worker.directory);
  });
});

test(
  'a command on a disk without a free byte fails in order, and works later',
  { skip },
  async () => {
    await withWorkerOn('size=20m', noReserve, async ({ master, worker, disk }) => {
      await worker.expect(0, 'sync', '--once');
      const before = filesBelow(worker.root);
      fill(join(disk.path, 'ballast'));
      write(master.path('etc/rules/0.xml'), 'longer than before');
      await master.published();
      const { stderr } = await worker.expect(1, 'sync', '--once');
      assert.match(stderr, /^muster: .*(no space left|disk is full|bytes are free)/i);
      assert.deepEqual(filesBelow(worker.root), before);
      disk.resize('size=40m');
      await worker.expect(0, 'sync', '--once');
      assertMirror(master.root, worker.root);
    });
  },
);

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
