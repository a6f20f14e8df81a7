/**
 * Text for a terminal: styled, escaped and measured.
 *
 * A line is made of spans, and becomes a string in one place only, `renderLine`. There everything
 * that could act on a terminal is escaped, so that no name, path or message of another node has to
 * be trusted on the way there.
 */
import { displayText } from '../base/bytes.ts';

/** How a piece of text looks where there is colour. */
export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow';

/** A piece of text that looks alike. */
export interface Span {
  readonly text: string;
  readonly style: Style;
}

/** One line, without its end. */
export type Line = string | readonly (string | Span)[];

const on: Readonly<Record<Style, string>> = {
  bold: '\x1b[1m',
  dim: '\x1b[2m',
  red: '\x1b[31m',
  green: '\x1b[32m',
  yellow: '\x1b[33m',
};

/** A piece of text in a style. */
export function styled(style: Style, text: string): Span {
  return { text, style };
}

/** The plain text of a line, as it is before it is escaped. */
export function plainText(line: Line): string {
  if (typeof line === 'string') return line;
  return line.map((piece) => typeof piece === 'string' ? piece : piece.text).join('');
}

/** The line as it is written out: escaped, and with codes of colours if there are any. */
export function renderLine(line: Line, hasColor: boolean): string {
  if (typeof line === 'string') return displayText(line);
  return line.map((piece) => {
    if (typeof piece === 'string') return displayText(piece);
    const text = displayText(piece.text);
    return hasColor && text !== '' ? `${on[piece.style]}${text}\x1b[0m` : text;
  }).join('');
}

/** The line with no more than so many columns; where something is cut off, it ends in "…". */
export function fitLine(line: Line, columns: number): Line {
  if (typeof line === 'string') return fitText(line, columns);
  if (textWidth(displayText(plainText(line))) <= columns) return line;
  const fitted: (string | Span)[] = [];
  let room = columns;
  for (const piece of line) {
    const whole = typeof piece === 'string' ? piece : piece.text;
    // The last piece that has room shows that more would follow.
    const width = textWidth(displayText(whole));
    const text = width < room ? whole : fitText(`${whole}…`, room);
    fitted.push(typeof piece === 'string' ? text : { ...piece, text });
    if (width >= room) break;
    room -= width;
  }
  return fitted;
}

/** The text, escaped, with no more than so many columns; where it is cut off, it ends in "…". */
export function fitText(text: string, columns: number): string {
  const shown = displayText(text);
  if (textWidth(shown) <= columns) return shown;
  let fitted = '';
  let width = 0;
  for (const character of shown) {
    width += characterWidth(character);
    if (width > columns - 1) break;
    fitted += character;
  }
  return columns <= 0 ? '' : `${fitted}…`;
}

/** Columns that a text takes on a terminal. */
export function textWidth(text: string): number {
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

// ---------------------------------------------------------------------------------------------

const combining = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
const emoji = /^\p{Emoji_Presentation}$/u;

/** First and last of the code points that take two columns: CJK, Hangul and full-width forms. */
const wideRanges = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0xa4cf],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff01, 0xff60],
  [0xffe0, 0xffe6],
  [0x20000, 0x3fffd],
] as const;

function characterWidth(character: string): number {
  const code = character.codePointAt(0)!;
  // No character before the combining ones is anything but one column wide.
  if (code < 0x300) return 1;
  if (combining.test(character)) return 0;
  const isWide = wideRanges.some(([first, last]) => code >= first && code <= last);
  return isWide || emoji.test(character) ? 2 : 1;
}
