import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AgentValues } from '../../../src/agents/store/values.ts';
import { openAgentTables } from './tables.ts';

test('AgentValues keeps texts and numbers, the last one of a name', () => {
  const { database } = openAgentTables();
  const values = new AgentValues(database);
  assert.equal(values.get('groups.epoch'), undefined);
  assert.equal(values.number('groups.snapshot'), 0);
  values.set('groups.epoch', 'a');
  values.set('groups.epoch', 'b');
  values.set('groups.snapshot', 7);
  const reopened = new AgentValues(database);
  assert.equal(reopened.get('groups.epoch'), 'b');
  assert.equal(reopened.number('groups.snapshot'), 7);
});
