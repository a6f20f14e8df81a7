import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Files } from '../../src/ports.ts';
import { SimNetwork } from './network.ts';
import { SimNode } from './node.ts';
import { TornFileChecker } from './torn-file-checker.ts';
import { World } from './world.ts';

const attributes = { mode: 0o600, owner: undefined, group: undefined, mtimeMs: undefined };
const OLD = 'old content';
const NEW = 'new content, a little longer';

/** A disk with a file in a directory, and a program that does something with it. */
async function afterCrash(
  seed: number,
  work: (files: Files) => Promise<unknown>,
): Promise<{ readonly node: SimNode; readonly text: (path: string) => string | undefined }> {
  const world = new World({ seed });
  const node = new SimNode(world, new SimNetwork(world), { name: 'n' });
  node.operator.write('d/a', OLD);
  const { files } = node.ports();
  const bytes = new TextEncoder().encode(NEW);
  await world.settle(files.stageAll([{ name: 's', bytes, attributes }]));
  await world.settle(work(files));
  node.crash();
  const text = (path: string): string | undefined => {
    const content = node.operator.read(path);
    return content && new TextDecoder().decode(content);
  };
  return { node, text };
}

const toPlace = [{ name: 's', path: 'd/a', directoryMode: 0o700 }];

/** What a path holds after a crash, over many seeds. */
async function fates(
  work: (files: Files) => Promise<unknown>,
  path = 'd/a',
): Promise<Set<string | undefined>> {
  const found = new Set<string | undefined>();
  for (let seed = 1; seed <= 40; seed++) found.add((await afterCrash(seed, work)).text(path));
  return found;
}

test('SimDisk.crash() keeps a rename whose content and directory were flushed', async () => {
  const found = await fates(async (files) => {
    await files.flushStaged(['s']);
    await files.place(toPlace);
    await files.flushDirectories(['d']);
  });
  assert.deepEqual(found, new Set([NEW]));
});

test('SimDisk.crash() may undo a rename whose directory was not flushed, and then whole', async () => {
  const found = await fates(async (files) => {
    await files.flushStaged(['s']);
    await files.place(toPlace);
  });
  assert.deepEqual(found, new Set([OLD, NEW]));
});

test('SimDisk.crash() loses, cuts, zeroes or keeps a content that was not flushed', async () => {
  const found = await fates(async (files) => {
    await files.place(toPlace);
    await files.flushDirectories(['d']);
  });
  assert.ok(found.has(NEW) && found.has(''), 'kept and lost');
  const torn = [...found].filter((text) => text !== NEW && text !== '');
  assert.ok(torn.some((text) => NEW.startsWith(text!)), 'cut');
  assert.ok(torn.some((text) => text!.length === NEW.length && text!.includes('\0')), 'zeroed');
});

test('SimDisk.crash() may bring back what was removed and not flushed', async () => {
  assert.deepEqual(await fates((files) => files.remove('d/a')), new Set([OLD, undefined]));
  const found = await fates(async (files) => {
    await files.remove('d/a');
    await files.flushDirectories(['d']);
  });
  assert.deepEqual(found, new Set([undefined]));
});

test('SimDisk.crash() may lose a new directory with all in it, unless that was flushed', async () => {
  const moves = [{ name: 's', path: 'x/y/z', directoryMode: 0o700 }];
  const work = (directories: readonly string[]) => async (files: Files) => {
    await files.flushStaged(['s']);
    await files.place(moves);
    await files.flushDirectories(directories);
  };
  assert.deepEqual(await fates(work(['x']), 'x/y/z'), new Set([NEW, undefined]));
  assert.deepEqual(await fates(work(['x/y']), 'x/y/z'), new Set([NEW]));
});

test('SimDisk.crash() keeps steps of one directory in order', async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const { node } = await afterCrash(seed, async (files) => {
      for (let i = 0; i < 5; i++) {
        await files.stageAll([{ name: `n${i}`, bytes: Uint8Array.of(i), attributes }]);
        await files.flushStaged([`n${i}`]);
        await files.place([{ name: `n${i}`, path: `d/n${i}`, directoryMode: 0o700 }]);
      }
    });
    const names = [...node.operator.snapshot().keys()].filter((path) => path.startsWith('d/n'));
    assert.deepEqual(names, names.map((_, i) => `d/n${i}`), 'a beginning of what was done');
  }
});

test('SimDisk.crash() leaves what the operator wrote, and counts the free space anew', async () => {
  const { node, text } = await afterCrash(1, async () => {});
  node.disk.quotaBytes = 1000;
  node.operator.write('d/b', 'x'.repeat(100));
  node.disk.crash();
  assert.equal(text('d/b'), 'x'.repeat(100));
  const staged = [...node.disk.staging.children.values()]
    .reduce((sum, { body }) => sum + body.size, 0);
  assert.equal(node.disk.freeBytes, 1000 - 100 - OLD.length - staged);
});

function cluster(seed = 1): { world: World; master: SimNode; worker: SimNode } {
  const world = new World({ seed });
  const network = new SimNetwork(world);
  const master = new SimNode(world, network, { name: 'master', role: 'master' });
  const worker = new SimNode(world, network, { name: 'worker' });
  master.operator.write('a', 'one');
  master.operator.write('a', 'two');
  new TornFileChecker(world, master.disk, [worker.disk], (path) => !path.startsWith('own/'));
  return { world, master, worker };
}

async function placed(worker: SimNode, path: string, content: string): Promise<void> {
  const { files } = worker.ports();
  const bytes = new TextEncoder().encode(content);
  await files.stageAll([{ name: 's', bytes, attributes }]);
  await files.place([{ name: 's', path, directoryMode: 0o700 }]);
}

test('TornFileChecker accepts every version that the path ever had on the master', async () => {
  const { world, master, worker } = cluster();
  for (const content of ['two', 'one']) await world.settle(placed(worker, 'a', content));
  master.operator.write('a', 'three');
  master.operator.remove('a');
  await world.settle(placed(worker, 'a', 'three'));
  await world.settle(placed(worker, 'own/file', 'anything'));
  await world.stop();
});

test('TornFileChecker fails for a part of a version, and for one of another path', async () => {
  for (const [path, content] of [['a', 'tw'], ['b', 'two']] as const) {
    const { world, worker } = cluster();
    await assert.rejects(
      world.settle(placed(worker, path, content)),
      new RegExp(`"${path}" on worker never was on the master`),
    );
  }
});

test('TornFileChecker accepts what an intruder wrote, and a file that the master writes itself', async () => {
  const { world, master, worker } = cluster();
  worker.operator.write('a', 'tampered');
  await world.settle(placed(master, 'made', 'by the master'));
  await world.settle(placed(worker, 'made', 'by the master'));
  await world.stop();
});

test('TornFileChecker looks at everything again after a crash', async () => {
  const outcomes = new Set<string>();
  for (let seed = 1; seed <= 20; seed++) {
    const { world, master, worker } = cluster(seed);
    master.operator.write('long', 'x'.repeat(1000));
    await world.settle(placed(worker, 'long', 'x'.repeat(1000)));
    worker.disk.flushNames(new Set([worker.disk.root]));
    worker.crash();
    const isWhole = worker.operator.read('long')?.length === 1000 &&
      worker.operator.snapshot().get('long') === master.operator.snapshot().get('long');
    const run = world.run({ forMs: 1 });
    if (isWhole) await run;
    else await assert.rejects(run, /"long" on worker never was on the master/);
    outcomes.add(isWhole ? 'whole' : 'torn');
  }
  assert.equal(outcomes.size, 2);
});
