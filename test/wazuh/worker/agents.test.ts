import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromText, toBytes } from '../../../src/base/bytes.ts';
import { parseReport } from '../../../src/agents/report.ts';
import { globalGroupsHash, groupHash, writeGroups } from '../../../src/wazuh/agent-groups.ts';
import type { AgentGroups } from '../../../src/wazuh/agent-groups.ts';
import { type AgentInfo, readAgentMessage } from '../../../src/wazuh/agent-info.ts';
import { answering } from '../../../src/wazuh/connection.ts';
import { sendString } from '../../../src/wazuh/string-transfer.ts';
import { IncomingStrings } from '../../../src/wazuh/string-transfer.ts';
import { type GroupsStore, IncomingGroups } from '../../../src/wazuh/worker/agent-groups.ts';
import { nativeTelling } from '../../../src/wazuh/worker/telling.ts';
import { simHashing } from '../../sim/hashing.ts';
import { ConnectionPair } from '../connection-pair.ts';
import { PlayedMaster } from './played-master.ts';

const files = {
  'etc/client.keys': '001 web any k\n002 db any k\n003 new any k\n',
  'etc/shared/default/agent.conf': '<agent_config/>\n',
  'etc/shared/web/agent.conf': '<agent_config/>\n',
};

/** A worker that is in step, with what its master was told of agents. */
async function joined(more = '') {
  const all = new PlayedMaster();
  const told: AgentInfo[] = [];
  const results: unknown[] = [];
  const how = {
    isPermitted: true,
    takenCount: undefined as number | undefined,
    failure: undefined as string | undefined,
  };
  const note = (result: unknown): string => {
    results.push(result);
    return 'Thanks';
  };
  all.changes.answers = [
    answering('syn_a_w_m_p', () => how.isPermitted),
    answering('syn_a_w_m', async (id, connection) => {
      const info = await readAgentMessage(all.take(id)!, all.master.ports().clock);
      told.push(info);
      if (how.failure !== undefined) {
        connection.request('syn_m_a_err', how.failure).catch(() => {});
        return id;
      }
      const count = how.takenCount ?? Object.values(info).filter((list) => list.length > 0).length;
      const result = { updated_chunks: count, error_messages: [], time_spent: 0.1 };
      // A test may be over before the worker has answered.
      connection.request('syn_m_a_e', result).catch(() => {});
      return id;
    }),
    answering('syn_w_g_e', note),
    answering('syn_w_g_err', note),
    answering('syn_w_g_c', () => note('all')),
    answering('syn_wgc_e', note),
    answering('syn_wgc_err', note),
  ];
  for (const [path, content] of Object.entries(files)) all.write(path, content);
  await all.listen();
  all.startWorker(more);
  await all.converge();
  await all.world.run({ forMs: 500 });
  const report = async (...lines: object[]): Promise<void> => {
    const reports = lines.map((line) => parseReport(JSON.stringify(line)).report!);
    assert.deepEqual(await all.world.settle(all.node!.agents.report(reports)), []);
  };
  const send = async (
    command: 'syn_g_m_w' | 'syn_g_m_w_c',
    agents: readonly AgentGroups[],
    globalHash?: string | null,
  ): Promise<unknown> => {
    const { connection } = all;
    const before = results.length;
    const bytes = writeGroups([{ agents, globalHash }]);
    const id = await all.world.settle(sendString(connection!, bytes, connection!.signal));
    await all.world.settle(connection!.request(command, id));
    await all.world.run({ until: () => results.length > before, limitMs: 5000 });
    await all.world.run({ forMs: 100 });
    return results[before];
  };
  return { all, told, results, how, report, send };
}

test('what agents report is told once, and again as far as it changes', async () => {
  const { all, told, report } = await joined();
  const heard = Math.floor(all.worker.ports().clock.nowMs() / 1000);
  await report(
    {
      id: 1,
      name: 'web',
      version: 'Wazuh v4.14.7',
      os_name: 'Debian',
      labels: { rack: '7' },
      last_keepalive: heard,
      connection_status: 'active',
    },
    { id: 2, last_keepalive: heard, connection_status: 'active' },
    { id: 99, last_keepalive: heard, connection_status: 'active' },
  );
  await all.world.run({ until: () => told.length === 1, limitMs: 30_000 });
  const [{ syncreq }] = told as [AgentInfo];
  assert.deepEqual(syncreq.map(({ id }) => id), [1, 2]);
  assert.equal(syncreq[0]!.os_name, 'Debian');
  assert.equal(syncreq[0]!.node_name, 'worker1');
  assert.equal(syncreq[0]!.last_keepalive, heard);
  assert.deepEqual(syncreq[0]!.labels, [{ key: 'rack', value: '7' }]);

  await all.world.run({ forMs: 25_000 });
  assert.equal(told.length, 1);
  await report(
    { id: 1, last_keepalive: heard + 30, connection_status: 'active' },
    { id: 2, connection_status: 'disconnected', disconnection_time: heard + 5 },
  );
  await all.world.run({ until: () => told.length === 2, limitMs: 30_000 });
  const { syncreq_keepalive: kept, syncreq_status: changed, syncreq: whole } = told[1]!;
  assert.deepEqual([kept, whole], [[{ id: 1, version: 'Wazuh v4.14.7' }], []]);
  assert.equal(changed[0]!.connection_status, 'disconnected');
  assert.equal(changed[0]!.disconnection_time, heard + 5);
  await all.stop();
});

test('what a master did not take is told again', async () => {
  const { all, told, how, report } = await joined();
  how.takenCount = 0;
  await report({ id: 1, last_keepalive: 1_700_000_000, connection_status: 'active' });
  await all.world.run({ until: () => told.length === 2, limitMs: 90_000 });
  how.takenCount = undefined;
  await all.world.run({ until: () => told.length === 3, limitMs: 90_000 });
  await all.world.run({ forMs: 40_000 });
  assert.equal(told.length, 3);
  assert.deepEqual(told[2], told[0]);
  await all.stop();
});

test('groups are taken over, and have the hash that the master has', async () => {
  const { all, send } = await joined();
  const agents = [
    { id: 1, name: 'web', groups: ['default', 'web'] },
    { id: 2, name: 'db', groups: ['default'] },
  ];
  const hash = globalGroupsHash(
    simHashing,
    agents.map(({ groups }) => groupHash(simHashing, groups)),
  );
  const result = await send('syn_g_m_w', agents, hash);
  assert.deepEqual(
    { ...result as object, time_spent: 0 },
    { updated_chunks: 1, error_messages: [], time_spent: 0 },
  );
  const { groups, parts } = all.node!.agents;
  assert.equal(
    await all.world.settle(groups.globalHash()),
    'f4c14a9a77f15f4cf13ad9ab7064954c394c0281',
  );
  assert.deepEqual(parts.views.get(1)?.groups, ['default', 'web']);

  all.write('etc/client.keys', '002 db any k\n003 new any k\n');
  await all.world.run({ until: () => parts.views.get(1) === undefined, limitMs: 20_000 });
  assert.notEqual(await all.world.settle(groups.globalHash()), hash);
  await all.stop();
});

test('after five sends with another hash all groups are asked for, and others go', async () => {
  const { all, results, send } = await joined();
  await send('syn_g_m_w', [{ id: 7, name: 'gone', groups: ['web'] }]);
  const other = '0'.repeat(40);
  for (let round = 0; round < 5; round++) await send('syn_g_m_w', [], other);
  assert.equal(results.at(-1), 'all');
  await send('syn_g_m_w_c', [{ id: 2, name: 'db', groups: ['default'] }]);
  const { groups } = all.node!.agents;
  const wanted = globalGroupsHash(simHashing, [groupHash(simHashing, ['default'])]);
  assert.equal(await all.world.settle(groups.globalHash()), wanted);
  await all.stop();
});

test('groups that the master has of nobody are another hash than those that are here', async () => {
  const { all, results, send } = await joined();
  // Without any here either it is the same.
  for (let round = 0; round < 5; round++) await send('syn_g_m_w', [], null);
  assert.ok(!results.includes('all'));
  await send('syn_g_m_w', [{ id: 1, name: 'web', groups: ['web'] }]);
  for (let round = 0; round < 5; round++) await send('syn_g_m_w', [], null);
  assert.equal(results.at(-1), 'all');
  await send('syn_g_m_w_c', []);
  assert.equal(await all.world.settle(all.node!.agents.groups.globalHash()), undefined);
  await all.stop();
});

test('what becomes of all groups is told before others go', async () => {
  const pair = await ConnectionPair.connect();
  const { clock, log, random } = pair.ports('worker');
  const strings = new IncomingStrings(random);
  const kept: number[][] = [];
  const store: GroupsStore = {
    apply: () => Promise.resolve(),
    keepOnly: (agents) => {
      kept.push([...agents]);
      return Promise.reject(new Error('the database is busy'));
    },
    globalHash: () => Promise.resolve(undefined),
  };
  const groups = new IncomingGroups({ clock, log, store, tell: nativeTelling(log) }, strings);
  const worker = pair.connection('worker', [...strings.answers(), ...groups.answers()]);
  const results: number[] = [];
  const master = pair.connection('master', [
    answering('syn_wgc_e', ({ updated_chunks: count }) => {
      results.push(count);
      return 'Thanks';
    }),
  ]);
  const bytes = writeGroups([{
    agents: [{ id: 7, name: 'a', groups: ['web'] }],
    globalHash: null,
  }]);
  const id = await pair.world.settle(sendString(master, bytes, master.signal));
  await pair.world.settle(master.request('syn_g_m_w_c', id));
  await pair.world.run({ until: () => kept.length > 0, limitMs: 1000 });
  assert.deepEqual(results, [1]);
  assert.deepEqual(kept, [[7]]);
  await pair.world.run({ forMs: 10 });
  assert.match(pair.logged('worker').join(), /Cannot take over groups: the database is busy/);
  worker.close();
  master.close();
  await pair.finish();
});

test('what the master tells of a failure is told again, and nothing without its leave', async () => {
  const { all, told, how, report } = await joined();
  how.isPermitted = false;
  await report({ id: 1, last_keepalive: 1_700_000_000, connection_status: 'active' });
  await all.world.run({ forMs: 40_000 });
  assert.equal(told.length, 0);
  how.isPermitted = true;
  how.failure = 'error processing agent-info chunks in process pool: x';
  await all.world.run({ until: () => told.length === 2, limitMs: 90_000 });
  how.failure = undefined;
  await all.world.run({ until: () => told.length === 3, limitMs: 90_000 });
  await all.world.run({ forMs: 40_000 });
  assert.equal(told.length, 3);
  assert.deepEqual(told[2], told[0]);
  const errors = all.worker.records.filter(({ level }) => level === 'error');
  assert.match(errors[0]!.text, /The master cannot take agents: error processing agent-info/);
  await all.stop();
});

test('groups without a directory here are no groups yet', async () => {
  const { all, send } = await joined();
  const result = await send('syn_g_m_w', [
    { id: 1, name: 'web', groups: ['default', 'later'] },
    { id: 2, name: 'db', groups: ['default'] },
  ]);
  assert.deepEqual({ ...result as object, time_spent: 0 }, {
    updated_chunks: 0,
    error_messages: ['This node has no group later'],
    time_spent: 0,
  });
  assert.deepEqual(all.node!.agents.parts.views.get(1)?.groups, []);
  assert.deepEqual(all.node!.agents.parts.views.get(2)?.groups, ['default']);
  await all.stop();
});

test('strings that are not there and that are no JSON are answered as real workers do', async () => {
  const { all, results } = await joined();
  const { connection } = all;
  const tell = async (command: 'syn_g_m_w' | 'syn_g_m_w_c', id: string): Promise<unknown> => {
    const before = results.length;
    assert.equal(await all.world.settle(connection!.request(command, id)), id);
    await all.world.run({ until: () => results.length > before, limitMs: 5000 });
    return results[before];
  };
  const missing = "error while trying to access string under task_id b'123'.";
  assert.equal(await tell('syn_g_m_w', '123'), missing);
  assert.equal(await tell('syn_g_m_w_c', '123'), missing);
  const bytes = toBytes(fromText('xyz'));
  const id = await all.world.settle(sendString(connection!, bytes, connection!.signal));
  assert.match(String(await tell('syn_g_m_w', id)), /^error while trying to load JSON: /);
  await all.stop();
});

test('agents, groups and calls are told of in the phrases of the original', async () => {
  const { all, told, report, send } = await joined('[log]\nphrases = "wazuh"\n');
  await report({ id: 1, last_keepalive: 1_700_000_000, connection_status: 'active' });
  await all.world.run({ until: () => told.length === 1, limitMs: 30_000 });
  await all.world.run({ forMs: 15_000 });
  await send('syn_g_m_w', [{ id: 1, name: 'web', groups: ['web'] }]);
  await send('syn_g_m_w', [{ id: 2, name: 'db', groups: ['later'] }]);
  for (let round = 0; round < 5; round++) await send('syn_g_m_w', [], '0'.repeat(40));
  await send('syn_g_m_w_c', [{ id: 1, name: 'web', groups: ['web'] }]);
  const call = toBytes('{"f": {"__callable__": {"__name__": "get_agents"}}}');
  await all.world.settle(all.connection!.request('dapi', { client: '12', bytes: call }));
  const lines = all.worker.records.filter(({ level }) => level === 'info' || level === 'error')
    .map(({ level, tags, text }) =>
      `${level} [${tags.join('] [')}] ${text.replace(/\d+\.\d{3}s/, 'Ns')}`
    );
  for (
    const line of [
      'info [Agent-info sync] Starting.',
      'info [Agent-info sync] Finished in Ns. Updated 1 chunks.',
      'info [Agent-info sync] No synchronization required, skipping.',
      'info [Agent-groups recv] Starting.',
      'info [Agent-groups recv] Finished in Ns. Updated 1 chunks.',
      'error [Agent-groups recv] Wazuh-db response for chunk 1/1 was not "ok": ' +
      'This node has no group later',
      'info [Agent-groups recv] Sent request to obtain all agent-groups information from the ' +
      'master node.',
      'info [Agent-groups recv full] Starting.',
      'info [Agent-groups recv full] Finished in Ns. Updated 1 chunks.',
      'info [D API] Receiving request: get_agents from m (12)',
    ]
  ) assert.ok(lines.includes(line), `${line}\nis not in\n${lines.join('\n')}`);
  await all.stop();
});
