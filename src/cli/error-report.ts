/**
 * Says what went wrong, in the words of the error, and gives the exit code for it.
 */
import { ClusterError, codeOf, describeError } from '../base/errors.ts';
import { ConfigError, type Problem } from '../config/problems.ts';
import { exitCodeOf, exitCodes } from './exit-codes.ts';
import { type Output, versioned } from './output.ts';
import { type Line, styled } from './styled-text.ts';
import { UsageError } from './usage-error.ts';

/**
 * Writes an error where the command writes to; the result is the exit code.
 * @param stoppedCode the exit code where a signal stopped the command
 */
export function reportError(output: Output, error: unknown, stoppedCode?: number): number {
  const failure = failureOf(error);
  const { code, message, remedy, problems, details } = failure;
  const exitCode = stoppedCode ?? failure.exitCode;
  if (output.isJson) {
    const facts = { code, message, remedy: remedy ?? null, exit_code: exitCode };
    output.document(versioned({ error: problems === undefined ? facts : { ...facts, problems } }));
  } else if (output.isQuiet) {
    output.notes([`muster: ${brief(failure)}`]);
  } else {
    const lines: Line[] = [[styled('red', 'muster:'), ` ${message}`], ...details];
    output.notes(remedy === undefined ? lines : [...lines, `  ${remedy}`]);
  }
  return exitCode;
}

// ---------------------------------------------------------------------------------------------

interface Failure {
  readonly code: string;
  readonly message: string;
  readonly remedy: string | undefined;
  readonly exitCode: number;
  readonly problems?: readonly Problem[];
  /** Lines that follow the message. */
  readonly details: readonly Line[];
}

function failureOf(error: unknown): Failure {
  if (error instanceof UsageError) {
    const { message, remedy } = error;
    return { code: 'usage', message, remedy, exitCode: exitCodes.usage, details: [] };
  }
  const code = codeOf(error);
  const exitCode = exitCodeOf(code);
  if (error instanceof ConfigError) {
    const [message = '', ...rest] = error.message.split('\n');
    const { remedy, problems } = error;
    // A single problem stands in the message already.
    return { code, message, remedy, exitCode, problems, details: rest };
  }
  const message = describeError(error);
  if (error instanceof ClusterError || code === 'aborted') {
    const remedy = error instanceof ClusterError ? error.remedy : undefined;
    return { code, message, remedy, exitCode, details: [] };
  }
  const stack = error instanceof Error ? (error.stack ?? '').split('\n').slice(1) : [];
  const remedy = 'This is a mistake in muster: please report it with the lines above';
  return { code, message, remedy, exitCode, details: stack };
}

function brief({ message, problems = [] }: Failure): string {
  const [first] = problems;
  if (first === undefined || problems.length === 1) return message;
  const others = problems.length - 1;
  return `${first.where}: ${first.message}, and ${others} more problem${others === 1 ? '' : 's'}`;
}
