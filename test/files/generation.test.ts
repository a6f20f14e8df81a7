import assert from 'node:assert/strict';
import test from 'node:test';
import { fromBytes, toBytes, toHex } from '../../src/base/bytes.ts';
import type { EntryChange } from '../../src/files/entry.ts';
import {
  type Changes,
  type Generation,
  GenerationHistory,
  makeGeneration,
  packDelta,
  readDelta,
} from '../../src/files/generation.ts';
import { Manifest } from '../../src/files/manifest.ts';
import { simHashing } from '../sim/hashing.ts';
import { SeededRandom } from '../sim/random.ts';
import { assertMalformed, entry, mutated, unlessMalformed, wordPath } from './material.ts';

const options = { hashing: simHashing, algorithm: 'md5' } as const;
const empty = Manifest.empty(options);

function change(path: string, content?: string): EntryChange {
  return { path, entry: content === undefined ? undefined : entry(path, content) };
}

function generation(number: number, manifests: Record<string, Manifest>): Generation {
  const parts = { number, createdMs: number * 1000, manifests: new Map(Object.entries(manifests)) };
  return makeGeneration({ ...parts, ...options });
}

/** The next generation, with its changes recorded. */
function publish(
  history: GenerationHistory,
  previous: Generation,
  changes: Record<string, EntryChange[]>,
): Generation {
  const manifests = Object.fromEntries(previous.manifests);
  for (const [name, ofSet] of Object.entries(changes)) {
    manifests[name] = (manifests[name] ?? empty).with(ofSet);
  }
  const next = generation(previous.number + 1, manifests);
  history.record(previous, next, new Map(Object.entries(changes)));
  return next;
}

function rootsOf(generation: Generation, ...names: string[]): Map<string, string> {
  return new Map(names.map((name) => [name, generation.manifests.get(name)!.rootDigest]));
}

test('makeGeneration() has a digest of the names and contents of all sets, whatever their order', () => {
  const filled = empty.with([change('a', 'x')]);
  const one = generation(1, { a: filled, b: empty });
  assert.equal(one.digest.length, 16);
  assert.equal(generation(2, { b: empty, a: filled }).digest, one.digest);
  const others = [{ a: empty, b: filled }, { a: filled }, { a: filled, c: empty }, {}];
  const digests = others.map((manifests) => generation(1, manifests).digest);
  assert.equal(new Set([one.digest, ...digests]).size, others.length + 1);
});

test('GenerationHistory.lastStep is what the latest publication changed, sorted', () => {
  const history = new GenerationHistory();
  const one = generation(1, { rules: empty, lists: empty });
  assert.equal(history.lastStep, undefined);
  history.record(undefined, one, new Map());
  assert.equal(history.lastStep, undefined);
  const two = publish(history, one, { rules: [change('b', '1'), change('a', '1')] });
  publish(history, two, { rules: [change('c', '1'), change('b')], lists: [change('l', '1')] });
  assert.deepEqual(history.lastStep, {
    toNumber: 3,
    roots: rootsOf(two, 'rules', 'lists'),
    changes: new Map([
      ['rules', [change('b'), change('c', '1')]],
      ['lists', [change('l', '1')]],
    ]),
    changesCount: 3,
  });
});

test('GenerationHistory.delta() merges the changes since, the last of each path, sorted', () => {
  const history = new GenerationHistory();
  const one = generation(1, { rules: empty, lists: empty });
  const two = publish(history, one, { rules: [change('b', '1'), change('a', '1')] });
  const three = publish(history, two, { rules: [change('b', '2')], lists: [change('l', '1')] });
  const four = publish(history, three, { rules: [change('a'), change('c', '1')] });
  assert.deepEqual(history.delta(rootsOf(one, 'rules', 'lists')), {
    fromNumber: 1,
    changes: new Map([
      ['rules', [change('a'), change('b', '2'), change('c', '1')]],
      ['lists', [change('l', '1')]],
    ]),
  });
  assert.deepEqual(history.delta(rootsOf(three, 'rules', 'lists')), {
    fromNumber: 3,
    changes: new Map([['rules', [change('a'), change('c', '1')]]]),
  });
  assert.deepEqual(history.delta(rootsOf(four, 'rules', 'lists')), {
    fromNumber: 4,
    changes: new Map(),
  });
});

test('GenerationHistory.delta() looks at the sets that are asked for, and answers for them only', () => {
  const history = new GenerationHistory();
  const one = generation(1, { rules: empty, lists: empty });
  const two = publish(history, one, { lists: [change('l', '1')] });
  publish(history, two, { rules: [change('a', '1')], lists: [change('l', '2')] });
  const delta = history.delta(rootsOf(one, 'rules'));
  // Generation 2 had the same rules, and less has changed since.
  assert.deepEqual(delta, { fromNumber: 2, changes: new Map([['rules', [change('a', '1')]]]) });
});

test('GenerationHistory.delta() starts from the newest generation with that content', () => {
  const history = new GenerationHistory();
  const one = generation(1, { rules: empty });
  const two = publish(history, one, { rules: [change('a', '1')] });
  const three = publish(history, two, { rules: [change('a')] });
  publish(history, three, { rules: [change('b', '1')] });
  assert.deepEqual(history.delta(rootsOf(one, 'rules')), {
    fromNumber: 3,
    changes: new Map([['rules', [change('b', '1')]]]),
  });
});

test('GenerationHistory.delta() knows nothing of contents that were never published', () => {
  const history = new GenerationHistory();
  assert.equal(history.delta(new Map()), undefined, 'nothing recorded');
  const one = generation(1, { rules: empty, lists: empty });
  const two = publish(history, one, { rules: [change('a', '1')] });
  const three = publish(history, two, { lists: [change('l', '1')] });
  const tampered = empty.with([change('a', 'tampered')]).rootDigest;
  assert.equal(history.delta(new Map([['rules', tampered]])), undefined);
  assert.equal(history.delta(new Map([['unknown', empty.rootDigest]])), undefined);
  const mixed = new Map([...rootsOf(one, 'rules'), ...rootsOf(three, 'lists')]);
  assert.equal(history.delta(mixed), undefined, 'these were never published together');
});

test('GenerationHistory.delta() does not lead across a time without the set', () => {
  const history = new GenerationHistory();
  const one = generation(1, { rules: empty, lists: empty });
  const two = generation(2, { rules: empty });
  history.record(one, two, new Map());
  const three = publish(history, two, { lists: [change('l', '1')] });
  assert.equal(history.delta(rootsOf(one, 'lists')), undefined);
  assert.equal(history.delta(rootsOf(three, 'lists'))?.fromNumber, 3);
  assert.equal(history.delta(rootsOf(one, 'rules'))?.fromNumber, 3);
});

test('GenerationHistory.record() forgets the oldest beyond its limits', () => {
  for (const limits of [{ generationsMax: 3 }, { changesMax: 6 }]) {
    const history = new GenerationHistory(limits);
    const generations = [generation(1, { rules: empty })];
    for (let i = 0; i < 10; i++) {
      const changes = [change('a', `${i}`), change('b', `${i}`)];
      generations.push(publish(history, generations.at(-1)!, { rules: changes }));
    }
    const known = generations.map((one) => history.delta(rootsOf(one, 'rules'))?.fromNumber);
    assert.deepEqual(known, [...Array.from({ length: 7 }, () => undefined), 8, 9, 10, 11]);
  }
  const history = new GenerationHistory({ changesMax: 1 });
  const one = generation(1, { rules: empty });
  const two = publish(history, one, { rules: [change('a', '1'), change('b', '1')] });
  assert.equal(history.delta(rootsOf(one, 'rules')), undefined, 'one change too many');
  assert.equal(history.delta(rootsOf(two, 'rules'))?.fromNumber, 2);
});

test('GenerationHistory.record() starts anew after a gap', () => {
  const history = new GenerationHistory();
  const one = generation(1, { rules: empty });
  const two = publish(history, one, { rules: [change('a', '1')] });
  const five = generation(5, { rules: two.manifests.get('rules')!.with([change('b', '1')]) });
  const six = publish(history, five, { rules: [change('c', '1')] });
  for (const lost of [one, two]) assert.equal(history.delta(rootsOf(lost, 'rules')), undefined);
  assert.equal(history.delta(rootsOf(five, 'rules'))?.fromNumber, 5);
  history.record(undefined, generation(9, { rules: empty }), new Map());
  assert.equal(history.delta(rootsOf(six, 'rules')), undefined);
  assert.equal(history.delta(rootsOf(one, 'rules'))?.fromNumber, 9);
  const small = new GenerationHistory({ changesMax: 2 });
  publish(small, one, { rules: [change('a', '1'), change('b', '1')] });
  publish(small, five, { rules: [change('c', '1')] });
  assert.equal(small.delta(rootsOf(five, 'rules'))?.fromNumber, 5, 'with room for all it may keep');
});

test('GenerationHistory.delta() leads from any retained generation to the latest', () => {
  const random = new SeededRandom('history');
  const history = new GenerationHistory({ changesMax: 60, generationsMax: 12 });
  let latest = generation(1, { rules: empty, lists: empty, sca: empty });
  const generations = [latest];
  let deltas = 0;
  for (let round = 0; round < 150; round++) {
    const changes: Record<string, EntryChange[]> = {};
    for (const name of ['rules', 'lists', 'sca']) {
      if (random.chance(0.5)) continue;
      const paths = new Set(Array.from({ length: random.integer(1, 4) }, () => wordPath(random)));
      changes[name] = [...paths].map((path) =>
        change(path, random.chance(0.4) ? undefined : `${random.integer(0, 3)}`)
      );
    }
    latest = publish(history, latest, changes);
    generations.push(latest);
    const from = random.pick(generations.slice(-20));
    const names = random.shuffled(['rules', 'lists', 'sca']).slice(0, random.integer(1, 3));
    const delta = history.delta(rootsOf(from, ...names));
    if (from === latest) assert.notEqual(delta, undefined);
    if (delta === undefined) continue;
    deltas++;
    for (const name of delta.changes.keys()) assert.ok(names.includes(name));
    const sent = readDelta(packDelta(delta.changes, names), names, 'md5');
    for (const name of names) {
      const reached = from.manifests.get(name)!.with(sent.get(name) ?? []);
      assert.equal(reached.rootDigest, latest.manifests.get(name)!.rootDigest);
    }
  }
  assert.ok(deltas > 50 && deltas < 150, `${deltas} deltas`);
});

test('packDelta() has the layout that both ends have to agree on', () => {
  const changes: Changes = new Map([['b', [change('x')]], ['a', [change('y', 'content')]]]);
  assert.equal(
    toHex(fromBytes(packDelta(changes, ['none', 'a', 'b']))),
    '0001' + '000179' + '000000000007' + '4278bcfe56800400' + toHex('content.........') +
      '0102' + '000178',
  );
});

test('readDelta() reads the sets in the order of their indices', () => {
  const changes: Changes = new Map([
    ['b', [change('x'), change('y', '1')]],
    ['a', [change('y', '1')]],
  ]);
  const names = ['a', 'none', 'b'];
  assert.deepEqual([...readDelta(packDelta(changes, names), names, 'md5')], [
    ['a', [change('y', '1')]],
    ['b', [change('x'), change('y', '1')]],
  ]);
  assert.deepEqual(readDelta(new Uint8Array(0), names, 'md5'), new Map());
});

test('packDelta() refuses changes out of order and sets without an index', () => {
  assert.throws(() => packDelta(new Map([['a', [change('y'), change('x')]]]), ['a']), /sorted/);
  assert.throws(() => packDelta(new Map([['a', [change('x')]]]), ['b']), /has an index/);
});

test('readDelta() refuses what is out of order, double or unknown', () => {
  const removed = (index: number, path: string): Uint8Array =>
    Uint8Array.of(1, index, 0, path.length, ...toBytes(path));
  const read = (...rows: Uint8Array[]): unknown =>
    readDelta(Uint8Array.from(rows.flatMap((row) => [...row])), ['a', 'b'], 'md5');
  assert.doesNotThrow(() => read(removed(0, 'y'), removed(1, 'x')));
  assertMalformed(() => read(removed(0, 'y'), removed(0, 'x')), /paths .* out of order/);
  assertMalformed(() => read(removed(0, 'x'), removed(0, 'x')), /paths .* out of order/);
  assertMalformed(() => read(removed(1, 'x'), removed(0, 'x')), /sets .* out of order/);
  assertMalformed(() => read(removed(2, 'x')), /the set 2 of 2/);
  assertMalformed(() => read(removed(0, '../x')), /"\.\."/);
  assertMalformed(() => read(Uint8Array.of(2, 0)), /unknown kind 2/);
  assertMalformed(() => read(removed(0, 'x').subarray(0, 4)), /too early/);
});

test('readDelta() throws nothing but ProtocolError, whatever the bytes', () => {
  const random = new SeededRandom('fuzz delta');
  const paths = [...new Set(Array.from({ length: 30 }, () => wordPath(random)))].sort();
  const ofSet = paths.map((path) => change(path, random.chance(0.5) ? 'content' : undefined));
  const bytes = packDelta(new Map([['a', ofSet], ['b', ofSet.slice(0, 5)]]), ['a', 'b']);
  let sound = 0;
  for (let round = 0; round < 3000; round++) {
    const other = random.chance(0.2) ? random.bytes(random.integer(0, 60)) : mutated(random, bytes);
    if (unlessMalformed(() => readDelta(other, ['a', 'b'], 'md5')) !== undefined) sound++;
  }
  assert.ok(sound < 2900, 'most were malformed');
});
