/**
 * Remembers that files were changed whose users have not been told yet.
 *
 * It is noted before the first file is put in place and forgotten when the reload command has run,
 * so that a crash or a stop in between does not leave other programs with what they had read before:
 * the next round, though it finds nothing to do, tells them.
 */
import type { IndexStore } from '../../files/index-store.ts';
import type { RoundHooks } from './execution.ts';

/** Name of the value in the store: names of sets, separated by blanks. */
const key = 'reload.sets';

/** The sets whose change is still to be told. */
export class PendingReload {
  readonly #store: Pick<IndexStore, 'value' | 'setValue'>;
  readonly #hooks: RoundHooks;

  constructor(store: Pick<IndexStore, 'value' | 'setValue'>, hooks: RoundHooks) {
    this.#store = store;
    this.#hooks = hooks;
  }

  /** Changes files of sets: noted before, and the note taken back where none was changed. */
  async around(
    sets: readonly string[],
    placing: { readonly hasBegun: boolean; readonly changedCount: number },
    change: () => Promise<void>,
  ): Promise<void> {
    const before = this.#sets();
    this.#note([...new Set([...before, ...sets])]);
    try {
      await change();
    } catch (error) {
      if (!placing.hasBegun) this.#note(before);
      throw error;
    }
    if (placing.changedCount === 0) this.#note(before);
  }

  /** Tells of what was changed, if anything was. */
  async tell(generation: number, signal: AbortSignal): Promise<void> {
    const sets = this.#sets();
    if (sets.length === 0) return;
    await this.#hooks.reload({ generation, sets, staged: [], removed: [] }, signal);
    this.#note([]);
  }

  #sets(): string[] {
    return (this.#store.value(key) ?? '').split(' ').filter((name) => name !== '');
  }

  #note(sets: readonly string[]): void {
    this.#store.setValue(key, sets.join(' '));
  }
}
