import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  abortReason,
  deferred,
  Latest,
  linkedController,
  Mutex,
  onAbort,
  Pipeline,
  throwIfAborted,
  untilAborted,
  withDeadline,
} from '../../src/base/async.ts';
import { ClusterError } from '../../src/base/errors.ts';
import { countedSignal } from './counted-signal.ts';
import { simClock } from './sim-clock.ts';

test('abortReason() is the error of the signal, and one of ours where it was aborted with none', () => {
  const reason = new Error('enough');
  assert.equal(abortReason(AbortSignal.abort(reason)), reason);
  const other = abortReason(AbortSignal.abort('enough'));
  assert.ok(other instanceof ClusterError);
  assert.equal(other.code, 'aborted');
});

test('throwIfAborted() throws the reason of an aborted signal only', () => {
  throwIfAborted(undefined);
  throwIfAborted(new AbortController().signal);
  assert.throws(() => throwIfAborted(AbortSignal.abort(new Error('enough'))), /enough/);
});

test('onAbort() calls once, at once where it is too late, and not after it was taken back', () => {
  const calls: string[] = [];
  const controller = new AbortController();
  onAbort(controller.signal, (reason) => calls.push(reason.message));
  const takeBack = onAbort(controller.signal, () => calls.push('never'));
  takeBack();
  controller.abort(new Error('first'));
  onAbort(controller.signal, (reason) => calls.push(`late ${reason.message}`));
  onAbort(undefined, () => calls.push('never'));
  assert.deepEqual(calls, ['first', 'late first']);
});

test('linkedController() follows its parent until it is released', () => {
  const parent = new AbortController();
  const linked = linkedController(parent.signal);
  const released = linkedController(parent.signal);
  released.release();
  parent.abort(new Error('enough'));
  assert.equal((linked.controller.signal.reason as Error).message, 'enough');
  assert.equal(released.controller.signal.aborted, false);
  assert.equal(linkedController(parent.signal).controller.signal.aborted, true);
  assert.equal(linkedController(undefined).controller.signal.aborted, false);
});

test('withDeadline() gives the result and leaves neither a sleep nor a listener', async () => {
  const { world, clock } = simClock();
  const { controller, listenersCount } = countedSignal();
  const work = async (): Promise<number> => {
    await clock.sleep(10);
    assert.equal(listenersCount(), 1);
    return 7;
  };
  assert.equal(await world.settle(withDeadline(clock, 100, 'It', controller.signal, work)), 7);
  assert.equal(listenersCount(), 0);
  assert.deepEqual(world.openHandles(), []);
});

test('withDeadline() passes on what the work throws, also before its first await', async () => {
  const { world, clock } = simClock();
  const late = withDeadline(clock, 100, 'It', undefined, () => Promise.reject(new Error('late')));
  await assert.rejects(world.settle(late), /^Error: late$/);
  const early = withDeadline(clock, 100, 'It', undefined, () => {
    throw new Error('early');
  });
  await assert.rejects(world.settle(early), /^Error: early$/);
  assert.deepEqual(world.openHandles(), []);
});

test('withDeadline() ends at the deadline, also where the work never does', async () => {
  const { world, clock } = simClock();
  let told: unknown;
  const hanging = withDeadline(clock, 100, 'Hanging', undefined, (signal) => {
    onAbort(signal, (reason) => told = reason);
    return new Promise(() => {});
  });
  await assert.rejects(world.settle(hanging), (error) => {
    assert.ok(error instanceof ClusterError);
    assert.equal(error.code, 'timeout');
    assert.equal(error.message, 'Hanging took longer than 100 ms');
    assert.equal(error, told);
    return true;
  });
  assert.equal(world.nowMs, 100);
});

test('withDeadline() swallows what late work throws after the deadline', async () => {
  const { world, clock } = simClock();
  const late = withDeadline(clock, 100, 'It', undefined, async () => {
    await clock.sleep(200);
    throw new Error('too late');
  });
  await assert.rejects(world.settle(late), /longer than 100 ms/);
  await world.run({ forMs: 1000 }); // fails for a rejection that nobody hears
});

test('withDeadline() ends with its parent, and begins nothing where that has been aborted', async () => {
  const { world, clock } = simClock();
  const controller = new AbortController();
  world.at(5, 'abort', () => controller.abort(new Error('enough')));
  const running = withDeadline(clock, 100, 'It', controller.signal, () => clock.sleep(50));
  await assert.rejects(world.settle(running), /enough/);
  assert.equal(world.nowMs, 5);
  let hasBegun = false;
  const refused = withDeadline(clock, 100, 'It', controller.signal, () => {
    hasBegun = true;
    return Promise.resolve();
  });
  await assert.rejects(world.settle(refused), /enough/);
  assert.equal(hasBegun, false);
});

test('untilAborted() takes what comes first and hears the other without complaint', async () => {
  const { controller, listenersCount } = countedSignal();
  assert.equal(await untilAborted(Promise.resolve(1), controller.signal), 1);
  await assert.rejects(untilAborted(Promise.reject(new Error('no')), controller.signal), /no/);
  assert.equal(listenersCount(), 0);
  const hanging = deferred<number>();
  const waiting = untilAborted(hanging.promise, controller.signal);
  controller.abort(new Error('enough'));
  await assert.rejects(waiting, /enough/);
  hanging.reject(new Error('nobody waits any more'));
  await assert.rejects(untilAborted(Promise.reject(new Error('no')), controller.signal), /enough/);
});

test('Latest.publish() tells listeners until they take it back, and keeps the value', () => {
  const latest = new Latest(0);
  const heard: string[] = [];
  const stop = latest.listen((value) => heard.push(`a${value}`));
  latest.listen((value) => heard.push(`b${value}`));
  latest.publish(1);
  stop();
  latest.publish(2);
  assert.deepEqual(heard, ['a1', 'b1', 'b2']);
  assert.equal(latest.value, 2);
});

test('Latest.next() gives each waiter the next value, not the present one', async () => {
  const latest = new Latest(0);
  const { signal } = new AbortController();
  const waiting = [latest.next(signal), latest.next(signal)];
  latest.publish(1);
  latest.publish(2);
  assert.deepEqual(await Promise.all(waiting), [1, 1]);
});

test('Latest.next() that was given up leaves no trace', async () => {
  const latest = new Latest({ big: true });
  let listenersCount = 0;
  const listen = latest.listen.bind(latest);
  latest.listen = (listener) => {
    listenersCount += 1;
    const stop = listen(listener);
    return () => {
      listenersCount -= 1;
      stop();
    };
  };
  for (let i = 0; i < 100; i++) {
    const controller = new AbortController();
    const waiting = latest.next(controller.signal);
    controller.abort(new Error('enough'));
    await assert.rejects(waiting, /enough/);
  }
  assert.equal(listenersCount, 0);
});

test('Mutex.run() lets one at a time through, in order, also after a failure', async () => {
  const mutex = new Mutex();
  const order: string[] = [];
  const step = (name: string) => async () => {
    order.push(`${name} begins`);
    await Promise.resolve();
    order.push(`${name} ends`);
    if (name === 'b') throw new Error('b failed');
    return name;
  };
  const [a, b, c] = await Promise.allSettled(['a', 'b', 'c'].map((name) => mutex.run(step(name))));
  assert.deepEqual(order, ['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
  assert.equal(a!.status, 'fulfilled');
  assert.equal(b!.status, 'rejected');
  assert.equal(c!.status, 'fulfilled');
});

test('Pipeline lets no more go on than its width, and tells of a failure', async () => {
  const pipeline = new Pipeline(2);
  const works = [deferred<void>(), deferred<void>(), deferred<void>()];
  await pipeline.add(works[0]!.promise);
  let hasRoom = false;
  const second = pipeline.add(works[1]!.promise).then(() => hasRoom = true);
  await Promise.resolve();
  assert.equal(hasRoom, false);
  works[1]!.resolve();
  await second;
  const third = pipeline.add(works[2]!.promise);
  works[2]!.reject(new Error('broken'));
  await assert.rejects(third, /broken/);
  works[0]!.resolve();
  await pipeline.settle();
  await assert.rejects(pipeline.finish(), /broken/);
});

test('Pipeline finishes when all work has', async () => {
  const pipeline = new Pipeline(8);
  const work = deferred<void>();
  await pipeline.add(work.promise);
  let isFinished = false;
  const finishing = pipeline.finish().then(() => isFinished = true);
  await Promise.resolve();
  assert.equal(isFinished, false);
  work.resolve();
  await finishing;
  await new Pipeline(1).finish();
});
