/**
 * Who may not come in: exit code 8, and why, on both ends: on standard error and in the worker's
 * log, and in the master's log.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { decodeToken, encodeToken } from '../../src/identity/token.ts';
import {
  expired,
  impersonate,
  notYetValid,
  recertify,
  recertifyByStranger,
} from './certificates.ts';
import { type Cluster, type TestNode, withCluster } from './cluster.ts';
import { pause } from './program.ts';

/** The two ends of a refusal: what the worker is told, what the master logs. */
interface Refusal {
  readonly worker: RegExp;
  readonly master: RegExp;
}

/** What the worker does ends with 8, and both ends say why; so does its daemon. */
async function assertRefused(worker: TestNode, master: TestNode, refusal: Refusal): Promise<void> {
  const before = master.log().length;
  const { stderr } = await worker.expect(8, 'sync', '--once');
  assert.match(stderr, refusal.worker);
  await master.says(refusal.master, before);
  worker.launch();
  await worker.says(refusal.worker);
  await worker.stop();
}

async function runningMaster(cluster: Cluster): Promise<TestNode> {
  const master = await cluster.master();
  await master.start();
  return master;
}

test('a worker with an expired certificate is told so', async () => {
  await withCluster(async (cluster) => {
    const master = await runningMaster(cluster);
    const worker = await cluster.worker(master, 'worker-1');
    await recertify(worker, master, expired);
    const when = String.raw`certificate expired at \d{4}-\d\d-\d\d \d\d:\d\d UTC, 2\d hours ago`;
    await assertRefused(worker, master, {
      worker: new RegExp(`Not accepted by the master: this node's ${when}`),
      master: new RegExp(`WARNING: .* is refused: Cannot accept the node at \\S+: its ${when}`),
    });
    const { stdout } = await worker.expect(0, 'cert', 'show');
    assert.match(stdout, /expired \S+ \S+ ago/);
  });
});

test('a worker whose clock seems to be ahead is told so', async () => {
  await withCluster(async (cluster) => {
    const master = await runningMaster(cluster);
    const worker = await cluster.worker(master, 'worker-1');
    await recertify(worker, master, notYetValid);
    await assertRefused(worker, master, {
      worker: /this node's certificate is not yet valid before .*; the clocks differ by 2\d hours/,
      master: /WARNING: .* its certificate is not yet valid before .*; the clocks differ by/,
    });
  });
});

test('a worker certified by a stranger is told so', async () => {
  await withCluster(async (cluster) => {
    const master = await runningMaster(cluster);
    const worker = await cluster.worker(master, 'worker-1');
    await recertifyByStranger(worker);
    const reason = 'certificate was not issued by the authority of the cluster';
    await assertRefused(worker, master, {
      worker: new RegExp(`Not accepted by the master: this node's ${reason}`),
      master: new RegExp(`WARNING: .* is refused: Cannot accept the node at \\S+: its ${reason}`),
    });
  });
});

test('a revoked worker loses its session and is told why it does not get another', async () => {
  await withCluster(async (cluster) => {
    const master = await runningMaster(cluster);
    const worker = await cluster.worker(master, 'worker-1');
    await worker.start();
    await worker.status((status) => status.master !== null);
    await master.expect(0, 'nodes', 'revoke', 'worker-1');
    await worker.says('The certificate of worker-1 was revoked');
    await worker.status((status) => status.master === null);
    await worker.stop();
    await assertRefused(worker, master, {
      worker: /Not accepted by the master: this node's certificate was revoked on the master/,
      master: /WARNING: .* is refused: .* its certificate was revoked on the master/,
    });
    // A new token lets it in again.
    const { stdout } = await master.expect(0, 'token');
    const anew = join(cluster.directory, 'anew');
    const words = ['--name', 'worker-1', '--root', join(anew, 'tree'), '--dir', anew];
    await cluster.run(0, 'join', stdout.trim(), ...words);
    await cluster.run(0, 'sync', '--once', '--dir', anew);
  });
});

test('a worker of another cluster is told so, and so is one of a twin of this cluster', async () => {
  await withCluster(async (cluster) => {
    const master = await runningMaster(cluster);
    const cases: [string, Refusal][] = [
      ['beta', {
        worker: /it belongs to cluster "muster", not to "beta"/,
        master: /it belongs to cluster "beta", not to "muster"/,
      }],
      ['muster', {
        worker: /its certificate was not issued by the authority of the cluster/,
        master: /its certificate was not issued by the authority of the cluster/,
      }],
    ];
    for (const [name, refusal] of cases) {
      const other = await cluster.master({ cluster: name }, `master-of-${name}`);
      await other.start();
      const worker = await cluster.worker(other, `worker-of-${name}`);
      worker.settings = { ...worker.settings, 'worker.master': addressOf(master) };
      await assertRefused(worker, master, refusal);
    }
  });
});

test('neither end takes a certificate of the other role', async () => {
  await withCluster(async (cluster) => {
    const master = await runningMaster(cluster);
    const [worker, other] = [
      await cluster.worker(master, 'worker-1'),
      await cluster.worker(master, 'worker-2'),
    ];
    impersonate(worker, master);
    await assertRefused(worker, master, {
      worker: /this node's certificate is that of a master, not of a worker/,
      master: /its certificate is that of a master, not of a worker/,
    });
    await master.stop();
    impersonate(master, other);
    await master.start();
    await assertRefused(other, master, {
      worker: /its certificate is that of a worker, not of a master/,
      master: /certificate is that of a worker, not of a master/,
    });
  });
});

test('a token that was used, has expired, or is garbled lets nobody in: 8', async () => {
  await withCluster(async (cluster) => {
    const master = await runningMaster(cluster);
    const issue = async (...options: string[]) =>
      (await master.expect(0, 'token', ...options)).stdout.trim();
    let count = 0;
    const assertNoEntry = async (
      text: string,
      bearer: RegExp,
      logged?: RegExp,
      name = `w-${++count}`,
    ) => {
      const before = master.log().length;
      const directory = join(cluster.directory, name);
      mkdirSync(directory);
      const words = ['--name', name, '--root', join(directory, 'tree'), '--dir', directory];
      const { stderr } = await cluster.run(8, 'join', text, ...words);
      assert.match(stderr, bearer);
      if (logged === undefined) return;
      await master.says(logged, before);
    };
    const used = await issue();
    const directory = join(cluster.directory, 'first');
    const words = ['--name', 'first', '--root', join(directory, 'tree'), '--dir', directory];
    await cluster.run(0, 'join', used, ...words);
    const usedUp = /The join token was used up, last by node "first"/;
    await assertNoEntry(used, usedUp, usedUp);

    // What cannot be written is told before the token is used up.
    const spared = await issue();
    const refused = await cluster.run(1, 'join', spared, ...words);
    assert.match(refused.stderr, /Cannot write ".*muster\.toml": it exists already/);
    const elsewhere = join(cluster.directory, 'elsewhere');
    const place = ['--root', join(elsewhere, 'tree'), '--dir', elsewhere];
    const taken = await cluster.run(1, 'join', spared, '--name', 'master-1', ...place);
    assert.match(taken.stderr, /"master-1" is the name of the master.*\n {2}Give another name/);
    const { stderr } = await cluster.run(0, 'join', spared, '--name', 'spared', ...place);
    assert.match(stderr, /The managed tree ".*" was not there: made an empty one/);

    const again = join(cluster.directory, 'again');
    const anew = ['--root', join(again, 'tree'), '--dir', again, '--name', 'first'];
    await cluster.run(0, 'join', await issue(), ...anew);
    await master.says(/WARNING: .* first joined from .*, a name that had joined before/);

    const short = await issue('--ttl', '1s');
    await pause(1100);
    const late = /The join token expired at \d{4}-\d\d-\d\d \d\d:\d\d UTC/;
    await assertNoEntry(short, late, late);

    const whole = await issue();
    const mistyped = whole[30] === 'x' ? 'y' : 'x';
    await assertNoEntry(`${whole.slice(0, 30)}${mistyped}${whole.slice(31)}`, /token/i);
    await assertNoEntry(whole.slice(0, -5), /token/i);

    // Whole, but not what the master has issued.
    const token = decodeToken(whole);
    const forged = encodeToken({ ...token, secret: token.secret.map((byte) => byte ^ 1) });
    await assertNoEntry(
      forged,
      /The master does not know this join token/,
      /may not join: The join token has a known id but a wrong secret/,
    );
  });
});

function addressOf(master: TestNode): string {
  return /^listen = "(.*)"$/m.exec(readFileSync(master.configFile, 'utf8'))![1]!;
}
