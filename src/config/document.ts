/**
 * Reads TOML files into values that still know where they stand, and reports what does not belong.
 *
 * Knows tables and keys by name only; whether a value is one that its key can have is decided by
 * the key itself, later.
 */
import { parse, TomlError } from 'smol-toml';
import { type Table, tables } from './keys.ts';
import { groupRuleKeys } from './group-rule-keys.ts';
import type { Key } from './key.ts';
import { type KeyLines, lineOf, locateKeys } from './lines.ts';
import { nearest } from '../base/nearest.ts';
import type { Problem } from './problems.ts';
import { setKeys } from './set-keys.ts';

/** A TOML file. */
export interface ConfigFile {
  /** Absolute path. */
  readonly fileName: string;
  readonly text: string;
}

/** A value that was given somewhere. */
export interface Given {
  readonly raw: unknown;
  /** `FILE:LINE`, the variable or the option. */
  readonly where: string;
}

/** One of an array of tables, such as `[[sets]]`, as it stands in a file. */
export interface GivenTable {
  readonly where: string;
  readonly values: ReadonlyMap<string, Given>;
}

/** What a file says. */
export interface Document {
  readonly fileName: string;
  /** Values by dotted key. */
  readonly values: ReadonlyMap<string, Given>;
  /** Undefined where the file says nothing of sets. */
  readonly sets: readonly GivenTable[] | undefined;
  readonly groupRules: readonly GivenTable[];
  /** Patterns of further files. */
  readonly include: readonly string[];
}

/**
 * Reads one file; what is wrong with it is added to `problems`. An included file (`isIncluded`)
 * may hold nothing but sets. Undefined where the file is no TOML at all.
 */
export function readDocument(
  file: ConfigFile,
  problems: Problem[],
  isIncluded = false,
): Document | undefined {
  const root = parseToml(file, problems);
  if (root === undefined) return undefined;
  const reader = new DocumentReader(file, problems);
  return reader.read(root, isIncluded);
}

// ---------------------------------------------------------------------------------------------

type TomlRecord = Readonly<Record<string, unknown>>;

function parseToml(file: ConfigFile, problems: Problem[]): TomlRecord | undefined {
  try {
    // Depth 8: no value of ours nests deeper than a list.
    return parse(file.text, { maxDepth: 8 });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [summary = error.message] = error.message.split('\n');
    problems.push({
      where: `${file.fileName}:${error.line}:${error.column}`,
      message: `not valid TOML: ${summary.replace('Invalid TOML document: ', '')}`,
    });
    return undefined;
  }
}

class DocumentReader {
  readonly #fileName: string;
  readonly #lines: KeyLines;
  readonly #problems: Problem[];

  constructor(file: ConfigFile, problems: Problem[]) {
    this.#fileName = file.fileName;
    this.#lines = locateKeys(file.text);
    this.#problems = problems;
  }

  read(root: TomlRecord, isIncluded: boolean): Document {
    const values = new Map<string, Given>();
    let sets: GivenTable[] | undefined;
    let groupRules: GivenTable[] = [];
    let include: string[] = [];
    for (const [name, value] of Object.entries(root)) {
      const table = Object.hasOwn(allTables, name) ? allTables[name] : undefined;
      if (name === 'sets') sets = this.#readTables(name, setKeys, value);
      else if (isIncluded) this.#report(name, 'an included file may hold [[sets]] tables only');
      else if (name === 'group_rules') groupRules = this.#readTables(name, groupRuleKeys, value);
      else if (name === 'include') include = this.#readInclude(value);
      else if (table === undefined) this.#report(name, unknownTopLevel(name));
      else if (!isTable(value)) this.#report(name, `"${name}" must be a table: write [${name}]`);
      else this.#readTable(name, table.keys, value, values);
    }
    return { fileName: this.#fileName, values, sets, groupRules, include };
  }

  #readTable(
    prefix: string,
    keys: Readonly<Record<string, Key>>,
    record: TomlRecord,
    values: Map<string, Given>,
  ): void {
    for (const [name, raw] of Object.entries(record)) {
      const dotted = `${prefix}.${name}`;
      if (Object.hasOwn(keys, name)) values.set(dotted, { raw, where: this.#where(dotted) });
      else this.#report(dotted, unknownKey(prefix, name, Object.keys(keys)));
    }
  }

  #readTables(name: string, keys: Readonly<Record<string, Key>>, value: unknown): GivenTable[] {
    if (!Array.isArray(value) || !value.every(isTable)) {
      this.#report(name, `"${name}" must be an array of tables: write [[${name}]]`);
      return [];
    }
    return value.map((record, index) => {
      const prefix = `${name}[${index}]`;
      const dotted = new Map<string, Given>();
      this.#readTable(prefix, keys, record, dotted);
      const values = [...dotted].map(([key, given]) =>
        [key.slice(prefix.length + 1), given] as const
      );
      return { where: this.#where(prefix), values: new Map(values) };
    });
  }

  #readInclude(value: unknown): string[] {
    if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
    this.#report('include', 'key "include" must be a list of patterns such as ["conf.d/*.toml"]');
    return [];
  }

  #report(key: string, message: string): void {
    this.#problems.push({ where: this.#where(key), message });
  }

  #where(key: string): string {
    const line = lineOf(this.#lines, key);
    return line === undefined ? this.#fileName : `${this.#fileName}:${line}`;
  }
}

const allTables: Readonly<Record<string, Table>> = tables;
const topLevelNames = [...Object.keys(tables), 'sets', 'group_rules', 'include'];

function isTable(value: unknown): value is TomlRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value) &&
    !(value instanceof Date);
}

function unknownTopLevel(name: string): string {
  return `key "${name}" is unknown, ${suggestion(name, topLevelNames, homesOf(name))}`;
}

function unknownKey(prefix: string, name: string, known: readonly string[]): string {
  const table = prefix.replace(/^(.*)\[\d+\]$/, '[$1]');
  return `key "${name}" of [${table}] is unknown, ${suggestion(name, known, homesOf(name))}`;
}

function suggestion(name: string, known: readonly string[], homes: readonly string[]): string {
  if (name === 'include') return 'it belongs before the first table';
  if (homes.length > 0) return `it belongs under ${homes.map((home) => `[${home}]`).join(' or ')}`;
  const found = nearest(name, known);
  return found === undefined ? `the keys here are ${known.join(', ')}` : `did you mean "${found}"?`;
}

/** The tables that have a key of this very name. */
function homesOf(name: string): string[] {
  return Object.keys(allTables).filter((table) => Object.hasOwn(allTables[table]!.keys, name));
}
