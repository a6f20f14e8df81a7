/**
 * What a line of the log looks like: for people, for programs, and for a terminal with colours.
 *
 * Text in a line may come from a stranger. It never breaks out of its line nor gives commands to a
 * terminal: control characters are escaped, in JSON without loss.
 */
import { displayText } from '../base/bytes.ts';
import type { LogFacts, LogLevel } from '../ports.ts';

/** How lines are written. */
export type LogFormat = 'text' | 'json';

/** One line of the log. */
export interface LogRecord {
  /** Milliseconds since 1970. */
  readonly timeMs: number;
  readonly level: LogLevel;
  readonly tags: readonly string[];
  readonly text: string;
  readonly facts: LogFacts | undefined;
}

const ESCAPE = '\u001b';
const colours: Readonly<Record<LogLevel, string>> = {
  debug: `${ESCAPE}[2m`,
  info: `${ESCAPE}[32m`,
  warning: `${ESCAPE}[33m`,
  error: `${ESCAPE}[31m`,
};
const DIM = `${ESCAPE}[2m`;
const PLAIN = `${ESCAPE}[0m`;

// What JSON leaves as it is and a terminal may take for a command, or show in another order.
// deno-lint-ignore no-control-regex
const UNPRINTABLE = /[\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** `YYYY/MM/DD HH:MM:SS LEVEL: [tag] [tag] text`, in local time. */
export function textLine(record: LogRecord): string {
  const level = record.level.toUpperCase();
  return `${localTime(record.timeMs)} ${level}: ${tagsText(record)}${displayText(record.text)}`;
}

/** `textLine` with the colours of a terminal. */
export function colouredLine(record: LogRecord): string {
  const level = `${colours[record.level]}${record.level.toUpperCase()}${PLAIN}`;
  const tags = record.tags.length === 0 ? '' : `${DIM}${tagsText(record)}${PLAIN}`;
  const text = displayText(record.text);
  return `${DIM}${localTime(record.timeMs)}${PLAIN} ${level}: ${tags}${text}`;
}

/** One JSON object in one line: `time`, `level`, `tags`, `text`, and `facts` where there are any. */
export function jsonLine(record: LogRecord): string {
  const { level, tags, text, facts } = record;
  const time = new Date(record.timeMs).toISOString();
  return JSON.stringify({ time, level, tags, text, facts })
    .replace(
      UNPRINTABLE,
      (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
}

// --- internals -------------------------------------------------------------------------------

function tagsText({ tags }: LogRecord): string {
  return tags.map((tag) => `[${displayText(tag)}] `).join('');
}

function localTime(timeMs: number): string {
  const time = new Date(timeMs);
  const two = (value: number): string => String(value).padStart(2, '0');
  const date = `${time.getFullYear()}/${two(time.getMonth() + 1)}/${two(time.getDate())}`;
  return `${date} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}
