/**
 * Paths in JSON: as text, with bytes that are no UTF-8 as the lone surrogates U+DC80 to U+DCFF, one
 * for each byte, which is how Python has file names. Pure.
 */
import { type BytePath, fromText, isAscii, toText } from '../base/bytes.ts';

const SURROGATE = 0xdc00;

/** The text of a path. */
export function pathToText(path: BytePath): string {
  const whole = toText(path);
  if (whole !== undefined) return whole;
  let text = '';
  for (let at = 0; at < path.length;) {
    const character = characterAt(path, at);
    text += character ?? String.fromCharCode(SURROGATE + path.charCodeAt(at));
    at += character === undefined ? 1 : fromText(character).length;
  }
  return text;
}

/** The path of a text; undefined where it holds surrogates that stand for no byte. */
export function pathFromText(text: string): BytePath | undefined {
  if (isAscii(text)) return text;
  let path = '';
  for (const character of text) {
    const code = character.codePointAt(0)!;
    if (code >= 0xdc80 && code <= 0xdcff) path += String.fromCharCode(code - SURROGATE);
    else if (code >= 0xd800 && code <= 0xdfff) return undefined;
    else path += fromText(character);
  }
  return path;
}

/** The character whose UTF-8 bytes begin at a position, if there is one. */
function characterAt(path: BytePath, at: number): string | undefined {
  const lead = path.charCodeAt(at);
  const length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (at + length > path.length) return undefined;
  return toText(path.slice(at, at + length));
}
