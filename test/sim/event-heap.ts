/**
 * The events to come, ordered by time and, at equal times, by the order in which they were made.
 *
 * A binary heap. Events that were cancelled stay in it until their turn, or until they are more
 * than half of it: most deadlines are cancelled long before they would have been due.
 */
import type { Life } from './life.ts';

/** Something that will happen. */
export interface SimEvent {
  readonly atMs: number;
  readonly sequence: number;
  /** What it is, for the trace and for error messages. */
  readonly what: string;
  readonly run: () => void;
  /** Whose event it is: it does not happen once that life has ended. */
  readonly life: Life | undefined;
  isCancelled: boolean;
}

/** Fewer events than this are not worth sweeping. */
const SWEEP_EVENTS_MIN = 1024;

/** A priority queue of events. */
export class EventHeap {
  #events: SimEvent[] = [];
  #cancelledCount = 0;

  /** How many events are in the heap, cancelled ones included. */
  get size(): number {
    return this.#events.length;
  }

  push(event: SimEvent): void {
    this.#events.push(event);
    this.#rise(this.#events.length - 1);
  }

  /** Marks an event so that it will not happen. */
  cancel(event: SimEvent): void {
    if (event.isCancelled) return;
    event.isCancelled = true;
    this.#cancelledCount++;
    if (this.#events.length > SWEEP_EVENTS_MIN && this.#cancelledCount * 2 > this.#events.length) {
      this.#sweep();
    }
  }

  /** The next event that will happen, left in the heap. */
  peek(): SimEvent | undefined {
    for (;;) {
      const first = this.#events[0];
      if (first === undefined || isDue(first)) return first;
      this.pop();
    }
  }

  /** Takes the first event out. */
  pop(): SimEvent | undefined {
    const first = this.#events[0];
    const last = this.#events.pop();
    if (first === undefined || last === undefined) return undefined;
    if (first.isCancelled) this.#cancelledCount--;
    // An event that was taken out can no longer be cancelled.
    first.isCancelled = true;
    if (this.#events.length > 0) {
      this.#events[0] = last;
      this.#sink(0);
    }
    return first;
  }

  #sweep(): void {
    const kept = this.#events.filter(isDue);
    this.#events = [];
    this.#cancelledCount = 0;
    for (const event of kept) this.push(event);
  }

  #rise(start: number): void {
    const events = this.#events;
    const event = events[start]!;
    let at = start;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, events[parent]!)) break;
      events[at] = events[parent]!;
      at = parent;
    }
    events[at] = event;
  }

  #sink(start: number): void {
    const events = this.#events;
    const event = events[start]!;
    let at = start;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= events.length) break;
      if (child + 1 < events.length && isBefore(events[child + 1]!, events[child]!)) child++;
      if (!isBefore(events[child]!, event)) break;
      events[at] = events[child]!;
      at = child;
    }
    events[at] = event;
  }
}

// ---

function isDue(event: SimEvent): boolean {
  return !event.isCancelled && event.life?.isAlive !== false;
}

function isBefore(left: SimEvent, right: SimEvent): boolean {
  return left.atMs < right.atMs || (left.atMs === right.atMs && left.sequence < right.sequence);
}
