/**
 * Where a command writes to: data to standard output, messages to standard error.
 *
 * A command says what it has to say once, as a `Report`; here it becomes a JSON document, text for
 * people, or with `--quiet` nothing on success and one line otherwise. Colour and cursor movement
 * go to terminals only.
 */
import { schemaVersion } from '../node/documents.ts';
import { exitCodes } from './exit-codes.ts';
import type { Host, Outlet } from './host.ts';
import { fitLine, type Line, renderLine } from './styled-text.ts';

/** What a command has to say when it is done. */
export interface Report {
  /** What `--json` prints. */
  readonly document: object;
  /** Data, for standard output. */
  readonly lines: readonly Line[];
  /** Whether the lines are what was asked for, so that they are printed with `--quiet` too. */
  readonly isAsked?: boolean;
  /** Messages, for standard error. */
  readonly notes?: readonly Line[];
  /** @default 0 */
  readonly exitCode?: number;
  /** What `--quiet` prints where the exit code is not 0: what is wrong, in one line. */
  readonly brief?: string;
}

/** How a command is to write. */
export interface OutputOptions {
  readonly isJson: boolean;
  readonly isQuiet: boolean;
  readonly color: 'auto' | 'always' | 'never';
}

/** Columns of text for people where it goes to no terminal: nothing is cut. */
const unlimitedColumns = Infinity;

/** The two outlets of a command. */
export class Output {
  readonly isJson: boolean;
  readonly isQuiet: boolean;
  readonly #host: Pick<Host, 'stdout' | 'stderr' | 'environment'>;
  readonly #color: OutputOptions['color'];

  constructor(host: Pick<Host, 'stdout' | 'stderr' | 'environment'>, options: OutputOptions) {
    this.isJson = options.isJson;
    this.isQuiet = options.isQuiet;
    this.#host = host;
    this.#color = options.color;
  }

  /** Whether people look at standard output. */
  get isTerminal(): boolean {
    return this.#host.stdout.isTerminal;
  }

  /** Whether the cursor can be moved on standard output, on standard error. */
  get canMove(): { readonly stdout: boolean; readonly stderr: boolean } {
    const isSmart = this.#host.environment['TERM'] !== 'dumb';
    const { stdout, stderr } = this.#host;
    return { stdout: isSmart && stdout.isTerminal, stderr: isSmart && stderr.isTerminal };
  }

  /** Columns that lines on standard output may have. */
  get columns(): number {
    return this.isTerminal ? this.#host.stdout.columns : unlimitedColumns;
  }

  /** Rows that fit on the terminal of standard output. */
  get rows(): number {
    return this.#host.stdout.rows;
  }

  /** Columns of standard error. */
  get messageColumns(): number {
    return this.#host.stderr.columns;
  }

  /** Writes what a command has to say; the result is its exit code. */
  report(report: Report): number {
    const { document, lines, isAsked = false, notes = [], brief = '' } = report;
    const exitCode = report.exitCode ?? exitCodes.done;
    if (this.isJson) {
      this.document(document);
    } else if (this.isQuiet) {
      if (isAsked) this.lines(lines);
      if (exitCode !== exitCodes.done) this.notes([`muster: ${brief}`]);
    } else {
      this.lines(lines);
      this.notes(notes);
    }
    return exitCode;
  }

  /** Writes one JSON document to standard output. */
  document(document: object): void {
    this.#host.stdout.write(`${jsonText(document, 2)}\n`);
  }

  /**
   * Writes one JSON document as its items come, as `document` would write the whole.
   * @param head all of it but the list
   */
  async documentWithList(
    head: object,
    list: string,
    pages: AsyncIterable<readonly object[]>,
  ): Promise<void> {
    const { stdout } = this.#host;
    const empty = jsonText({ ...head, [list]: [] }, 2);
    stdout.write(empty.slice(0, empty.lastIndexOf(']')));
    let isEmpty = true;
    for await (const page of pages) {
      const texts = page.map((item) => `\n${jsonText(item, 2)}`.replaceAll('\n', '\n    '));
      if (texts.length > 0) stdout.write(`${isEmpty ? '' : ','}${texts.join(',')}`);
      isEmpty &&= texts.length === 0;
    }
    stdout.write(isEmpty ? ']\n}\n' : '\n  ]\n}\n');
  }

  /** Writes one JSON document as one line. */
  documentLine(document: object): void {
    this.#host.stdout.write(`${jsonText(document)}\n`);
  }

  /** Writes lines to standard output. */
  lines(lines: readonly Line[]): void {
    writeLines(this.#host.stdout, lines, this.#hasColor(this.#host.stdout));
  }

  /** Writes lines to standard error. */
  notes(lines: readonly Line[]): void {
    writeLines(this.#host.stderr, lines, this.#hasColor(this.#host.stderr));
  }

  /** Writes text as it is to standard output: scripts, schemas, help. */
  text(text: string): void {
    this.#host.stdout.write(text);
  }

  /** Replaces what the terminal of standard output shows by these lines, as far as they fit. */
  screen(lines: readonly Line[], isFirst: boolean): void {
    const room = this.rows - 1;
    const shown = lines.length <= room ? lines : [
      ...lines.slice(0, room - 1),
      `… and ${lines.length - room + 1} more lines`,
    ];
    const hasColor = this.#hasColor(this.#host.stdout);
    // Each line ends by clearing what is left of the one before: nothing flickers.
    const text = shown.map((line) =>
      `${renderLine(fitLine(line, this.columns), hasColor)}\x1b[K\n`
    );
    this.#host.stdout.write(`${isFirst ? '\x1b[2J' : ''}\x1b[H${text.join('')}\x1b[J`);
  }

  /** Replaces the line that the cursor is in on the terminal of standard error; "" clears it. */
  statusLine(text: string): void {
    this.#host.stderr.write(`\r${renderLine(text, false)}\x1b[K`);
  }

  #hasColor(outlet: Outlet): boolean {
    if (this.#color !== 'auto') return this.#color === 'always';
    const { environment } = this.#host;
    const isRefused = (environment['NO_COLOR'] ?? '') !== '' || environment['TERM'] === 'dumb';
    return outlet.isTerminal && !isRefused;
  }
}

/** A document that begins with its version. */
export function versioned<Fields extends object>(
  fields: Fields,
): { readonly schema_version: typeof schemaVersion } & Fields {
  return { schema_version: schemaVersion, ...fields };
}

// ---------------------------------------------------------------------------------------------

// What JSON leaves as it is, and a terminal may act on.
// deno-lint-ignore no-control-regex
const unprintable = /[\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

function jsonText(document: object, indent = 0): string {
  return JSON.stringify(document, undefined, indent).replace(
    unprintable,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function writeLines(outlet: Outlet, lines: readonly Line[], hasColor: boolean): void {
  if (lines.length === 0) return;
  outlet.write(`${lines.map((line) => renderLine(line, hasColor)).join('\n')}\n`);
}
