import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deferred } from '../../src/base/async.ts';
import { ClusterError, codeOf } from '../../src/base/errors.ts';
import { failurePauseMs, Scheduler } from '../../src/tasks/scheduler.ts';
import type { RoundReport, Schedule, Task, Turn } from '../../src/tasks/task.ts';
import { countedSignal } from '../base/counted-signal.ts';
import { SimNetwork } from '../sim/network.ts';
import { SimNode } from '../sim/node.ts';
import { World } from '../sim/world.ts';

const nothing: RoundReport = { summary: undefined };

/** A scheduler with one task, and what there is to see of it. */
class Bench {
  readonly world = new World({ seed: 1 });
  readonly node = new SimNode(this.world, new SimNetwork(this.world), { name: 'node' });
  readonly scheduler = new Scheduler(this.node.ports());
  readonly startsMs: number[] = [];
  readonly #controller = new AbortController();
  readonly #ended: Promise<void>;
  #runningCount = 0;

  /** @param round what a round does; it is given the number of the round */
  constructor(
    round: (turn: Turn, number: number) => Promise<RoundReport>,
    schedule: Partial<Schedule> = {},
  ) {
    const task: Task = {
      name: 'integrity',
      title: 'Integrity check',
      schedule: { intervalMs: 1000, deadlineMs: 5000, ...schedule },
      round: async (turn) => {
        assert.equal(this.#runningCount, 0, 'rounds overlap');
        this.#runningCount += 1;
        this.startsMs.push(this.world.nowMs);
        try {
          return await round(turn, this.startsMs.length);
        } finally {
          this.#runningCount -= 1;
        }
      },
    };
    // Not before the world runs: a round begins at once, and the test has no bench yet.
    const { signal } = this.#controller;
    this.#ended = this.sleep(0).then(() => this.scheduler.start(task, signal));
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.node.ports().clock.sleep(ms, signal);
  }

  get state() {
    return this.scheduler.states()[0]!;
  }

  get roundsCount(): number {
    return this.scheduler.states()[0]?.roundsCount ?? 0;
  }

  logged(level: string): string[] {
    return this.node.records.filter((line) => line.level === level)
      .map(({ tags, text }) => `[${tags.join('] [')}] ${text}`);
  }

  /** Aborts the loop; the time that it took to end. */
  async stop(): Promise<number> {
    const startMs = this.world.nowMs;
    this.#controller.abort(new ClusterError('aborted', 'Stopping'));
    await this.world.settle(this.#ended);
    const tookMs = this.world.nowMs - startMs;
    await this.world.stop();
    return tookMs;
  }
}

test('failurePauseMs() doubles the interval with each failure, up to eight times', () => {
  // interval, failures in a row, expected
  const table = [
    [1000, 0, 1000],
    [1000, 1, 1000],
    [1000, 2, 2000],
    [1000, 3, 4000],
    [1000, 4, 8000],
    [1000, 5, 8000],
    [1000, 5000, 8000],
    [60_000, 3, 240_000],
  ] as const;
  for (const [intervalMs, failures, expected] of table) {
    assert.equal(failurePauseMs(intervalMs, failures), expected);
  }
});

test('Scheduler runs a round at once, and the next an interval after its end', async () => {
  const bench = new Bench(async () => {
    await bench.sleep(300);
    return nothing;
  });
  await bench.world.run({ forMs: 4000 });
  assert.deepEqual(bench.startsMs, [0, 1300, 2600, 3900]);
  await bench.stop();
});

test('Scheduler waits a random part of the interval first where the task is staggered', async () => {
  const bench = new Bench(() => Promise.resolve(nothing), {
    intervalMs: 10_000,
    isStaggered: true,
  });
  await bench.world.run({ forMs: 10_000 });
  assert.equal(bench.startsMs.length, 1);
  assert.ok(bench.startsMs[0]! > 0);
  await bench.stop();
  const hurried = new Bench(() => Promise.resolve(nothing), { intervalMs: 1e9, isStaggered: true });
  await hurried.world.run({ forMs: 0 });
  await hurried.world.settle(hurried.scheduler.runNow('integrity'));
  assert.deepEqual(hurried.startsMs, [0], 'unless somebody wants it at once');
  await hurried.stop();
});

test('Scheduler starts the next round at once where there is more to do', async () => {
  const bench = new Bench((_, number) => Promise.resolve({ ...nothing, isMore: number % 3 !== 0 }));
  await bench.world.run({ forMs: 1500 });
  assert.equal(bench.startsMs.length, 6);
  assert.ok(bench.startsMs[2]! < 10 && bench.startsMs[3]! >= 1000);
  await bench.stop();
});

test('Scheduler.runNow() ends the pause, and resolves with the round that follows', async () => {
  const bench = new Bench((_, number) => Promise.resolve({ summary: `round ${number}` }));
  await bench.world.run({ forMs: 400 });
  const outcome = await bench.world.settle(bench.scheduler.runNow('integrity'), 0);
  assert.deepEqual(outcome, { kind: 'done', report: { summary: 'round 2' } });
  await bench.world.run({ forMs: 1000 });
  assert.deepEqual(bench.startsMs, [0, 400, 1400], 'the interval begins anew');
  await bench.stop();
});

test('Scheduler.runNow() during a round means one more round, however often it is called', async () => {
  const bench = new Bench(async (_, number) => {
    await bench.sleep(300);
    return { summary: `round ${number}` };
  });
  await bench.world.run({ forMs: 100 });
  const wishes = Array.from({ length: 50 }, () => bench.scheduler.runNow('integrity'));
  for (let i = 0; i < 50; i++) bench.scheduler.wake('integrity');
  const outcomes = await bench.world.settle(Promise.all(wishes));
  for (const outcome of outcomes) {
    assert.deepEqual(outcome, { kind: 'done', report: { summary: 'round 2' } });
  }
  await bench.world.run({ forMs: 900 });
  assert.deepEqual(bench.startsMs, [0, 300]);
  await bench.stop();
});

test('Scheduler.runNow() runs also while failures make the pauses long', async () => {
  const bench = new Bench(() => Promise.reject(new Error('no')), { intervalMs: 60_000 });
  await bench.world.run({ forMs: 300_000 });
  const count = bench.startsMs.length;
  const outcome = await bench.world.settle(bench.scheduler.runNow('integrity'), 0);
  assert.equal(outcome.kind, 'failed');
  assert.equal(bench.startsMs.length, count + 1);
  await bench.stop();
});

test('Scheduler.runNow() of a task that was never started throws, wake() does nothing', () => {
  const scheduler = new Bench(() => Promise.resolve(nothing)).scheduler;
  assert.throws(() => scheduler.runNow('agent-info'), /agent-info has not been started/);
  scheduler.wake('agent-info');
});

test('Scheduler backs off from a failing task, and returns to its interval after a success', async () => {
  const bench = new Bench((_, number) =>
    number <= 6 ? Promise.reject(new Error('no')) : Promise.resolve(nothing)
  );
  await bench.world.run({ forMs: 33_500 });
  const pauses = bench.startsMs.slice(1).map((atMs, i) => atMs - bench.startsMs[i]!);
  assert.deepEqual(pauses, [1000, 2000, 4000, 8000, 8000, 8000, 1000, 1000]);
  await bench.stop();
});

test('Scheduler logs a failure that repeats itself once, and counts it', async () => {
  const failures = ['disk', 'disk', 'disk', 'line', 'disk', undefined, 'disk'];
  const bench = new Bench((_, number) => {
    const text = failures[number - 1];
    return text === undefined ? Promise.resolve(nothing) : Promise.reject(new Error(text));
  });
  await bench.world.run({ until: () => bench.roundsCount === 5, limitMs: 100_000 });
  assert.equal(bench.state.failuresInARow, 5);
  assert.equal(bench.state.lastError, 'disk');
  assert.equal(bench.state.lastSuccessMs, undefined);
  await bench.world.run({ until: () => bench.roundsCount === 6, limitMs: 100_000 });
  assert.equal(bench.state.failuresInARow, 0);
  assert.equal(bench.state.lastError, undefined);
  await bench.world.run({ until: () => bench.roundsCount === 7, limitMs: 100_000 });
  const tag = '[Integrity check]';
  assert.deepEqual(
    bench.logged('error'),
    ['disk', 'line', 'disk', 'disk'].map((text) => `${tag} ${text}`),
  );
  await bench.stop();
});

test('Scheduler leaves it to the dialer to complain that there is no master', async () => {
  const bench = new Bench(() => Promise.reject(new ClusterError('unreachable', 'No master')));
  await bench.world.run({ forMs: 1 });
  assert.deepEqual(bench.logged('error'), []);
  assert.equal(bench.state.lastError, 'No master');
  await bench.stop();
});

test('Scheduler reports what a round did at the level that suits it', async () => {
  const reports: RoundReport[] = [
    nothing,
    { summary: 'Did two things.', facts: { thingsCount: 2 } },
    { summary: 'Halted.', level: 'warning' },
  ];
  const bench = new Bench(async (_, number) => {
    await bench.sleep(12.5);
    return reports[number - 1]!;
  });
  await bench.world.run({ until: () => bench.roundsCount === 3, limitMs: 10_000 });
  const lines = bench.node.records.filter(({ text }) => text.startsWith('Finished'));
  assert.deepEqual(lines.map(({ level, text }) => `${level}: ${text}`), [
    'debug: Finished in 0.013s.',
    'info: Finished in 0.013s. Did two things.',
    'warning: Finished in 0.013s. Halted.',
  ]);
  assert.deepEqual(lines[1]!.facts, { thingsCount: 2, durationMs: 12.5 });
  const { state } = bench;
  assert.equal(state.lastSummary, 'Halted.');
  assert.equal(state.lastDurationMs, 12.5);
  assert.equal(state.lastSuccessMs, bench.node.ports().clock.nowMs());
  await bench.stop();
});

test('Scheduler aborts a round at its deadline, which counts as a failure', async () => {
  let reason: unknown;
  const bench = new Bench(async ({ signal }, number) => {
    if (number > 1) return nothing;
    await bench.sleep(1e9, signal).catch((error: unknown) => {
      reason = error;
      throw error;
    });
    return nothing;
  });
  await bench.world.run({ forMs: 5001 });
  assert.equal(codeOf(reason), 'timeout');
  assert.deepEqual(bench.logged('error'), [
    '[Integrity check] A round of integrity took longer than 5000 ms',
  ]);
  assert.equal(bench.state.failuresInARow, 1);
  await bench.world.run({ forMs: 1000 });
  assert.deepEqual(bench.startsMs, [0, 6000]);
  await bench.stop();
});

test('Scheduler never overlaps rounds, not even one that goes on after its deadline', async () => {
  const bench = new Bench(async (_, number) => {
    if (number === 1) await bench.sleep(20_000); // heeds no signal
    return nothing;
  });
  await bench.world.run({ forMs: 5001 });
  assert.equal(bench.logged('error').length, 1, 'said when it is known');
  assert.equal(bench.state.isRunning, true);
  const wish = bench.scheduler.runNow('integrity');
  await bench.world.run({ forMs: 14_000 });
  assert.deepEqual(bench.startsMs, [0]);
  const outcome = await bench.world.settle(wish);
  assert.equal(outcome.kind, 'done', 'the wish is granted by the round after it');
  assert.deepEqual(bench.startsMs, [0, 20_000]);
  await bench.stop();
});

test('Scheduler stops at once in a pause, and otherwise when the round has ended', async () => {
  const pausing = new Bench(() => Promise.resolve(nothing), { intervalMs: 1e9 });
  await pausing.world.run({ forMs: 100 });
  assert.equal(await pausing.stop(), 0);

  const staggered = new Bench(() => Promise.resolve(nothing), {
    intervalMs: 1e9,
    isStaggered: true,
  });
  await staggered.world.run({ forMs: 100 });
  assert.equal(await staggered.stop(), 0);
  assert.deepEqual(staggered.startsMs, []);

  let cleanedUpMs = 0;
  const running = new Bench(async ({ signal }) => {
    await running.sleep(1e9, signal).catch(() => {});
    await running.sleep(70); // takes its time to clean up
    cleanedUpMs = running.world.nowMs;
    return nothing;
  });
  await running.world.run({ forMs: 100 });
  assert.equal(await running.stop(), 70);
  assert.equal(cleanedUpMs, 170);
  assert.deepEqual(running.logged('error'), [], 'being stopped is no failure');
  assert.equal(running.state.failuresInARow, 0);
  assert.equal(running.state.isRunning, false);
});

test('Scheduler settles the wishes of those who wait for a task that stops', async () => {
  const release = deferred<void>();
  const bench = new Bench(async () => {
    await release.promise;
    return nothing;
  });
  await bench.world.run({ forMs: 10 });
  const wish = bench.scheduler.runNow('integrity');
  bench.world.at(50, 'release', () => release.resolve());
  await bench.stop();
  for (const late of [wish, bench.scheduler.runNow('integrity')]) {
    const outcome = await late;
    assert.equal(outcome.kind, 'failed');
    assert.ok(outcome.kind === 'failed' && codeOf(outcome.error) === 'aborted');
  }
  bench.scheduler.wake('integrity');
});

test('Scheduler.runNow() of a task that has stopped tells so', async () => {
  const bench = new Bench(() => Promise.resolve(nothing));
  await bench.world.run({ forMs: 10 });
  await bench.stop();
  for (let i = 0; i < 2; i++) {
    const outcome = await bench.scheduler.runNow('integrity');
    assert.ok(outcome.kind === 'failed' && codeOf(outcome.error) === 'aborted');
  }
  assert.equal(bench.startsMs.length, 1);
});

test('Scheduler leaves no listener on its signal, however many rounds there are', async () => {
  const world = new World({ seed: 1 });
  const node = new SimNode(world, new SimNetwork(world), { name: 'node' });
  const scheduler = new Scheduler(node.ports());
  const { controller, listenersCount } = countedSignal();
  const ended = scheduler.start({
    name: 'integrity',
    title: 'Integrity check',
    schedule: { intervalMs: 1000, deadlineMs: 5000 },
    round: () => Promise.resolve(nothing),
  }, controller.signal);
  await world.run({ forMs: 100_500 });
  assert.equal(listenersCount(), 1, 'that of the pause');
  controller.abort();
  await world.settle(ended);
  await world.stop();
});

test('Scheduler takes a round that throws before its first await for a failed one', async () => {
  const world = new World({ seed: 1 });
  const node = new SimNode(world, new SimNetwork(world), { name: 'node' });
  const scheduler = new Scheduler(node.ports());
  const controller = new AbortController();
  const ended = scheduler.start({
    name: 'integrity',
    title: 'Integrity check',
    schedule: { intervalMs: 1000, deadlineMs: 5000 },
    round: () => {
      throw new Error('early');
    },
  }, controller.signal);
  await world.run({ forMs: 10 });
  assert.equal(scheduler.states()[0]!.lastError, 'early');
  controller.abort();
  await world.settle(ended);
  await world.stop();
});

test('Scheduler runs several tasks side by side, and one that hangs holds up no other', async () => {
  const world = new World({ seed: 1 });
  const node = new SimNode(world, new SimNetwork(world), { name: 'node' });
  const { clock } = node.ports();
  const scheduler = new Scheduler(node.ports());
  const controller = new AbortController();
  const { signal } = controller;
  let roundsCount = 0;
  const hanging: Task = {
    name: 'local-integrity',
    title: 'Local integrity',
    schedule: { intervalMs: 1000, deadlineMs: 1e9 },
    round: async (turn) => {
      await clock.sleep(Infinity, turn.signal);
      return nothing;
    },
  };
  const lively: Task = {
    name: 'keep-alive',
    title: 'Keep alive',
    schedule: { intervalMs: 1000, deadlineMs: 1000 },
    round: () => {
      roundsCount += 1;
      return Promise.resolve(nothing);
    },
  };
  const ended = Promise.all([scheduler.start(hanging, signal), scheduler.start(lively, signal)]);
  await world.run({ forMs: 10_500 });
  assert.equal(roundsCount, 11);
  assert.deepEqual(scheduler.states().map(({ name, isRunning }) => [name, isRunning]), [
    ['local-integrity', true],
    ['keep-alive', false],
  ]);
  controller.abort();
  await world.settle(ended, 0);
  await world.stop();
});
