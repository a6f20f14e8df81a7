/** What was changed is told once, also after a crash, and only then forgotten. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HookedChange, RoundHooks } from '../../../src/tasks/integrity/execution.ts';
import { PendingReload } from '../../../src/tasks/integrity/pending-reload.ts';

const { signal } = new AbortController();

/** A store that outlives the process, and what a reload command was told. */
function world(reload: () => Promise<void> = () => Promise.resolve()) {
  const values = new Map<string, string>();
  const told: HookedChange[] = [];
  const store = {
    value: (name: string) => values.get(name),
    setValue: (name: string, value: string) => void values.set(name, value),
  };
  const hooks: RoundHooks = {
    hasValidation: false,
    validate: () => Promise.resolve(),
    reload: (change) => {
      told.push(change);
      return reload();
    },
  };
  return { told, restart: () => new PendingReload(store, hooks) };
}

const changed = { hasBegun: true, changedCount: 1 };
const nothingChanged = { hasBegun: false, changedCount: 0 };
const work = () => Promise.resolve();

test('PendingReload.tell() tells of all that was changed, once', async () => {
  const { told, restart } = world();
  const pending = restart();
  await pending.tell(1, signal);
  await pending.around(['rules', 'lists'], changed, work);
  await pending.around(['rules', 'shared'], changed, work);
  await pending.tell(2, signal);
  await pending.tell(3, signal);
  assert.deepEqual(told.map(({ generation, sets }) => [generation, sets]), [
    [2, ['rules', 'lists', 'shared']],
  ]);
});

test('PendingReload remembers through a restart until the command has come to its end', async () => {
  let isStopped = true;
  const { told, restart } = world(() =>
    isStopped ? Promise.reject(new Error('stopped')) : Promise.resolve()
  );
  // The process ends in the middle of a change.
  void restart().around(['rules'], changed, () => new Promise(() => {}));
  await assert.rejects(restart().tell(2, signal), /stopped/);
  isStopped = false;
  await restart().tell(2, signal);
  await restart().tell(2, signal);
  assert.deepEqual(told.map(({ sets }) => sets), [['rules'], ['rules']]);
});

test('PendingReload.around() forgets a change that changed nothing, and only that', async () => {
  const { told, restart } = world();
  const pending = restart();
  const fail = () => Promise.reject(new Error('cut'));
  await pending.around(['rules'], changed, work);
  await pending.around(['lists'], nothingChanged, work);
  await assert.rejects(pending.around(['shared'], nothingChanged, fail), /cut/);
  const begun = { hasBegun: true, changedCount: 0 };
  await assert.rejects(pending.around(['keys'], begun, fail), /cut/);
  await pending.tell(2, signal);
  assert.deepEqual(told.map(({ sets }) => sets), [['rules', 'keys']]);
});
