/** From the report of an agent to the master's table, without the way between. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentFacts } from '../../src/agents/agent.ts';
import { Backlog } from '../../src/agents/backlog.ts';
import { RecordIntake, type RecordSource } from '../../src/agents/record-intake.ts';
import { ReportIntake } from '../../src/agents/report-intake.ts';
import { FactsStore } from '../../src/agents/store/facts.ts';
import { Registrations } from '../../src/agents/store/registrations.ts';
import { inTransaction } from '../../src/base/transaction.ts';
import { openAgentTables } from './store/tables.ts';

function openSide(role: 'master' | 'worker', node: string = role) {
  const { database, clock, world } = openAgentTables();
  const facts = new FactsStore(database);
  const registrations = new Registrations({ clock, database }, {
    appeared: ({ id }) => facts.accept(id),
    vanished: (id) => facts.remove(id),
  });
  const stores = { facts, registrations };
  const intake = new ReportIntake({ clock, database }, facts, { node, epoch: node, role });
  return {
    ...stores,
    clock,
    world,
    register: (...ids: number[]) =>
      inTransaction(database, () => {
        for (const id of ids) registrations.add({ id, name: `a${id}`, ip: null, source: 'keys' });
      }),
    unregister: (id: number) => inTransaction(database, () => registrations.remove(id)),
    backlog: new Backlog({ clock, database }, stores),
    records: new RecordIntake({ clock, database }, facts),
    report: (id: number, given: Partial<AgentFacts>) =>
      world.settle(intake.take([{ id, facts: given }])),
    reportAll: (id: number, given: readonly Partial<AgentFacts>[]) =>
      world.settle(intake.take(given.map((facts) => ({ id, facts })))),
  };
}

type Side = ReturnType<typeof openSide>;

const source: RecordSource = { node: 'worker', epoch: 'worker', skewMs: 0 };

/** Brings all that waits to the master; gives how many records that were. */
async function bring(worker: Side, master: Side, from = source, isAnswerLost = false) {
  let count = 0;
  for await (const chunk of worker.backlog.chunks()) {
    const answer = await master.world.settle(master.records.take(chunk.records.slice(), from));
    if (!isAnswerLost) worker.backlog.settle(chunk, answer);
    count += chunk.sent.length;
  }
  return count;
}

test('what is reported arrives once, as a whole first and then as a status', async () => {
  const [worker, master] = [openSide('worker'), openSide('master')];
  master.register(7);
  await worker.report(7, { os_name: 'Debian', labels: [['env', 'prod']], last_keepalive: 100 });
  assert.equal(await bring(worker, master), 1);
  assert.equal(master.facts.get(7)?.data.os_name, 'Debian');
  assert.equal(worker.backlog.count, 0);
  await worker.report(7, { last_keepalive: 110 });
  assert.equal(worker.facts.get(7)?.pending, 1);
  await bring(worker, master);
  assert.equal(master.facts.get(7)?.status.last_keepalive, 110);
  assert.deepEqual(master.facts.get(7)?.data.labels, [['env', 'prod']]);
});

test('of several reports of an agent at once each counts', async () => {
  const [worker, master] = [openSide('worker'), openSide('master')];
  master.register(7);
  const given: Partial<AgentFacts>[] = [
    { os_name: 'Debian', last_keepalive: 100 },
    { last_keepalive: 110 },
    { version: '4', last_keepalive: 120 },
    { last_keepalive: 105 },
    { status_code: 3 },
  ];
  await worker.reportAll(7, given);
  const { data, status } = worker.facts.get(7)!;
  assert.deepEqual([data.os_name, data.version], ['Debian', '4']);
  assert.deepEqual([status.last_keepalive, status.status_code], [120, 3]);
  await bring(worker, master);
  assert.deepEqual(master.facts.get(7)?.data, data);
  assert.deepEqual(master.facts.get(7)?.status, status);
});

test('a lost answer leads to a resend that changes nothing', async () => {
  const [worker, master] = [openSide('worker'), openSide('master')];
  master.register(7);
  await worker.report(7, { os_name: 'Debian', last_keepalive: 100 });
  await bring(worker, master, source, true);
  const stored = master.facts.get(7);
  assert.equal(await bring(worker, master), 1);
  assert.deepEqual(master.facts.get(7), stored);
  assert.equal(worker.backlog.count, 0);
});

test('a report that comes while a chunk is on its way is not taken for confirmed', async () => {
  const [worker, master] = [openSide('worker'), openSide('master')];
  master.register(7);
  await worker.report(7, { os_name: 'Debian', last_keepalive: 100 });
  for await (const chunk of worker.backlog.chunks()) {
    const answer = await master.world.settle(master.records.take(chunk.records.slice(), source));
    await worker.report(7, { os_name: 'Fedora' });
    worker.backlog.settle(chunk, answer);
  }
  assert.equal(worker.backlog.count, 1);
  await bring(worker, master);
  assert.equal(master.facts.get(7)?.data.os_name, 'Fedora');
});

test('an agent that the master does not know is kept, and sent when it is known', async () => {
  const [worker, master] = [openSide('worker'), openSide('master')];
  await worker.report(7, { os_name: 'Debian', last_keepalive: 100 });
  await bring(worker, master);
  assert.equal(master.facts.get(7), undefined);
  assert.equal(worker.facts.countRefused(), 1);
  await worker.report(7, { last_keepalive: 120 });
  assert.equal(await bring(worker, master), 0, 'it is not sent again and again');
  master.register(7);
  worker.register(7);
  assert.equal(await bring(worker, master), 1);
  assert.equal(master.facts.get(7)?.data.os_name, 'Debian');
  assert.equal(master.facts.get(7)?.status.last_keepalive, 120);
});

test('a refused agent is dropped where the master says that it was removed meanwhile', async () => {
  const [worker, master] = [openSide('worker'), openSide('master')];
  await worker.report(7, { os_name: 'Debian', last_keepalive: 100 });
  await bring(worker, master);
  master.register(7);
  master.unregister(7);
  assert.equal(await bring(worker, master), 0);
  worker.backlog.askAgain();
  assert.equal(await bring(worker, master), 1);
  assert.equal(worker.facts.get(7), undefined);
  assert.equal(worker.registrations.existence(7), 'removed');
});

test('a refused agent that the master knows meanwhile is sent as a whole', async () => {
  const [worker, master] = [openSide('worker'), openSide('master')];
  await worker.report(7, { os_name: 'Debian', last_keepalive: 100 });
  await bring(worker, master);
  worker.backlog.askAgain();
  await bring(worker, master);
  assert.equal(worker.facts.countRefused(), 1, 'asked in vain');
  master.register(7);
  worker.backlog.askAgain();
  await bring(worker, master);
  await bring(worker, master);
  assert.equal(master.facts.get(7)?.data.os_name, 'Debian');
  assert.equal(worker.facts.countRefused(), 0);
  assert.equal(worker.backlog.count, 0);
});

test('an agent that was removed is refused at once, and its backlog is dropped', async () => {
  const [worker, master] = [openSide('worker'), openSide('master')];
  master.register(7);
  worker.register(7);
  await worker.report(7, { os_name: 'Debian' });
  master.unregister(7);
  await bring(worker, master);
  assert.equal(worker.facts.get(7), undefined);
  assert.equal(worker.registrations.existence(7), 'removed');
  const { refused } = await worker.report(7, { os_name: 'Debian' });
  assert.deepEqual(refused, [{ index: 0, problem: 'agent 007 was removed' }]);
  assert.equal(master.facts.get(7), undefined);
});

test('the master wants all of an agent of which it knows another node or nothing', async () => {
  const [worker, other, master] = [openSide('worker'), openSide('worker', 'b'), openSide('master')];
  master.register(7);
  await worker.report(7, { os_name: 'old', last_keepalive: 100 });
  await bring(worker, master);
  await other.report(7, { os_name: 'new', last_keepalive: 200 });
  await bring(other, master, { node: 'b', epoch: 'b', skewMs: 0 });
  assert.equal(master.facts.get(7)?.order.node, 'b');
  await worker.report(7, { last_keepalive: 300 });
  await bring(worker, master);
  assert.equal(master.facts.get(7)?.data.os_name, 'new', 'a status alone is not enough');
  assert.equal(await bring(worker, master), 1);
  assert.equal(master.facts.get(7)?.data.os_name, 'old');
  assert.equal(master.facts.get(7)?.order.node, 'worker');
});

test('an older record never overwrites a newer one, whichever comes last', async () => {
  const [old, current, master] = [openSide('worker'), openSide('worker', 'b'), openSide('master')];
  master.register(7);
  await old.report(7, { os_name: 'old', last_keepalive: 100 });
  await current.report(7, { os_name: 'new', last_keepalive: 200 });
  await bring(current, master, { node: 'b', epoch: 'b', skewMs: 0 });
  await bring(old, master);
  assert.equal(master.facts.get(7)?.data.os_name, 'new');
  assert.equal(old.backlog.count, 0, 'it is settled all the same');
});

test('the master takes reports of its own agents, if it knows them', async () => {
  const master = openSide('master');
  master.register(7);
  assert.deepEqual((await master.report(7, { os_name: 'Debian' })).refused, []);
  assert.deepEqual((await master.report(8, { os_name: 'Debian' })).refused, [
    { index: 0, problem: 'agent 008 is not known' },
  ]);
  assert.equal(master.backlog.count, 0);
});

test('a restarted backlog sends everything again', async () => {
  const [worker, master] = [openSide('worker'), openSide('master')];
  for (let id = 1; id <= 1200; id++) {
    master.register(id);
    await worker.report(id, { os_name: 'Debian', last_keepalive: id });
  }
  assert.equal(await bring(worker, master), 1200);
  assert.equal(await bring(worker, master), 0);
  await worker.world.settle(worker.backlog.restart());
  const renewed = openSide('master');
  for (let id = 1; id <= 1200; id++) renewed.register(id);
  assert.equal(await bring(worker, renewed), 1200);
  assert.equal(renewed.facts.get(1200)?.data.os_name, 'Debian');
});
