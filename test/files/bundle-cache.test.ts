import assert from 'node:assert/strict';
import test from 'node:test';
import { type BuiltBundle, BundleCache } from '../../src/files/bundle-cache.ts';
import { fromText } from '../../src/base/bytes.ts';
import { eventually, ManualClock } from '../runtime/manual-clock.ts';

function open(bytesMax = 100) {
  const clock = new ManualClock();
  const cache = new BundleCache(clock, { bytesMax, idleMs: 1000 });
  let built = 0;
  /** Asks for a bundle of so many bytes; true where it had to be built. */
  const ask = async (name: string, length = 10, isComplete = true): Promise<boolean> => {
    const before = built;
    await cache.get(fromText(name), () => {
      built += 1;
      return Promise.resolve({ pieces: [new Uint8Array(length)], isComplete });
    });
    return built > before;
  };
  return { clock, cache, ask };
}

test('those who ask while a bundle is being built share it', async () => {
  const { cache } = open();
  const { promise, resolve } = Promise.withResolvers<BuiltBundle>();
  let count = 0;
  const build = () => {
    count += 1;
    return promise;
  };
  const both = Promise.all([cache.get(fromText('a'), build), cache.get(fromText('a'), build)]);
  resolve({ pieces: [], isComplete: true });
  const [first, second] = await both;
  assert.equal(first, second);
  assert.equal(count, 1);
});

test('what is at hand or being built is found without building it', async () => {
  const { cache, ask } = open(100);
  assert.equal(cache.find(fromText('a')), undefined);
  const built = ask('a', 40);
  assert.equal((await cache.find(fromText('a'))!).isComplete, true);
  await built;
  await ask('b', 40);
  // Finding is using: what was found last goes last.
  await cache.find(fromText('a'));
  await ask('c', 40);
  assert.equal(cache.find(fromText('b')), undefined);
  assert.equal((await cache.find(fromText('a'))!).pieces[0]!.length, 40);
});

test('beyond the bound the bundle goes that was used longest ago', async () => {
  const { cache, ask } = open(100);
  for (const name of ['a', 'b']) await ask(name, 40);
  assert.equal(await ask('a', 40), false);
  await ask('c', 40);
  assert.equal(cache.bytes, 80);
  assert.equal(await ask('a', 40), false);
  assert.equal(await ask('b', 40), true);
});

test('an incomplete bundle, or one that failed, is not kept', async () => {
  const { cache, ask } = open();
  assert.equal(await ask('a', 10, false), true);
  assert.equal(await ask('a', 10, false), true);
  const failure = new Error('cannot read');
  await assert.rejects(cache.get(fromText('b'), () => Promise.reject(failure)), failure);
  assert.equal(await ask('b'), true);
  assert.equal(cache.bytes, 10);
});

test('a bundle that nobody asks for is given up after a while', async () => {
  const { clock, cache, ask } = open();
  await ask('a');
  clock.advance(700);
  await ask('b');
  clock.advance(300);
  await eventually('the first is old', () => cache.bytes === 10);
  assert.equal(await ask('b'), false);
  await eventually('it is looked at again', () => clock.sleepersCount === 1);
  clock.advance(1000);
  await eventually(
    'all is given up, and nothing runs',
    () => cache.bytes === 0 && clock.sleepersCount === 0,
  );
  assert.equal(await ask('a'), true, 'as before');
  assert.equal(clock.sleepersCount, 1);
  cache.close();
  await eventually('nothing runs', () => clock.sleepersCount === 0);
});
