/**
 * Tables that fit their terminal: columns are padded, and where there is too little room the
 * widest one is cut, never a line broken.
 */
import { displayText } from '../base/bytes.ts';
import { fitLine, fitText, type Line, type Span, styled, textWidth } from './styled-text.ts';

/** A column of a table. */
export interface Column {
  readonly title: string;
  /** Numbers stand at the right. @default left */
  readonly isNumber?: boolean;
}

/** What stands in a row. */
export type Cell = string | Span;

const gap = '  ';

/** The narrowest that a column is made for want of room: some letters and the "…". */
const columnWidthMin = 6;

/** The lines of a table that is no wider than so many columns of the terminal. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  width: number,
): Line[] {
  return new GrowingTable(columns, width).add(rows);
}

/** A table whose rows come bit by bit: its columns may grow on the way, and never shrink. */
export class GrowingTable {
  readonly #columns: readonly Column[];
  readonly #width: number;
  readonly #wanted: number[];
  #isBegun = false;

  constructor(columns: readonly Column[], width: number) {
    this.#columns = columns;
    this.#width = width;
    this.#wanted = columns.map(({ title }) => title.length);
  }

  /** The lines of some more rows; before the first of them the heading. */
  add(rows: readonly (readonly Cell[])[]): Line[] {
    for (const row of rows) {
      for (const [index, cell] of row.entries()) {
        this.#wanted[index] = Math.max(this.#wanted[index]!, cellWidth(cell));
      }
    }
    const widths = [...this.#wanted];
    shrink(widths, this.#width);
    const heading = this.#columns.map(({ title }) => styled('bold', title));
    const shown = this.#isBegun ? rows : [heading, ...rows];
    this.#isBegun = true;
    return shown.map((row) => fitLine(tableLine(this.#columns, widths, row), this.#width));
  }
}

// ---------------------------------------------------------------------------------------------

/** Takes from the widest column, again and again, until all fit or none can give more. */
function shrink(widths: number[], width: number): void {
  let excess = widths.reduce((sum, one) => sum + one, gap.length * (widths.length - 1)) - width;
  while (excess > 0) {
    const widest = Math.max(...widths);
    if (widest <= columnWidthMin) return;
    const next = Math.max(columnWidthMin, ...widths.filter((one) => one < widest));
    const taken = Math.min(excess, widest - next);
    widths[widths.lastIndexOf(widest)]! -= taken;
    excess -= taken;
  }
}

function tableLine(
  columns: readonly Column[],
  widths: readonly number[],
  row: readonly Cell[],
): Line {
  // Nothing ends in blanks: lines stay short, and files of them the same everywhere.
  const last = row.findLastIndex((cell) => textOf(cell) !== '');
  return columns.slice(0, last + 1).flatMap((column, index) => {
    const cell = row[index] ?? '';
    const text = fitText(textOf(cell), widths[index]!);
    const padding = ' '.repeat(widths[index]! - textWidth(text));
    const shown = typeof cell === 'string' ? text : { ...cell, text };
    if (index === last) return column.isNumber === true ? [padding, shown] : [shown];
    return column.isNumber === true ? [padding, shown, gap] : [shown, padding + gap];
  });
}

function cellWidth(cell: Cell): number {
  return textWidth(displayText(textOf(cell)));
}

function textOf(cell: Cell): string {
  return typeof cell === 'string' ? cell : cell.text;
}
