/**
 * Putting in place what is staged, and removing: the end of carrying plans out, wherever the
 * contents came from. The scanner is told, so that nothing is read again.
 */
import type { BytePath } from '../../base/bytes.ts';
import { codeOf } from '../../base/errors.ts';
import type { Applier, ApplyFailure, CommitReport } from '../../files/apply.ts';
import type { Entry } from '../../files/entry.ts';
import type { FileSet } from '../../files/file-set.ts';
import type { LocalTree } from '../../files/local-tree.ts';
import { pathConflicts } from '../../files/path-conflicts.ts';
import type { Plan } from '../../files/plan.ts';
import type { Logger } from '../../ports.ts';
import { failureText } from './intake.ts';

/** What placing needs. */
export interface PlacingPorts {
  readonly applier: Applier;
  readonly tree: LocalTree;
  readonly log: Logger;
}

/** Failures listed one by one in the log of one round; the rest are counted. */
const failureLinesMax = 20;

/** What is being put in place and removed, and what has become of it. */
export class Placing {
  createdCount = 0;
  replacedCount = 0;
  removedCount = 0;
  readonly failures: ApplyFailure[] = [];
  readonly #ports: PlacingPorts;
  readonly #plans: readonly Plan[];
  readonly #generation: number;
  /** Removed before anything came; undefined as long as nothing has come. */
  #cleared: ReadonlySet<BytePath> | undefined;
  #hasBegun = false;

  constructor(ports: PlacingPorts, plans: readonly Plan[], generation: number) {
    this.#ports = ports;
    this.#plans = plans;
    this.#generation = generation;
  }

  /** Whether anything in the tree may have been touched. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** Files that were changed. */
  get changedCount(): number {
    return this.createdCount + this.replacedCount + this.removedCount;
  }

  /** Puts the part in place that was sealed before, and seals the next one. */
  async commitPart(): Promise<void> {
    const { applier } = this.#ports;
    await this.#makeWay();
    await this.#takeUp(applier.commitSealed(this.#generation));
    this.#hasBegun = true;
    applier.seal();
  }

  /** Puts all in place that is staged. */
  async commit(): Promise<void> {
    const { applier } = this.#ports;
    this.#hasBegun ||= applier.staged().length > 0;
    await this.#makeWay();
    await this.#takeUp(applier.commitBatch(this.#generation));
  }

  /** Removes what has to go, after all that was put in place. */
  async remove(): Promise<void> {
    for (const { set, remove } of this.#plans) {
      await this.#remove(set, remove.filter(({ path }) => this.#cleared?.has(path) !== true));
    }
  }

  /** Waits until the disk has it all, and tells of the failures. */
  async finish(): Promise<void> {
    const { applier, log } = this.#ports;
    await applier.finish();
    for (const failure of this.failures.slice(0, failureLinesMax)) {
      // What changes while it is on its way comes with the next round: nothing is wrong.
      log.log(codeOf(failure.error) === 'changed' ? 'info' : 'warning', failureText(failure));
    }
    const more = this.failures.length - failureLinesMax;
    if (more > 0) log.log('warning', `${more} further files failed`);
  }

  /** Removes what stands where something else has to come. */
  async #makeWay(): Promise<void> {
    if (this.#cleared !== undefined) return;
    const coming = new Set(this.#plans.flatMap(({ create }) => create.map(({ path }) => path)));
    const leaving = new Set(this.#plans.flatMap(({ remove }) => remove.map(({ path }) => path)));
    this.#cleared = pathConflicts(coming, leaving).leaving;
    if (this.#cleared.size === 0) return;
    for (const { set, remove } of this.#plans) {
      await this.#remove(set, remove.filter(({ path }) => this.#cleared?.has(path)));
    }
  }

  async #remove(set: FileSet, leaving: readonly Entry[]): Promise<void> {
    if (leaving.length === 0) return;
    const { applier, tree } = this.#ports;
    this.#hasBegun = true;
    const removal = await applier.remove(set, leaving, this.#generation);
    await tree.scanner.forget(removal.removed);
    this.removedCount += removal.removed.length;
    this.failures.push(...removal.failures);
  }

  async #takeUp(commit: Promise<CommitReport>): Promise<void> {
    const report = await commit;
    await this.#ports.tree.scanner.adopt(report.placed);
    this.createdCount += report.createdCount;
    this.replacedCount += report.replacedCount;
    this.failures.push(...report.failures);
  }
}
