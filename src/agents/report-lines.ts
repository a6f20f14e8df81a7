/**
 * Cuts a stream of bytes into the texts of single reports, whatever way they are written: one a
 * line (NDJSON), a JSON array, or JSON objects over several lines. What is no report is left for
 * their reader; what cannot even be cut out is told here. No more than one report is held.
 */
import { concatBytes } from '../base/bytes.ts';

/** One report, as it was sent, or why it cannot be read. */
export type ReportText =
  | { readonly line: number; readonly text: string; readonly problem?: never }
  | { readonly line: number; readonly problem: string; readonly text?: never };

/** Bytes that one report may have: many times what the largest has. */
export const reportBytesMax = 64 * 1024;

const newline = 10;
const quote = 34;
const comma = 44;
const openBracket = 91;
const backslash = 92;
const closeBracket = 93;
const openBrace = 123;
const closeBrace = 125;

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Takes bytes as they come, gives reports with their numbers. */
export class ReportLines {
  #cutter: LineCutter | ValueCutter | undefined;
  /** What came before it was clear how the reports are written. */
  #beginning: Uint8Array = new Uint8Array();

  /** The reports that these bytes complete. */
  push(bytes: Uint8Array): ReportText[] {
    if (this.#cutter !== undefined) return this.#cutter.push(bytes);
    const beginning = concatBytes([this.#beginning, bytes]);
    this.#cutter = cutterFor(beginning);
    this.#beginning = this.#cutter === undefined ? beginning : new Uint8Array();
    return this.#cutter?.push(beginning) ?? [];
  }

  /** What the end of the stream completes. */
  end(): ReportText[] {
    const cutter = this.#cutter ?? new LineCutter();
    return [...this.#cutter === undefined ? cutter.push(this.#beginning) : [], ...cutter.end()];
  }
}

/** By the first line: an array or an object that goes on beyond it is cut by its brackets. */
function cutterFor(beginning: Uint8Array): LineCutter | ValueCutter | undefined {
  const start = beginning.findIndex((byte) => !isBlank(byte));
  if (start < 0) return beginning.length > reportBytesMax ? new LineCutter() : undefined;
  if (beginning[start] === openBracket) return new ValueCutter();
  if (beginning[start] !== openBrace) return new LineCutter();
  for (const byte of beginning.subarray(start + 1)) {
    if (byte === newline) return new ValueCutter();
    if (!isBlank(byte)) return new LineCutter();
  }
  return beginning.length > reportBytesMax ? new LineCutter() : undefined;
}

// --- one a line --------------------------------------------------------------------------------

class LineCutter {
  #line = 0;
  readonly #rest = new Remainder();

  push(bytes: Uint8Array): ReportText[] {
    const reports: ReportText[] = [];
    const first = bytes.indexOf(newline);
    if (first < 0) {
      this.#rest.add(bytes);
      return reports;
    }
    this.#take(this.#rest.finish(bytes.subarray(0, first)), reports);
    const last = bytes.lastIndexOf(newline);
    if (last > first) this.#takeAll(bytes.subarray(first + 1, last), reports);
    this.#rest.add(bytes.subarray(last + 1));
    return reports;
  }

  end(): ReportText[] {
    const reports: ReportText[] = [];
    this.#take(this.#rest.finish(new Uint8Array()), reports);
    return reports;
  }

  /** Takes whole lines: at once where nothing is wrong with any, which is five times as fast. */
  #takeAll(bytes: Uint8Array, reports: ReportText[]): void {
    const text = bytes.length <= reportBytesMax ? decoded(bytes) : undefined;
    if (text !== undefined) {
      for (const line of text.split('\n')) {
        this.#line++;
        if (line.trim() !== '') reports.push({ line: this.#line, text: line });
      }
      return;
    }
    for (let start = 0; start <= bytes.length;) {
      const found = bytes.indexOf(newline, start);
      const end = found < 0 ? bytes.length : found;
      this.#take(end - start > reportBytesMax ? undefined : bytes.subarray(start, end), reports);
      start = end + 1;
    }
  }

  #take(bytes: Uint8Array | undefined, reports: ReportText[]): void {
    this.#line++;
    const report = reportText(this.#line, bytes);
    if (report.text === undefined || report.text.trim() !== '') reports.push(report);
  }
}

// --- values by their brackets ------------------------------------------------------------------

class ValueCutter {
  #number = 0;
  #depth = 0;
  #isInText = false;
  #isEscaped = false;
  #isInArray = false;
  #isInValue = false;
  readonly #rest = new Remainder();

  push(bytes: Uint8Array): ReportText[] {
    const reports: ReportText[] = [];
    let start = 0;
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at]!;
      if (!this.#isInValue) {
        start = at;
        this.#isInValue = this.#begins(byte);
        if (!this.#isInValue) continue;
      }
      const ending = this.#endingAt(byte);
      if (ending === undefined) continue;
      const end = ending === 'with it' ? at + 1 : at;
      reports.push(this.#finish(bytes.subarray(start, end)));
      // What stands behind a value is looked at again, outside of it.
      at = end - 1;
    }
    if (this.#isInValue) this.#rest.add(bytes.subarray(start));
    return reports;
  }

  end(): ReportText[] {
    if (!this.#isInValue) return [];
    const isComplete = this.#depth === 0 && !this.#isInText;
    const report = this.#finish(new Uint8Array());
    return [isComplete ? report : { line: report.line, problem: 'It is not complete' }];
  }

  /** Whether a value begins with this byte, outside of any. */
  #begins(byte: number): boolean {
    if (isBlank(byte) || byte === comma) return false;
    if (byte === openBracket && !this.#isInArray) {
      this.#isInArray = true;
      return false;
    }
    if (byte !== closeBracket || !this.#isInArray) return true;
    this.#isInArray = false;
    return false;
  }

  /** Whether the value that was begun ends here. */
  #endingAt(byte: number): 'with it' | 'before it' | undefined {
    if (this.#isInText) {
      if (this.#isEscaped) this.#isEscaped = false;
      else if (byte === backslash) this.#isEscaped = true;
      else if (byte === quote) this.#isInText = false;
      return undefined;
    }
    const isClosing = byte === closeBrace || byte === closeBracket;
    if (byte === quote) this.#isInText = true;
    else if (byte === openBrace || byte === openBracket) this.#depth++;
    else if (this.#depth > 0 && isClosing) return --this.#depth === 0 ? 'with it' : undefined;
    else if (this.#depth === 0 && (isClosing || byte === comma || isBlank(byte))) {
      return 'before it';
    }
    return undefined;
  }

  #finish(end: Uint8Array): ReportText {
    this.#number++;
    this.#isInValue = false;
    this.#isInText = false;
    this.#depth = 0;
    return reportText(this.#number, this.#rest.finish(end));
  }
}

// ---

/** The beginning of something whose end is still to come; too much of it is dropped. */
class Remainder {
  #parts: Uint8Array[] = [];
  #length = 0;

  add(bytes: Uint8Array): void {
    this.#length += bytes.length;
    if (this.#length > reportBytesMax) this.#parts = [];
    // A copy: the memory of what was received is used again.
    else if (bytes.length > 0) this.#parts.push(bytes.slice());
  }

  /** All of it with its end; undefined where that is too much. */
  finish(end: Uint8Array): Uint8Array | undefined {
    const isTooLong = this.#length + end.length > reportBytesMax;
    const parts = [...this.#parts, end];
    this.#parts = [];
    this.#length = 0;
    return isTooLong ? undefined : concatBytes(parts);
  }
}

function reportText(line: number, bytes: Uint8Array | undefined): ReportText {
  if (bytes === undefined) {
    return { line, problem: `It has more than ${reportBytesMax} bytes` };
  }
  const text = decoded(bytes);
  return text === undefined ? { line, problem: 'It is not UTF-8' } : { line, text };
}

function decoded(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

function isBlank(byte: number): boolean {
  return byte === 32 || (byte >= 9 && byte <= 13);
}
