/**
 * Reports about agents, as other programs hand them in: one JSON object each, whose keys are the
 * names of the columns. Only `id` and one fact are required.
 *
 * What is wrong with a report is told by the key that it is about; nothing of such a report is used.
 */
import { displayText } from '../base/bytes.ts';
import { nearest } from '../base/nearest.ts';
import {
  type AgentFacts,
  type AgentId,
  agentIdMax,
  type ConnectionStatus,
  connectionStatuses,
  type Label,
  parseAgentId,
  textColumnNames,
  textColumns,
} from './agent.ts';

/** What a report says about one agent. */
export interface AgentReport {
  readonly id: AgentId;
  /** What was reported, one fact at least; what is missing here stays as it was. */
  readonly facts: Partial<AgentFacts>;
}

/** A report, or why it is none. */
export type ReportReading =
  | { readonly report: AgentReport; readonly problem?: never }
  | { readonly problem: string; readonly report?: never };

/** The most labels of one agent, and the most characters of their keys and values. */
export const labelLimits = { countMax: 64, keyLengthMax: 128, valueLengthMax: 256 } as const;

/** The end of the year 9999, Unix seconds: milliseconds taken for seconds lie beyond. */
const secondsMax = 253_402_300_799;

const statusCodeMax = 2 ** 31 - 1;

/** Reads one report from its JSON text. */
export function parseReport(text: string): ReportReading {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { problem: 'It is not a JSON object' };
  }
  return readReport(value);
}

/** Reads one report from a JSON value. */
export function readReport(value: unknown): ReportReading {
  try {
    return { report: reportOf(value) };
  } catch (error) {
    if (error instanceof ReportProblem) return { problem: error.message };
    throw error;
  }
}

// --- internals -------------------------------------------------------------------------------

/** Leaves this file as a text only. */
class ReportProblem extends Error {}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

type FactReaders = { readonly [K in keyof AgentFacts]: (value: unknown, key: K) => AgentFacts[K] };

const textReaders = Object.fromEntries(
  textColumnNames.map((name) => [name, optionalText(textColumns[name])]),
) as Pick<FactReaders, keyof typeof textColumns>;

const readers: FactReaders = {
  ...textReaders,
  labels: readLabels,
  last_keepalive: (value, key) => value === null ? null : whole(secondsMax)(value, key),
  connection_status: readStatus,
  disconnection_time: whole(secondsMax),
  status_code: whole(statusCodeMax),
};

const keys: readonly string[] = ['id', ...Object.keys(readers)];

function reportOf(value: unknown): AgentReport {
  if (!isObject(value)) throw new ReportProblem(`It is ${kindOf(value)}, not a JSON object`);
  let id: AgentId | undefined;
  let count = 0;
  const facts: Partial<Mutable<AgentFacts>> = {};
  // What was parsed has no keys but its own; a list of them takes as long as parsing.
  for (const key in value) {
    const given = value[key];
    if (key === 'id') {
      id = readId(given);
    } else if (isFact(key)) {
      takeFact(facts, key, given);
      count++;
    } else {
      throw new ReportProblem(unknownKey(key));
    }
  }
  if (id === undefined) throw new ReportProblem('"id" is missing');
  if (count === 0) throw new ReportProblem('It has nothing but an "id"');
  return { id, facts };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isFact(key: string): key is keyof AgentFacts {
  return Object.hasOwn(readers, key);
}

function takeFact<K extends keyof AgentFacts>(
  facts: Partial<Mutable<AgentFacts>>,
  key: K,
  value: unknown,
): void {
  facts[key] = readers[key](value, key);
}

function readId(value: unknown): AgentId {
  const isNumber = typeof value === 'number' && Number.isInteger(value);
  if (isNumber && value >= 1 && value <= agentIdMax) return value;
  const read = typeof value === 'string' ? parseAgentId(value) : undefined;
  return read ?? refuse('id', `a number from 1 to ${agentIdMax}`, value);
}

function readStatus(value: unknown, key: string): ConnectionStatus {
  const status = connectionStatuses.find((known) => known === value);
  if (status !== undefined) return status;
  const meant = typeof value === 'string'
    ? nearest(value.slice(0, shownMax), connectionStatuses)
    : undefined;
  return refuse(key, `one of ${connectionStatuses.join(', ')}`, value, meant);
}

function whole(max: number): (value: unknown, key: string) => number {
  return (value, key) => {
    const isWhole = typeof value === 'number' && Number.isInteger(value) && value >= 0;
    if (isWhole && value <= max) return value;
    const unit = max === secondsMax ? ' of seconds since 1970' : '';
    return refuse(key, `a whole number${unit} from 0 to ${max}`, value);
  };
}

function optionalText(lengthMax: number): (value: unknown, key: string) => string | null {
  return (value, key) =>
    value === null || isPlain(value, lengthMax) ? value : text(value, key, lengthMax);
}

/** Whether a value is a text like nearly every one, of which nothing else has to be asked. */
function isPlain(value: unknown, lengthMax: number): value is string {
  return typeof value === 'string' && value.length <= lengthMax && plain.test(value);
}

function text(value: unknown, key: string, lengthMax: number): string {
  if (typeof value !== 'string') return refuse(key, 'a text', value);
  if (value.length > lengthMax) {
    throw new ReportProblem(
      `"${key}" has ${value.length} characters, at most ${lengthMax} are possible`,
    );
  }
  // Half a character cannot be stored, and a NUL would end the text for other programs.
  if (!value.isWellFormed()) throw new ReportProblem(`"${key}" is not valid Unicode`);
  if (control.test(value)) throw new ReportProblem(`"${key}" has a control character`);
  return value;
}

const plain = /^[\u0020-\u007e]*$/;

// deno-lint-ignore no-control-regex
const control = /[\u0000-\u001f\u007f-\u009f]/;

function readLabels(value: unknown): readonly Label[] {
  if (!isObject(value)) return refuse('labels', 'an object of texts', value);
  const labels = Object.entries(value);
  const { countMax, keyLengthMax, valueLengthMax } = labelLimits;
  if (labels.length > countMax) {
    throw new ReportProblem(
      `"labels" has ${labels.length} labels, at most ${countMax} are possible`,
    );
  }
  return labels.map(([key, given]): Label => {
    if (key === '') throw new ReportProblem('"labels" has a label without a key');
    const name = isPlain(key, keyLengthMax)
      ? key
      : text(key, `labels: ${shown(key)}`, keyLengthMax);
    if (isPlain(given, valueLengthMax)) return [name, given];
    return [name, text(given, `labels.${shown(key)}`, valueLengthMax)];
  });
}

function unknownKey(key: string): string {
  const meant = nearest(key.slice(0, shownMax), keys);
  const hint = meant === undefined ? '' : `, did you mean "${meant}"?`;
  return `There is no key "${shown(key)}"${hint}`;
}

function refuse(key: string, expected: string, value: unknown, meant?: string): never {
  const hint = meant === undefined ? '' : `, did you mean "${meant}"?`;
  throw new ReportProblem(`"${key}" has to be ${expected}, not ${kindOf(value)}${hint}`);
}

/** The most characters of what was given that a problem repeats. */
const shownMax = 40;

function shown(given: string): string {
  return displayText(given.length > shownMax ? `${given.slice(0, shownMax)}…` : given);
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'string') return `"${shown(value)}"`;
  const isPlain = typeof value === 'number' || typeof value === 'boolean';
  return isPlain ? String(value) : 'an object';
}
