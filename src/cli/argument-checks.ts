/**
 * Checks what was given on the command line against the table of commands.
 */
import { nearest } from '../base/nearest.ts';
import type { CommandSpec } from './command-spec.ts';
import { UsageError } from './usage-error.ts';

/** An option as it was written. */
export interface GivenOption {
  /** With the dashes. */
  readonly flag: string;
  /** Whether a value follows a "=". */
  readonly hasValue: boolean;
}

/** @throws UsageError where an option is unknown, given twice, or has a value it does not take */
export function checkOptions(
  name: string,
  spec: CommandSpec,
  given: readonly GivenOption[],
): void {
  const known = new Map(spec.options.map((option) => [`--${option.name}`, option]));
  const seen = new Set<string>();
  for (const { flag, hasValue } of given) {
    const option = known.get(flag);
    if (option === undefined) {
      const found = nearest(flag, known.keys());
      throw new UsageError(
        `Unknown option "${flag}" of "muster ${name}"` +
          (found === undefined ? '' : `, did you mean "${found}"?`),
        seeHelp(name),
      );
    }
    if (hasValue && option.value === undefined) {
      throw new UsageError(`Option "${flag}" takes no value`, seeHelp(name));
    }
    if (seen.has(flag) && option.value !== undefined && option.isRepeatable !== true) {
      throw new UsageError(`Option "${flag}" is given twice`, seeHelp(name));
    }
    seen.add(flag);
  }
}

/** @throws UsageError where arguments are missing, too many, or not among the choices */
export function checkWords(name: string, spec: CommandSpec, words: readonly string[]): void {
  const missing = spec.arguments[words.length];
  if (missing !== undefined && missing.isOptional !== true) {
    throw new UsageError(`"muster ${name}" needs ${missing.name}`, seeHelp(name));
  }
  const surplus = words[spec.arguments.length];
  if (surplus !== undefined && spec.arguments.at(-1)?.isRepeatable !== true) {
    throw new UsageError(`"muster ${name}" does not take the argument "${surplus}"`, seeHelp(name));
  }
  for (const [index, argument] of spec.arguments.entries()) {
    checkChoice(argument.name, words[index], argument.choices);
  }
}

/** @throws UsageError where a value is not among the choices, if there are any */
export function checkChoice(
  subject: string,
  value: string | undefined,
  choices: readonly string[] | undefined,
): void {
  if (value === undefined || choices === undefined || choices.includes(value)) return;
  const found = nearest(value, choices);
  throw new UsageError(
    `${subject} cannot be "${value}"${found === undefined ? '' : `, did you mean "${found}"?`}`,
    `It is one of ${choices.join(', ')}`,
  );
}

/** Where more is said about a command. */
export function seeHelp(topic: string): string {
  return `See "muster ${topic} --help"`;
}
