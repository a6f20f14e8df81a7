import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toBytes } from '../../../src/base/bytes.ts';
import { readGroups } from '../../../src/wazuh/agent-groups.ts';
import { sendString } from '../../../src/wazuh/string-transfer.ts';
import { originalTelling } from '../../../src/wazuh/master/telling.ts';
import { fileOf, MasterWorld, rowOf } from './master-world.ts';
import { PlayedWorker } from './played-worker.ts';

const message = (chunks: unknown) =>
  JSON.stringify({ set_data_command: 'global sync-agent-info-set', payload: {}, chunks });

const full = {
  id: 1,
  name: 'agent1',
  ip: '10.0.0.1',
  os_name: 'Ubuntu',
  version: 'Wazuh v4.14.7',
  node_name: 'w1',
  last_keepalive: 1_600_000_000,
  connection_status: 'active',
  disconnection_time: 0,
  group_config_status: 'synced',
  status_code: 0,
  labels: [{ key: 'site', value: 'madrid' }],
};

test('what agents reported is stored, of those that exist', async () => {
  const world = await MasterWorld.open();
  world.register('agent1', 'agent2', 'agent3');
  const worker = await PlayedWorker.join(world);
  const result = await worker.tell(message({
    syncreq: [full, { ...full, id: 9, name: 'unknown' }],
    syncreq_keepalive: [{ id: 2, version: 'Wazuh v4.14.7' }],
    syncreq_status: [{
      id: 3,
      version: 'Wazuh v4.14.6',
      connection_status: 'disconnected',
      disconnection_time: 1_600_000_777,
      status_code: 1,
    }],
  }));
  assert.equal(result, '3 ');
  const first = world.facts.get(1)!;
  assert.equal(first.order.node, 'w1');
  assert.equal(first.data.os_name, 'Ubuntu');
  assert.deepEqual(first.data.labels, [['site', 'madrid']]);
  assert.equal(first.status.last_keepalive, 1_600_000_000);
  const nowSeconds = Math.floor(world.node.ports().clock.nowMs() / 1000);
  const second = world.facts.get(2)!;
  assert.equal(second.data.version, 'Wazuh v4.14.7');
  assert.equal(second.status.connection_status, 'active');
  assert.ok(nowSeconds - second.status.last_keepalive! <= 5);
  assert.deepEqual(world.facts.get(3)?.status, {
    last_keepalive: null,
    connection_status: 'disconnected',
    disconnection_time: 1_600_000_777,
    status_code: 1,
  });
  assert.equal(world.facts.get(9), undefined);
  assert.deepEqual(world.firstContacts, [1, 2, 3]);
  await world.finish();
});

test('a worker may not tell of agents while what it told is being stored', async () => {
  const world = await MasterWorld.open();
  world.register('agent1');
  const worker = await PlayedWorker.join(world);
  const { connection } = worker;
  const text = toBytes(message({ syncreq: [full] }));
  const id = await worker.settle(sendString(connection, text, connection.signal));
  const [, permission] = await worker.settle(Promise.all([
    connection.request('syn_a_w_m', id),
    connection.request('syn_a_w_m_p', undefined),
  ]));
  assert.equal(permission, false);
  await world.until(() => worker.results.length > 0, 1000);
  assert.equal(await worker.settle(connection.request('syn_a_w_m_p', undefined)), true);
  await world.finish();
});

test('what a worker tells later counts, and what it leaves out of a record is empty', async () => {
  const world = await MasterWorld.open();
  world.register('agent1');
  const worker = await PlayedWorker.join(world);
  await worker.tell(message({ syncreq: [full] }));
  await worker.tell(message({ syncreq: [{ id: 1, name: 'agent1', connection_status: 'active' }] }));
  assert.equal(world.facts.get(1)?.data.os_name, null);
  assert.deepEqual(world.facts.get(1)?.data.labels, []);
  await worker.tell(message({ syncreq_keepalive: [{ id: 1, version: 'Wazuh v4.14.8' }] }));
  assert.equal(world.facts.get(1)?.data.version, 'Wazuh v4.14.8');
  await worker.tell(message({
    syncreq_status: [{ id: 1, connection_status: 'disconnected', disconnection_time: 7 }],
  }));
  assert.equal(world.facts.get(1)?.status.connection_status, 'disconnected');
  await worker.tell(message({ syncreq_keepalive: [{ id: 1 }] }));
  assert.equal(world.facts.get(1)?.status.connection_status, 'active');
  assert.equal(world.facts.get(1)?.data.version, 'Wazuh v4.14.8');
  await world.finish();
});

test('an agent that moved is not marked as gone by the worker that it left', async () => {
  const world = await MasterWorld.open();
  world.register('agent1');
  const [before, after] = [
    await PlayedWorker.join(world, 'w1'),
    await PlayedWorker.join(world, 'w2'),
  ];
  await before.tell(message({ syncreq: [full] }));
  await after.tell(message({ syncreq: [{ ...full, last_keepalive: full.last_keepalive + 60 }] }));
  await before.tell(message({
    syncreq_status: [{
      id: 1,
      connection_status: 'disconnected',
      disconnection_time: 1_600_000_900,
    }],
  }));
  // A record from before the move.
  await before.tell(message({ syncreq: [full] }));
  const known = world.facts.get(1)!;
  assert.equal(known.order.node, 'w2');
  assert.equal(known.status.connection_status, 'active');
  await before.tell(message({ syncreq_keepalive: [{ id: 1 }] }));
  assert.equal(world.facts.get(1)?.order.node, 'w1');
  await world.finish();
});

test('what cannot be taken in is told in the words that workers know', async () => {
  const world = await MasterWorld.open();
  world.register('agent1');
  const worker = await PlayedWorker.join(world);
  await worker.settle(worker.connection.request('syn_a_w_m', '12345'));
  await world.world.run({ until: () => worker.results.length > 0, limitMs: 1000 });
  assert.equal(
    worker.results[0],
    "error while trying to access string under task_id b'12345'.",
  );
  assert.match(await worker.tell('hello'), /^error while trying to load JSON: /);
  assert.match(await worker.tell('{"chunks": {"syncreq": [{"id": 0}]}}'), /load JSON/);
  const long = { ...full, os_name: 'x'.repeat(1000) };
  assert.equal(await worker.tell(message({ syncreq: [long] })), '1 ');
  assert.equal(world.facts.get(1), undefined);
  assert.match(world.logged('warning').join('\n'), /Agent 1: "os_name" has 1000 characters/);
  assert.equal(
    await worker.settle(worker.connection.request('syn_a_w_m_p', undefined)),
    true,
  );
  await world.finish();
});

/** Strings of groups as they came, read. */
function groupsOf(worker: PlayedWorker) {
  return worker.strings.map(([command, text]) => {
    const chunks = readGroups(new TextEncoder().encode(text));
    const agents = chunks.flatMap((chunk) => chunk.agents.map(({ id, groups }) => [id, ...groups]));
    return [command, agents, chunks.at(-1)?.globalHash, chunks.length];
  });
}

/** Wants a send, and waits for it. */
async function send(world: MasterWorld, name = 'w1') {
  await world.world.settle(world.scheduler.runNow('agent-groups-send', name));
}

test('groups are sent once, with the hash over all agents, and then what changed', async () => {
  const world = await MasterWorld.open();
  world.register('agent1', 'agent2');
  await world.assign({ 1: 'default,web', 2: 'default' });
  const worker = await PlayedWorker.join(world);
  await send(world);
  await send(world);
  await world.assign({ 2: 'db' });
  await send(world);
  const hash = 'f4c14a9a77f15f4cf13ad9ab7064954c394c0281';
  const groups = groupsOf(worker);
  assert.deepEqual(groups.slice(0, 2), [
    ['syn_g_m_w', [[1, 'default', 'web'], [2, 'default']], hash, 1],
    ['syn_g_m_w', [], hash, 1],
  ]);
  assert.deepEqual(groups[2]?.slice(0, 2), ['syn_g_m_w', [[2, 'db']]]);
  assert.notEqual(groups[2]?.[2], hash);
  await world.finish();
});

test('groups that a worker could not apply are sent again; all, where it asks', async () => {
  const world = await MasterWorld.open();
  world.register('agent1');
  await world.assign({ 1: 'default' });
  const worker = await PlayedWorker.join(world);
  worker.onGroups = () => ['Error 2003 - Error in wazuhdb request: An error'];
  await send(world);
  worker.onGroups = () => [];
  await send(world);
  await send(world);
  assert.deepEqual(groupsOf(worker).map(([, agents]) => agents), [
    [[1, 'default']],
    [[1, 'default']],
    [],
  ]);
  assert.match(world.logged('error').join('\n'), /The worker could not apply groups: Error 2003/);
  await worker.settle(worker.connection.request('syn_w_g_c', undefined));
  await world.world.run({ until: () => worker.strings.length > 3, limitMs: 1000 });
  assert.deepEqual(groupsOf(worker).at(-1)?.slice(0, 3), [
    'syn_g_m_w_c',
    [[1, 'default']],
    undefined,
  ]);
  await world.finish();
});

test('a worker that comes back is sent what changed while it was away', async () => {
  const world = await MasterWorld.open();
  world.register('agent1', 'agent2');
  await world.assign({ 1: 'default', 2: 'default' });
  const worker = await PlayedWorker.join(world);
  await send(world);
  worker.connection.close();
  await world.world.run({ until: () => world.master.peers.size === 0, limitMs: 1000 });
  await world.assign({ 2: 'web' });
  const again = await PlayedWorker.join(world);
  await send(world);
  assert.deepEqual(groupsOf(again).map(([, agents]) => agents), [[[2, 'web']]]);
  await world.finish();
});

test('many groups are sent in pieces that the database of a worker takes', async () => {
  const world = await MasterWorld.open();
  const names = Array.from({ length: 1500 }, (_, i) => `a-rather-long-name-of-an-agent-${i}`);
  world.register(...names);
  await world.assign(Object.fromEntries(names.map((_, i) => [i + 1, 'default,web'])));
  const worker = await PlayedWorker.join(world);
  await send(world);
  const [command, text] = worker.strings[0]!;
  assert.equal(command, 'syn_g_m_w');
  const { chunks } = JSON.parse(text) as { chunks: string[] };
  assert.ok(chunks.length > 1);
  for (const chunk of chunks) assert.ok(chunk.length < 65_024);
  assert.equal(readGroups(toBytes(text)).flatMap(({ agents }) => agents).length, 1500);
  await world.finish();
});

test('groups wait for the files that they were published with, but not for ever', async () => {
  const world = await MasterWorld.open();
  await world.publish({});
  world.register('agent1');
  await world.assign({ 1: 'default' });
  const worker = await PlayedWorker.join(world);
  await send(world);
  assert.equal(worker.strings.length, 0);
  await worker.check(new Map());
  await world.world.run({ until: () => worker.strings.length > 0, limitMs: 1000 });
  await world.assign({ 1: 'web' });
  await world.publish({});
  world.register('agent1', 'agent2');
  await world.assign({ 2: 'default' });
  await send(world);
  assert.equal(worker.strings.length, 1);
  await world.world.run({ forMs: 61_000 });
  await send(world);
  assert.equal(worker.strings.length, 2);
  await world.finish();
});

test('groups come to a worker whose files change all the time', async () => {
  const world = await MasterWorld.open();
  const old = { 'etc/rules/a.xml': fileOf('a') };
  const web = { ...old, 'etc/shared/web/agent.conf': fileOf('a') };
  await world.publish(web);
  world.register('agent1');
  await world.assign({ 1: 'web' });
  const worker = await PlayedWorker.join(world);
  const rules = ['etc/rules/a.xml', rowOf('etc/rules/', 'a')] as const;
  await worker.check(new Map([rules]));
  await world.publish({ ...web, 'etc/rules/new.xml': fileOf('b') });
  await world.assign({ 1: 'web,db' });
  await send(world);
  assert.equal(worker.strings.length, 0);
  // By now it has the directory of the group, and lacks a file that has come since.
  await worker.check(new Map([rules, ['etc/shared/web/agent.conf', rowOf('etc/shared/', 'a')]]));
  await world.world.run({ until: () => worker.strings.length > 0, limitMs: 1000 });
  await world.finish();
});

test('groups that change all the time do not wait for ever either', async () => {
  const world = await MasterWorld.open();
  world.register('agent1');
  await world.publish({});
  const worker = await PlayedWorker.join(world);
  for (let i = 0; i <= 6; i++) {
    assert.equal(worker.strings.length, 0);
    await world.assign({ 1: i % 2 === 0 ? 'web' : 'db' });
    await world.publish({});
    await send(world);
    await world.world.run({ forMs: 10_000 });
  }
  assert.equal(worker.strings.length, 1);
  await world.finish();
});

test('a worker that can do nothing with groups is sent them again', async () => {
  const world = await MasterWorld.open();
  world.register('agent1');
  await world.assign({ 1: 'web' });
  const worker = await PlayedWorker.join(world);
  worker.groupsError = 'error while trying to load JSON: of some kind';
  await send(world);
  assert.match(world.logged('error').join('\n'), /could not apply groups: error while trying/);
  worker.groupsError = undefined;
  await send(world);
  assert.deepEqual(groupsOf(worker).map(([, agents]) => agents), [[[1, 'web']], [[1, 'web']]]);
  await world.finish();
});

test('calls and messages for daemons get the documented error, not silence', async () => {
  const world = await MasterWorld.open();
  const worker = await PlayedWorker.join(world);
  const call = { client: '12', bytes: toBytes('{"f": 1}') };
  const added = await worker.settle(worker.connection.request('dapi', call));
  assert.equal(added, 'Added request to API requests queue');
  await worker.settle(worker.connection.request('sendsync', call));
  await world.world.run({ until: () => worker.strings.length > 1, limitMs: 1000 });
  const told = new Map(worker.strings);
  assert.match(told.get('dapi_res 12') ?? '', /"__wazuh_exception__".*"code": 3009/);
  assert.match(told.get('sendsyn_err 12') ?? '', /^Error 3009 - /);
  await world.finish();
});

test('nodes and health are told a worker that asks, or why not', async () => {
  const world = await MasterWorld.open();
  const worker = await PlayedWorker.join(world);
  const ask = async (command: 'get_nodes' | 'get_health', question: string) => {
    const answer = await worker.settle(worker.connection.request(command, toBytes(question)));
    return JSON.parse(new TextDecoder().decode(answer)) as Record<string, unknown>;
  };
  assert.deepEqual(await ask('get_nodes', '{}'), {
    items: [
      { name: 'master-node', type: 'master', version: '4.14.7', ip: '127.0.0.1' },
      { name: 'w1', type: 'worker', version: '4.14.7', ip: '127.0.0.1' },
    ],
    totalItems: 2,
  });
  const { nodes, n_connected_nodes: count } = await ask('get_health', '["w1"]');
  assert.deepEqual([count, Object.keys(nodes as object)], [1, ['w1']]);
  await assert.rejects(ask('get_nodes', '{"filter_node": "nobody"}'), /Error 1730/);
  await world.finish();
});

test('a master tells of agents, groups, calls and silence in the phrases of the original', async () => {
  const world = await MasterWorld.open({ telling: originalTelling });
  world.register('agent1');
  await world.assign({ 1: 'default' });
  const worker = await PlayedWorker.join(world);
  await worker.tell(message({ syncreq: [full] }));
  await send(world);
  worker.onGroups = () => ['Error 2003 - Error in wazuhdb request: An error'];
  await world.assign({ 1: 'web' });
  await send(world);
  worker.onGroups = () => [];
  await worker.settle(worker.connection.request('syn_w_g_c', undefined));
  await world.until(() => worker.strings.some(([command]) => command === 'syn_g_m_w_c'), 1000);
  const call = toBytes('{"f": {"__callable__": {"__name__": "get_agents"}}}');
  await worker.settle(worker.connection.request('dapi', { client: '12', bytes: call }));
  await world.until(() => world.master.peers.size === 0, 200_000);
  const told = world.node.records.filter(({ level }) => level === 'info' || level === 'error')
    .map(({ level, tags, text }) =>
      `${level} [${tags.join('] [')}] ${text.replace(/\d+\.\d{3}s/, 'Ns').replace(/:\d+/, '')}`
    );
  for (
    const line of [
      'info [Worker w1] [Agent-info sync] Starting.',
      'info [Worker w1] [Agent-info sync] Finished in Ns. Updated 1 chunks.',
      'info [Worker w1] [Agent-groups send] Starting.',
      'info [Worker w1] [Agent-groups send] Finished in Ns. Updated 1 chunks.',
      'error [Worker w1] [Agent-groups send] Finished in Ns. Updated 1 chunks. There were 1 chunks ' +
      "with errors: ['Error 2003 - Error in wazuhdb request: An error']",
      'info [Worker w1] [Agent-groups send full] Starting.',
      'info [Worker w1] [Agent-groups send full] Finished in Ns. Updated 1 chunks.',
      'info [Master] [D API] Receiving request: get_agents from w1 (12)',
      'error [Master] [Keep alive] No keep alives have been received from w1 in the last minute. ' +
      'Disconnecting',
      'info [Worker w1] [Main] Cancelling pending tasks.',
    ]
  ) assert.ok(told.includes(line), `${line}\nis not in\n${told.join('\n')}`);
  await world.finish();
});
