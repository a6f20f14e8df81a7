/**
 * One large file: mirrored in bounded memory on both ends, and resumed where it was cut.
 *
 * The file has 256 MiB; with MUSTER_E2E_FULL=1 it has 2 GiB.
 */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'node:test';
import { SeededRandom } from '../sim/random.ts';
import { type TestNode, withCluster } from './cluster.ts';
import { until } from './program.ts';
import { assertMirror, assertNothingStaged } from './tree.ts';

const mebibyte = 1024 * 1024;
const isFull = process.env['MUSTER_E2E_FULL'] === '1';
const fileBytes = (isFull ? 2048 : 256) * mebibyte;

/** Most memory that a node may ever have had resident, bytes. */
const residentBytesMax = 150 * mebibyte;

/** Time for the whole file, ms. */
const limitMs = isFull ? 240_000 : 60_000;

/** Writes a file of holes with islands of random bytes; takes hardly any room on the disk. */
function writeIslands(path: string): void {
  fs.mkdirSync(join(path, '..'), { recursive: true });
  const random = new SeededRandom('islands');
  const file = fs.openSync(path, 'w');
  try {
    fs.ftruncateSync(file, fileBytes);
    for (let i = 0; i < 64; i++) {
      const position = Math.floor(random.float() * (fileBytes - 5000));
      fs.writeSync(file, random.bytes(5000), 0, 5000, position);
    }
  } finally {
    fs.closeSync(file);
  }
}

/** The most memory that a node's process has ever had resident, bytes. */
function peakBytes(node: TestNode): number {
  const status = fs.readFileSync(`/proc/${node.daemon.pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)![1]) * 1024;
}

/** Bytes of the file that have come to the worker's staging. */
function stagedBytes(worker: TestNode): number {
  const directory = join(worker.directory, 'staging');
  const sizes = fs.readdirSync(directory).map((name) =>
    fs.statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0
  );
  return Math.max(0, ...sizes);
}

test('a large file is mirrored with under 150 MiB resident, and resumed after a kill', async () => {
  await withCluster(async (cluster) => {
    // Uncompressed, or the holes would be nothing on the wire.
    const settings = { 'integrity.compress': 'false', 'integrity.timeout': '10m' };
    const master = await cluster.master({ settings });
    writeIslands(master.path('etc/lists/large.cdb'));
    await master.start();
    const worker = await cluster.worker(master, 'worker-1', { settings });
    await worker.start();
    await until('half of it arrives', () => stagedBytes(worker) > fileBytes / 2, limitMs);
    const [status] = (await master.status()).peers;
    assert.ok(status!.last_heard_ms_ago < 60_000);
    const firstPeak = peakBytes(worker);
    await worker.crash();
    const kept = stagedBytes(worker);

    await worker.start();
    await worker.inSync(1, limitMs);
    assertMirror(master.root, worker.root);
    const { peers } = await master.status(({ peers: [peer] }) => peer?.in_sync === true);
    const sent = peers[0]!.bytes_sent;
    assert.ok(sent < fileBytes - kept + 8 * mebibyte, `${sent} bytes sent, ${kept} were there`);
    const peaks = { firstPeak, worker: peakBytes(worker), master: peakBytes(master) };
    const shown = JSON.stringify({ fileBytes, kept, sent, ...peaks });
    for (const peak of Object.values(peaks)) assert.ok(peak < residentBytesMax, shown);
    if (isFull) console.log(shown);
    await worker.stop();
    assertNothingStaged(worker.directory);
  });
});
