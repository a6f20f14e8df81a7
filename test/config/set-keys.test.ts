import assert from 'node:assert/strict';
import test from 'node:test';
import { renderSet } from '../../src/config/effective.ts';
import { defaultSets, withoutDefaults } from '../../src/config/set-keys.ts';
import { configOf, masterText } from './sources.ts';

test('defaultSets are the sets of a node that declares them', () => {
  const declared = configOf(`${masterText}${defaultSets.map(renderSet).join('\n')}\n`);
  assert.deepEqual(declared.sets, configOf(masterText).sets);
});

test('withoutDefaults() leaves out what says nothing, and the set stays the same', () => {
  const set = { name: 'a', path: 'x', include: ['**'], mode: '0640', prune: true, exclude: ['y'] };
  assert.deepEqual(withoutDefaults(set), { name: 'a', path: 'x', prune: true, exclude: ['y'] });
  assert.deepEqual(
    configOf(masterText + renderSet(withoutDefaults(set))).sets,
    configOf(masterText + renderSet(set)).sets,
  );
});
