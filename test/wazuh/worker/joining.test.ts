import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromText } from '../../../src/base/bytes.ts';
import { ClusterError } from '../../../src/base/errors.ts';
import { answering } from '../../../src/wazuh/connection.ts';
import { clusterFailure } from '../../../src/wazuh/failure.ts';
import { welcomeText } from '../../../src/wazuh/replies.ts';
import { PlayedMaster } from './played-master.ts';

/** What a one-shot command of the worker is told. */
async function refusal(all: PlayedMaster): Promise<ClusterError> {
  const { signal } = new AbortController();
  const node = await all.world.settle(all.open());
  const work = node.withSession(signal, () => node.sync({ dryRun: false }, signal));
  try {
    await all.world.settle(work);
  } catch (error) {
    if (error instanceof ClusterError) return error;
    throw error;
  }
  throw new Error('Nothing was refused');
}

test('every refusal of a master has its code and says what to do', async () => {
  const table = [
    [
      3028,
      'worker1',
      'refused',
      /3028 - Worker node ID already exists: worker1/,
      /another worker/i,
    ],
    [3029, undefined, 'refused', /3029 - Connected worker with same name/, /another name/],
    [3030, undefined, 'refused', /3030 - Worker does not belong/, /wazuh\.cluster, "wazuh" here/],
    [3031, undefined, 'incompatible', /3031 - Worker and master versions/, /to "4\.14\.7"/],
    [3060, 'w.1', 'refused', /3060 - Invalid node name format: w\.1/, /letters, digits/],
  ] as const;
  for (const [number, detail, code, message, remedy] of table) {
    const all = new PlayedMaster();
    all.changes.answers = [
      answering('hello', (_, connection) => {
        // Real masters go on talking to whom they have refused.
        connection.open();
        throw clusterFailure(number, detail);
      }),
    ];
    await all.listen();
    const error = await refusal(all);
    assert.equal(error.code, code);
    assert.match(error.message, message);
    assert.match(error.remedy ?? '', remedy);
    await all.stop();
  }
});

test('a worker that is refused closes, and comes again until it is let in', async () => {
  const all = new PlayedMaster();
  all.write('etc/rules/local.xml', 'one');
  let refusals = 0;
  all.changes.answers = [
    answering('hello', ({ node }, connection) => {
      connection.open();
      // Real masters leave it to the worker to close.
      if (++refusals <= 2) throw clusterFailure(3028, node);
      return welcomeText(node);
    }),
  ];
  await all.listen();
  all.startWorker();
  await all.converge();
  assert.deepEqual(all.connections.map(({ signal }) => signal.aborted), [true, true, false]);
  const errors = all.worker.records.filter(({ level }) => level === 'error');
  assert.match(errors[0]!.text, /Error 3028 - Worker node ID already exists: worker1/);
  await all.stop();
});

test('a master that takes the connection and says nothing is told of as an original node would', async () => {
  const all = new PlayedMaster();
  all.changes.answers = [answering('hello', () => new Promise(() => {}))];
  await all.listen();
  const error = await refusal(all);
  assert.equal(error.code, 'timeout');
  assert.equal(
    error.message,
    'Error 3020 - Timeout sending request: hello: master:1516 does not answer',
  );
  await all.stop();
});

test('a master that closes at once tells no version', async () => {
  const all = new PlayedMaster();
  all.changes.answers = [
    answering('hello', () => {
      throw clusterFailure(3031);
    }),
  ];
  await all.listen();
  const error = await refusal(all);
  assert.equal(error.code, 'incompatible');
  assert.match(error.remedy ?? '', /exactly the master's version/);
  await all.stop();
});

test('another key looks like a connection that is closed without a word', async () => {
  const all = new PlayedMaster({ key: 'a'.repeat(32) });
  await all.listen();
  const error = await refusal(all);
  assert.equal(error.code, 'authentication');
  assert.match(error.message, /master:1516 closed the connection before it answered the hello/);
  await all.stop();
});

test('a master that is not there is unreachable', async () => {
  const error = await refusal(new PlayedMaster());
  assert.equal(error.code, 'unreachable');
});

test('a one-shot round joins, brings the files in step, and leaves', async () => {
  const all = new PlayedMaster();
  all.write('etc/rules/local.xml', 'new');
  await all.listen();
  const node = await all.world.settle(all.open());
  const { signal } = new AbortController();
  const work = node.withSession(signal, () => node.sync({ dryRun: false }, signal));
  const document = await all.world.settle(work);
  assert.equal(document.in_sync, true);
  assert.equal(document.created, 1);
  assert.equal(document.bytes, 3);
  assert.deepEqual(all.workerTree(), { 'etc/rules/local.xml': 'new' });
  assert.equal(node.status().master, null);
  await all.world.run({ until: () => all.connection?.signal.aborted === true, limitMs: 1000 });
  await all.stop();
});

test('a dry run and a check change nothing', async () => {
  const all = new PlayedMaster();
  all.write('etc/rules/local.xml', 'new');
  all.write('etc/lists/large', 'x'.repeat(3_000_000));
  await all.listen();
  all.worker.operator.write(fromText('etc/rules/old.xml'), 'old');
  all.changes.permissions = [false];
  const node = await all.world.settle(all.open());
  const { signal } = new AbortController();
  const dryRun = await all.world.settle(
    node.withSession(signal, () => node.sync({ dryRun: true }, signal)),
  );
  const differences = [
    ['etc/lists/large', 'create', 3_000_000],
    ['etc/rules/local.xml', 'create', 3],
    ['etc/rules/old.xml', 'remove', null],
  ];
  const shown = (found: typeof dryRun.differences) =>
    found.map(({ path, action, size }) => [path, action, size])
      .toSorted(([left], [right]) => String(left) < String(right) ? -1 : 1);
  assert.deepEqual(shown(dryRun.differences), differences);
  const check = await all.world.settle(
    node.withSession(signal, () => node.check({ offline: false }, signal)),
  );
  assert.equal(check.in_sync, false);
  assert.equal(check.compared_with, 'master');
  assert.deepEqual(shown(check.differences), differences);
  assert.deepEqual(all.workerTree(), { 'etc/rules/old.xml': 'old' });
  assert.deepEqual([...await all.world.settle(all.worker.ports().files.staged())], []);
  await all.stop();
});

test('a worker whose connection is cut comes back and goes on', async () => {
  const all = new PlayedMaster();
  all.write('etc/rules/local.xml', 'one');
  await all.listen();
  all.startWorker();
  await all.converge();
  all.network.reset();
  all.write('etc/rules/local.xml', 'two');
  await all.converge();
  assert.equal(all.connections.length, 2);
  all.network.stall('master', 'worker1');
  all.write('etc/rules/local.xml', 'three');
  await all.converge(120_000);
  await all.stop();
});

test('a check is told of as over when the master has compared, not when its archive has come', async () => {
  const all = new PlayedMaster();
  all.write('etc/rules/local.xml', 'one');
  let told: string[] = [];
  const lines = () =>
    all.worker.records.filter(({ level }) => level === 'info').map(({ text }) => text);
  all.changes.compared = async (connection) => {
    delete all.changes.compared;
    const task = await connection.request('syn_m_c', undefined);
    told = lines();
    await connection.request('syn_m_c_r', { task, failure: clusterFailure(3040).failure });
  };
  await all.listen();
  all.startWorker('[log]\nphrases = "wazuh"\n');
  await all.world.run({ until: () => told.length > 0, limitMs: 20_000 });
  assert.match(told.at(-1)!, /^Finished in \d+\.\d{3}s\. Sync required\.$/);
  assert.ok(!told.some((text) => text.includes('Files to create')));
  await all.converge();
  await all.stop();
});

test('the log is told in words of the original, or in those of muster', async () => {
  const lines = async (phrases: string): Promise<string[]> => {
    const all = new PlayedMaster();
    all.write('etc/rules/local.xml', 'one');
    await all.listen();
    all.startWorker(`[log]\nphrases = "${phrases}"\n`);
    await all.converge();
    await all.world.run({ until: () => all.tables.length > 1, limitMs: 20_000 });
    await all.world.run({ forMs: 5_500 });
    await all.stop();
    // What is told of agents comes in between, at times of its own.
    return all.worker.records
      .filter(({ level, tags }) => level === 'info' && tags[0] !== 'Agent-info sync')
      .map(({ tags, text }) => `[${tags.join('] [')}] ${text.replace(/\d+\.\d{3}s/, 'Ns')}`);
  };
  assert.deepEqual((await lines('wazuh')).slice(0, 8), [
    '[Main] Successfully connected to master.',
    '[Integrity check] Starting.',
    '[Integrity check] Finished in Ns. Sync required.',
    '[Integrity sync] Starting.',
    '[Integrity sync] Files to create: 1 | Files to update: 0 | Files to delete: 0',
    '[Integrity sync] Finished in Ns.',
    '[Integrity check] Starting.',
    '[Integrity check] Finished in Ns. Sync not required.',
  ]);
  assert.ok((await lines('wazuh')).includes(
    '[Keep Alive] Successful response from master: keepalive',
  ));
  assert.deepEqual(await lines('native'), [
    '[] Connected to the master at master:1516.',
    '[Integrity check] Starting.',
    '[Integrity check] Finished in Ns. Files to create: 1 | Files to update: 0 | ' +
    'Files to delete: 0. Generation 1.',
  ]);
});
