/**
 * How many files a set has lost of late. A guard that looked at one step at a time would let a tree
 * vanish file by file: what counts is what goes within some minutes. Files that came within the
 * same minutes are no loss when they go again.
 */
import type { BytePath } from '../base/bytes.ts';
import type { Clock } from '../ports.ts';
import type { Plan } from './plan.ts';

/** Losses within this time are counted together, ms: longer than it takes to delete any tree. */
const windowMs = 10 * 60 * 1000;

/** Newly created paths remembered for each set: more come and go only in a tree that is no guard's. */
const createdMax = 10_000;

interface Recent {
  /** When so many files were lost, oldest first. */
  losses: { readonly atMs: number; readonly count: number }[];
  /** When paths were created, oldest first. */
  readonly created: Map<BytePath, number>;
}

/** The recent losses of all sets of a node. */
export class DeletionWindow {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #sets = new Map<string, Recent>();

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  /** Files that a set has lost within the window. */
  lost(set: string): number {
    return this.#recent(set).losses.reduce((sum, loss) => sum + loss.count, 0);
  }

  /** A change of a set that was not empty was let through. */
  note(plan: Plan): void {
    const { losses, created } = this.#recent(plan.set.name);
    const atMs = this.#clock.monotonicMs();
    const count = plan.remove.filter((entry) => !created.delete(entry.path)).length;
    if (count > 0) losses.push({ atMs, count });
    for (const { path } of plan.create) created.set(path, atMs);
    for (const path of created.keys()) {
      if (created.size <= createdMax) break;
      created.delete(path);
    }
  }

  /** What was lost so far was meant: an operator approved it. */
  forget(set: string): void {
    this.#sets.delete(set);
  }

  #recent(set: string): Recent {
    const fromMs = this.#clock.monotonicMs() - windowMs;
    const recent = this.#sets.get(set) ?? { losses: [], created: new Map<BytePath, number>() };
    this.#sets.set(set, recent);
    recent.losses = recent.losses.filter((loss) => loss.atMs >= fromMs);
    for (const [path, atMs] of recent.created) {
      if (atMs >= fromMs) break;
      recent.created.delete(path);
    }
    return recent;
  }
}
