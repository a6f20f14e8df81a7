/**
 * `muster agents report`: reports from standard input, taken in by the node while they come.
 */
import { untilAborted } from '../../base/async.ts';
import type { ReportDocument } from '../../node/agent-documents.ts';
import { sentReportsMax, takeReports } from '../../node/report-stream.ts';
import { countOf, countText } from '../amounts.ts';
import { askNode, type Handler } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Report } from '../output.ts';
import { TransientLine } from '../progress.ts';
import { type Line, styled } from '../styled-text.ts';

export const agentsReport: Handler = (context) =>
  askNode(context, async (operations) => {
    const { host, output, signal } = context;
    if (host.stdin.isTerminal && !output.isQuiet) {
      output.notes(['Type reports, one a line; Ctrl-D ends']);
    }
    const progress = new TransientLine(output, host.clock);
    try {
      const document = await untilAborted(
        takeReports(
          host.clock,
          host.stdin.chunks(),
          (reports) => operations.agentsReport({ reports }, { signal }),
          {
            batchReportsMax: sentReportsMax,
            onProgress: ({ accepted }) =>
              progress.show(() => `${countOf(accepted, 'report')} accepted`),
          },
        ),
        signal,
      );
      progress.end();
      return reportOf(document);
    } finally {
      progress.end();
    }
  });

function reportOf(document: ReportDocument): Report {
  const { accepted, refused_count: refusedCount, refused } = document;
  const counts = `${countOf(accepted, 'report')} accepted, ${countText(refusedCount)} refused`;
  if (refusedCount === 0) {
    const isEmpty = accepted === 0;
    return {
      document,
      lines: isEmpty ? [] : [`${countOf(accepted, 'report')} accepted`],
      notes: isEmpty ? ['There was no report on standard input'] : [],
    };
  }
  const hidden = refusedCount - refused.length;
  const problems = refused.map(({ line, problem }): Line => [
    styled('red', 'muster:'),
    ` line ${line}: ${problem}`,
  ]);
  return {
    document,
    lines: [counts],
    notes: hidden === 0 ? problems : [...problems, `… and ${countText(hidden)} more`],
    exitCode: accepted === 0 ? exitCodes.failure : exitCodes.partly,
    brief: `agents report: ${counts}, first line ${refused[0]?.line}: ${refused[0]?.problem}`,
  };
}
