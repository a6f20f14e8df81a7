/**
 * One incarnation of a program in the simulated world, and what it has open.
 *
 * All ports of an incarnation act through its life. When the life ends by a kill, nothing of it
 * happens any more: its events are dropped, its promises never settle, its signals never fire. So
 * no clean-up code of the program runs, exactly as after `kill -9`.
 */
import { ClusterError } from '../../src/base/errors.ts';
import type { World } from './world.ts';

/** What can be left open. */
export type HandleKind = 'stream' | 'listener' | 'file' | 'sleep' | 'watch' | 'operation';

/** Something open: it must be gone before the world stops. */
export interface Handle {
  readonly kind: HandleKind;
  /** The node it belongs to. */
  readonly owner: string;
  readonly what: string;
  readonly sinceMs: number;
}

/** The time from start to end of one incarnation. */
export class Life {
  readonly world: World;
  readonly owner: string;
  #isAlive = true;
  readonly #handles = new Set<Handle>();
  readonly #atEnd = new Set<() => void>();

  constructor(world: World, owner: string) {
    this.world = world;
    this.owner = owner;
    world.addLife(this);
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** What this incarnation has open. */
  get handles(): ReadonlySet<Handle> {
    return this.#handles;
  }

  /** Notes that something is open until `close` is called with the result. */
  open(kind: HandleKind, what: string): Handle {
    const handle = { kind, owner: this.owner, what, sinceMs: this.world.nowMs };
    if (this.#isAlive) this.#handles.add(handle);
    return handle;
  }

  close(handle: Handle): void {
    this.#handles.delete(handle);
  }

  /**
   * Does something after a delay. The promise settles with the outcome of `work`, and never where
   * the life ends before.
   */
  operation<T>(what: string, delayMs: number, work: () => T): Promise<T> {
    const handle = this.open('operation', what);
    return new Promise<T>((resolve, reject) => {
      this.world.after(delayMs, `${this.owner} ${what}`, () => {
        this.close(handle);
        // The work itself may be what ends the life: nobody hears of its outcome then.
        try {
          const result = work();
          if (this.#isAlive) resolve(result);
        } catch (error) {
          if (this.#isAlive) reject(error);
        }
      }, this);
    });
  }

  /** Calls back when the life ends; the result takes that back. */
  onEnd(listener: () => void): () => void {
    this.#atEnd.add(listener);
    return () => {
      this.#atEnd.delete(listener);
    };
  }

  /** Ends the life: from here on nothing of it happens. */
  end(): void {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    this.#handles.clear();
    this.world.removeLife(this);
    for (const listener of this.#atEnd) listener();
    this.#atEnd.clear();
  }

  /**
   * Guards synchronous verbs. Code of an ended life still runs where the kill came from that very
   * code, up to its next `await`; it must not get through to anything.
   */
  mustBeAlive(): void {
    if (!this.#isAlive) throw new ClusterError('aborted', `${this.owner} was killed`);
  }
}
