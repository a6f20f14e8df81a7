import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from './random.ts';
import { runScenario, scenarios } from './scenarios.ts';
import { toyTrouble } from './toy-scenarios.ts';
import { World } from './world.ts';

const toy = scenarios.find(({ name }) => name === 'toy-trouble')!;

test('a scenario with the same seed is the same run, line by line', async () => {
  const first = await runScenario(toy, 42, { keepTrace: true });
  const second = await runScenario(toy, 42, { keepTrace: true });
  assert.equal(first.error, undefined);
  assert.ok(first.traceLines.length > 1000);
  assert.deepEqual(second.traceLines, first.traceLines);
  assert.equal(second.traceHash, first.traceHash);
});

test('a scenario with another seed is another run', async () => {
  const hashes = new Set<string>();
  for (let seed = 1; seed <= 10; seed++) hashes.add((await runScenario(toy, seed)).traceHash);
  assert.equal(hashes.size, 10);
});

// The same under every runtime. To be replaced when the world is changed on purpose.
test('a scenario has the trace that every runtime agrees on', async () => {
  assert.equal((await runScenario(toy, 1)).traceHash, '26f3520398b0a04c');
  assert.equal((await runScenario(toy, 2)).traceHash, '24ddf5923cb4d58b');
});

test('a toy cluster survives all its troubles, whatever the seed', async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const { error } = await runScenario(toy, seed);
    assert.equal(error, undefined, String(error));
  }
});

test('a toy cluster that does not flush is caught with a torn file', async () => {
  let caughtCount = 0;
  for (let seed = 1; seed <= 10; seed++) {
    const outcome = await toyTrouble(new World({ seed }), false).catch(String);
    if (typeof outcome === 'string' && /never was on the master/.test(outcome)) caughtCount++;
  }
  assert.ok(caughtCount >= 8, `caught ${caughtCount} times out of 10`);
});

test('SeededRandom gives the numbers of the reference implementation of sfc32', () => {
  const random = new SeededRandom(42);
  const numbers = Array.from({ length: 4 }, () => random.next32());
  assert.deepEqual(numbers, [1922830710, 3640221159, 2807765432, 1233103011]);
});

test('SeededRandom.fork() does not depend on what was drawn before', () => {
  const fresh = new SeededRandom(1);
  const used = new SeededRandom(1);
  used.bytes(100);
  assert.equal(fresh.fork('a').next32(), used.fork('a').next32());
  assert.notEqual(fresh.fork('a').next32(), fresh.fork('b').next32());
});

test('SeededRandom draws uniformly and stays within its bounds', () => {
  const random = new SeededRandom(9);
  const counts = Array.from({ length: 10 }, () => 0);
  for (let i = 0; i < 10_000; i++) counts[random.integer(0, 9)]!++;
  for (const count of counts) assert.ok(count > 850 && count < 1150, `${count} of 10000`);
  for (let i = 0; i < 1000; i++) {
    const ms = random.delayMs({ minMs: 1, typicalMs: 2, maxMs: 100 });
    assert.ok(ms >= 1 && ms < 100);
  }
});
