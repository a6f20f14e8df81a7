/**
 * The Watcher port of a simulated node: hints that come late, not at all, twice, or without a name.
 *
 * Like a real watcher it also tells of what the node itself does to the tree, knows of nothing in
 * directories that were not added, and loses a directory that is moved or removed.
 */
import type { BytePath } from '../../src/base/bytes.ts';
import { parentOf } from '../../src/files/paths.ts';
import type { Watcher } from '../../src/ports.ts';
import type { SimDisk } from './disk.ts';
import type { Life } from './life.ts';
import type { DelayRange, SeededRandom } from './random.ts';

/** How reliable the hints are. */
export interface WatcherOptions {
  /** How late a hint is. @default 1 to 5 ms, at times 300 ms */
  readonly delay?: DelayRange;
  /** Share of the changes that give no hint. @default 0 */
  readonly lossShare?: number;
  /** Share of the hints that do not say what changed. @default 0 */
  readonly namelessShare?: number;
  /** Share of the changes after which a second, needless hint comes. @default 0 */
  readonly spuriousShare?: number;
}

const DEFAULT_DELAY: DelayRange = { minMs: 1, typicalMs: 5, maxMs: 300 };

/** The port of one incarnation. */
export function simWatcher(
  life: Life,
  disk: SimDisk,
  random: SeededRandom,
  options: WatcherOptions,
): Watcher {
  const { delay = DEFAULT_DELAY, lossShare = 0, namelessShare = 0, spuriousShare = 0 } = options;
  return {
    watch: (tops, listener) => {
      const handle = life.open('watch', `watches ${tops.join(', ') || 'the root'}`);
      const added = new Set<BytePath>();
      let isOpen = true;
      const hint = (path: BytePath | undefined): void => {
        life.world.after(random.delayMs(delay), `${life.owner} hint ${path ?? 'anything'}`, () => {
          if (isOpen) listener(path);
        }, life);
      };
      const stopListening = disk.onChange((path) => {
        if (path !== undefined) {
          const isHeard = added.has(parentOf(path)) || tops.some((top) => isWithin(top, path));
          // Whatever has come to be there now is another directory.
          for (const directory of added) if (isWithin(directory, path)) added.delete(directory);
          if (!isHeard) return;
        }
        if (random.chance(lossShare)) return;
        hint(random.chance(namelessShare) ? undefined : path);
        if (random.chance(spuriousShare)) hint(path);
      });
      const close = (): void => {
        isOpen = false;
        stopListening();
        life.close(handle);
        forget();
      };
      const forget = life.onEnd(stopListening);
      return {
        isWhole: true,
        add: (directory) => void added.add(directory),
        remove: (directory) => void added.delete(directory),
        close,
      };
    },
  };
}

// ---

function isWithin(path: BytePath, directory: BytePath): boolean {
  return directory === '' || path === directory || path.startsWith(`${directory}/`);
}
