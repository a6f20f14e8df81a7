/**
 * Reads the command line by the table of commands.
 *
 * The parsing itself is cac's; around it lies what a command line of ours has to keep: values are
 * texts whatever they look like, an option takes a value or it does not, nothing unknown passes,
 * and every mistake names what was probably meant.
 */
import { type CAC, cac } from 'cac';
import { nearest } from '../base/nearest.ts';
import { commandGroups, type CommandName } from './command-table.ts';
import {
  checkChoice,
  checkOptions,
  checkWords,
  type GivenOption,
  seeHelp,
} from './argument-checks.ts';
import type { CommandSpec, OptionSpec } from './command-spec.ts';
import { UsageError } from './usage-error.ts';

/** What the command line asks for. */
export type Request =
  | { readonly kind: 'version' }
  /** `topic`: a command, or the first word of several; undefined asks for the list. */
  | { readonly kind: 'help'; readonly topic: string | undefined }
  | { readonly kind: 'command'; readonly invocation: Invocation };

/** A command with its arguments and options, all of them allowed. */
export class Invocation {
  readonly name: CommandName;
  /** Positional arguments. */
  readonly words: readonly string[];
  readonly #options: ReadonlyMap<string, readonly string[]>;

  constructor(
    name: CommandName,
    words: readonly string[],
    options: ReadonlyMap<string, readonly string[]>,
  ) {
    this.name = name;
    this.words = words;
    this.#options = options;
  }

  /** Whether an option was given. */
  has(option: string): boolean {
    return this.#options.has(option);
  }

  /** The value of an option; undefined where it was not given. */
  value(option: string): string | undefined {
    return this.#options.get(option)?.[0];
  }

  /** The values of an option that may be repeated. */
  values(option: string): readonly string[] {
    return this.#options.get(option) ?? [];
  }
}

/**
 * What the command line asks for.
 * @throws UsageError
 */
export function parseArguments(argv: readonly string[]): Request {
  const cli = declare();
  cli.parse(['', '', ...argv.map(guard)], { run: false });
  const given = givenOptions(argv);
  const isHelp = given.some(({ flag }) => flag === '--help' || flag === '-h');
  const word = cli.matchedCommandName;
  const group = word === undefined ? undefined : commandGroups.get(word);
  if (word === undefined || group === undefined) {
    return withoutCommand(cli.args.map(unguard), given, isHelp);
  }
  const parsed: Record<string, unknown> = cli.options;
  const afterDashes = Array.isArray(parsed['--']) ? parsed['--'].map(String) : [];
  const words = [...cli.args.map(String), ...afterDashes].map(unguard);
  const found = select(word, group, words, isHelp);
  if (isHelp) return { kind: 'help', topic: found?.name ?? word };
  if (found === undefined) throw incomplete(word, group);
  const { name, spec, rest } = found;
  checkOptions(name, spec, given);
  checkWords(name, spec, rest);
  return { kind: 'command', invocation: new Invocation(name, rest, readOptions(spec, parsed)) };
}

/** The options that decide how errors are written, from a command line that may be wrong. */
export function outputOptions(argv: readonly string[]) {
  const flags = givenOptions(argv).map(({ flag }) => flag);
  const color = colorPattern.exec(argv.join('\n'))?.[1];
  return {
    isJson: flags.includes('--json'),
    isQuiet: flags.includes('--quiet'),
    color: color === 'always' || color === 'never' ? color : 'auto',
  } as const;
}

// ---------------------------------------------------------------------------------------------

const colorPattern = /^--color[=\n](auto|always|never)$/m;

/** cac, with our commands; their options are declared to be told from values. */
function declare(): CAC {
  const cli = cac('muster');
  cli.option('-h, --help', '');
  for (const [word, group] of commandGroups) {
    const command = cli.command(`${word} [...words]`);
    for (const option of new Map(group.flatMap(([, spec]) => spec.options).map(byName)).values()) {
      command.option(`--${option.name}${option.value === undefined ? '' : ' <value>'}`, '');
    }
  }
  return cli;
}

function byName(option: OptionSpec): [string, OptionSpec] {
  return [option.name, option];
}

/** An argument never holds a NUL, so that what is marked with one is known again. */
const mark = '\0';

/**
 * cac makes numbers of texts that look like some (`--name 007`), and takes an empty value for a
 * missing one: such values are marked, and thereby left as they are.
 */
function guard(argument: string): string {
  const equals = argument.indexOf('=');
  if (argument.startsWith('-') && equals < 0) return argument;
  const value = argument.startsWith('-') ? argument.slice(equals + 1) : argument;
  const isAltered = value === 'true' || value === 'false' || Number.isFinite(Number(value));
  return isAltered ? argument + mark : argument;
}

function unguard(argument: string): string {
  return argument.endsWith(mark) ? argument.slice(0, -mark.length) : argument;
}

/** All that begins with a dash is an option: a value that does so has to follow a "=". */
function givenOptions(argv: readonly string[]): GivenOption[] {
  const end = argv.indexOf('--');
  return (end < 0 ? argv : argv.slice(0, end))
    .filter((argument) => argument.startsWith('-'))
    .map((argument) => {
      const [flag = ''] = argument.split('=', 1);
      return { flag, hasValue: flag !== argument };
    });
}

function withoutCommand(
  words: readonly string[],
  given: readonly GivenOption[],
  isHelp: boolean,
): Request {
  const [word] = words;
  if (word !== undefined) {
    const found = nearest(word, commandGroups.keys());
    throw new UsageError(
      `Unknown command "${word}"${found === undefined ? '' : `, did you mean "${found}"?`}`,
      '"muster --help" lists the commands',
    );
  }
  if (isHelp) return { kind: 'help', topic: undefined };
  const unknown = given.find(({ flag }) => flag !== '--version');
  if (unknown !== undefined) {
    throw new UsageError(
      `Unknown option "${unknown.flag}" without a command`,
      '"muster --help" lists the commands',
    );
  }
  if (given.length > 0) return { kind: 'version' };
  throw new UsageError('No command given', '"muster --help" lists the commands');
}

interface Selected {
  readonly name: CommandName;
  readonly spec: CommandSpec;
  /** The words after the name. */
  readonly rest: readonly string[];
}

type Group = readonly (readonly [CommandName, CommandSpec])[];

/** The command of a group that is meant; undefined where its second word is missing. */
function select(
  word: string,
  group: Group,
  words: readonly string[],
  isHelp: boolean,
): Selected | undefined {
  for (const [name, spec] of group) {
    if (name === word) return { name, spec, rest: words };
    if (name === `${word} ${words[0]}`) return { name, spec, rest: words.slice(1) };
  }
  if (words.length > 0) throw unknownSecond(word, group, words[0]!);
  if (isHelp) return undefined;
  const byDefault = group.find(([, spec]) => spec.isDefault === true);
  return byDefault && { name: byDefault[0], spec: byDefault[1], rest: [] };
}

function secondWords(group: Group): string[] {
  return group.map(([name]) => name.split(' ')[1] ?? '');
}

function unknownSecond(word: string, group: Group, second: string): UsageError {
  const found = nearest(second, secondWords(group));
  return new UsageError(
    `Unknown command "${word} ${second}"` +
      (found === undefined ? '' : `, did you mean "${word} ${found}"?`),
    seeHelp(word),
  );
}

function incomplete(word: string, group: Group): UsageError {
  const words = secondWords(group);
  const shown = words.length < 2
    ? words.join('')
    : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
  return new UsageError(`"muster ${word}" needs to be told what: ${shown}`, seeHelp(word));
}

function readOptions(
  spec: CommandSpec,
  parsed: Readonly<Record<string, unknown>>,
): Map<string, readonly string[]> {
  const options = new Map<string, readonly string[]>();
  for (const option of spec.options) {
    const raw = parsed[camel(option.name)];
    if (raw === undefined) continue;
    if (option.value === undefined) {
      options.set(option.name, []);
      continue;
    }
    const values = (Array.isArray(raw) ? raw : [raw]).map((value) => {
      if (typeof value !== 'string') {
        throw new UsageError(
          `Option "--${option.name}" needs a value: ${optionExample(option)}`,
          'A value that begins with "-" is written behind a "="',
        );
      }
      return unguard(value);
    });
    for (const value of values) checkChoice(`--${option.name}`, value, option.choices);
    options.set(option.name, values);
  }
  return options;
}

function optionExample(option: OptionSpec): string {
  return `--${option.name} ${option.choices?.join('|') ?? option.value}`;
}

/** The name under which cac keeps an option. */
function camel(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
