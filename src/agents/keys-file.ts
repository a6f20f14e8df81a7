/**
 * Reading the agent keys file: one agent a line, `ID NAME IP KEY`.
 *
 * A name that begins with "!" or "#" marks an agent that was removed. Blank lines and lines that
 * begin with "#" or a blank are comments. Keys themselves are never looked at.
 */
import { fromBytes, toText } from '../base/bytes.ts';
import { invariant } from '../base/errors.ts';
import { type AgentId, parseAgentId, textColumns } from './agent.ts';

/** What one line of the file says. */
export type KeysLine =
  | { readonly kind: 'agent'; readonly id: AgentId; readonly name: string; readonly ip: string }
  | { readonly kind: 'removed'; readonly id: AgentId }
  | { readonly kind: 'unreadable'; readonly lineNumber: number; readonly problem: string };

/** A line with where it starts in the file. */
export interface PlacedLine {
  readonly start: number;
  readonly line: KeysLine;
}

const lineFeed = 10;

/** What the lines of a keys file say, one after the other; comments are left out. */
export function* keysLines(content: Uint8Array): Generator<PlacedLine> {
  let start = 0;
  for (let lineNumber = 1; start < content.length; lineNumber++) {
    const end = endOfLine(content, start);
    const line = keysLine(fromBytes(content, start, end), lineNumber);
    if (line !== undefined) yield { start, line };
    start = end + 1;
  }
}

/** The agent of the line that starts there, which `keysLines` has found. */
export function agentAt(content: Uint8Array, start: number): KeysLine & { kind: 'agent' } {
  const line = keysLine(fromBytes(content, start, endOfLine(content, start)), 0);
  invariant(line?.kind === 'agent', 'an agent begins there');
  return line;
}

// ---------------------------------------------------------------------------------------------

function endOfLine(content: Uint8Array, start: number): number {
  const found = content.indexOf(lineFeed, start);
  return found < 0 ? content.length : found;
}

function keysLine(bytes: string, lineNumber: number): KeysLine | undefined {
  if (/^([\s#]|$)/.test(bytes)) return undefined;
  const unreadable = (problem: string): KeysLine => ({ kind: 'unreadable', lineNumber, problem });
  const text = toText(bytes);
  if (text === undefined) return unreadable('is not UTF-8');
  const [idText = '', name, ip, key] = text.trimEnd().split(' ');
  const id = parseAgentId(idText);
  // The manager itself has the number 0 in some files; it is no agent.
  if (id === undefined && /^0+$/.test(idText)) return undefined;
  if (id === undefined) return unreadable('does not begin with the number of an agent');
  if (name === undefined || name === '') return unreadable('names no agent');
  if (name.startsWith('!') || name.startsWith('#')) return { kind: 'removed', id };
  if (name.length > textColumns.name) return unreadable('has too long a name');
  if (ip === undefined || key === undefined) return unreadable('has no address or no key');
  if (ip.length > textColumns.ip) return unreadable('has too long an address');
  return { kind: 'agent', id, name, ip };
}
