import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Deferred, deferred } from '../../src/base/async.ts';
import { codeOf, ProtocolError } from '../../src/base/errors.ts';
import type { Clock, Stream } from '../../src/ports.ts';
import { Outbox, writeTimeoutMs } from '../../src/session/outbox.ts';
import { simClock } from '../base/sim-clock.ts';
import type { World } from '../sim/world.ts';

/** A stream whose writes end when the test says so. */
class SlowStream implements Stream {
  readonly remote = 'peer:1';
  readonly protocol = 'muster/1';
  readonly certificate = undefined;
  readonly readable: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }),
  };
  readonly written: string[] = [];
  readonly #writes: Deferred<void>[] = [];

  write(bytes: Uint8Array): Promise<void> {
    this.written.push(new TextDecoder().decode(bytes));
    const write = deferred<void>();
    this.#writes.push(write);
    return write.promise;
  }

  /** Ends the oldest write. */
  done(error?: Error): void {
    const write = this.#writes.shift()!;
    if (error === undefined) write.resolve();
    else write.reject(error);
  }

  close(): void {}
  abort(): void {}
}

interface Bench {
  readonly stream: SlowStream;
  readonly outbox: Outbox;
  readonly failures: Error[];
  readonly world: World;
  readonly clock: Clock;
  /** Lets the oldest write end and all that follows from it happen. */
  readonly next: (error?: Error) => Promise<void>;
}

function bench(): Bench {
  const { world, clock } = simClock();
  const stream = new SlowStream();
  const failures: Error[] = [];
  const outbox = new Outbox(stream, clock, (error) => failures.push(error));
  const next = async (error?: Error): Promise<void> => {
    stream.done(error);
    await world.run({ forMs: 0 });
  };
  return { stream, outbox, failures, world, clock, next };
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test('Outbox writes control frames before bulk data, and those that wait together in one go', async () => {
  const { stream, outbox, next } = bench();
  void outbox.bulk(bytes('bulk1 '));
  void outbox.bulk(bytes('bulk2 '));
  void outbox.control(bytes('ping '));
  void outbox.control(bytes('credit '));
  await next();
  void outbox.control(bytes('pong '));
  await next();
  await next();
  await next();
  assert.deepEqual(stream.written, ['bulk1 ', 'ping credit ', 'pong ', 'bulk2 ']);
  assert.equal(outbox.bytesWritten, 'bulk1 ping credit pong bulk2 '.length);
});

test('Outbox writes one chunk of bulk data at a time, of each transfer in turn', async () => {
  const { stream, outbox, next } = bench();
  const transfer = async (name: string): Promise<void> => {
    for (let i = 1; i <= 3; i++) await outbox.bulk(bytes(`${name}${i}`));
  };
  const both = Promise.all([transfer('a'), transfer('b')]);
  for (let i = 0; i < 6; i++) await next();
  await both;
  assert.deepEqual(stream.written, ['a1', 'b1', 'a2', 'b2', 'a3', 'b3']);
});

test('Outbox.control() and bulk() resolve when the frame has been written, not before', async () => {
  const { outbox, next } = bench();
  const order: string[] = [];
  void outbox.bulk(bytes('a')).then(() => order.push('a'));
  void outbox.control(bytes('b')).then(() => order.push('b'));
  void outbox.control(bytes('c')).then(() => order.push('c'));
  assert.deepEqual(order, []);
  await next();
  assert.deepEqual(order, ['a']);
  await next();
  assert.deepEqual(order, ['a', 'b', 'c']);
});

test('Outbox tells of a failed write once, and settles all that waits with it', async () => {
  const { outbox, failures, next } = bench();
  const waiting = [outbox.bulk(bytes('a')), outbox.bulk(bytes('b')), outbox.control(bytes('c'))];
  await next(new Error('the line is down'));
  for (const written of waiting) await assert.rejects(written, /the line is down/);
  await assert.rejects(outbox.control(bytes('d')), /the line is down/);
  await assert.rejects(outbox.bulk(bytes('e')), /the line is down/);
  assert.equal(failures.length, 1);
});

test('Outbox complains of no promise that nobody waits for', async () => {
  const { outbox, world, next } = bench();
  void outbox.control(bytes('a'));
  void outbox.bulk(bytes('b'));
  await next(new Error('the line is down'));
  void outbox.control(bytes('c'));
  await world.run({ forMs: 1 }); // fails for a rejection that nobody hears
});

test('Outbox gives up a peer for which one write takes too long', async () => {
  const { outbox, failures, world } = bench();
  const stuck = outbox.bulk(bytes('a'));
  const waiting = outbox.control(bytes('b'));
  await world.run({ forMs: writeTimeoutMs - 1 });
  assert.equal(failures.length, 0);
  await world.run({ forMs: 1 });
  assert.equal(failures.length, 1);
  assert.equal(codeOf(failures[0]), 'timeout');
  assert.match(failures[0]!.message, /Writing to peer:1 took longer than 60000 ms/);
  await assert.rejects(stuck, /Writing to peer:1/);
  await assert.rejects(waiting, /Writing to peer:1/);
  assert.deepEqual(world.openHandles(), []);
});

test('Outbox gives up a peer for which too many control frames wait', async () => {
  const { outbox, failures, next } = bench();
  const frame = new Uint8Array(1024 * 1024);
  void outbox.control(frame); // being written
  for (let i = 0; i < 8; i++) void outbox.control(frame);
  assert.equal(failures.length, 0);
  const last = outbox.control(Uint8Array.of(1));
  assert.equal(failures.length, 1);
  assert.ok(failures[0] instanceof ProtocolError);
  await assert.rejects(last, /does not read/);
  await next();
  assert.equal(failures.length, 1);
});

test('Outbox counts only control frames that still wait', async () => {
  const { outbox, failures, next } = bench();
  const frame = new Uint8Array(1024 * 1024);
  for (let i = 0; i < 30; i++) {
    void outbox.control(frame);
    if (i % 4 === 3) await next();
  }
  assert.deepEqual(failures, []);
});

test('Outbox.finish() sends a last frame after the control frames, and drops the bulk data', async () => {
  const { stream, outbox, failures, next } = bench();
  const first = outbox.bulk(bytes('bulk1 '));
  const dropped = outbox.bulk(bytes('bulk2 '));
  void outbox.control(bytes('reply '));
  const last = outbox.finish(bytes('close '), new Error('it is over'));
  const late = outbox.control(bytes('late '));
  await next();
  await next();
  await Promise.all([first, last]);
  await assert.rejects(dropped, /it is over/);
  await assert.rejects(late, /it is over/);
  assert.deepEqual(stream.written, ['bulk1 ', 'reply close ']);
  assert.deepEqual(failures, []);
});

test('Outbox.fail() settles also what is being written, and leaves no sleep', async () => {
  const { outbox, failures, world } = bench();
  const writing = outbox.control(bytes('a'));
  const last = outbox.finish(bytes('close'), new Error('it is over'));
  outbox.fail(new Error('given up'));
  await assert.rejects(writing, /given up/);
  await assert.rejects(last, /given up/);
  await world.run({ forMs: 1 });
  assert.deepEqual(world.openHandles(), []);
  assert.deepEqual(failures, [], 'who gives up need not be told');
});
