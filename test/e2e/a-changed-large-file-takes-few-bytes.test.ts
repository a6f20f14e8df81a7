/**
 * A large file that changes in a small part: only the blocks around the change travel, also where
 * the worker is killed in the middle, and what is in place has content, mode and time.
 */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { concatBytes } from '../../src/base/bytes.ts';
import { SeededRandom } from '../sim/random.ts';
import { type TestNode, withCluster } from './cluster.ts';
import { until } from './program.ts';
import { assertMirror, assertNothingStaged } from './tree.ts';

const mebibyte = 1024 * 1024;
const fileBytes = 160 * mebibyte;
const changedBytes = 64 * 1024;
const path = 'etc/lists/large.cdb';

/** Time for anything that happens to the file, ms. */
const limitMs = 60_000;

/** Bytes that the master has sent in the present session. */
async function sentBytes(master: TestNode): Promise<number> {
  const { peers: [peer] } = await master.status(({ peers }) => peers[0]?.in_sync === true, limitMs);
  return peer!.bytes_sent;
}

/** Puts a content in the place of the master's, with a time of its own. */
function replace(master: TestNode, content: Uint8Array, time: number): void {
  const changed = join(master.directory, 'large.new');
  fs.writeFileSync(changed, content);
  fs.utimesSync(changed, time, time);
  fs.renameSync(changed, master.path(path));
}

test('a changed large file takes few bytes, and is gone on with after a kill', async () => {
  await withCluster(async (cluster) => {
    const random = new SeededRandom('large');
    const settings = { 'integrity.timeout': '10m' };
    const master = await cluster.master({ settings });
    let content = random.bytes(fileBytes);
    fs.mkdirSync(join(master.path(path), '..'), { recursive: true });
    replace(master, content, 1_600_000_000);
    await master.start();
    const worker = await cluster.worker(master, 'worker-1', { settings });
    await worker.start();
    await worker.inSync(1, limitMs);
    const first = await sentBytes(master);
    assert.ok(first > fileBytes);
    const { mode } = fs.statSync(worker.path(path));

    const middle = fileBytes / 2;
    content.set(random.bytes(changedBytes), middle);
    replace(master, content, 1_600_000_100);
    await worker.inSync(await master.published(), limitMs);
    const second = await sentBytes(master);
    assert.ok(second - first < fileBytes / 50, `${second - first} bytes for a replaced part`);
    assertMirror(master.root, worker.root);
    const placed = fs.statSync(worker.path(path));
    assert.deepEqual([placed.mode, placed.mtimeMs], [mode, 1_600_000_100_000]);

    const staging = join(worker.directory, 'staging');
    const stagedBytes = () =>
      Math.max(
        0,
        ...fs.readdirSync(staging).map((name) =>
          fs.statSync(join(staging, name), { throwIfNoEntry: false })?.size ?? 0
        ),
      );
    content = concatBytes([
      content.subarray(0, 100_000),
      random.bytes(changedBytes),
      content.subarray(100_000),
    ]);
    replace(master, content, 1_600_000_200);
    await until('some of it is put together', () => stagedBytes() > fileBytes / 8, limitMs);
    await worker.crash();
    const kept = stagedBytes();
    await worker.start();
    await worker.inSync(await master.published(), limitMs);
    assertMirror(master.root, worker.root);
    const third = await sentBytes(master);
    assert.ok(third < fileBytes / 50, `${third} bytes after a kill, ${kept} were there`);
    await worker.stop();
    assertNothingStaged(worker.directory);
  });
});
