/**
 * Turns measured runs into tables: median, range, ratio to the first contestant, in units that
 * people read. Pure.
 */
import { type Run, tickMs } from './processes.ts';

/** Runs of one contestant, in the order of the rounds; none where it could not take part. */
export interface Result {
  readonly name: string;
  readonly runs: readonly Run[];
  /** Why there are no runs. @default it ran */
  readonly skipped?: string | undefined;
}

/** A table in Markdown: texts in columns, the first one to the left, all others to the right. */
export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** A column of a table of results. */
interface Column {
  readonly head: string;
  readonly cell: (result: Result, results: readonly Result[]) => string;
}

const columns: readonly Column[] = [
  { head: 'time, median (min–max)', cell: ({ runs }) => spread(runs.map(wallMs), duration) },
  { head: '÷ first row', cell: ratioCell },
  { head: 'CPU', cell: ({ runs }) => meanDuration(runs.map(({ cpuMs }) => cpuMs)) },
  { head: 'peak RSS', cell: ({ runs }) => largest(runs.map(({ rssBytes }) => rssBytes)) },
  {
    head: 'CPU of server',
    cell: ({ runs }) => meanDuration(runs.map(({ serverCpuMs }) => serverCpuMs)),
  },
  {
    head: 'peak RSS of server',
    cell: ({ runs }) => largest(runs.map(({ serverRssBytes }) => serverRssBytes)),
  },
  {
    head: 'on the wire',
    cell: ({ runs }) => {
      const values = known(runs.map(({ wireBytes }) => wireBytes));
      return values.length === 0 ? '' : size(median(values));
    },
  },
  { head: 'longest hold', cell: ({ runs }) => longest(runs.map(({ holdMs }) => holdMs)) },
];

/** One row for each contestant; a column that would be empty is left out. */
export function resultsTable(results: readonly Result[], first = ''): Table {
  const filled = columns.map(({ head, cell }) => ({
    head,
    cells: results.map((result) => result.runs.length === 0 ? '' : cell(result, results)),
  })).filter(({ cells }) => cells.some((cell) => cell !== ''));
  return {
    head: [first, ...filled.map(({ head }) => head)],
    rows: results.map(({ name, skipped }, row) =>
      skipped === undefined
        ? [name, ...filled.map(({ cells }) => cells[row]!)]
        : [name, `skipped: ${skipped}`, ...filled.slice(1).map(() => '')]
    ),
  };
}

/** The table in Markdown, its columns aligned as the formatter of this repository does it. */
export function markdown({ head, rows }: Table): string {
  const widths = head.map((text, column) =>
    Math.max(3, text.length, ...rows.map((row) => row[column]!.length))
  );
  const line = (cells: readonly string[]) =>
    `| ${
      cells.map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)
      ).join(' | ')
    } |\n`;
  const rule = widths.map((width, column) =>
    column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`
  );
  return line(head) + line(rule) + rows.map(line).join('');
}

/** `412 ms (398 ms–430 ms)`; a single value without a range; empty where there are none. */
export function spread(values: readonly number[], text: (value: number) => string): string {
  if (values.length < 2) return values.map(text).join('');
  return `${text(median(values))} (${text(Math.min(...values))}–${text(Math.max(...values))})`;
}

/** The middle value; of an even number of values the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const middle = sorted.length / 2;
  return (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2;
}

/** The value that `share` of all values do not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)]!;
}

/** `0.4 ms`, `41 ms`, `1.23 s` */
export function duration(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  return ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(2)} s`;
}

/** `812 B`, `3.1 KiB`, `120 MiB` */
export function size(bytes: number): string {
  if (bytes < 1024) return `${bytes.toFixed(0)} B`;
  const [value, unit] = bytes < 1024 ** 2
    ? [bytes / 1024, 'KiB']
    : bytes < 1024 ** 3
    ? [bytes / 1024 ** 2, 'MiB']
    : [bytes / 1024 ** 3, 'GiB'];
  return `${value.toFixed(value < 10 ? 1 : 0)} ${unit}`;
}

/** `50,000` */
export function count(value: number): string {
  return value.toLocaleString('en-US');
}

// ---

function wallMs(run: Run): number {
  return run.wallMs;
}

/** Times of a contestant over those of the first one in the same rounds. */
function ratioCell({ runs }: Result, [first]: readonly Result[]): string {
  const peers = first?.runs ?? [];
  if (runs === peers || peers.length === 0) return '1';
  const ratios = runs.map((run, round) => run.wallMs / peers[round]!.wallMs);
  return spread(ratios, (ratio) => ratio.toFixed(2));
}

/** CPU time is counted in coarse steps, which a mean evens out. */
function meanDuration(values: readonly (number | undefined)[]): string {
  const numbers = known(values);
  if (numbers.length === 0) return '';
  const total = numbers.reduce((sum, value) => sum + value, 0);
  return total === 0 ? `< ${duration(tickMs / numbers.length)}` : duration(total / numbers.length);
}

function longest(timesMs: readonly (number | undefined)[]): string {
  const values = known(timesMs);
  return values.length === 0 ? '' : duration(Math.max(...values));
}

function largest(values: readonly (number | undefined)[]): string {
  const numbers = known(values);
  return numbers.length === 0 ? '' : size(Math.max(...numbers));
}

function known(values: readonly (number | undefined)[]): number[] {
  return values.filter((value) => value !== undefined);
}
