/**
 * local-integrity: keeps the master's table of all managed files true, and publishes it.
 *
 * Started by the master at intervals (8 s unless configured) and at once when the disk changes. A
 * round looks at what may have changed, hashes what did, and offers the result for publication; no
 * worker's request ever triggers a computation. A failed round publishes nothing: workers keep the
 * latest generation that was complete.
 */
import type { LocalTree } from '../files/local-tree.ts';
import { ProblemLog } from '../files/problem-log.ts';
import type { Offer, Publication } from '../files/publication.ts';
import type { ScanReport } from '../files/scan.ts';
import type { RoundReport, Task, Turn } from './task.ts';

/** Settings of local-integrity. */
export interface LocalIntegrityOptions {
  /** Pause between rounds, ms. @default 8,000 */
  readonly intervalMs: number;
  /** Longest time a round may take, ms: a first scan of a large tree on a slow disk. */
  readonly deadlineMs: number;
}

/** The master's task. */
export class LocalIntegrity implements Task {
  readonly name = 'local-integrity';
  readonly title = 'Local integrity';
  readonly schedule;
  readonly #tree: LocalTree;
  readonly #publication: Publication;
  readonly #problems = new ProblemLog();
  #lastScan: ScanReport | undefined;
  #roundsCount = 0;

  constructor(tree: LocalTree, publication: Publication, options: LocalIntegrityOptions) {
    this.#tree = tree;
    this.#publication = publication;
    this.schedule = { intervalMs: options.intervalMs, deadlineMs: options.deadlineMs };
  }

  /** What the last scan found; undefined before the first. */
  get lastScan(): ScanReport | undefined {
    return this.#lastScan;
  }

  /** Rounds that have ended well. */
  get roundsCount(): number {
    return this.#roundsCount;
  }

  async round(turn: Turn): Promise<RoundReport> {
    const scan = await this.#tree.refresh(turn.signal, turn.isUrgent);
    this.#lastScan = scan;
    this.#problems.report(turn.log, scan.problems);
    if (scan.changes.size > 0) turn.starting();
    const offer = await this.#publication.offer((set) => this.#tree.scanner.manifest(set));
    for (const halt of offer.newlyHalted) {
      turn.log.log(
        'error',
        `Set "${halt.set}" is halted and not published: ${halt.reason}. ` +
          `If this is meant, run: muster approve ${halt.set}`,
      );
    }
    this.#roundsCount += 1;
    if (!offer.isNew) return { summary: undefined };
    const summary = summaryOf(this.#tree.scanner.filesCount, offer);
    return { summary, facts: { generation: offer.generation.number } };
  }
}

/** A scan that follows hints looks at few files; the table is of all of them nevertheless. */
function summaryOf(filesCount: number, offer: Offer): string {
  return `Calculated metadata of ${filesCount} files. Generation ` +
    `${offer.generation.number}: ${offer.createdCount} created, ${offer.replacedCount} changed, ` +
    `${offer.removedCount} deleted.`;
}
