import assert from 'node:assert/strict';
import { test } from 'node:test';
import { migrate } from '../../src/base/migrations.ts';
import type { Entry } from '../../src/files/entry.ts';
import type { Plan } from '../../src/files/plan.ts';
import { lossMigrations, RecentLosses } from '../../src/files/recent-losses.ts';
import { SimNetwork } from '../sim/network.ts';
import { SimNode } from '../sim/node.ts';
import { World } from '../sim/world.ts';
import { entry, fileSet } from './material.ts';

const minuteMs = 60_000;

interface Changes {
  readonly remove?: readonly string[];
  readonly create?: readonly string[];
  /** Sizes by path, before and after. */
  readonly replace?: Readonly<Record<string, readonly [number, number]>>;
}

function planOf({ remove = [], create = [], replace = {} }: Changes, keyFile = false): Plan {
  const entries = (paths: readonly string[]): Entry[] => paths.map((path) => entry(path));
  return {
    set: fileSet({ keyFile }),
    create: entries(create),
    replace: Object.entries(replace).map(([path, [before, after]]) => ({
      entry: entry(path, '', { size: after }),
      previous: entry(path, '', { size: before }),
    })),
    remove: entries(remove),
  };
}

/** A node that notes losses, and can be restarted. */
class Loser {
  readonly world = new World({ seed: 1 });
  readonly node = new SimNode(this.world, new SimNetwork(this.world), { name: 'node' });
  #losses = this.#open();

  note(changes: Changes, keyFile = false): Promise<void> {
    return this.world.settle(this.#losses.note(planOf(changes, keyFile)));
  }

  /** Files lost of late, apart from those that a plan would remove. */
  lost(...remove: string[]): number {
    return this.#losses.before(planOf({ remove })).count;
  }

  sizeOf(path: string): number | undefined {
    return this.#losses.before(planOf({})).sizeOf(path);
  }

  forget(): void {
    this.#losses.forget('rules');
  }

  pass(ms: number): Promise<void> {
    return this.world.run({ forMs: ms });
  }

  restart(): void {
    this.node.kill();
    this.#losses = this.#open();
  }

  #open(): RecentLosses {
    const { clock, database } = this.node.ports();
    migrate(database, lossMigrations);
    return new RecentLosses({ clock, database });
  }
}

test('RecentLosses adds up what was removed within ten minutes', async () => {
  const loser = new Loser();
  await loser.note({ remove: ['a', 'b'] });
  await loser.pass(6 * minuteMs);
  await loser.note({ remove: ['c'] });
  assert.equal(loser.lost(), 3);
  await loser.pass(5 * minuteMs);
  assert.equal(loser.lost(), 1);
  await loser.pass(6 * minuteMs);
  assert.equal(loser.lost(), 0);
  await loser.world.stop();
});

test('RecentLosses does not count files that came within the same minutes, or came back', async () => {
  const loser = new Loser();
  for (let i = 0; i < 100; i++) {
    await loser.note({ create: ['temporary'] });
    await loser.pass(1000);
    await loser.note({ remove: ['temporary'] });
  }
  assert.equal(loser.lost(), 0);
  await loser.note({ create: ['new'] });
  await loser.pass(11 * minuteMs);
  await loser.note({ remove: ['new', 'moved'] });
  assert.equal(loser.lost(), 2);
  await loser.note({ create: ['moved'] });
  assert.equal(loser.lost(), 1);
  loser.restart();
  assert.equal(loser.lost(), 1);
  await loser.world.stop();
});

test('RecentLosses counts a plan once that had to be tried again', async () => {
  const loser = new Loser();
  for (let attempt = 0; attempt < 3; attempt++) {
    assert.equal(loser.lost('a', 'b'), 0, 'what is to be removed is still there');
    await loser.note({ remove: ['a', 'b'] });
  }
  assert.equal(loser.lost(), 2);
  loser.restart();
  assert.equal(loser.lost(), 2);
  await loser.world.stop();
});

test('RecentLosses knows the largest size that a key file had of late', async () => {
  const loser = new Loser();
  await loser.note({ replace: { rule: [100, 10] } });
  await loser.note({ replace: { key: [100, 80] } }, true);
  await loser.pass(minuteMs);
  await loser.note({ replace: { key: [80, 60] } }, true);
  await loser.note({ replace: { key: [60, 90] } }, true);
  assert.deepEqual([loser.sizeOf('key'), loser.sizeOf('rule')], [100, undefined]);
  await loser.pass(9.5 * minuteMs);
  assert.equal(loser.sizeOf('key'), 80);
  await loser.pass(minuteMs);
  assert.equal(loser.sizeOf('key'), undefined);
  await loser.world.stop();
});

test('RecentLosses outlive a restart, for the rest of their time', async () => {
  const loser = new Loser();
  await loser.note({ remove: ['a'] });
  await loser.pass(6 * minuteMs);
  await loser.note({ remove: ['b'], replace: { key: [100, 80] } }, true);
  loser.restart();
  assert.deepEqual([loser.lost(), loser.sizeOf('key')], [2, 100]);
  await loser.pass(5 * minuteMs);
  loser.restart();
  assert.deepEqual([loser.lost(), loser.sizeOf('key')], [1, 100]);
  await loser.pass(6 * minuteMs);
  loser.restart();
  assert.deepEqual([loser.lost(), loser.sizeOf('key')], [0, undefined]);
  await loser.world.stop();
});

test('RecentLosses are not kept for longer where the clock was set back', async () => {
  const loser = new Loser();
  await loser.note({ remove: ['a'] });
  loser.node.jumpClock(-86_400_000);
  loser.restart();
  assert.equal(loser.lost(), 1);
  await loser.pass(11 * minuteMs);
  assert.equal(loser.lost(), 0);
  await loser.world.stop();
});

test('RecentLosses.forget() forgets what an operator approved, for good', async () => {
  const loser = new Loser();
  await loser.note({ remove: ['a'] });
  loser.forget();
  assert.equal(loser.lost(), 0);
  loser.restart();
  assert.equal(loser.lost(), 0);
  await loser.world.stop();
});
