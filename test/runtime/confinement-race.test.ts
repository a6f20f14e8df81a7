/**
 * That no verb of the port `Files` leaves the root while somebody swaps what is on the way for a
 * link that leads outside. Not a proof: each test makes many attempts in the middle of many swaps,
 * which an implementation that looks first and acts then hardly survives.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { keepVersion } from '../keep-version.ts';
import { codeOf } from '../../src/base/errors.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import type { SwapOrder } from './programs/swapper.ts';
import { cleanUp, type FilesWorld, makeFilesWorld, namesBelow, plain } from './files-world.ts';

after(cleanUp);

/** A test goes on until there have been so many of each. */
const attemptsCountMin = 1000;
const swapsCountMin = 1000;
const attributes = plain;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Starts to swap. */
function startSwapping(path: string, target: string) {
  const state = new Int32Array(new SharedArrayBuffer(8));
  const order: SwapOrder = { path, aside: `${path}.aside`, target, state };
  const worker = new Worker(new URL('./programs/swapper.ts', import.meta.url), {
    workerData: order,
  });
  let hasFailed = false;
  const ended = new Promise((resolve, reject) => worker.on('exit', resolve).on('error', reject));
  // Why is told where the end is waited for.
  ended.catch(() => hasFailed = true);
  return {
    swapsCount: () => Atomics.load(state, 1),
    hasFailed: () => hasFailed,
    stop: () => {
      Atomics.store(state, 0, 1);
      return ended;
    },
  };
}

/** What may differ in a race. */
interface RaceOptions {
  readonly stateParent?: string;
  /** What is swapped for a link to its like outside. @default `d/sub` */
  readonly swapped?: 'd/sub' | 'd/sub/victim';
}

/** Makes attempts while something on the way is swapped; outside nothing may change by it. */
async function raceIn(
  attempt: (world: FilesWorld, index: number) => Promise<unknown>,
  { swapped = 'd/sub', ...options }: RaceOptions = {},
): Promise<{ readonly world: FilesWorld; readonly outcomes: unknown[] }> {
  const world = await makeFilesWorld(options);
  const { outside, root, write } = world;
  fs.mkdirSync(join(outside, 'd/sub/empty'), { recursive: true });
  for (const name of ['victim', 'secret']) {
    fs.writeFileSync(join(outside, 'd/sub', name), 'outside');
    write(`d/sub/${name}`, 'inside');
  }
  const before = snapshot(outside);
  const swapper = startSwapping(join(root, swapped), join(outside, swapped));
  const outcomes: unknown[] = [];
  while (outcomes.length < attemptsCountMin || swapper.swapsCount() < swapsCountMin) {
    outcomes.push(await attempt(world, outcomes.length).catch((error: unknown) => error));
    if (swapper.hasFailed()) break;
    await systemClock.breathe();
  }
  await swapper.stop();
  assert.deepEqual(snapshot(outside), before);
  return { world, outcomes };
}

function snapshot(directory: string): string[] {
  return namesBelow(directory).map((name) => {
    const { ino, nlink, mode, size, mtimeMs, ctimeMs } = fs.lstatSync(join(directory, name));
    return [name, ino, nlink, mode, size, mtimeMs, ctimeMs].join(' ');
  });
}

/** Errors must be those of a path that is blocked, or absent between two steps of a swap. */
function assertOnly(outcomes: readonly unknown[], codes: readonly string[]): void {
  for (const outcome of outcomes) {
    if (outcome instanceof Error) assert.ok(codes.includes(codeOf(outcome)), String(outcome));
  }
}

test('TreeWriter.place() puts nothing outside during swaps', async () => {
  const { world, outcomes } = await raceIn(async ({ files }, index) => {
    await files.stageAll([{ name: 's', bytes: bytes(`${index}`), attributes }]);
    const path = index % 2 === 0 ? 'd/sub/victim' : `d/sub/new/${index}`;
    return (await files.place([{ name: 's', path, directoryMode: 0o700 }]))[0];
  });
  assertOnly(outcomes, ['refused', 'notFound', 'changed', 'io']);
  assert.ok(namesBelow(world.root).length > 3, 'placed some');
});

test('TreeWriter.place() from another volume puts nothing outside during swaps', async (t) => {
  if (!fs.existsSync('/dev/shm')) return t.skip('there is no second file system to write to');
  const stateParent = fs.mkdtempSync('/dev/shm/muster-test-');
  try {
    const { outcomes } = await raceIn(async ({ files }, index) => {
      await files.stageAll([{ name: 's', bytes: bytes(`${index}`), attributes }]);
      const path = index % 2 === 0 ? 'd/sub/victim' : `d/sub/new/${index}`;
      return (await files.place([{ name: 's', path, directoryMode: 0o700 }]))[0];
    }, { stateParent });
    assertOnly(outcomes, ['refused', 'notFound', 'changed', 'io']);
  } finally {
    fs.rmSync(stateParent, { recursive: true });
  }
});

test('TreeWriter.remove() and removeDirectory() take nothing outside during swaps', async () => {
  const { outcomes } = await raceIn(({ files }, index) => {
    return index % 2 === 0 ? files.removeDirectory('d/sub/empty') : files.remove('d/sub/victim');
  });
  assertOnly(outcomes, ['refused']);
});

test('TreeWriter.keepVersions() keeps nothing from outside during swaps', async () => {
  const { world, outcomes } = await raceIn(({ files }, index) => {
    return keepVersion(files, 'd/sub/victim', `v${index}`);
  });
  assertOnly(outcomes, ['refused']);
  const kept = await world.files.versions();
  assert.ok(kept.length > 0);
  for (const name of kept) {
    const path = join(world.state, 'versions', name);
    assert.ok(fs.lstatSync(path).isFile());
    assert.equal(fs.readFileSync(path, 'utf8'), 'inside');
  }
});

async function readText(files: FilesWorld['files'], path: string): Promise<string> {
  const file = await files.open(path);
  const content = await file.read(0, 100);
  await file.close();
  return new TextDecoder().decode(content);
}

const outsideHash = createHash('md5').update('outside').digest('binary');

test('TreeReader reads nothing from outside during swaps', async () => {
  const { outcomes } = await raceIn(async ({ files, hash }, index) => {
    if (index % 4 === 0) return (await files.list('d/sub')).items.map(({ name }) => name).join();
    if (index % 4 === 1) {
      const [outcome] = await hash('d/sub/secret');
      return outcome?.kind === 'hashed' && outcome.hash === outsideHash ? 'outside' : outcome?.kind;
    }
    if (index % 4 === 2) return (await files.facts('d/sub/empty'))?.kind;
    return readText(files, 'd/sub/secret');
  });
  assertOnly(outcomes, ['notFound']);
  const seen = new Set(outcomes.filter((each) => !(each instanceof Error)));
  for (const each of ['outside', 'directory', 'empty,secret,victim']) {
    assert.equal(seen.has(each), false, String(each));
  }
  assert.ok(seen.has('inside'));
});

test('a file that is swapped for a link is neither followed nor kept', async () => {
  const { world, outcomes } = await raceIn(async ({ files }, index) => {
    if (index % 3 === 0) return keepVersion(files, 'd/sub/victim', `v${index}`);
    if (index % 3 === 1) return readText(files, 'd/sub/victim');
    await files.stageAll([{ name: 's', bytes: bytes('inside'), attributes }]);
    return (await files.place([{ name: 's', path: 'd/sub/victim', directoryMode: 0o700 }]))[0];
  }, { swapped: 'd/sub/victim' });
  assertOnly(outcomes, ['refused', 'notFound', 'changed']);
  assert.equal(outcomes.includes('outside'), false);
  const kept = await world.files.versions();
  assert.ok(kept.length > 0);
  for (const name of kept) {
    const path = join(world.state, 'versions', name);
    assert.ok(fs.lstatSync(path).isFile());
    assert.equal(fs.readFileSync(path, 'utf8'), 'inside');
  }
});
