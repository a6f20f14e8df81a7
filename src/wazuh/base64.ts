/**
 * Base64 with the URL-safe alphabet and padding (RFC 4648, 5), from bytes to bytes. Pure.
 *
 * The language's own functions take a quarter of the time, though they go by way of a text; where it
 * does not have them yet, it is done here.
 */

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const PADDING = 0x3d;

const digits = Uint8Array.from(alphabet, (character) => character.charCodeAt(0));

/** The value of each digit; what is none has bits beyond the six. */
const NO_DIGIT = 0xff;
const values = new Uint8Array(256).fill(NO_DIGIT);
digits.forEach((digit, value) => values[digit] = value);

/** Length of the base64 text of so many bytes. */
export function base64Length(bytesCount: number): number {
  return Math.ceil(bytesCount / 3) * 4;
}

const form = { alphabet: 'base64url', lastChunkHandling: 'strict' } as const;

/** ECMAScript 2026. */
interface WithBase64 {
  readonly fromBase64?: (text: string, options: typeof form) => Uint8Array;
  readonly prototype: { readonly toBase64?: (options: typeof form) => string };
}

const platform: WithBase64 = Uint8Array as unknown as WithBase64;
const encoder = new TextEncoder();
const decoder = new TextDecoder('latin1');

/** The ASCII bytes of the base64 text of some bytes. */
export function encodeBase64(bytes: Uint8Array): Uint8Array {
  const { toBase64 } = platform.prototype;
  return toBase64 === undefined ? encodeHere(bytes) : encoder.encode(toBase64.call(bytes, form));
}

/** The bytes of a base64 text, or undefined where it is none, down to the last bit. */
export function decodeBase64(text: Uint8Array): Uint8Array | undefined {
  if (platform.fromBase64 === undefined) return decodeHere(text);
  if (text.length === 0) return new Uint8Array(0);
  try {
    const bytes = platform.fromBase64(decoder.decode(text), form);
    // It passes over spaces, of which there must be none.
    return bytes.length === decodedLength(text) ? bytes : undefined;
  } catch {
    return undefined;
  }
}

/** The same without the language. */
export function encodeHere(bytes: Uint8Array): Uint8Array {
  const text = new Uint8Array(base64Length(bytes.length));
  const wholeEnd = bytes.length - bytes.length % 3;
  let to = 0;
  for (let i = 0; i < wholeEnd; i += 3) {
    const group = bytes[i]! << 16 | bytes[i + 1]! << 8 | bytes[i + 2]!;
    text[to++] = digits[group >> 18]!;
    text[to++] = digits[group >> 12 & 63]!;
    text[to++] = digits[group >> 6 & 63]!;
    text[to++] = digits[group & 63]!;
  }
  if (wholeEnd === bytes.length) return text;
  const isLastPair = bytes.length - wholeEnd === 2;
  const group = bytes[wholeEnd]! << 16 | (isLastPair ? bytes[wholeEnd + 1]! << 8 : 0);
  text[to++] = digits[group >> 18]!;
  text[to++] = digits[group >> 12 & 63]!;
  text[to++] = isLastPair ? digits[group >> 6 & 63]! : PADDING;
  text[to] = PADDING;
  return text;
}

/** Bytes in a text that is not empty, of whole groups of four. */
function decodedLength(text: Uint8Array): number {
  return text.length / 4 * 3 - paddingsOf(text);
}

function paddingsOf(text: Uint8Array): number {
  if (text[text.length - 1] !== PADDING) return 0;
  return text[text.length - 2] !== PADDING ? 1 : 2;
}

/** The same without the language. */
export function decodeHere(text: Uint8Array): Uint8Array | undefined {
  if (text.length % 4 !== 0) return undefined;
  if (text.length === 0) return new Uint8Array(0);
  const paddings = paddingsOf(text);
  const bytes = new Uint8Array(decodedLength(text));
  const wholeEnd = paddings === 0 ? text.length : text.length - 4;
  let seen = 0;
  let to = 0;
  for (let i = 0; i < wholeEnd; i += 4) {
    const a = values[text[i]!]!;
    const b = values[text[i + 1]!]!;
    const c = values[text[i + 2]!]!;
    const d = values[text[i + 3]!]!;
    seen |= a | b | c | d;
    const group = a << 18 | b << 12 | c << 6 | d;
    bytes[to++] = group >> 16;
    bytes[to++] = group >> 8;
    bytes[to++] = group;
  }
  if (paddings > 0) {
    const a = values[text[wholeEnd]!]!;
    const b = values[text[wholeEnd + 1]!]!;
    const c = paddings === 1 ? values[text[wholeEnd + 2]!]! : 0;
    seen |= a | b | c;
    const group = a << 18 | b << 12 | c << 6;
    bytes[to++] = group >> 16;
    if (paddings === 1) bytes[to] = group >> 8;
    // Bits that belong to no byte: what encodes two texts alike is refused.
    if ((paddings === 1 ? group & 0xff : group & 0xffff) !== 0) return undefined;
  }
  return seen > 63 ? undefined : bytes;
}
