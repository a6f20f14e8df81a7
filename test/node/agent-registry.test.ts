import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registrations } from '../../src/agents/store/registrations.ts';
import { ClusterError } from '../../src/base/errors.ts';
import { inTransaction } from '../../src/base/transaction.ts';
import { AgentRegistry } from '../../src/node/agent-registry.ts';
import { openAgentTables } from '../agents/store/tables.ts';

function open(areKeysKnown = true) {
  const { database, clock, world } = openAgentTables();
  const heard: string[] = [];
  const registrations = new Registrations({ clock, database }, {
    appeared: ({ id }) => heard.push(`+${id}`),
    vanished: (id) => heard.push(`-${id}`),
  });
  inTransaction(database, () => {
    registrations.add({ id: 7, name: 'from-keys', ip: 'any', source: 'keys' });
  });
  heard.length = 0;
  const registry = new AgentRegistry(
    {
      clock,
      database,
      registrations,
      areKeysKnown: () => areKeysKnown,
      onChange: () => heard.push('changed'),
    },
    'etc/client.keys',
  );
  const settle = <T>(promise: Promise<T>) => world.settle(promise);
  return { registrations, registry, heard, settle };
}

function refused(message: RegExp): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof ClusterError);
    assert.equal(error.code, 'refused');
    assert.match(error.message, message);
    return true;
  };
}

test('an agent that is added exists, under its number or the next one', async () => {
  const { registrations, registry, heard, settle } = open();
  assert.equal(await settle(registry.add({ name: 'a' })), 8);
  assert.equal(await settle(registry.add({ id: 100, name: 'b', ip: '10.0.0.0/8' })), 100);
  assert.equal(await settle(registry.add({ name: 'c', ip: 'fd00::7' })), 101);
  assert.deepEqual(heard, ['+8', 'changed', '+100', 'changed', '+101', 'changed']);
  assert.equal(registrations.get(8)?.ip, 'any');
  assert.equal(registrations.get(100)?.ip, '10.0.0.0/8');
  assert.equal(registrations.get(101)?.source, 'command');
});

test('before anything was published an agent needs a number of its own', async () => {
  const { registry, settle } = open(false);
  await assert.rejects(
    settle(registry.add({ name: 'a' })),
    refused(/etc\/client.keys are not known/),
  );
  assert.equal(await settle(registry.add({ id: 12, name: 'a' })), 12);
});

test('an agent that cannot be is not added', async () => {
  const { registrations, registry, heard, settle } = open();
  await assert.rejects(settle(registry.add({ id: 7, name: 'a' })), refused(/agent 007 already/));
  for (const name of ['', ' ', 'a b', 'a\n', '!a', '#a', 'a\u0000', 'x'.repeat(129)]) {
    await assert.rejects(settle(registry.add({ name })), refused(/cannot have the name/));
  }
  for (const ip of ['', 'everywhere', '10.0.0.0/33', '10.0.0']) {
    await assert.rejects(settle(registry.add({ name: 'a', ip })), refused(/the address/));
  }
  await settle(registry.add({ id: 2 ** 31 - 1, name: 'last' }));
  heard.length = 0;
  await assert.rejects(settle(registry.add({ name: 'a' })), refused(/no number left/));
  assert.deepEqual(heard, []);
  assert.equal(registrations.count(), 2);
});

test('agents that were added are removed, others are not', async () => {
  const { registrations, registry, heard, settle } = open();
  await settle(registry.add({ id: 8, name: 'a' }));
  await settle(registry.add({ id: 9, name: 'b' }));
  heard.length = 0;
  assert.deepEqual(await settle(registry.remove([8, 7, 1234, 8])), {
    changed: 1,
    unchanged: 0,
    refused: [
      { id: 7, problem: 'remove it from etc/client.keys' },
      { id: 1234, problem: 'there is no such agent' },
    ],
  });
  assert.deepEqual(heard, ['-8', 'changed']);
  assert.equal(registrations.existence(8), 'removed');
  assert.equal(registrations.count(), 2);
  const again = await settle(registry.remove([8]));
  assert.deepEqual(again.refused, [{ id: 8, problem: 'there is no such agent' }]);
  // The number of an agent that was removed is not given to another by chance.
  assert.equal(await settle(registry.add({ name: 'c' })), 10);
  assert.equal(await settle(registry.add({ id: 8, name: 'd' })), 8);
  assert.equal(registrations.get(8)?.name, 'd');
});
