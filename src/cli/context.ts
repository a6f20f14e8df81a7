/**
 * What the handler of a command gets, and the steps that most of them begin with.
 */
import { displayText } from '../base/bytes.ts';
import type { Config, ParsedConfig } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import { resolvePath } from '../config/location.ts';
import { parseDuration } from '../config/units.ts';
import { nameProblem } from '../identity/certificate-names.ts';
import type { Operations } from '../node/operations.ts';
import type { Invocation } from './arguments.ts';
import type { Host, OpenOptions } from './host.ts';
import type { Output, Report } from './output.ts';
import { UsageError } from './usage-error.ts';

/** What a command works with. */
export interface Context {
  readonly host: Host;
  readonly invocation: Invocation;
  readonly output: Output;
  /** Aborted when the program is to stop. */
  readonly signal: AbortSignal;
}

/** Runs a command. What it has to say it returns, unless it has said it meanwhile. */
export type Handler = (context: Context) => Promise<Report | undefined>;

/** Options of which one says which node is meant. */
const nodeOptions = ['config', 'dir', 'wazuh-home'] as const;

/** The configuration that the options of the command name, and where its values come from. */
export function loadParsedConfig({ host, invocation }: Context): Promise<ParsedConfig> {
  const [config, dir, wazuhHome] = nodeOptions.map((option) => invocation.value(option));
  const given = nodeOptions.filter((option) => invocation.value(option) !== undefined);
  if (given.length > 1) {
    const shown = given.map((option) => `"--${option}"`).join(' and ');
    throw new UsageError(`Options ${shown} exclude each other`, 'Give one of them');
  }
  return loadConfig(host.configFiles, {
    config,
    dir,
    wazuhHome,
    env: host.environment,
    workingDirectory: host.workingDirectory,
    hostname: host.hostname,
  });
}

/** The configuration that the options of the command name. */
export async function loadNodeConfig(context: Context): Promise<Config> {
  return (await loadParsedConfig(context)).config;
}

/** Opens the node, lets `work` ask it, and closes it whatever happens. */
export async function withOperations<T>(
  context: Context,
  config: Config,
  needs: OpenOptions['needs'],
  work: (operations: Operations) => Promise<T>,
): Promise<T> {
  const { host, signal } = context;
  const opened = await host.openOperations(config, { needs, signal });
  try {
    return await work(opened.operations);
  } finally {
    await opened.close();
  }
}

/** Loads the configuration and asks the node, a running daemon or not. */
export async function askNode<T>(
  context: Context,
  work: (operations: Operations, config: Config) => Promise<T>,
): Promise<T> {
  const config = await loadNodeConfig(context);
  return await withOperations(context, config, 'any', (operations) => work(operations, config));
}

// --- values of options -------------------------------------------------------------------------

/** Milliseconds of an option such as `--ttl 24h`; undefined where it was not given. */
export function durationOption(invocation: Invocation, option: string): number | undefined {
  const text = invocation.value(option);
  if (text === undefined) return undefined;
  const ms = parseDuration(text);
  if (ms !== undefined && ms > 0) return ms;
  throw new UsageError(
    `Option "--${option}" cannot be "${text}"`,
    'It is a number and a unit, such as 30s, 5m, 24h or 7d',
  );
}

/** The whole number of an option, from 1 on; undefined where it was not given. */
export function countOption(invocation: Invocation, option: string): number | undefined {
  const text = invocation.value(option);
  if (text === undefined) return undefined;
  // Nine digits: beyond any use, and below all that could overflow.
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new UsageError(
    `Option "--${option}" cannot be "${text}"`,
    'It is a whole number from 1 on',
  );
}

/** The name of a node or cluster, from an option or from elsewhere. */
export function checkedName(subject: string, name: string, remedy: string): string {
  const problem = nameProblem(name);
  if (problem === undefined) return name;
  throw new UsageError(`${subject} cannot be "${name}": ${problem}`, remedy);
}

/** The absolute path of an option. */
export function pathOption(context: Context, option: string, byDefault: string): string {
  const { host, invocation } = context;
  const text = invocation.value(option) ?? byDefault;
  if (text !== '') return resolvePath(host.workingDirectory, text);
  throw new UsageError(`Option "--${option}" cannot be empty`);
}

// --- commands to run next ----------------------------------------------------------------------

/** A command line to be copied that concerns the same node as this one. */
export function nextCommand(invocation: Invocation, words: string): string {
  const options = nodeOptions.flatMap((option) => {
    const value = invocation.value(option);
    return value === undefined ? [] : [`--${option}`, shellWord(value)];
  });
  return ['muster', words, ...options].join(' ');
}

/** A text as one word of a shell's command line. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Says that a managed tree begins empty, as after a mistyped path. */
export function newRootNotes(root: string, isNew: boolean): string[] {
  return isNew ? [`The managed tree "${displayText(root)}" was not there: made an empty one.`] : [];
}
