/**
 * Shows a configuration as it is in effect: every value in the notation of the file, with where it
 * comes from. The text is itself a valid configuration file that gives the same configuration.
 */
import { stringify } from 'smol-toml';
import { displayText } from '../base/bytes.ts';
import type { FileSet } from '../files/file-set.ts';
import type { Config, Origin, Origins } from './config.ts';
import { groupRuleKeys } from './group-rule-keys.ts';
import { camel, fieldName, type FileValue, type Key } from './key.ts';
import { eachKey } from './keys.ts';
import { type FileSetInput, setKeys } from './set-keys.ts';

/** The effective configuration as one JSON document. */
export interface EffectiveDocument {
  readonly schema_version: 1;
  /** The configuration file, an absolute path. */
  readonly file: string;
  /** Tables and sets in the notation of the file. */
  readonly values: Readonly<Record<string, unknown>>;
  /**
   * Where each value comes from, by dotted key; those of sets by `sets.NAME.KEY`, those of group
   * rules by `group_rules[N].KEY`.
   */
  readonly origins: Readonly<Record<string, Origin>>;
}

/** The effective configuration for programs. */
export function effectiveDocument(config: Config, origins: Origins): EffectiveDocument {
  const values: Record<string, Record<string, FileValue>> = {};
  for (const { table, name, key } of eachKey()) {
    (values[table] ??= {})[name] = fileValue(config, table, name, key);
  }
  const sets = config.sets.map((set) => Object.fromEntries(setValues(set)));
  const groupRules = config.groupRules.map((rule) =>
    Object.fromEntries(tableValues(rule, groupRuleKeys))
  );
  return {
    schema_version: 1,
    file: config.file,
    values: { ...values, sets, group_rules: groupRules },
    origins: Object.fromEntries(origins),
  };
}

/** The effective configuration as TOML, the origin of each value in a comment behind it. */
export function renderEffective(config: Config, origins: Origins): string {
  const lines = [`# Effective configuration; the file is ${displayText(config.file)}`];
  const add = (dotted: string, name: string, value: FileValue): void => {
    const origin = origins.get(dotted);
    const shown = origin === undefined || origin.detail === '' ? 'default' : origin.detail;
    lines.push(`${keyLine(name, value).padEnd(40)}  # ${displayText(shown)}`);
  };
  // A key without a table has to stand before the first table.
  if (config.sets.length === 0) lines.push('', 'sets = []');
  let lastTable = '';
  for (const { table, name, dotted, key } of eachKey()) {
    if (table !== lastTable) lines.push('', `[${table}]`);
    lastTable = table;
    add(dotted, name, fileValue(config, table, name, key));
  }
  for (const set of config.sets) {
    lines.push('', '[[sets]]');
    for (const [name, value] of setValues(set)) add(`sets.${set.name}.${name}`, name, value);
  }
  for (const [index, rule] of config.groupRules.entries()) {
    lines.push('', '[[group_rules]]');
    for (const [name, value] of tableValues(rule, groupRuleKeys)) {
      add(`group_rules[${index}].${name}`, name, value);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** A key and its value as a line of TOML. */
export function keyLine(name: string, value: FileValue): string {
  return `${name} = ${valueText(value)}`;
}

/** A value as TOML. */
export function valueText(value: FileValue): string {
  if (typeof value === 'object') return `[${value.map(valueText).join(', ')}]`;
  return stringify({ x: value }).trimEnd().replace(/^x = /, '');
}

/** A set as a `[[sets]]` table; what is no key of a set is left out. */
export function renderSet(set: FileSetInput): string {
  const lines = Object.keys(setKeys).flatMap((name) => {
    const value = set[name as keyof typeof setKeys];
    return value === undefined ? [] : [keyLine(name, value)];
  });
  return ['[[sets]]', ...lines].join('\n');
}

// ---------------------------------------------------------------------------------------------

function fileValue(config: Config, table: string, name: string, key: Key): FileValue {
  const fields = config as unknown as Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  return key.format(fields[camel(table)]?.[fieldName(name, key)]);
}

function setValues(set: FileSet): [keyof typeof setKeys, FileValue][] {
  return tableValues(set, setKeys).map(([name, value]) => [
    name,
    // "" is a path too, but does not look like one.
    name === 'path' && value === '' ? '.' : value,
  ]);
}

/** The values of one of an array of tables, in the notation of the file. */
function tableValues<Name extends string>(
  table: object,
  keys: Readonly<Record<Name, Key>>,
): [Name, FileValue][] {
  const fields = table as Readonly<Record<string, unknown>>;
  return (Object.entries<Key>(keys) as [Name, Key][]).map(([name, key]) => [
    name,
    key.format(fields[fieldName(name, key)]),
  ]);
}
