/** Certificates are renewed before they expire, while the node runs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CertificatesDocument } from '../../src/cli/documents.ts';
import type { NodesDocument } from '../../src/node/documents.ts';
import { recertify } from './certificates.ts';
import { type TestNode, withCluster } from './cluster.ts';
import { until } from './program.ts';
import { write } from './tree.ts';

const dayMs = 86_400_000;

/** Long valid, and soon no more: due. */
function endingIn(ms: number) {
  return { fromMs: -89 * dayMs, untilMs: ms };
}

async function certificateOf(node: TestNode): Promise<CertificatesDocument['certificate']> {
  return (await node.json<CertificatesDocument>(0, 'cert', 'show')).certificate;
}

test('a running worker renews its certificate, keeps its session, and outlives the old one', async () => {
  await withCluster(async (cluster) => {
    const master = await cluster.master();
    await master.start();
    const worker = await cluster.worker(master, 'worker-1');
    await recertify(worker, master, endingIn(5000));
    const old = await certificateOf(worker);
    await worker.start();
    const { master: link, pid } = await worker.status((status) => status.master !== null);
    await worker.says(
      /\[Certificates\] Finished .* The certificate was renewed, it is valid for 90/,
    );
    const renewed = await certificateOf(worker);
    assert.notEqual(renewed.serial, old.serial);
    assert.ok(Date.parse(renewed.expires) - Date.now() > 89 * dayMs);
    await master.says('Renewed the certificate of worker-1');
    const { nodes } = await master.json<NodesDocument>(0, 'nodes');
    assert.equal(
      nodes.find(({ name }) => name === 'worker-1')!.certificate_expires,
      renewed.expires,
    );
    // The session that was there is still there, of the same process.
    const after = await worker.status();
    assert.deepEqual([after.master?.connected_since, after.pid], [link!.connected_since, pid]);

    // A new session is possible only with the new certificate.
    await until('the old certificate ends', () => Date.now() > Date.parse(old.expires) + 1000);
    await master.stop();
    write(master.path('etc/rules/a.xml'), 'late');
    await master.start();
    await worker.inSync((await master.status()).generation!);
    assert.equal((await certificateOf(worker)).serial, renewed.serial);
  });
});

test('a worker that knows sync --once alone renews its certificate too', async () => {
  await withCluster(async (cluster) => {
    const master = await cluster.master();
    await master.start();
    const worker = await cluster.worker(master, 'worker-1');
    await recertify(worker, master, endingIn(dayMs));
    const { serial } = await certificateOf(worker);
    await worker.expect(0, 'sync', '--once', '--dry-run');
    assert.equal((await certificateOf(worker)).serial, serial);
    const { stderr } = await worker.expect(0, 'sync', '--once', '--quiet');
    assert.equal(stderr, '');
    assert.notEqual((await certificateOf(worker)).serial, serial);
    await worker.expect(0, 'sync', '--once');
  });
});

test('a master renews its own certificate and shows it to new sessions', async () => {
  await withCluster(async (cluster) => {
    const master = await cluster.master();
    await recertify(master, master, { fromMs: -90 * dayMs, untilMs: -1000 });
    const old = await certificateOf(master);
    await master.start();
    await master.says('The certificate was renewed');
    assert.notEqual((await certificateOf(master)).serial, old.serial);
    const worker = await cluster.worker(master, 'worker-1');
    await worker.expect(0, 'sync', '--once');
  });
});
