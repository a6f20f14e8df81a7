/**
 * `muster sync --once`: one round, by the daemon where one runs.
 */
import { withDeadline } from '../../base/async.ts';
import type { DifferenceDocument, SyncDocument } from '../../node/documents.ts';
import { countOf, countText, sizeText, spanText } from '../amounts.ts';
import { askNode, durationOption, type Handler, nextCommand } from '../context.ts';
import { outcomeExitCode } from '../exit-codes.ts';
import { briefOf, differenceLines, haltLines, problemLines } from '../findings.ts';
import { ProgressLine } from '../progress.ts';
import type { Report } from '../output.ts';
import { type Line, styled } from '../styled-text.ts';
import { UsageError } from '../usage-error.ts';

export const sync: Handler = async (context) => {
  const { host, invocation, output, signal } = context;
  if (!invocation.has('once')) {
    throw new UsageError(
      '"muster sync" does one round and exits, which has to be said: --once',
      'Run "muster sync --once", or "muster run" for the daemon that keeps the node in step',
    );
  }
  const timeoutMs = durationOption(invocation, 'timeout');
  const dryRun = invocation.has('dry-run');
  const progress = new ProgressLine(output, host.clock);
  const round = (within: AbortSignal): Promise<SyncDocument> =>
    askNode(
      { ...context, signal: within },
      (operations) =>
        operations.sync({ dryRun }, { signal: within, onProgress: progress.onProgress }),
    );
  try {
    const document = timeoutMs === undefined
      ? await round(signal)
      : await withDeadline(host.clock, timeoutMs, 'The round', signal, round);
    return syncReport(document, {
      isTerminal: output.isTerminal,
      nextCommand: (words) => nextCommand(invocation, words),
    });
  } finally {
    progress.end();
  }
};

/** How a report of a round is to be written. */
export interface SyncView {
  readonly isTerminal: boolean;
  readonly nextCommand: (words: string) => string;
}

/** What there is to say about a round. */
export function syncReport(document: SyncDocument, view: SyncView): Report {
  const { dry_run: isDryRun, differences, problems, halted, in_sync: isInSync } = document;
  const exitCode = outcomeExitCode({
    isHalted: halted.length > 0,
    // A round that ends out of step, with no reason given, has left something to the next one.
    hasProblems: problems.length > 0 || (!isDryRun && !isInSync),
    isDifferent: isDryRun && differences.length > 0,
  });
  const listing = isDryRun ? differenceLines(differences, view.isTerminal) : [];
  return {
    document,
    lines: [...listing, summary(document)],
    notes: [
      ...problemLines(problems, view.isTerminal),
      ...haltLines(halted, view.nextCommand, { isListed: isDryRun }),
    ],
    exitCode,
    brief: briefOf('sync', {
      halted,
      problems,
      otherwise: isDryRun
        ? `${countOf(differences.length, 'file')} would change`
        : `not in sync with generation ${document.generation} yet`,
    }),
  };
}

function summary(document: SyncDocument): Line {
  const { generation } = document;
  const time = spanText(document.duration_ms);
  if (document.dry_run) {
    const planned = plannedOf(document);
    const would = planned.total === 0 ? 'nothing to do' : `would be ${planned.text}`;
    return `Dry run against generation ${generation}: ${would} (${time})`;
  }
  const { created, replaced, removed, bytes } = document;
  const counts = countsText(created, replaced, removed);
  if (document.halted.length > 0) {
    return [styled('red', 'Halted'), ` at generation ${generation}: ${counts} (${time})`];
  }
  if (document.problems.length > 0 || !document.in_sync) {
    return [styled('yellow', 'Partly done'), ` at generation ${generation}: ${counts} (${time})`];
  }
  const isIdle = created + replaced + removed === 0;
  const done = isIdle ? 'nothing to do' : `${counts}, ${sizeText(bytes)}`;
  return [styled('green', 'In sync'), ` at generation ${generation}: ${done} (${time})`];
}

/** What a round would do: a dry one has done nothing that could be counted. */
function plannedOf({ differences }: SyncDocument) {
  const count = (action: DifferenceDocument['action']) =>
    differences.filter((difference) => difference.action === action).length;
  const bytes = differences.reduce(
    (sum, { action, size }) => action === 'remove' ? sum : sum + (size ?? 0),
    0,
  );
  const counts = countsText(count('create'), count('replace'), count('remove'));
  return { total: differences.length, text: `${counts}, ${sizeText(bytes)}` };
}

function countsText(created: number, replaced: number, removed: number): string {
  return `${countText(created)} created, ${countText(replaced)} replaced, ` +
    `${countText(removed)} removed`;
}
