/**
 * The data of an agent, packed: as they are stored on every node, and as they travel.
 *
 * JSON: an array of the text columns in their order, null where one was not reported, and then of the
 * labels, an array of pairs of key and value. What comes from a peer is checked, and stored as it came.
 */
import { displayText } from '../base/bytes.ts';
import { ProtocolError } from '../base/errors.ts';
import { type AgentData, type Label, type TextColumn, textColumns } from './agent.ts';
import { labelLimits } from './report.ts';

/** Packed data that were checked, or packed here. */
export type PackedData = string;

const { countMax, keyLengthMax, valueLengthMax } = labelLimits;

/** Columns with the most characters of each, in their order. */
const columns = Object.entries(textColumns) as [TextColumn, number][];

/** Packs data; what is missing was not reported. */
export function packData(data: Partial<AgentData>): PackedData {
  const values: unknown[] = [];
  for (let i = 0; i < columns.length; i++) values.push(data[columns[i]![0]] ?? null);
  values.push(data.labels ?? []);
  return JSON.stringify(values);
}

/** Unpacks data that were checked. */
export function unpackData(packed: PackedData): AgentData {
  const values = JSON.parse(packed) as (string | null)[];
  const texts: Partial<Record<TextColumn, string | null>> = {};
  for (let i = 0; i < columns.length; i++) texts[columns[i]![0]] = values[i]!;
  const labels = values[columns.length] as unknown as readonly Label[];
  return { ...texts as Record<TextColumn, string | null>, labels };
}

/**
 * Checks data that a peer has packed.
 * @throws ProtocolError('malformed') where they are not what `packData` makes
 */
export function checkData(packed: string): asserts packed is PackedData {
  if (plainData.test(packed)) return;
  const values = parsed(packed);
  if (!Array.isArray(values) || values.length !== columns.length + 1) {
    throw malformed('has data of an unknown shape');
  }
  for (let i = 0; i < columns.length; i++) {
    if (values[i] !== null) checkText(values[i], columns[i]![1], columns[i]![0]);
  }
  const labels: unknown = values[columns.length];
  if (!Array.isArray(labels)) throw malformed('has labels that are no list');
  if (labels.length > countMax) {
    throw malformed(`has ${labels.length} labels, of which ${countMax} are possible`);
  }
  for (const label of labels as unknown[]) {
    if (!Array.isArray(label) || label.length !== 2) throw malformed('has a label that is no pair');
    checkText(label[0], keyLengthMax, 'label');
    checkText(label[1], valueLengthMax, 'label');
  }
}

/** That a record of an agent is not as it has to be. */
export function malformed(problem: string): ProtocolError {
  return new ProtocolError('malformed', `A record of an agent ${displayText(problem)}`);
}

// ---

/** Data like nearly all: to be seen at once, in a fifth of the time that parsing takes. */
const plainData = new RegExp(
  `^\\[${columns.map(([, max]) => `(?:null|${plainText(max)}),`).join('')}` +
    `\\[(?:\\[${plainText(keyLengthMax)},${plainText(valueLengthMax)}\\]` +
    `(?:,(?!\\])|(?=\\]))){0,${countMax}}\\]\\]$`,
);

/** Printable ASCII without anything that JSON escapes: a character is one of the text. */
function plainText(lengthMax: number): string {
  return `"[ !#-[\\]-~]{0,${lengthMax}}"`;
}

function parsed(packed: string): unknown {
  try {
    return JSON.parse(packed);
  } catch {
    throw malformed('has data that are not JSON');
  }
}

function checkText(value: unknown, lengthMax: number, what: string): void {
  if (typeof value !== 'string') throw malformed(`has a ${what} that is no text`);
  if (value.length > lengthMax) throw malformed(`has a ${what} of ${value.length} characters`);
}
