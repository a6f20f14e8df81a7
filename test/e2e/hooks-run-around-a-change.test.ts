/** The operator's commands: validation keeps a change out, reload follows it, once a generation. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { SyncDocument } from '../../src/node/documents.ts';
import { type TestNode, withCluster } from './cluster.ts';
import { until } from './program.ts';
import { assertMirror, assertNothingStaged, filesBelow, write } from './tree.ts';

/** Hooks as shell scripts, for the settings of a worker. */
function hooks(scripts: { readonly validate?: string; readonly reload?: string }) {
  const command = (script: string) => JSON.stringify(['sh', '-c', script]);
  return {
    'integrity.interval': '300ms',
    ...(scripts.validate === undefined ? {} : { 'hooks.validate': command(scripts.validate) }),
    ...(scripts.reload === undefined ? {} : { 'hooks.reload': command(scripts.reload) }),
  };
}

/** Changes the master's tree while it is not running, so that it becomes one generation. */
async function changeAtOnce(master: TestNode, change: () => void): Promise<void> {
  await master.stop();
  change();
  await master.start();
}

test('a failing validation keeps a change out until it passes', async () => {
  await withCluster(async (cluster) => {
    const master = await cluster.master();
    write(master.path('etc/rules/a.xml'), 'one');
    await master.start();
    const veto = join(cluster.directory, 'veto');
    const validate = `if [ -e ${veto} ]; then echo "line 3: <rule> is not closed"; exit 7; fi`;
    const worker = await cluster.worker(master, 'worker-1', { settings: hooks({ validate }) });
    await worker.start();
    await worker.inSync(1);
    const before = filesBelow(worker.root);

    writeFileSync(veto, '');
    await changeAtOnce(master, () => {
      write(master.path('etc/rules/a.xml'), 'two');
      write(master.path('etc/rules/b.xml'), 'two');
    });
    await worker.says('Hook validate ended with code 7: line 3: <rule> is not closed');
    const { stderr } = await worker.expect(1, 'sync', '--once');
    assert.match(stderr, /Hook validate ended with code 7: line 3/);
    assert.deepEqual(filesBelow(worker.root), before);
    const status = await worker.status();
    assert.match(status.tasks.find(({ name }) => name === 'integrity')!.last_error!, /code 7/);

    rmSync(veto);
    await worker.inSync(2);
    assertMirror(master.root, worker.root);
    await worker.stop();
    assertNothingStaged(worker.directory);
  });
});

test('reload runs once for a generation, with what it needs to know', async () => {
  await withCluster(async (cluster) => {
    const master = await cluster.master();
    for (let i = 0; i < 40; i++) write(master.path(`etc/rules/${i}.xml`), `rule ${i}`);
    await master.start();
    const calls = join(cluster.directory, 'calls');
    const reload = `env | grep ^MUSTER_ | sort | tr '\\n' ' ' >> ${calls}; echo >> ${calls}`;
    const worker = await cluster.worker(master, 'worker-1', { settings: hooks({ reload }) });
    const said = () => readFileSync(calls, 'utf8').trimEnd().split('\n').map((line) => line.trim());
    const call = (generation: number, sets: string) =>
      `MUSTER_GENERATION=${generation} MUSTER_NODE=worker-1 MUSTER_ROOT=${worker.root} ` +
      `MUSTER_SETS=${sets}`;
    await worker.start();
    await worker.inSync(1);
    await changeAtOnce(master, () => {
      for (let i = 0; i < 10; i++) write(master.path(`etc/rules/${i}.xml`), `new rule ${i}`);
      rmSync(master.path('etc/rules/39.xml'));
      write(master.path('etc/decoders/a.xml'), 'decoder');
    });
    await worker.inSync(2);
    // Rounds that find nothing to do call nobody.
    const { tasks } = await worker.status();
    const rounds = tasks.find(({ name }) => name === 'integrity')!.rounds;
    await worker.status((status) => status.tasks[0]!.rounds > rounds + 2);
    assert.deepEqual(said(), [call(1, 'rules'), call(2, 'rules decoders')]);
  });
});

test('a failing reload is told, and does not undo the change', async () => {
  await withCluster(async (cluster) => {
    const master = await cluster.master();
    write(master.path('etc/rules/a.xml'), 'one');
    await master.start();
    const settings = hooks({ reload: 'echo "no such service" >&2; exit 5' });
    const worker = await cluster.worker(master, 'worker-1', { settings });
    const synced = await worker.json<SyncDocument>(0, 'sync', '--once');
    assert.equal(synced.in_sync, true);
    await worker.says('Hook reload ended with code 5: no such service');
    assertMirror(master.root, worker.root);
  });
});

test('validation sees the new contents before they are in place, and what will be removed', async () => {
  await withCluster(async (cluster) => {
    const master = await cluster.master();
    write(master.path('etc/rules/a.xml'), 'good');
    write(master.path('etc/rules/b.xml'), 'good');
    await master.start();
    const seen = join(cluster.directory, 'seen');
    // Refuses contents that say "broken", by what comes on standard input.
    const validate = `cat > ${seen}; ! cut -f 1 ${seen} | grep . | xargs grep -h broken`;
    const worker = await cluster.worker(master, 'worker-1', { settings: hooks({ validate }) });
    await worker.expect(0, 'sync', '--once');
    await changeAtOnce(master, () => {
      write(master.path('etc/rules/a.xml'), 'broken rule');
      rmSync(master.path('etc/rules/b.xml'));
    });
    const { stderr } = await worker.expect(1, 'sync', '--once');
    assert.match(stderr, /Hook validate ended with code 1: broken rule/);
    const staging = join(worker.directory, 'staging');
    const [created = '', removed] = readFileSync(seen, 'utf8').trimEnd().split('\n');
    assert.ok(created.startsWith(`${staging}/`) && created.endsWith('\tetc/rules/a.xml'), created);
    assert.equal(removed, '\tetc/rules/b.xml');
    assert.equal(readFileSync(worker.path('etc/rules/a.xml'), 'utf8'), 'good');
    assertNothingStaged(worker.directory);
  });
});

test('a reload that a crash has cut off is made up for', async () => {
  await withCluster(async (cluster) => {
    const master = await cluster.master();
    write(master.path('etc/rules/a.xml'), 'one');
    await master.start();
    const [begun, done] = [join(cluster.directory, 'begun'), join(cluster.directory, 'done')];
    const reload = `if [ -e ${begun} ]; then echo "$MUSTER_SETS" >> ${done}; exit; fi; ` +
      `touch ${begun}; sleep 3`;
    const worker = await cluster.worker(master, 'worker-1', { settings: hooks({ reload }) });
    await worker.start();
    await until('the reload begins', () => existsSync(begun));
    assertMirror(master.root, worker.root);
    await worker.crash();
    // Nothing is left to be done but this.
    await worker.expect(0, 'sync', '--once');
    await worker.expect(0, 'sync', '--once');
    assert.equal(readFileSync(done, 'utf8'), 'rules\n');
  });
});
