/** Hints of changes on the disk. */
import type { BytePath } from '../base/bytes.ts';

/** Tells about changes on the disk. A hint only: it may miss some, and may be wrong. */
export interface Watcher {
  /**
   * Begins to watch. Of the `tops` (directories relative to the root, none below another) it
   * notices by itself when they, or directories above them, come, go or are replaced; in them, and
   * in all below, what has been added. The listener gets the path that changed, or undefined where
   * only a full scan can tell; all directories have to be added again then.
   */
  watch(tops: readonly BytePath[], listener: (path: BytePath | undefined) => void): TreeWatch;
}

/** The directories of a tree that are watched, each without what is below it. */
export interface TreeWatch extends DirectoryWatch {
  /** Whether all directories that were added are watched. */
  readonly isWhole: boolean;
  close(): void;
}

/** Whom a walk tells which directories there are. */
export interface DirectoryWatch {
  /**
   * Watches a directory that is not watched yet. Called before the directory is listed, so that no
   * change is missed between the two.
   */
  add(directory: BytePath): void;
  /** Watches a directory no more. */
  remove(directory: BytePath): void;
}
