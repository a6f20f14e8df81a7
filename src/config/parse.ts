/**
 * Puts a configuration together: options over environment over file over a Wazuh installation over
 * defaults.
 *
 * Every value that is given is checked, also one that a higher layer covers, so that whether a file
 * is valid does not depend on who reads it. All problems are found before any is reported; a
 * `Config` is complete and fits together, or there is none.
 */
import * as v from 'valibot';
import type { GroupRule } from '../agents/group-rules.ts';
import type { FileSet } from '../files/file-set.ts';
import { misfits } from './checks.ts';
import { type ConfigFile, type Document, type Given, type GivenTable } from './document.ts';
import { readDocument } from './document.ts';
import { groupRuleKeys } from './group-rule-keys.ts';
import type { Config, Origin, ParsedConfig, ReadConfig } from './config.ts';
import {
  camel,
  fieldName,
  type FileValue,
  type Key,
  type KeyContext,
  type Resolved,
  ValueProblem,
} from './key.ts';
import { eachKey } from './keys.ts';
import { readEnvironment, readFlags, variableOf } from './layers.ts';
import { directoryOf, type Environment, homeLayout, type Layout, layoutOf } from './location.ts';
import { resolvePath, statePaths } from './location.ts';
import { ConfigError, type Problem, showValue } from './problems.ts';
import { defaultSets, setKeys } from './set-keys.ts';
import type { HomeValues } from './wazuh-home.ts';

/** All that decides a configuration. */
export interface ConfigSources extends ConfigFile {
  /** Files that the main file includes. */
  readonly includes?: readonly ConfigFile[];
  /**
   * What a Wazuh installation says, which counts less than the files; undefined without one.
   */
  readonly home?: HomeValues | undefined;
  /** The installation where there is no file: everything comes from it. */
  readonly homeAlone?: string | undefined;
  /** @default no variables */
  readonly env?: Environment;
  /** Values by dotted key, from the options of a command; texts are read like variables. */
  readonly flags?: Readonly<Record<string, FileValue | undefined>>;
  /** Name of this machine, for the node name "auto". */
  readonly hostname?: string;
  /**
   * What relative paths in variables and options start from; those in a file start from its
   * directory.
   * @default the directory of the file
   */
  readonly workingDirectory?: string;
}

/**
 * The configuration that the sources make together.
 * @throws ConfigError with every problem there is
 */
export function parseConfig(sources: ConfigSources): ParsedConfig {
  const problems: Problem[] = [];
  const main = readDocument(sources, problems);
  // What a file says that cannot be parsed is not known: nothing is missing from it either.
  if (main === undefined) throw new ConfigError(sources.fileName, problems);
  const included = (sources.includes ?? [])
    .map((file) => readDocument(file, problems, true))
    .filter((document) => document !== undefined);
  problems.push(...sources.home?.problems ?? []);
  const resolver = new Resolver(sources, main, problems);
  const values = resolver.tables();
  const sets = resolver.sets([main, ...included]);
  const read = {
    ...values,
    sets: sets.map(({ set }) => set),
    groupRules: resolver.groupRules(main),
    file: sources.fileName,
  } as unknown as ReadConfig;
  for (const { key, message } of misfits(read)) {
    problems.push({ where: resolver.whereOf(key, sets), message });
  }
  if (problems.length > 0) throw new ConfigError(sources.fileName, problems);
  const complete = read as Omit<Config, 'paths'>;
  return {
    config: { ...complete, paths: statePaths(complete.node.state) },
    origins: resolver.origins,
  };
}

/** The Wazuh installation that a configuration names: the directory, absolute; else undefined. */
export function wazuhHomeOf(
  file: ConfigFile,
  env: Environment,
  workingDirectory: string,
): string | undefined {
  const dotted = 'wazuh.home';
  const variable = env[variableOf(dotted)];
  if (variable !== undefined) {
    return variable === '' ? undefined : resolvePath(workingDirectory, variable);
  }
  const raw = readDocument(file, [])?.values.get(dotted)?.raw;
  if (typeof raw !== 'string' || raw === '') return undefined;
  return resolvePath(directoryOf(file.fileName), raw);
}

/** The patterns under `include` of a configuration file; none where the file cannot be read. */
export function includePatterns(file: ConfigFile): readonly string[] {
  return readDocument(file, [])?.include ?? [];
}

// ---------------------------------------------------------------------------------------------

interface Layer {
  readonly source: Origin['source'];
  readonly values: ReadonlyMap<string, Given>;
  readonly directory: string;
}

interface ResolvedSet {
  /** Undefined where something of it was refused. */
  readonly set: FileSet | undefined;
  readonly given: GivenTable | undefined;
}

class Resolver {
  readonly origins = new Map<string, Origin>();
  readonly #fileName: string;
  readonly #home: HomeValues | undefined;
  readonly #layout: (state: string | undefined) => Layout;
  readonly #hostname: string | undefined;
  readonly #problems: Problem[];
  /** The lowest first. */
  readonly #layers: readonly Layer[];
  readonly #values = new Map<string, unknown>();

  constructor(sources: ConfigSources, main: Document, problems: Problem[]) {
    const directory = directoryOf(sources.fileName);
    const { env = {}, flags = {}, workingDirectory = directory } = sources;
    this.#fileName = sources.fileName;
    this.#home = sources.home;
    this.#layout = (state) =>
      sources.homeAlone === undefined
        ? layoutOf(sources.fileName, env, state)
        : homeLayout(sources.homeAlone, env, state);
    this.#hostname = sources.hostname;
    this.#problems = problems;
    const variables = readEnvironment(env, problems);
    const options = readFlags(flags, problems);
    const none = new Map<string, Given>();
    this.#layers = [
      { source: 'file', values: sources.home?.values ?? none, directory },
      { source: 'file', values: main.values, directory },
      { source: 'environment', values: variables, directory: workingDirectory },
      { source: 'flag', values: options, directory: workingDirectory },
    ];
  }

  /** The fields of all tables, by table and field name. */
  tables(): Record<string, Record<string, unknown>> {
    const resolved: Record<string, Record<string, unknown>> = {};
    for (const { table, name, dotted, key } of eachKey()) {
      const value = this.#resolve(dotted, key);
      this.#values.set(dotted, value);
      (resolved[camel(table)] ??= {})[fieldName(name, key)] = value;
    }
    return resolved;
  }

  /** The sets of all files, or the default ones where no file has any. */
  sets(documents: readonly Document[]): ResolvedSet[] {
    const isAnyGiven = documents.some((document) => document.sets !== undefined);
    const given = isAnyGiven
      ? documents.flatMap((document) => document.sets ?? [])
      : this.#home?.sets;
    if (given === undefined) {
      return defaultSets.map((input) => {
        const values = new Map(
          Object.entries(input).map(([name, raw]) => [name, { raw, where: '' }]),
        );
        return { set: this.#resolveSet({ where: '', values }, 'default'), given: undefined };
      });
    }
    return given.map((table) => ({ set: this.#resolveSet(table, 'file'), given: table }));
  }

  /** The group rules of the main file; undefined where something of one was refused. */
  groupRules(main: Document): (GroupRule | undefined)[] {
    return main.groupRules.map((given, index) => {
      const fields = this.#resolveTable(given, 'file', `group_rules[${index}]`, groupRuleKeys);
      return fields as Resolved<typeof groupRuleKeys> | undefined;
    });
  }

  /** Where a problem with a key is best shown. */
  whereOf(key: string, sets: readonly ResolvedSet[]): string {
    const [, index, name] = /^sets\[(\d+)\]\.?(.*)$/.exec(key) ?? [];
    if (index !== undefined) {
      const given = sets[Number(index)]?.given;
      return given?.values.get(name ?? '')?.where ?? given?.where ?? this.#fileName;
    }
    const detail = this.origins.get(key)?.detail ?? '';
    return detail === '' ? this.#fileName : detail;
  }

  #resolve(dotted: string, key: Key): unknown {
    let found: { value: unknown; origin: Origin } | undefined;
    let isRefused = false;
    for (const { source, values, directory } of this.#layers) {
      const given = values.get(dotted);
      if (given === undefined) continue;
      const context = { directory, hostname: this.#hostname };
      const read = this.#read(given, key, context, subjectOf(source, dotted, given));
      if (read === undefined) isRefused = true;
      else found = { value: read.value, origin: { source, detail: given.where } };
    }
    this.origins.set(dotted, found?.origin ?? { source: 'default', detail: '' });
    if (found !== undefined) return found.value;
    return isRefused ? undefined : this.#default(dotted, key);
  }

  #default(dotted: string, key: Key): unknown {
    if (key.default !== undefined) return key.parse(key.default, this.#context());
    if (key.required !== undefined) {
      this.#problems.push({
        where: this.#fileName,
        message: `key "${dotted}" is required: ${key.doc}. For example ` +
          `${dotted.replace(/^.*\./, '')} = ${showValue(key.required)}`,
      });
      return undefined;
    }
    const state = this.#values.get('node.state') as string | undefined;
    const layout = this.#layout(state);
    const derived: Readonly<Record<string, unknown>> = {
      'node.state': layout.state,
      'node.tls': layout.tls,
      'node.control_socket': layout.controlSocket,
      'wazuh.key_file': resolvePath(layout.state, 'wazuh.key'),
      'log.file': layout.logFile,
      'log.phrases': this.#values.get('node.protocol'),
    };
    return derived[dotted];
  }

  #resolveSet(given: GivenTable, source: 'default' | 'file'): FileSet | undefined {
    const name = given.values.get('name')?.raw;
    const label = typeof name === 'string' ? `sets.${name}` : 'sets';
    const fields = this.#resolveTable(given, source, label, setKeys);
    return fields as Resolved<typeof setKeys> | undefined;
  }

  /** The fields of one of an array of tables; undefined where something of it was refused. */
  #resolveTable(
    given: GivenTable,
    source: 'default' | 'file',
    label: string,
    keys: Readonly<Record<string, Key>>,
  ): unknown {
    const problemsBefore = this.#problems.length;
    const fields: Record<string, unknown> = {};
    for (const [keyName, key] of Object.entries(keys)) {
      const value = given.values.get(keyName);
      const origin = { source, detail: value?.where ?? '' };
      this.origins.set(`${label}.${keyName}`, value === undefined ? noOrigin : origin);
      fields[fieldName(keyName, key)] = value === undefined
        ? this.#tableDefault(given, label, keyName, key)
        : this.#read(value, key, this.#context(), `key "${keyName}" of ${label}`)?.value;
    }
    return this.#problems.length > problemsBefore ? undefined : fields;
  }

  #tableDefault(given: GivenTable, label: string, name: string, key: Key): unknown {
    if (key.default !== undefined) return key.parse(key.default, this.#context());
    if (key.required === undefined) return this.#values.get(`guard.${name}`);
    this.#problems.push({
      where: given.where,
      message: `key "${name}" of ${label} is required: ${key.doc}. For example ` +
        `${name} = ${showValue(key.required)}`,
    });
    return undefined;
  }

  #read(
    given: Given,
    key: Key,
    context: KeyContext,
    subject: string,
  ): { value: unknown } | undefined {
    const checked = v.safeParse(key.schema, given.raw, { abortEarly: true });
    let message = checked.issues?.[0].message;
    if (message === undefined) {
      try {
        return { value: key.parse(checked.output as FileValue, context) };
      } catch (error) {
        if (!(error instanceof ValueProblem)) throw error;
        message = error.message;
      }
    }
    this.#problems.push({
      where: given.where,
      message: message.startsWith('must')
        ? `${subject} ${message}, not ${showValue(given.raw)}`
        : `${subject} ${message}`,
    });
    return undefined;
  }

  #context(): KeyContext {
    return { directory: directoryOf(this.#fileName), hostname: this.#hostname };
  }
}

const noOrigin: Origin = { source: 'default', detail: '' };

function subjectOf(source: Origin['source'], dotted: string, given: Given): string {
  return source === 'environment' ? `variable "${given.where}"` : `key "${dotted}"`;
}
