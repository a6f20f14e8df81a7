/**
 * What is wrong with a configuration, collected, so that all of it is reported at once.
 */
import { displayText } from '../base/bytes.ts';
import { ClusterError } from '../base/errors.ts';

/** One thing that is wrong. */
export interface Problem {
  /** `FILE:LINE` where that is known; else the file, the variable or the option. */
  readonly where: string;
  /** What is wrong and what to do about it. */
  readonly message: string;
}

/** The configuration cannot be used; carries every problem found. */
export class ConfigError extends ClusterError {
  readonly problems: readonly Problem[];

  constructor(fileName: string, problems: readonly Problem[]) {
    super('configuration', summarise(fileName, problems));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** A value as it is shown in a message: quoted, escaped, and never long. */
export function showValue(value: unknown): string {
  const text = JSON.stringify(
    value,
    (_, inner: unknown) => typeof inner === 'bigint' ? String(inner) : inner,
  ) ?? String(value);
  const shown = displayText(text);
  // 60 characters: enough to recognise the value by, and the message stays on one line.
  return shown.length <= 60 ? shown : `${shown.slice(0, 57)}...`;
}

// ---------------------------------------------------------------------------------------------

function summarise(fileName: string, problems: readonly Problem[]): string {
  const [first] = problems;
  if (first !== undefined && problems.length === 1) {
    if (first.where === fileName) {
      return `Cannot read configuration "${fileName}": ${first.message}`;
    }
    if (first.where.startsWith(`${fileName}:`)) {
      return `Cannot read configuration "${first.where}": ${first.message}`;
    }
  }
  const lines = problems.map((problem) => `\n  ${problem.where}: ${problem.message}`);
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  return `Cannot read configuration "${fileName}": ${count}${lines.join('')}`;
}
