import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentFacts, AgentId } from '../../../src/agents/agent.ts';
import { packData } from '../../../src/agents/data-codec.ts';
import { FactsStore, type PendingLevel, type Refusal } from '../../../src/agents/store/facts.ts';
import { type AgentFilter, AgentViews } from '../../../src/agents/store/views.ts';
import { inTransaction } from '../../../src/base/transaction.ts';
import { factsOf } from '../samples.ts';
import { openAgentTables } from './tables.ts';

/** What a test puts into the tables about one agent. */
interface Given {
  readonly id: AgentId;
  readonly source?: 'keys' | 'command' | 'removed' | 'none';
  readonly ip?: string | null;
  /** Undefined where nothing was reported. */
  readonly facts?: Partial<AgentFacts>;
  readonly node?: string;
  readonly pending?: PendingLevel;
  readonly refusal?: Refusal;
  readonly groups?: string | null;
}

function open(agents: Iterable<Given>) {
  const { database, clock, world } = openAgentTables();
  const facts = new FactsStore(database);
  const register = database.prepare('INSERT INTO registration VALUES (?, ?, ?, 1800000000, ?)');
  const assign = database.prepare('INSERT INTO assignment VALUES (?, NULL, ?, 1, 1, 1)');
  inTransaction(database, () => {
    for (const agent of agents) {
      const { id, source = 'keys', ip = 'any', node = 'worker-1', groups } = agent;
      if (source !== 'none') register.run(id, `agent-${id}`, ip, source);
      if (groups !== undefined) assign.run(id, groups);
      if (agent.facts === undefined) continue;
      const { labels, ...rest } = factsOf({ connection_status: 'active', ...agent.facts });
      facts.save({
        id,
        data: packData({ ...rest, labels }),
        status: rest,
        order: { node, epoch: 'e', nodeOrderMs: 1, orderMs: 1 },
        pending: agent.pending ?? 0,
        refusal: agent.refusal ?? 0,
      });
    }
  });
  let breathsCount = 0;
  const breathing = {
    breathe: () => {
      breathsCount++;
      return clock.breathe();
    },
  };
  const views = new AgentViews({ clock: breathing, database });
  const list = async (filter: AgentFilter = {}, after = 0, limit = 1000) => {
    const { total, agents } = await world.settle(views.page(filter, after, limit));
    return { total, ids: agents.map(({ id }) => id) };
  };
  return { views, list, world, breaths: () => breathsCount };
}

test('an agent is seen with what all three tables know of it', () => {
  const facts = {
    name: 'called-so-itself',
    ip: '10.0.0.7',
    os_name: 'Ubuntu',
    labels: [['site', 'Graz'], ['zone', 'a']],
    last_keepalive: 1_800_000_123,
  } as const;
  const { views } = open([
    { id: 7, ip: '10.0.0.0/8', facts, node: 'worker-2', groups: 'default,web' },
    { id: 8, source: 'command', ip: null },
  ]);
  assert.deepEqual(views.get(7), {
    id: 7,
    name: 'agent-7',
    ip: '10.0.0.0/8',
    dateAdded: 1_800_000_000,
    source: 'keys',
    reported: { facts: factsOf({ ...facts, connection_status: 'active' }), node: 'worker-2' },
    groups: ['default', 'web'],
  });
  assert.deepEqual(views.get(8), {
    id: 8,
    name: 'agent-8',
    ip: null,
    dateAdded: 1_800_000_000,
    source: 'command',
    reported: undefined,
    groups: [],
  });
});

test('an agent that is not registered is not seen', async () => {
  const { views, list } = open([
    { id: 1, source: 'removed', facts: {}, groups: null },
    { id: 2, source: 'none', facts: {}, refusal: 1 },
    { id: 3 },
  ]);
  assert.equal(views.get(1), undefined);
  assert.equal(views.get(2), undefined);
  assert.equal(views.get(4), undefined);
  assert.deepEqual(await list(), { total: 1, ids: [3] });
  assert.deepEqual(await list({ status: 'active' }), { total: 0, ids: [] });
});

test('a list has what every part of the filter lets through', async () => {
  const { list } = open([
    { id: 1, facts: { os_platform: 'ubuntu' }, groups: 'default,web' },
    { id: 2, facts: { os_platform: 'Ubuntu' }, node: 'worker-2', groups: 'web_2' },
    { id: 3, facts: { connection_status: 'disconnected', os_platform: 'windows' }, groups: 'web' },
    { id: 4, groups: 'webs' },
    { id: 5, groups: '' },
    { id: 6 },
  ]);
  const ids = async (filter: AgentFilter) => (await list(filter)).ids;
  assert.deepEqual(await ids({}), [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(await ids({ status: 'active' }), [1, 2]);
  assert.deepEqual(await ids({ status: 'disconnected' }), [3]);
  assert.deepEqual(await ids({ status: 'never_connected' }), [4, 5, 6]);
  assert.deepEqual(await ids({ status: 'pending' }), []);
  assert.deepEqual(await ids({ node: 'worker-2' }), [2]);
  assert.deepEqual(await ids({ group: 'web' }), [1, 3]);
  assert.deepEqual(await ids({ group: 'default' }), [1]);
  assert.deepEqual(await ids({ group: '%' }), []);
  assert.deepEqual(await ids({ platform: 'UBUNTU' }), [1, 2]);
  assert.deepEqual(await ids({ platform: 'ubuntu', group: 'web', status: 'active' }), [1]);
  assert.deepEqual(await ids({ platform: 'windows', status: 'active' }), []);
  assert.deepEqual(await ids({ node: `' OR 1 = 1 --` }), []);
});

test('pages follow one another, and each knows the total', async () => {
  const agents = Array.from({ length: 12_345 }, (_, index) => ({
    id: 3 * index + 1,
    ...(index % 10 === 0 ? { facts: {} } : {}),
  }));
  const { list, breaths } = open(agents);
  for (const [filter, total] of [[{}, 12_345], [{ status: 'active' }, 1_235]] as const) {
    const seen: number[] = [];
    for (let after = 0;;) {
      const page = await list(filter, after, 700);
      assert.equal(page.total, total);
      seen.push(...page.ids);
      if (page.ids.length < 700) break;
      after = page.ids.at(-1)!;
    }
    assert.equal(seen.length, total);
    assert.deepEqual(seen, [...new Set(seen)].sort((left, right) => left - right));
  }
  const before = breaths();
  assert.deepEqual(await list({ group: 'none' }), { total: 0, ids: [] });
  assert.ok(breaths() - before >= 2, 'the loop is free in between');
  // A page in the middle of a list that was not begun here.
  assert.deepEqual(await list({ node: 'worker-1' }, 37_000, 1), { total: 1_235, ids: [37_021] });
});

test('agents are counted by status and node', () => {
  const { views } = open([
    { id: 1, facts: {} },
    { id: 2, facts: {}, pending: 1 },
    { id: 3, facts: { connection_status: 'disconnected' }, pending: 2, node: 'a-worker' },
    { id: 4 },
    { id: 5, source: 'command' },
    { id: 6, source: 'removed' },
    { id: 7, source: 'none', facts: { connection_status: 'pending' }, pending: 2, refusal: 1 },
  ]);
  const none = { never_connected: 0, pending: 0, active: 0, disconnected: 0 };
  assert.deepEqual(views.counts(), {
    total: 5,
    byStatus: { never_connected: 2, pending: 0, active: 2, disconnected: 1 },
    byNode: [
      { node: 'a-worker', byStatus: { ...none, disconnected: 1 } },
      { node: 'worker-1', byStatus: { ...none, active: 2 } },
    ],
    unconfirmed: 2,
    refused: 1,
  });
});

test('nothing is counted where there is nothing', async () => {
  const { views, list, world } = open([]);
  const { total, byNode } = views.counts();
  assert.deepEqual([total, byNode], [0, []]);
  assert.deepEqual(await list(), { total: 0, ids: [] });
  assert.deepEqual(await world.settle(views.groupCounts()), new Map());
});

test('agents are counted by group', async () => {
  const { views, world } = open([
    { id: 1, groups: 'default' },
    { id: 2, groups: 'default,web' },
    { id: 3, groups: 'web,default' },
    { id: 4, groups: '' },
    { id: 5, source: 'removed', groups: null },
    { id: 6 },
  ]);
  const counts = await world.settle(views.groupCounts());
  assert.deepEqual(counts, new Map([['default', 3], ['web', 2]]));
});
