import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromBytes, fromText, toBytes } from '../../../src/base/bytes.ts';
import { parseJson } from '../../../src/wazuh/json.ts';
import { describeError } from '../../../src/base/errors.ts';
import { commands } from '../../../src/wazuh/commands.ts';
import { answering } from '../../../src/wazuh/connection.ts';
import { internalFailure } from '../../../src/wazuh/failure.ts';
import { simHashing } from '../../sim/hashing.ts';
import { PlayedMaster, type SentArchive } from './played-master.ts';

const some = {
  'etc/client.keys': '001 a any k\n',
  'etc/rules/local.xml': '<group/>\n',
  'etc/shared/default/agent.conf': '<agent_config/>\n',
};

async function played(files: Record<string, string> = {}): Promise<PlayedMaster> {
  const all = new PlayedMaster();
  for (const [path, content] of Object.entries(files)) all.write(path, content);
  await all.listen();
  return all;
}

function errorsOf(all: PlayedMaster): string[] {
  return all.worker.records.filter(({ level }) => level === 'error').map(({ text }) => text);
}

/** Runs until the worker has ended so many checks. */
async function checks(all: PlayedMaster, count: number): Promise<void> {
  const wanted = all.tables.length + count;
  await all.world.run({ until: () => all.tables.length >= wanted, limitMs: 60_000 });
  await all.world.run({ forMs: 500 });
}

test('a worker becomes what its master is, and stays so', async () => {
  const all = await played(some);
  all.worker.operator.write(fromText('etc/rules/old.xml'), 'old');
  all.worker.operator.write(fromText('etc/rules/local.xml'), 'mine');
  all.worker.operator.write(fromText('etc/rules/own.tmp'), 'no business of the cluster');
  all.write('etc/rules/own.tmp', 'no business of the cluster');
  all.tree.delete(fromText('etc/rules/own.tmp'));
  all.startWorker();
  await all.world.run({ until: () => all.node?.status().in_sync === true, limitMs: 20_000 });
  assert.deepEqual(all.workerTree(), {
    ...some,
    'etc/rules/own.tmp': 'no business of the cluster',
  });
  assert.equal(all.heard[0]!.command, 'hello');
  assert.equal(fromBytes(all.heard[0]!.payload), 'worker1 wazuh worker 4.14.7');
  // What a real master lets a worker name: its own directory, from the root or without the slash.
  const archive = 'queue/cluster/worker1/worker1-[0-9.]+-[0-9a-f]{32}\\.zip';
  for (
    const [command, shape] of [
      ['new_file', `^/${archive}$`],
      ['file_upd', `^/${archive} `],
      ['file_end', `^/${archive} `],
      ['syn_i_w_m_e', `^task-1 ${archive}$`],
    ] as const
  ) {
    const { payload } = all.heard.find(({ command: name }) => name === command)!;
    assert.match(fromBytes(payload), new RegExp(shape), command);
  }

  await checks(all, 1);
  assert.equal(all.node!.status().in_sync, true);
  assert.equal(all.node!.status().master!.node, 'm');
  const { generation } = all.node!.status();

  all.write('etc/rules/local.xml', 'new');
  all.tree.delete(fromText('etc/shared/default/agent.conf'));
  await checks(all, 2);
  assert.equal(all.workerTree()['etc/rules/local.xml'], 'new');
  assert.equal(all.workerTree()['etc/shared/default/agent.conf'], undefined);
  assert.equal(all.node!.status().generation, generation! + 1);
  assert.deepEqual(errorsOf(all), []);
  await all.stop();
});

test('a content that is not the ordered one is left out, and comes with the next round', async () => {
  const all = await played(some);
  let isFirst = true;
  all.changes.archive = (archive) => {
    if (!isFirst) return archive;
    isFirst = false;
    const path = fromText('etc/rules/local.xml');
    return { ...archive, members: new Map([...archive.members, [path, toBytes('torn')]]) };
  };
  all.startWorker();
  await checks(all, 1);
  assert.equal(all.workerTree()['etc/rules/local.xml'], undefined);
  assert.equal(all.workerTree()['etc/client.keys'], some['etc/client.keys']);
  assert.equal(all.node!.status().in_sync, false);
  await all.converge();
  await all.stop();
});

test('nothing is written where no set of this node has a place for it', async () => {
  const all = await played(some);
  all.changes.archive = (archive): SentArchive => {
    const evil = ['../../evil', '/etc/passwd', 'etc/ossec.conf', 'etc/rules/../../x', 'bin/sh'];
    const members = new Map(archive.members);
    for (const path of evil) members.set(path, toBytes('evil'));
    const table = parseJson(archive.table, 'orders') as Record<string, Record<string, unknown>>;
    const hash = '0'.repeat(128);
    for (const path of evil) {
      table['missing']![path] = { cluster_item_key: 'etc/', merged: false, mod_time: 1, hash };
    }
    table['extra']!['../../gone'] = { cluster_item_key: 'etc/', merged: false, mod_time: 1, hash };
    return { members, table: toBytes(JSON.stringify(table)) };
  };
  all.startWorker();
  await checks(all, 1);
  assert.deepEqual(all.workerTree(), some);
  assert.equal(all.node!.status().in_sync, false);
  assert.ok(
    all.worker.records.some(({ level, text }) =>
      level === 'warning' && text.includes('"../../evil"')
    ),
  );
  await all.stop();
});

test('a file whose set the master names otherwise, and one that it did not send, are left out', async () => {
  const all = await played(some);
  all.changes.archive = (archive) => {
    const table = parseJson(archive.table, 'orders') as Record<string, Record<string, object>>;
    const missing = table['missing'];
    if (missing?.['etc/rules/local.xml'] === undefined) return archive;
    missing['etc/rules/local.xml'] = {
      ...missing['etc/rules/local.xml'],
      cluster_item_key: 'etc/lists/',
    };
    const members = new Map(archive.members);
    members.delete(fromText('etc/client.keys'));
    return { members, table: toBytes(JSON.stringify(table)) };
  };
  all.startWorker();
  await checks(all, 1);
  assert.deepEqual(Object.keys(all.workerTree()), ['etc/shared/default/agent.conf']);
  await all.stop();
});

test('a change that looks like a catastrophe is stopped until it is approved', async () => {
  const all = await played(some);
  all.startWorker();
  await all.converge();
  all.tree.delete(fromText('etc/client.keys'));
  await checks(all, 2);
  assert.equal(all.workerTree()['etc/client.keys'], some['etc/client.keys']);
  assert.deepEqual(all.node!.status().halted.map(({ set }) => set), ['agent-keys']);
  all.node!.approve(undefined);
  await all.converge();
  assert.deepEqual(all.node!.status().halted, []);
  await all.stop();
});

test('a large file is unpacked as it comes', async () => {
  const large = 'large '.repeat(700_000);
  const all = await played({ ...some, 'etc/lists/large': large });
  all.startWorker();
  await all.world.run({ until: () => all.node?.status().in_sync === true, limitMs: 60_000 });
  assert.equal(all.workerTree()['etc/lists/large']?.length, large.length);
  assert.equal(all.workerTree()['etc/lists/large'], large);
  await all.stop();
});

test('a check that the master does not grant is no failure, and is asked for again', async () => {
  const all = await played(some);
  all.changes.permissions = [false, false];
  all.startWorker();
  await all.converge();
  assert.deepEqual(errorsOf(all), []);
  await all.stop();
});

test('a check that fails is told to the master, and the next one goes on', async () => {
  const all = await played(some);
  let isFirst = true;
  all.changes.archive = (archive) => {
    if (!isFirst) return archive;
    isFirst = false;
    return { ...archive, table: toBytes('no table') };
  };
  all.startWorker();
  await all.converge();
  assert.equal(all.heard.filter(({ command }) => command === 'syn_i_w_m_r').length, 1);
  assert.equal(errorsOf(all).length, 1);
  await all.stop();
});

test('what the master could not send is told, and what it refuses is no defect', async () => {
  const all = await played(some);
  let isFirst = true;
  all.changes.answers = [
    answering('syn_i_w_m', () => {
      if (!isFirst) return 'task-2';
      isFirst = false;
      throw internalFailure('it has no time');
    }),
  ];
  all.startWorker();
  await all.converge();
  assert.deepEqual(errorsOf(all), ['Error 1000 - Wazuh Internal Error: it has no time']);
  await all.stop();
});

test('a master whose archive takes too long is told so, and what it still sends is dropped', async () => {
  const all = await played(some);
  const cancelled: { task: string | undefined; code: number }[] = [];
  const late: unknown[] = [];
  const path = '/queue/cluster/worker1/late.zip';
  all.changes.answers = [
    answering('cancel_task', ({ task, failure: { code } }) => {
      cancelled.push({ task, code });
      return 'Request received correctly';
    }),
  ];
  all.changes.compared = async (connection) => {
    delete all.changes.compared;
    const task = await connection.request('syn_m_c', undefined);
    await connection.request('new_file', path);
    await connection.request('file_upd', { path, bytes: toBytes('etc/rules/local.xml|//@@//|') });
    await all.master.ports().clock.sleep(70_000);
    late.push(await connection.request('file_upd', { path, bytes: toBytes('more') }));
    const hash = simHashing.digest('sha256', toBytes('etc/rules/local.xml|//@@//|more'));
    late.push(await connection.request('file_end', { path, hash }));
    late.push(await connection.request('syn_m_c_e', { task, path: path.slice(1) }).catch(String));
    assert.equal(cancelled[0]?.task, task);
  };
  all.startWorker();
  await all.world.run({ until: () => late.length === 3, limitMs: 90_000 });
  assert.deepEqual(cancelled.map(({ code }) => code), [3039]);
  assert.deepEqual(late.slice(0, 2), ['File updated', 'File received correctly']);
  assert.match(String(late[2]), /3027/);
  await all.converge();
  assert.deepEqual([...await all.world.settle(all.worker.ports().files.staged())], []);
  await all.stop();
});

test('a round after a hint looks where that is, and leaves what else is due to another', async () => {
  const all = new PlayedMaster({
    configured: (text) =>
      text.replace('watch = false', 'watch = true').replace('interval = "3s"', 'interval = "1h"'),
  });
  for (let i = 0; i < 100; i++) all.write(`etc/rules/${i}/rule.xml`, `${i}`);
  await all.listen();
  let listed: string[] = [];
  all.worker.start(async (ports, signal) => {
    const files = new Proxy(ports.files, {
      get: (target, name) => {
        if (name !== 'list') {
          const value: unknown = Reflect.get(target, name);
          return typeof value === 'function' ? value.bind(target) as unknown : value;
        }
        return (directory: string, needsFacts?: boolean) => {
          listed.push(directory);
          return target.list(directory, needsFacts);
        };
      },
    });
    all.node = await all.open({ ...ports, files });
    await all.node.run(signal);
  });
  await all.converge();
  // The sweep takes four minutes: a sixteenth of it is due by then.
  await all.world.run({ forMs: 15_000 });
  listed = [];
  all.worker.operator.write(fromText('etc/rules/7/rule.xml'), 'changed here');
  await all.converge();
  assert.deepEqual(listed.filter((directory) => directory !== 'etc/rules/7'), []);
  await all.stop();
});

test('an archive that nobody asked for is refused', async () => {
  const all = await played(some);
  all.startWorker();
  await all.converge();
  const { connection } = all;
  const pushed = all.world.settle(connection!.request('syn_m_c', undefined));
  await assert.rejects(pushed, /No integrity check is under way/);
  const opened = all.world.settle(
    connection!.request('new_file', '/queue/cluster/worker1/x.zip'),
  );
  await assert.rejects(opened, /Write path not allowed/);
  const ended = all.world.settle(
    connection!.request('syn_m_c_e', { task: 'nosuch', path: 'queue/cluster/worker1/x.zip' }),
  );
  await assert.rejects(ended, /3027.*nosuch/);
  await all.stop();
});

test('calls and unknown commands are answered, and tests are echoed', async () => {
  const all = await played(some);
  const results: string[] = [];
  all.changes.answers = [
    answering('dapi_res', ({ client, id }) => {
      results.push(`${client} ${fromBytes(all.take(id)!)}`);
      return 'Response forwarded to worker';
    }),
  ];
  all.startWorker();
  await all.converge();
  const { connection } = all;
  const ask = <T>(work: Promise<T>): Promise<T> => all.world.settle(work);
  assert.equal(fromBytes(await ask(connection!.request('echo-m', toBytes('hi')))), 'hi');
  assert.equal(fromBytes(await ask(connection!.request('echo', toBytes('ho')))), 'ho');
  await ask(connection!.request('dapi', { client: '12', bytes: toBytes('{"f": 1}') }));
  await all.world.run({ until: () => results.length > 0, limitMs: 5_000 });
  assert.match(results[0]!, /^12 \{"__wazuh_exception__".*"code": 3009/);
  for (const [name, { from }] of Object.entries(commands)) {
    if (from === 'worker') continue;
    const text = await ask(connection!.ask(name, new Uint8Array(0)).then(() => '', describeError));
    assert.doesNotMatch(text, /unknown command/, name);
  }
  for (const name of ['nosuch', 'hello', 'echo-c']) {
    const asked = ask(connection!.ask(name, new Uint8Array(0)));
    await assert.rejects(asked, new RegExp(`Error 3000 - Cluster: unknown command 'b'${name}''`));
  }
  await all.stop();
});
