/**
 * The working directory of the process, lent to whoever looks at many names of one directory.
 *
 * A plain name is looked up in the working directory, and nowhere else: as safe as a lookup through
 * an open descriptor, at half the price of the way through `/proc`. There is one for the whole
 * process, so it is lent to one at a time, for work without an `await` in it, and is back where it
 * was before anything else runs. Nobody else depends on it: all other paths are absolute.
 */
import process from 'node:process';

/** Whether somebody has it. */
let isLent = false;

/** A loan of the working directory. */
export class WorkingDirectory {
  /** Where to go back to; undefined where it has not been changed. */
  #home: string | undefined;

  private constructor() {}

  /** Undefined where somebody else has it. To be given back before anything is awaited. */
  static borrow(): WorkingDirectory | undefined {
    if (isLent) return undefined;
    isLent = true;
    return new WorkingDirectory();
  }

  /** Goes to a directory; false where that is not possible, and then it is anywhere. */
  enter(path: string): boolean {
    try {
      this.#home ??= process.cwd();
      process.chdir(path);
      return true;
    } catch {
      // Threads cannot, or nothing leads there by a name any more.
      return false;
    }
  }

  /** Goes back; to the root where the directory of before is gone. */
  giveBack(): void {
    isLent = false;
    if (this.#home === undefined || this.enter(this.#home)) return;
    this.enter('/');
  }
}
