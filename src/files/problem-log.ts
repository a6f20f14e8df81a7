/**
 * Logs what a scan could not look at: each problem once, and again only after it had gone away.
 */
import { displayPath } from '../base/bytes.ts';
import type { Logger } from '../ports.ts';
import type { ScanProblem } from './scan.ts';

/** Problems listed one by one in one scan; the rest are counted. */
const linesMax = 20;

/** Remembers which problems have been said. */
export class ProblemLog {
  #said = new Set<string>();

  /** Logs the problems of a full scan that were not there at the last one. */
  report(log: Logger, problems: readonly ScanProblem[]): void {
    const present = new Set<string>();
    let newCount = 0;
    for (const problem of problems) {
      const text = `Not managed: "${displayPath(problem.path)}": ${problem.reason}`;
      present.add(text);
      if (this.#said.has(text)) continue;
      newCount += 1;
      if (newCount <= linesMax) log.log('warning', text);
    }
    if (newCount > linesMax) {
      log.log('warning', `${newCount - linesMax} further files are not managed; see muster check`);
    }
    this.#said = present;
  }
}
