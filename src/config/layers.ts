/**
 * Reads the layers that lie over the file: the environment and the options of a command.
 */
import { eachKey } from './keys.ts';
import type { Given } from './document.ts';
import type { FileValue, Key } from './key.ts';
import type { Environment } from './location.ts';
import { nearest } from '../base/nearest.ts';
import type { Problem } from './problems.ts';

/** What every variable of ours begins with. */
export const variablePrefix = 'MUSTER_';

/** Variables that begin like a key's but are read elsewhere. */
export const reservedVariables: readonly string[] = [
  'MUSTER_CONFIG', // the configuration file
  'MUSTER_WAZUH_KEY', // the key of a Wazuh cluster
  'MUSTER_TOKEN', // the token of `muster join`
  'MUSTER_BINARY', // the executable that the end-to-end tests run
];

/** The variable that sets a key: `keep_alive.interval` is MUSTER_KEEP_ALIVE__INTERVAL. */
export function variableOf(dotted: string): string {
  return variablePrefix + dotted.replace('.', '__').toUpperCase();
}

/** Values set by the environment, by dotted key. */
export function readEnvironment(env: Environment, problems: Problem[]): Map<string, Given> {
  const known = new Map([...eachKey()].map((entry) => [variableOf(entry.dotted), entry]));
  const values = new Map<string, Given>();
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith(variablePrefix) || value === undefined) continue;
    if (reservedVariables.includes(variable)) continue;
    const entry = known.get(variable);
    if (entry === undefined) {
      const found = nearest(variable, [...known.keys(), ...reservedVariables]);
      problems.push({
        where: variable,
        message: `variable "${variable}" is unknown, ` +
          (found === undefined
            ? 'a variable is named MUSTER_TABLE__KEY such as MUSTER_KEEP_ALIVE__INTERVAL'
            : `did you mean "${found}"?`),
      });
      continue;
    }
    values.set(entry.dotted, { raw: readText(value, entry.key), where: variable });
  }
  return values;
}

/** Values set by options, by dotted key; those that are undefined do not count. */
export function readFlags(
  flags: Readonly<Record<string, FileValue | undefined>>,
  problems: Problem[],
): Map<string, Given> {
  const known = new Map([...eachKey()].map((entry) => [entry.dotted, entry.key]));
  const values = new Map<string, Given>();
  for (const [dotted, value] of Object.entries(flags)) {
    if (value === undefined) continue;
    const key = known.get(dotted);
    if (key === undefined) {
      problems.push({ where: `option ${dotted}`, message: `key "${dotted}" is unknown` });
    } else {
      const raw = typeof value === 'string' ? readText(value, key) : value;
      values.set(dotted, { raw, where: `option ${dotted}` });
    }
  }
  return values;
}

// ---------------------------------------------------------------------------------------------

/** A list may also be given as JSON, for items that hold commas. */
function readText(text: string, key: Key): unknown {
  if (!text.startsWith('["') && text !== '[]') return key.fromText(text);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return key.fromText(text);
  }
}
