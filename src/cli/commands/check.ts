/**
 * `muster check` and `muster diff`: what differs, and nothing changed.
 */
import type { CheckDocument } from '../../node/documents.ts';
import { countOf } from '../amounts.ts';
import { askNode, type Context, type Handler, nextCommand } from '../context.ts';
import { outcomeExitCode } from '../exit-codes.ts';
import { briefOf, differenceLines, haltLines, problemLines, unmanagedLines } from '../findings.ts';
import type { Report } from '../output.ts';
import { ProgressLine } from '../progress.ts';
import { type Line, styled } from '../styled-text.ts';

export const check: Handler = async (context) => {
  const document = await ask(context, context.invocation.has('offline'));
  const { lines, ...report } = reportOf(context, document, 'check');
  return { ...report, lines: [summary(document), ...lines] };
};

/** Like `check`, but the listing is all there is: it can be read by programs. */
export const diff: Handler = async (context) => {
  const document = await ask(context, false);
  const report = reportOf(context, document, 'diff');
  return { ...report, notes: [summary(document), ...report.notes ?? []] };
};

// ---------------------------------------------------------------------------------------------

async function ask(context: Context, offline: boolean): Promise<CheckDocument> {
  const { host, output, signal } = context;
  const progress = new ProgressLine(output, host.clock);
  try {
    return await askNode(
      context,
      (operations) => operations.check({ offline }, { signal, onProgress: progress.onProgress }),
    );
  } finally {
    progress.end();
  }
}

function reportOf(context: Context, document: CheckDocument, command: string): Report {
  const { invocation, output } = context;
  const { differences, problems, unmanaged, halted } = document;
  return {
    document,
    lines: differenceLines(differences, output.isTerminal),
    notes: [
      ...unmanagedLines(unmanaged, output.isTerminal),
      ...problemLines(problems, output.isTerminal),
      ...haltLines(halted, (words) => nextCommand(invocation, words), { isListed: true }),
    ],
    exitCode: outcomeExitCode({
      isHalted: halted.length > 0,
      hasProblems: problems.length > 0,
      isDifferent: !document.in_sync,
    }),
    brief: briefOf(command, {
      halted,
      problems,
      otherwise: `${countOf(differences.length, 'difference')} from ${comparedWith(document)}`,
    }),
  };
}

function summary(document: CheckDocument): Line {
  const { differences, in_sync: isInSync } = document;
  const other = comparedWith(document);
  const checked = `${countOf(document.files, 'file')} checked`;
  if (isInSync) return [styled('green', 'In sync'), ` with ${other}: ${checked}`];
  // What could not be read may differ or not.
  if (differences.length === 0) {
    return [styled('yellow', 'Partly compared'), ` with ${other}: ${checked}`];
  }
  const count = countOf(differences.length, 'difference');
  return [styled('yellow', 'Differs'), ` from ${other}: ${count}, ${checked}`];
}

function comparedWith({ compared_with: other, generation }: CheckDocument): string {
  return other === 'master'
    ? `the master at generation ${generation}`
    : `the ${other}, ${generation}`;
}
