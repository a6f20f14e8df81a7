/**
 * Byte strings and the small arithmetic of bytes.
 *
 * A file name is a sequence of bytes, not of characters. Inside muster it travels as a *byte
 * string*: a JavaScript string in which every character is one byte (0 to 255). Byte strings
 * compare, hash and sort like the bytes they stand for, and no name is ever mangled on the way.
 * Only `displayText` and `displayPath` turn them into something for people.
 */

/** A string with one character per byte (0..255). */
export type ByteString = string;

/** A byte string that names a file relative to a root: '/'-separated, no leading slash. */
export type BytePath = ByteString;

const textEncoder = new TextEncoder();
const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The bytes that a byte string stands for. */
export function toBytes(text: ByteString): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** The byte string of some bytes. */
export function fromBytes(bytes: Uint8Array, start = 0, end = bytes.length): ByteString {
  let text = '';
  // String.fromCharCode takes its arguments on the stack: in slices, so that none is too long.
  for (let at = start; at < end; at += 4096) {
    const isWhole = end - at === bytes.length && bytes.length <= 4096;
    const slice = isWhole ? bytes : bytes.subarray(at, Math.min(end, at + 4096));
    // Taken as the list of arguments, an array of bytes needs no copy: six times as fast as spread.
    text += String.fromCharCode.apply(null, slice as unknown as number[]);
  }
  return text;
}

/** The byte string of a Unicode text: its UTF-8 bytes. */
export function fromText(text: string): ByteString {
  return isAscii(text) ? text : fromBytes(textEncoder.encode(text));
}

/** The Unicode text of a byte string, or undefined where its bytes are not UTF-8. */
export function toText(bytes: ByteString): string | undefined {
  if (isAscii(bytes)) return bytes;
  try {
    return strictDecoder.decode(toBytes(bytes));
  } catch {
    return undefined;
  }
}

/** Whether every character is ASCII, so that text and byte string are the same. */
export function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false;
  return true;
}

/** Whether every character stands for one byte. */
export function isByteString(text: string): text is ByteString {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 255) return false;
  return true;
}

// C0 controls, DEL, C1 controls, line and paragraph separators, and the bidirectional overrides
// with which a name can be made to look like another one.
// deno-lint-ignore no-control-regex
const UNPRINTABLE =
  /[\u0000-\u001f\u007f-\u009f\u061c\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** A text that is safe on a terminal and in one line of a log: control characters are escaped. */
export function displayText(text: string): string {
  return text.replace(UNPRINTABLE, (character) => {
    const code = character.charCodeAt(0);
    if (character === '\n') return '\\n';
    if (character === '\r') return '\\r';
    if (character === '\t') return '\\t';
    return code < 256
      ? `\\x${code.toString(16).padStart(2, '0')}`
      : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** A file name for people: UTF-8 decoded where it is UTF-8, other bytes as `\xNN`. */
export function displayPath(path: BytePath): string {
  const text = toText(path);
  if (text !== undefined) return displayText(text);
  let shown = '';
  for (const character of path) {
    shown += character > '\x7f'
      ? `\\x${character.charCodeAt(0).toString(16)}`
      : displayText(character);
  }
  return shown;
}

/** Lower-case hexadecimal digits of a byte string. */
export function toHex(bytes: ByteString): string {
  // Digit by digit put together it would leave a hundred small texts behind.
  const digits = new Uint8Array(2 * bytes.length);
  putHex(digits, 0, bytes);
  return fromBytes(digits);
}

/** Puts the hexadecimal digits of a byte string into an array, as ASCII: two for each byte. */
export function putHex(into: Uint8Array, start: number, bytes: ByteString): void {
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes.charCodeAt(i);
    into[start + 2 * i] = hexDigits[byte >> 4]!;
    into[start + 2 * i + 1] = hexDigits[byte & 15]!;
  }
}

const hexDigits = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));

/** The value of each hexadecimal digit by its character; what is none has bits beyond the four. */
const NO_DIGIT = 0xff;
const digitValues = new Uint8Array(256).fill(NO_DIGIT);
for (const digits of ['0123456789abcdef', '0123456789ABCDEF']) {
  for (let value = 0; value < 16; value++) digitValues[digits.charCodeAt(value)] = value;
}

/** The byte string of hexadecimal digits; undefined where the text is not such. */
export function fromHex(hex: string): ByteString | undefined {
  if (hex.length % 2 !== 0) return undefined;
  const bytes = new Uint8Array(hex.length / 2);
  let seen = 0;
  for (let i = 0; i < bytes.length; i++) {
    const high = digitValues[hex.charCodeAt(2 * i)] ?? NO_DIGIT;
    const low = digitValues[hex.charCodeAt(2 * i + 1)] ?? NO_DIGIT;
    seen |= high | low;
    bytes[i] = high << 4 | low;
  }
  return seen > 15 ? undefined : fromBytes(bytes);
}

/** One array with the contents of all. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Whether two arrays hold the same bytes. */
export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return false;
  return true;
}

/** The order of byte strings: by their bytes, as `LC_ALL=C sort` has it. */
export function compareByteStrings(left: ByteString, right: ByteString): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
