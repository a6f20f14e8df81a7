/**
 * `muster rollback`: puts back earlier versions.
 */
import type { RollbackDocument } from '../../node/documents.ts';
import { countText } from '../amounts.ts';
import { askNode, countOption, type Handler, nextCommand } from '../context.ts';
import { outcomeExitCode } from '../exit-codes.ts';
import { briefOf, problemLines } from '../findings.ts';
import type { Line } from '../styled-text.ts';
import { UsageError } from '../usage-error.ts';

export const rollback: Handler = (context) => {
  const { invocation, output, signal } = context;
  const request = readRequest(
    countOption(invocation, 'generation'),
    countOption(invocation, 'version'),
  );
  return askNode(context, async (operations) => {
    const document = await operations.rollback(request, { signal });
    const { problems } = document;
    return {
      document,
      lines: [summary(document)],
      notes: [
        ...problemLines(problems, output.isTerminal),
        ...document.held.map((set): Line =>
          `Set "${set}" is held as it is now, until "${nextCommand(invocation, `approve ${set}`)}"`
        ),
      ],
      exitCode: outcomeExitCode({ isHalted: false, hasProblems: problems.length > 0 }),
      brief: briefOf('rollback', { halted: [], problems, otherwise: '' }),
    };
  });
};

function readRequest(generation: number | undefined, version: number | undefined) {
  if (generation !== undefined && version === undefined) return { generation };
  if (version !== undefined && generation === undefined) return { version };
  throw new UsageError(
    '"muster rollback" needs either --generation N or --version ID',
    '"muster versions" lists both',
  );
}

function summary({ restored, removed }: RollbackDocument): Line {
  return `Rolled back: ${countText(restored)} restored, ${countText(removed)} removed`;
}
