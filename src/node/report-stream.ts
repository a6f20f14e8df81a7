/**
 * A stream of reports, handed over in batches: on its way into a node as much as on the way out of
 * a command. What comes in is not read any faster than it is taken.
 */
import { Pipeline } from '../base/async.ts';
import { ReportLines, type ReportText } from '../agents/report-lines.ts';
import type { Clock } from '../ports.ts';
import type { ReportDocument } from './agent-documents.ts';
import { schemaVersion } from './documents.ts';

/** Reports of one batch at the node: one transaction. */
const storedReportsMax = 500;

/** Reports of one batch on the way to the node, which takes them apart again. */
export const sentReportsMax = 8_000;

/** Characters of one batch, whatever the number of its reports. */
const batchLengthMax = 4 * 1024 * 1024;

/** Reports that have come are handed over when no more come for so long, ms. */
const lingerMs = 20;

/** Refused reports that are told one by one. */
const refusedShownMax = 100;

/**
 * Hands the reports of a stream over to `take`, batch by batch; what it answers is about the texts
 * that it was given, numbered from 1.
 * @param options.batchReportsMax reports of one batch. @default 500, for who stores them
 * @param options.batchesAtOnce batches under way; more than one only where `take` begins with each
 * in the order of the calls. @default 1
 * @param options.onProgress called after each batch
 */
export async function takeReports(
  clock: Pick<Clock, 'sleep' | 'breathe'>,
  chunks: AsyncIterable<Uint8Array>,
  take: (texts: readonly string[]) => Promise<ReportDocument>,
  options: {
    readonly batchReportsMax?: number;
    readonly batchesAtOnce?: number;
    readonly onProgress?: (document: ReportDocument) => void;
  } = {},
): Promise<ReportDocument> {
  const { batchReportsMax = storedReportsMax, batchesAtOnce = 1, onProgress } = options;
  const tally = new Tally();
  const taking = new Pipeline(batchesAtOnce);
  for await (const batch of batches(clock, chunks, batchReportsMax)) {
    tally.addProblems(batch);
    const reports = batch.filter((report) => report.text !== undefined);
    if (reports.length === 0) continue;
    await taking.add(
      take(reports.map(({ text }) => text)).then((answer) => {
        tally.add(answer, reports);
        onProgress?.(tally.document());
      }),
    );
    await clock.breathe();
  }
  await taking.finish();
  return tally.document();
}

/** What was accepted and refused so far. */
class Tally {
  #accepted = 0;
  #refusedCount = 0;
  readonly #refused: { readonly line: number; readonly problem: string }[] = [];

  addProblems(batch: readonly ReportText[]): void {
    for (const { line, problem } of batch) if (problem !== undefined) this.#refuse(line, problem);
  }

  add(answer: ReportDocument, reports: readonly ReportText[]): void {
    this.#accepted += answer.accepted;
    for (const { line, problem } of answer.refused) {
      this.#refuse(reports[line - 1]?.line ?? line, problem);
    }
    this.#refusedCount += answer.refused_count - answer.refused.length;
  }

  document(): ReportDocument {
    return {
      schema_version: schemaVersion,
      accepted: this.#accepted,
      refused_count: this.#refusedCount,
      refused: this.#refused.toSorted((left, right) => left.line - right.line),
    };
  }

  #refuse(line: number, problem: string): void {
    this.#refusedCount++;
    if (this.#refused.length < refusedShownMax) this.#refused.push({ line, problem });
  }
}

/** The reports of a stream, not many at once, and none held back for long. */
async function* batches(
  clock: Pick<Clock, 'sleep'>,
  chunks: AsyncIterable<Uint8Array>,
  reportsMax: number,
): AsyncGenerator<readonly ReportText[], void, void> {
  const lines = new ReportLines();
  const iterator = chunks[Symbol.asyncIterator]();
  let batch: ReportText[] = [];
  let length = 0;
  for (let isEnded = false; !isEnded;) {
    const pending = iterator.next();
    if (batch.length > 0 && !await settlesSoon(clock, pending)) {
      yield batch;
      [batch, length] = [[], 0];
    }
    const step = await pending;
    isEnded = step.done === true;
    for (const report of step.done === true ? lines.end() : lines.push(step.value)) {
      batch.push(report);
      length += report.text?.length ?? 0;
      if (batch.length < reportsMax && length < batchLengthMax) continue;
      yield batch;
      [batch, length] = [[], 0];
    }
  }
  if (batch.length > 0) yield batch;
}

/** Whether a promise settles before anybody would notice. */
async function settlesSoon(
  clock: Pick<Clock, 'sleep'>,
  promise: Promise<unknown>,
): Promise<boolean> {
  const timer = new AbortController();
  const settled = promise.then(() => true, () => true);
  const late = clock.sleep(lingerMs, timer.signal).then(() => false, () => false);
  try {
    return await Promise.race([settled, late]);
  } finally {
    timer.abort();
  }
}
