/** What scans could not take into account, as of the last look at each directory. */
import type { BytePath } from '../base/bytes.ts';

/** Something that a scan could not take into account. */
export interface ScanProblem {
  readonly path: BytePath;
  readonly reason: string;
  /**
   * `symlink`, `special`: not a regular file; not managed. `name`: a name that cannot be managed.
   * `unreadable`: what was known of it stays. `changed`: was written to while it was read; looked
   * at again in the next scan.
   */
  readonly kind: 'symlink' | 'unreadable' | 'changed' | 'special' | 'name';
}

/** Problems by the directory at whose next listing they are settled or found again. */
export class ScanProblems {
  readonly #byDirectory = new Map<BytePath, Map<BytePath, ScanProblem>>();

  /** Adds a problem; of two about one path the later counts. */
  add(directory: BytePath, problem: ScanProblem): void {
    const known = this.#byDirectory.get(directory);
    if (known !== undefined) known.set(problem.path, problem);
    else this.#byDirectory.set(directory, new Map([[problem.path, problem]]));
  }

  /** Forgets the problems of a directory, which is looked at anew. */
  forget(directory: BytePath): void {
    this.#byDirectory.delete(directory);
  }

  /** All problems there are. */
  all(): ScanProblem[] {
    return [...this.#byDirectory.values()].flatMap((problems) => [...problems.values()]);
  }
}
