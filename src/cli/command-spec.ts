/**
 * What a command, an argument and an option are, and how they are written in help texts.
 */

/** An option. */
export interface OptionSpec {
  /** Without the dashes. */
  readonly name: string;
  /** What the value is called in help texts; undefined where the option takes none. */
  readonly value?: string;
  readonly doc: string;
  /** The only values that are allowed. */
  readonly choices?: readonly string[];
  /** What completion offers as values. @default the choices, or nothing */
  readonly completes?: 'file' | 'directory';
  /** Whether it may be given more than once. @default false */
  readonly isRepeatable?: boolean;
}

/** A positional argument. */
export interface ArgumentSpec {
  readonly name: string;
  readonly doc: string;
  /** @default false */
  readonly isOptional?: boolean;
  /** Whether more than one may be given; the last argument only. @default false */
  readonly isRepeatable?: boolean;
  /** The only values that are allowed. */
  readonly choices?: readonly string[];
}

/** A command. */
export interface CommandSpec {
  /** One line for the list of commands. */
  readonly summary: string;
  /** More about it, in paragraphs. */
  readonly description?: readonly string[];
  readonly arguments: readonly ArgumentSpec[];
  readonly options: readonly OptionSpec[];
  /** The command lines that the synopsis names before `[OPTION]...`. */
  readonly synopsis?: string;
  /** Whether it is meant where only the first of its two words is given. */
  readonly isDefault?: boolean;
  readonly examples: readonly string[];
}

// ---------------------------------------------------------------------------------------------

/** How a command is written: `join [TOKEN] [OPTION]...`. */
export function synopsisOf(name: string, spec: CommandSpec): string {
  const words = spec.arguments.map((argument) => {
    const word = `${argument.name}${argument.isRepeatable === true ? '...' : ''}`;
    return argument.isOptional === true ? `[${word}]` : word;
  });
  const [first = '', second] = name.split(' ');
  const shown = spec.isDefault === true ? `${first} [${second}]` : name;
  const options = spec.options.length === 0 ? [] : ['[OPTION]...'];
  const fixed = spec.synopsis === undefined ? [] : [spec.synopsis];
  return [shown, ...words, ...fixed, ...options].join(' ');
}

/** How an option is written: `--config FILE`. */
export function optionText(option: OptionSpec): string {
  return option.value === undefined ? `--${option.name}` : `--${option.name} ${option.value}`;
}
