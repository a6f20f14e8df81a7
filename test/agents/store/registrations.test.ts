import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registrations } from '../../../src/agents/store/registrations.ts';
import { toBytes } from '../../../src/base/bytes.ts';
import { inTransaction } from '../../../src/base/transaction.ts';
import { openAgentTables } from './tables.ts';

function open() {
  const { database, clock, world } = openAgentTables();
  const heard: string[] = [];
  const registrations = new Registrations({ clock, database }, {
    appeared: ({ id, name }) => heard.push(`+${id} ${name}`),
    vanished: (id) => heard.push(`-${id}`),
  });
  const replace = (text: string) => world.settle(registrations.replaceKeys(toBytes(text)));
  const within = (work: () => void) => inTransaction(database, work);
  return { registrations, heard, replace, within, world };
}

test('the registrations follow the keys file, and tell what came and went', async () => {
  const { registrations, heard, replace } = open();
  const first = await replace('001 a any k\n002 b any k\n');
  assert.deepEqual(first, { addedCount: 2, removedCount: 0, count: 2, unreadable: undefined });
  heard.length = 0;
  const second = await replace('002 b any other-key\n003 c 10.0.0.1 k\n');
  assert.deepEqual(second, { addedCount: 1, removedCount: 1, count: 2, unreadable: undefined });
  assert.deepEqual(heard, ['-1', '+3 c']);
  assert.equal(registrations.existence(1), 'removed');
  assert.equal(registrations.existence(2), 'registered');
  assert.equal(registrations.existence(4), 'unknown');
  assert.equal(registrations.count(), 2);
  assert.equal(registrations.get(3)?.ip, '10.0.0.1');
  assert.equal(registrations.get(1), undefined);
});

test('an agent that changes its name is told anew and keeps its date', async () => {
  const { registrations, heard, replace, world } = open();
  await replace('001 a any k\n');
  const date = registrations.get(1)?.dateAdded;
  await world.run({ forMs: 5_000 });
  await replace('001 b any k\n');
  assert.deepEqual(heard, ['+1 a', '+1 b']);
  assert.equal(registrations.get(1)?.dateAdded, date);
});

test('what a command added stays when the file does not have it', async () => {
  const { registrations, replace, within } = open();
  within(() => registrations.add({ id: 9, name: 'added', ip: null, source: 'command' }));
  await replace('001 a any k\n');
  await replace('');
  assert.equal(registrations.get(9)?.source, 'command');
  assert.equal(registrations.count(), 1);
  assert.equal(registrations.nextId(), 10);
});

test('an agent that was removed comes back with the file, and is forgotten after a while', async () => {
  const { registrations, replace, world } = open();
  await replace('001 a any k\n002 b any k\n');
  await replace('');
  await replace('001 a any k\n');
  assert.equal(registrations.existence(1), 'registered');
  assert.equal(registrations.existence(2), 'removed');
  await world.run({ forMs: 31 * 24 * 60 * 60 * 1000 });
  registrations.forgetRemovals();
  assert.equal(registrations.existence(2), 'unknown');
  assert.equal(registrations.existence(1), 'registered');
});

test('lines that cannot be read are counted, and keep nothing else out', async () => {
  const { registrations, replace } = open();
  const change = await replace('001 a any k\nnonsense\n003 c any k\n004\n');
  assert.equal(registrations.count(), 2);
  assert.equal(change.unreadable?.count, 2);
  assert.match(change.unreadable.first, /^line 2 /);
});

test('thousands of agents are compared in slices', async () => {
  const { registrations, heard, replace } = open();
  const lines = Array.from({ length: 3000 }, (_, i) => `${i + 1} agent-${i + 1} any k\n`);
  await replace(lines.join(''));
  heard.length = 0;
  lines.splice(2500, 1);
  lines.splice(600, 1);
  const change = await replace(`${lines.join('')}4000 late any k\n`);
  assert.equal(change.removedCount, 2);
  assert.deepEqual(heard, ['-601', '-2501', '+4000 late']);
  assert.equal(registrations.count(), 2999);
});
