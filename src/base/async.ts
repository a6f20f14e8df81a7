/**
 * The few asynchronous pieces that everything else is built from: deadlines, linked signals,
 * hand-over of the latest value, a mutex, a pipeline, deferred results.
 *
 * None of them knows a timer: time comes from the `Sleeper` they are given, so that they run
 * alike under the real clock and under a virtual one.
 */
import { ClusterError } from './errors.ts';

/** The part of the clock that waiting needs. */
export interface Sleeper {
  /** Resolves after `ms` milliseconds; rejects with the signal's reason when it is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** A promise together with the means to settle it. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(reason: unknown): void;
}

/** Makes a promise that is settled from outside. */
export function deferred<T>(): Deferred<T> {
  return Promise.withResolvers<T>();
}

/** The reason of a signal that was aborted, as an error. */
export function abortReason(signal: AbortSignal): Error {
  return signal.reason instanceof Error
    ? signal.reason
    : new ClusterError('aborted', 'The operation was stopped');
}

/** Throws the signal's reason where it has been aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortReason(signal);
}

/**
 * Calls back with the reason when the signal is aborted, at once where it has been already.
 * The result takes the listener back.
 */
export function onAbort(
  signal: AbortSignal | undefined,
  listener: (reason: Error) => void,
): () => void {
  if (signal === undefined) return () => {};
  const call = () => listener(abortReason(signal));
  if (signal.aborted) {
    call();
    return () => {};
  }
  signal.addEventListener('abort', call, { once: true });
  return () => signal.removeEventListener('abort', call);
}

/** A controller that is aborted when its parent is; `release` unlinks it from the parent. */
export function linkedController(
  parent: AbortSignal | undefined,
): { controller: AbortController; release: () => void } {
  const controller = new AbortController();
  return { controller, release: onAbort(parent, (reason) => controller.abort(reason)) };
}

/**
 * Runs `work` with a signal that is aborted after `ms` milliseconds or with the parent.
 * The promise settles as soon as the signal does, even where `work` is slow to notice. Nothing is
 * begun where the parent has been aborted already.
 *
 * @param what takes so long, or what makes the error that says so
 * @throws ClusterError('timeout') saying what took too long, or the error that was made
 */
export async function withDeadline<T>(
  clock: Sleeper,
  ms: number,
  what: string | (() => Error),
  parent: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  throwIfAborted(parent);
  const { controller, release } = linkedController(parent);
  const timer = new AbortController();
  const late = () =>
    typeof what === 'string'
      ? new ClusterError('timeout', `${what} took longer than ${ms} ms`)
      : what();
  clock.sleep(ms, timer.signal).then(() => controller.abort(late()), () => {});
  try {
    return await untilAborted(work(controller.signal), controller.signal);
  } finally {
    timer.abort();
    release();
  }
}

/** The promise's outcome, or the signal's reason if that comes first. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const release = onAbort(signal, reject);
    promise.then(resolve, reject).finally(release);
  });
}

/** A value that is replaced now and then, and those who wait for the next one. */
export class Latest<T> {
  #value: T;
  readonly #listeners = new Set<(value: T) => void>();

  constructor(value: T) {
    this.#value = value;
  }

  /** The value published last. */
  get value(): T {
    return this.#value;
  }

  /** Replaces the value and tells all who listen or wait. */
  publish(value: T): void {
    this.#value = value;
    for (const listener of this.#listeners) listener(value);
  }

  /** Calls the listener at every publication; the result ends that. It must not throw. */
  listen(listener: (value: T) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** The next value to be published. */
  next(signal: AbortSignal): Promise<T> {
    const next = deferred<T>();
    const stop = this.listen((value) => next.resolve(value));
    return untilAborted(next.promise, signal).finally(stop);
  }
}

/** Lets one caller at a time through, in the order of their arrival. */
export class Mutex {
  #tail: Promise<unknown> = Promise.resolve();

  /** Runs `work` when all earlier work has ended. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(work);
    this.#tail = result.catch(() => {});
    return result;
  }
}

/** Work that goes on at the same time, but not too much of it. */
export class Pipeline {
  readonly #width: number;
  readonly #underWay = new Set<Promise<unknown>>();
  #hasFailed = false;

  /** @param width how much may be under way */
  constructor(width: number) {
    this.#width = width;
  }

  /** Adds work that has begun; resolves when more may be begun, rejects as any that has failed. */
  async add(work: Promise<unknown>): Promise<void> {
    const entry = work.then(() => void this.#underWay.delete(entry));
    this.#underWay.add(entry);
    // Heard by who adds next, or at the end.
    entry.catch(() => this.#hasFailed = true);
    if (this.#hasFailed || this.#underWay.size >= this.#width) await Promise.race(this.#underWay);
  }

  /** Resolves when all work has succeeded, or rejects as the first that did not. */
  async finish(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  /** Resolves when no work goes on any more, however it ended. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.#underWay);
  }
}
