import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromText } from '../../src/base/bytes.ts';
import type { EntryChange } from '../../src/files/entry.ts';
import type { ScanReport } from '../../src/files/scan.ts';
import { fileSet } from './material.ts';
import { changesOf, entryOf, everywhere, never, paths, TreeWorld } from './tree-world.ts';

/** The changes of a report, as `+path` or `-path`, sorted. */
function changed(report: ScanReport): string[] {
  const show = ({ path, entry }: EntryChange): string =>
    `${entry === undefined ? '-' : '+'}${path}`;
  return [...report.changes.keys()].flatMap((set) => changesOf(report, set)).map(show).sort();
}

function hints(...texts: string[]) {
  return { kind: 'hints' as const, paths: new Set(paths(...texts)) };
}

test('Scanner.scan() reports what is new, changed and gone, and nothing twice', async () => {
  const tree = new TreeWorld();
  const { operator } = tree.node;
  operator.write('etc/rules/a.xml', 'one');
  operator.write('etc/rules/deep/down/b.xml', 'two');
  operator.write('etc/rules/left~', 'excluded');
  operator.write('etc/elsewhere.xml', 'not managed');
  const scanner = await tree.scanner();

  const first = await tree.run(scanner.scan(everywhere, never));
  assert.deepEqual(changed(first), ['+etc/rules/a.xml', '+etc/rules/deep/down/b.xml']);
  assert.equal(first.filesCount, 2);
  assert.equal(first.hashedBytes, 6);
  assert.equal(
    scanner.manifest('rules').get('etc/rules/a.xml')?.hash,
    entryOf('etc/rules/a.xml', 'one').hash,
  );

  await tree.pass(1000);
  operator.write('etc/rules/a.xml', 'other');
  operator.remove('etc/rules/deep');
  const second = await tree.run(scanner.scan(everywhere, never));
  assert.deepEqual(changed(second), ['+etc/rules/a.xml', '-etc/rules/deep/down/b.xml']);
  assert.equal(scanner.manifest('rules').count, 1);

  const third = await tree.run(scanner.scan(everywhere, never));
  assert.deepEqual(changed(third), []);
  await tree.world.stop();
});

test('Scanner.scan() reads a settled file once, and a racy one until it is settled', async () => {
  const tree = new TreeWorld();
  tree.node.operator.write('etc/rules/old', 'x');
  await tree.pass(1000);
  tree.node.operator.write('etc/rules/new', 'y');
  const scanner = await tree.scanner({ racyWindowMs: 500 });
  const scan = () => tree.run(scanner.scan(everywhere, never));
  assert.equal((await scan()).hashedCount, 2);
  assert.equal((await scan()).hashedCount, 1);
  await tree.pass(1000);
  assert.equal((await scan()).hashedCount, 1);
  assert.equal((await scan()).hashedCount, 0);
  await tree.world.stop();
});

test('Scanner.scan() does not read files of a far future again and again', async () => {
  const tree = new TreeWorld();
  const future = tree.ports.clock.nowMs() + 1e9;
  tree.node.operator.write('etc/rules/future', 'x', { mtimeMs: future });
  await tree.pass(5000);
  const scanner = await tree.scanner({ racyWindowMs: 500 });
  await tree.run(scanner.scan(everywhere, never));
  assert.equal((await tree.run(scanner.scan(everywhere, never))).hashedCount, 0);
  await tree.world.stop();
});

test('Scanner.scan() sees a change of the same size with the modification time put back', async () => {
  const tree = new TreeWorld();
  tree.node.operator.write('etc/rules/a', 'good');
  await tree.pass(1000);
  const scanner = await tree.scanner();
  await tree.run(scanner.scan(everywhere, never));
  tree.node.operator.tamper('etc/rules/a', 'evil');
  assert.deepEqual(changed(await tree.run(scanner.scan(everywhere, never))), ['+etc/rules/a']);
  await tree.world.stop();
});

test('Scanner.scan() reads every file once in rehashEveryMs, and so finds rot', async () => {
  const tree = new TreeWorld();
  for (let i = 0; i < 40; i++) tree.node.operator.write(`etc/rules/${i}`, `good ${i}`);
  await tree.pass(1000);
  const scanner = await tree.scanner({ rehashEveryMs: 100_000 });
  await tree.run(scanner.scan(everywhere, never));
  tree.node.operator.rot('etc/rules/17', 'evil 1!');
  const found: string[] = [];
  let hashedCount = 0;
  for (let second = 0; second < 100; second++) {
    await tree.pass(1000);
    const report = await tree.run(scanner.scan(everywhere, never));
    hashedCount += report.hashedCount;
    found.push(...changed(report));
  }
  assert.deepEqual(found, ['+etc/rules/17']);
  assert.ok(hashedCount >= 40 && hashedCount < 80, `${hashedCount} files were read again`);
  assert.ok(tree.node.records.some(({ text }) => text.includes('although its size and times')));
  await tree.world.stop();
});

test('Scanner.scan() after a long standstill reads at most an eighth of the files again', async () => {
  const tree = new TreeWorld();
  for (let i = 0; i < 80; i++) tree.node.operator.write(`etc/rules/${i}`, `${i}`);
  await tree.pass(1000);
  const first = await tree.scanner({ rehashEveryMs: 10_000 });
  await tree.run(first.scan(everywhere, never));
  tree.node.kill();
  await tree.pass(3_600_000);
  const second = await tree.scanner({ rehashEveryMs: 10_000 });
  const counts: number[] = [];
  for (let i = 0; i < 9; i++) {
    counts.push((await tree.run(second.scan(everywhere, never))).hashedCount);
  }
  assert.deepEqual(counts.slice(0, 8), [10, 10, 10, 10, 10, 10, 10, 10]);
  await tree.world.stop();
});

test('Scanner.verify() reads every file and finds rot at once', async () => {
  const tree = new TreeWorld();
  tree.node.operator.write('etc/rules/a', 'good');
  tree.node.operator.write('etc/rules/b', 'good');
  await tree.pass(1000);
  const scanner = await tree.scanner();
  await tree.run(scanner.scan(everywhere, never));
  tree.node.operator.rot('etc/rules/b', 'evil');
  assert.deepEqual(changed(await tree.run(scanner.scan(everywhere, never))), []);
  const report = await tree.run(scanner.verify(never));
  assert.deepEqual(changed(report), ['+etc/rules/b']);
  assert.equal(report.hashedCount, 2);
  await tree.world.stop();
});

test('Scanner.load() lets a restart read nothing that has not changed', async () => {
  const tree = new TreeWorld({ sets: [fileSet(), fileSet({ name: 'lists', path: 'etc/lists' })] });
  for (let i = 0; i < 300; i++) tree.node.operator.write(`etc/rules/d${i % 7}/${i}`, `${i}`);
  tree.node.operator.write('etc/lists/odd \x01\x7f\x80\xff name', 'odd');
  await tree.pass(1000);
  const before = await tree.scanner();
  await tree.run(before.scan(everywhere, never));
  tree.node.kill();
  tree.node.operator.write('etc/rules/d3/3', 'changed');
  tree.node.operator.remove('etc/rules/d5');
  const after = await tree.scanner();
  assert.equal(after.manifest('rules').rootDigest, before.manifest('rules').rootDigest);
  assert.equal(after.manifest('lists').rootDigest, before.manifest('lists').rootDigest);
  const report = await tree.run(after.scan(everywhere, never));
  assert.equal(report.hashedCount, 1);
  assert.equal(changesOf(report, 'rules').length, 1 + 43);
  await tree.world.stop();
});

test('Scanner.load() believes nothing of which a crash has stored only a part', async () => {
  let isStored = false;
  for (let transactions = 1; !isStored; transactions++) {
    const tree = new TreeWorld({ seed: transactions });
    const { operator } = tree.node;
    for (let i = 0; i < 400; i++) operator.write(`etc/rules/d${i % 7}/${i}`, `${i}`);
    await tree.pass(1000);
    const first = await tree.scanner();
    await tree.run(first.scan(everywhere, never));
    operator.write('etc/rules/d3/3', 'changed');
    for (let i = 0; i < 200; i++) operator.remove(`etc/rules/d${i % 7}/${i}`);
    for (let i = 400; i < 600; i++) operator.write(`etc/rules/d${i % 3}/${i}`, `${i}`);
    const isKilled = tree.killAfter(transactions);
    first.scan(everywhere, never).then(() => isStored = true, () => {});
    await tree.world.run({ until: () => isKilled() || isStored, limitMs: 60_000 });
    if (!isStored) {
      // What was new may be in the store already, and is gone.
      operator.remove('etc/rules/d0/450');
      operator.remove('etc/rules/d1');
      await tree.pass(1000);
      const after = await tree.scanner();
      await tree.run(after.scan(everywhere, never));
      const entries = [...after.manifest('rules').entries()];
      const paths = [...operator.snapshot().keys()];
      assert.deepEqual(entries.map(({ path }) => path).sort(), paths.sort());
    }
    assert.ok(transactions < 30);
    await tree.world.stop();
  }
});

test('Scanner stores with the next scan what it could not store', async () => {
  const tree = new TreeWorld();
  for (let i = 0; i < 300; i++) tree.node.operator.write(`etc/rules/d${i % 7}/${i}`, `${i}`);
  await tree.pass(1000);
  const { database } = tree.ports;
  const scanner = await tree.scanner();
  const exec = database.exec.bind(database);
  let commitsLeft = 2;
  database.exec = (sql) => {
    if (sql === 'COMMIT' && commitsLeft-- === 0) throw new Error('the disk is full');
    exec(sql);
  };
  await assert.rejects(tree.run(scanner.scan(everywhere, never)), /the disk is full/);
  await tree.run(scanner.scan(everywhere, never));
  tree.node.kill();
  const after = await tree.scanner();
  assert.equal((await tree.run(after.scan(everywhere, never))).hashedCount, 0);
  assert.equal(after.manifest('rules').count, 300);
  await tree.world.stop();
});

test('Scanner.load() leaves out what no set chooses any more', async () => {
  const tree = new TreeWorld();
  tree.node.operator.write('etc/rules/a.xml', 'x');
  tree.node.operator.write('etc/rules/b.txt', 'x');
  const before = await tree.scanner();
  await tree.run(before.scan(everywhere, never));
  const narrow = new TreeWorld({ sets: [fileSet({ include: ['*.xml'] })] });
  Object.assign(tree, { sets: narrow.sets });
  const after = await tree.scanner();
  assert.deepEqual([...after.manifest('rules').entries()].map(({ path }) => path), [
    'etc/rules/a.xml',
  ]);
  await tree.world.stop();
});

test('Scanner.scan() never takes a directory that cannot be read for an empty one', async () => {
  const tree = new TreeWorld();
  const { operator } = tree.node;
  operator.write('etc/rules/sub/a', 'x');
  operator.write('etc/rules/sub/deeper/b', 'x');
  operator.write('etc/rules/c', 'x');
  const scanner = await tree.scanner();
  await tree.run(scanner.scan(everywhere, never));

  tree.node.disk.deny('etc/rules/sub', 'read');
  operator.remove('etc/rules/c');
  const report = await tree.run(scanner.scan(everywhere, never));
  assert.deepEqual(changed(report), ['-etc/rules/c']);
  assert.deepEqual(report.problems.map(({ path, kind }) => [path, kind]), [
    ['etc/rules/sub', 'unreadable'],
  ]);
  tree.node.disk.deny('etc/rules', 'read');
  const blind = await tree.run(scanner.scan(everywhere, never));
  assert.deepEqual(changed(blind), []);
  assert.deepEqual(blind.missingRoots, []);

  tree.node.disk.allow('etc/rules');
  tree.node.disk.allow('etc/rules/sub');
  const clear = await tree.run(scanner.scan(everywhere, never));
  assert.deepEqual([changed(clear), clear.problems], [[], []]);
  await tree.world.stop();
});

test('Scanner.scan() keeps what it knows of names that cannot be looked at', async () => {
  const tree = new TreeWorld();
  tree.node.operator.write('etc/rules/a', 'x');
  tree.node.operator.write('etc/rules/sub/b', 'x');
  const scanner = await tree.scanner();
  await tree.run(scanner.scan(everywhere, never));
  tree.node.disk.deny('etc/rules/a', 'facts');
  tree.node.disk.deny('etc/rules/sub', 'facts');
  tree.node.disk.unreadableNames.set('etc/rules', ['\ufffd']);
  const report = await tree.run(scanner.scan(everywhere, never));
  assert.deepEqual(changed(report), []);
  assert.deepEqual(report.problems.map(({ path }) => path).sort(), [
    'etc/rules/a',
    'etc/rules/sub',
    fromText('etc/rules/\ufffd'),
  ]);
  await tree.world.stop();
});

test('Scanner.scan() flags a set whose directory is missing; a link there is no deletion', async () => {
  const sets = [fileSet(), fileSet({ name: 'lists', path: 'etc/lists' })];
  const tree = new TreeWorld({ sets });
  const { operator } = tree.node;
  operator.write('etc/rules/a', 'x');
  const scanner = await tree.scanner();
  const first = await tree.run(scanner.scan(everywhere, never));
  assert.deepEqual(first.missingRoots, ['lists']);

  operator.rename('etc/rules', 'moved');
  operator.symlink('etc/rules', '/moved');
  const linked = await tree.run(scanner.scan(everywhere, never));
  assert.deepEqual(changed(linked), []);
  assert.deepEqual(linked.problems.map(({ path, kind }) => [path, kind]), [[
    'etc/rules',
    'unreadable',
  ]]);
  assert.deepEqual(linked.missingRoots, ['lists']);

  operator.remove('etc/rules');
  const gone = await tree.run(scanner.scan(everywhere, never));
  assert.deepEqual(changed(gone), ['-etc/rules/a']);
  assert.deepEqual(gone.missingRoots, ['rules', 'lists']);
  await tree.world.stop();
});

test('Scanner.scan() takes neither an empty directory nor one it cannot read for missing', async () => {
  const sets = [fileSet(), fileSet({ name: 'lists', path: 'etc/lists' })];
  const tree = new TreeWorld({ sets });
  tree.node.operator.makeDirectory('etc/rules');
  tree.node.operator.makeDirectory('etc/lists');
  tree.node.disk.deny('etc/lists', 'read');
  const scanner = await tree.scanner();
  assert.deepEqual((await tree.run(scanner.scan(everywhere, never))).missingRoots, []);
  assert.deepEqual((await tree.run(scanner.scan(hints('etc/rules/a'), never))).missingRoots, []);
  await tree.world.stop();
});

test('Scanner.scan() follows no link and reports what is no file', async () => {
  const tree = new TreeWorld();
  const { operator } = tree.node;
  operator.write('outside/secret', 'x');
  operator.symlink('etc/rules/directory', '/outside');
  operator.symlink('etc/rules/file', '/outside/secret');
  operator.symlink('etc/elsewhere', '/outside');
  const scanner = await tree.scanner();
  const report = await tree.run(scanner.scan(everywhere, never));
  assert.deepEqual(changed(report), []);
  assert.deepEqual(report.problems.map(({ path, kind }) => `${kind} ${path}`).sort(), [
    'symlink etc/rules/directory',
    'symlink etc/rules/file',
  ]);
  await tree.world.stop();
});

test('Scanner.scan() keeps the entry of a file that is being written, until it is whole', async () => {
  const tree = new TreeWorld();
  const { operator } = tree.node;
  operator.write('etc/rules/a', 'old');
  await tree.pass(1000);
  const scanner = await tree.scanner();
  await tree.run(scanner.scan(everywhere, never));
  operator.write('etc/rules/a', 'x'.repeat(100_000));
  tree.node.disk.fault = ({ verb }) => {
    if (verb !== 'hash one') return;
    tree.world.after(0.01, 'the operator goes on', () => operator.write('etc/rules/a', 'whole'));
  };
  const torn = await tree.run(scanner.scan(everywhere, never));
  tree.node.disk.fault = () => {};
  assert.deepEqual(torn.problems.map(({ kind }) => kind), ['changed']);
  assert.deepEqual(changed(torn), []);
  const { hash } = entryOf('', 'old');
  assert.equal(scanner.manifest('rules').get('etc/rules/a')?.hash, hash);
  assert.deepEqual(changed(await tree.run(scanner.scan(everywhere, never))), ['+etc/rules/a']);
  assert.equal(scanner.manifest('rules').get('etc/rules/a')?.size, 5);
  await tree.world.stop();
});

test('Scanner.scan() keeps the entry of a file that cannot be read, and tries it each time', async () => {
  const tree = new TreeWorld();
  tree.node.operator.write('etc/rules/a', 'old');
  await tree.pass(1000);
  const scanner = await tree.scanner();
  await tree.run(scanner.scan(everywhere, never));
  tree.node.operator.write('etc/rules/a', 'new');
  tree.node.disk.deny('etc/rules/a', 'read');
  for (let i = 0; i < 2; i++) {
    const report = await tree.run(scanner.scan(everywhere, never));
    assert.deepEqual(changed(report), []);
    assert.deepEqual(report.problems.map(({ path, kind }) => `${kind} ${path}`), [
      'unreadable etc/rules/a',
    ]);
  }
  tree.node.disk.allow('etc/rules/a');
  assert.deepEqual(changed(await tree.run(scanner.scan(everywhere, never))), ['+etc/rules/a']);
  await tree.world.stop();
});

test('Scanner.scan() tries a file again that could not be read when it was to be verified', async () => {
  const tree = new TreeWorld();
  tree.node.operator.write('etc/rules/a', 'old');
  await tree.pass(1000);
  const scanner = await tree.scanner();
  await tree.run(scanner.scan(everywhere, never));
  tree.node.disk.deny('etc/rules/a', 'read');
  assert.equal((await tree.run(scanner.verify(never))).problems.length, 1);
  tree.node.disk.allow('etc/rules/a');
  tree.node.operator.rot('etc/rules/a', 'bad');
  assert.deepEqual(changed(await tree.run(scanner.scan(everywhere, never))), ['+etc/rules/a']);
  await tree.world.stop();
});

test('Scanner.scan() takes up a new time without telling of a change', async () => {
  const tree = new TreeWorld();
  tree.node.operator.write('etc/rules/a', 'x');
  const scanner = await tree.scanner();
  await tree.run(scanner.scan(everywhere, never));
  tree.node.operator.touch('etc/rules/a', 1_234_567_890_123);
  assert.deepEqual(changed(await tree.run(scanner.scan(everywhere, never))), []);
  assert.equal(scanner.manifest('rules').get('etc/rules/a')?.mtimeMs, 1_234_567_890_123);
  await tree.world.stop();
});

test('Scanner.scan() ignores names of muster and reports paths that are too long', async () => {
  const tree = new TreeWorld();
  const long = Array.from({ length: 20 }, () => 'n'.repeat(250)).join('/');
  tree.node.operator.write('etc/rules/.muster-tmp-1', 'x');
  tree.node.operator.write('etc/rules/.muster-tmp-d/a', 'x');
  tree.node.operator.write(`etc/rules/${long}`, 'x');
  const scanner = await tree.scanner();
  const report = await tree.run(scanner.scan(everywhere, never));
  assert.deepEqual(changed(report), []);
  assert.deepEqual(report.problems.map(({ kind }) => kind), ['name']);
  await tree.world.stop();
});

test('Scanner.scan() with hints looks only there, and below what is new there', async () => {
  const tree = new TreeWorld();
  const { operator } = tree.node;
  for (let i = 0; i < 20; i++) operator.write(`etc/rules/d${i}/a`, 'x');
  const scanner = await tree.scanner();
  await tree.pass(1000);
  await tree.run(scanner.scan(everywhere, never));

  operator.write('etc/rules/d7/a', 'changed');
  operator.write('etc/rules/d8/a', 'changed, without a hint');
  operator.write('etc/rules/new/deep/b', 'x');
  const report = await tree.run(
    scanner.scan(hints('etc/rules/d7/a', 'etc/rules/new', 'etc/unknown/x'), never),
  );
  assert.deepEqual(changed(report), ['+etc/rules/d7/a', '+etc/rules/new/deep/b']);
  assert.ok(report.directoriesCount <= 4, `${report.directoriesCount} directories`);

  operator.remove('etc/rules/new');
  operator.remove('etc/rules/d9');
  const gone = await tree.run(scanner.scan(hints('etc/rules/new/deep/b', 'etc/rules/d9'), never));
  assert.deepEqual(changed(gone), ['-etc/rules/d9/a', '-etc/rules/new/deep/b']);

  const inside = await tree.run(scanner.scan(hints('etc/rules/d8'), never));
  assert.deepEqual(changed(inside), ['+etc/rules/d8/a']);
  await tree.world.stop();
});

test('Scanner.scan() with hints sees a root appear and vanish', async () => {
  const tree = new TreeWorld();
  const scanner = await tree.scanner();
  await tree.run(scanner.scan(everywhere, never));
  tree.node.operator.write('etc/rules/sub/a', 'x');
  const appeared = await tree.run(scanner.scan(hints('etc/rules/sub/a'), never));
  assert.deepEqual(changed(appeared), ['+etc/rules/sub/a']);
  tree.node.operator.remove('etc');
  const vanished = await tree.run(scanner.scan(hints('etc'), never));
  assert.deepEqual(changed(vanished), ['-etc/rules/sub/a']);
  assert.deepEqual(vanished.missingRoots, ['rules']);
  await tree.world.stop();
});

test('Scanner.scan() that is stopped keeps what it found for the next report', async () => {
  const tree = new TreeWorld({ seed: 5 });
  for (let i = 0; i < 2000; i++) tree.node.operator.write(`etc/rules/d${i % 50}/${i}`, `${i}`);
  await tree.pass(1000);
  const scanner = await tree.scanner();
  const controller = new AbortController();
  const stopped = scanner.scan(everywhere, controller.signal, ({ hashedCount }) => {
    if (hashedCount > 600) controller.abort(new Error('enough'));
  });
  await assert.rejects(tree.run(stopped), /enough/);
  assert.equal(scanner.manifest('rules').count, 0);
  const report = await tree.run(scanner.scan(everywhere, never));
  assert.equal(changesOf(report, 'rules').length, 2000);
  assert.ok(report.hashedCount < 1500, `${report.hashedCount} files were read`);
  assert.equal(scanner.manifest('rules').count, 2000);
  await tree.world.stop();
});

test('Scanner.adopt() and forget() take up what the program did, without reading', async () => {
  const tree = new TreeWorld();
  const { operator } = tree.node;
  operator.write('etc/rules/a', 'x');
  operator.write('etc/rules/b', 'x');
  const scanner = await tree.scanner({ racyWindowMs: 60_000 });
  await tree.pass(100_000);
  await tree.run(scanner.scan(everywhere, never));

  operator.write('etc/rules/new', 'placed');
  operator.remove('etc/rules/b');
  const facts = await tree.run(tree.ports.files.facts('etc/rules/new'));
  const { hash } = entryOf('', 'placed');
  await tree.run(scanner.adopt([{ path: 'etc/rules/new', facts: facts!, hash }]));
  await tree.run(scanner.forget(['etc/rules/b']));
  assert.equal(scanner.manifest('rules').get('etc/rules/new')?.hash, hash);
  assert.equal(scanner.manifest('rules').count, 2);
  const report = await tree.run(scanner.scan(everywhere, never));
  assert.deepEqual([changed(report), report.hashedCount], [[], 0]);

  tree.node.kill();
  const after = await tree.scanner({ racyWindowMs: 60_000 });
  assert.equal((await tree.run(after.scan(everywhere, never))).hashedCount, 0);
  await tree.world.stop();
});

test('Scanner.adopt() counts for more than what a stopped scan had found before', async () => {
  const tree = new TreeWorld();
  for (let i = 0; i < 600; i++) tree.node.operator.write(`etc/rules/${i}`, 'found');
  const scanner = await tree.scanner();
  const controller = new AbortController();
  const stopped = scanner.scan(everywhere, controller.signal, ({ hashedCount }) => {
    if (hashedCount >= 512) controller.abort(new Error('enough'));
  });
  await assert.rejects(tree.run(stopped), /enough/);
  const placed = [];
  for (let i = 0; i < 600; i++) {
    const path = `etc/rules/${i}`;
    tree.node.operator.write(path, 'placed');
    const facts = await tree.run(tree.ports.files.facts(path));
    placed.push({ path, facts: facts!, hash: entryOf('', 'placed').hash });
  }
  await tree.run(scanner.adopt(placed));
  assert.deepEqual(changed(await tree.run(scanner.scan(hints('etc/none'), never))), []);
  for (const { hash } of scanner.manifest('rules').entries()) {
    assert.equal(hash, entryOf('', 'placed').hash);
  }
  await tree.world.stop();
});

test('Scanner.scan() gives others a turn all along a large directory', async () => {
  const tree = new TreeWorld({ disk: { latency: { minMs: 0, typicalMs: 0, maxMs: 0 } } });
  for (let i = 0; i < 5000; i++) tree.node.operator.write(`etc/rules/${i}`, 'x');
  const scanner = await tree.scanner();
  const clock = tree.ports.clock as unknown as { readonly breathsCount: number };
  const before = clock.breathsCount;
  await tree.run(scanner.scan(everywhere, never));
  assert.ok(clock.breathsCount - before > 5000 / 500, 'it breathes');
  await tree.world.stop();
});
