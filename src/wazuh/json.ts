/**
 * JSON as the nodes of a Wazuh cluster write and read it. Pure.
 *
 * They revive tagged objects into instances of classes, and so run code on a peer's word. Here JSON
 * is data: it is parsed, and read by closed readers (`base/readers.ts`).
 */
import { fromBytes } from '../base/bytes.ts';
import { ProtocolError } from '../base/errors.ts';

/** What JSON can hold. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The value of a JSON text.
 * @param what names the text in the error
 * @throws ProtocolError `malformed`
 */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch (cause) {
    throw new ProtocolError('malformed', `${what} is not JSON`, { cause });
  }
}

/**
 * The same for the text of one short value: mostly that is a text of ASCII without anything escaped,
 * which is taken as it is and leaves nothing else behind.
 * @throws ProtocolError `malformed`
 */
export function parseJsonValue(bytes: Uint8Array, what: string): unknown {
  return isPlainText(bytes) ? fromBytes(bytes, 1, bytes.length - 1) : parseJson(bytes, what);
}

/**
 * The JSON text of a value, spaced and escaped as real nodes do it: `{"a": [1, 2]}`, ASCII only.
 * For short documents; long ones are read just as well without spaces, see `compactJson`.
 */
export function spacedJson(value: Json): string {
  // With an indent each item stands on a line of its own, and no line break is within a text.
  return JSON.stringify(value, null, 1)
    .replaceAll(/,\n */g, ', ')
    .replaceAll(/\n */g, '')
    .replaceAll(/[\u007f-\uffff]/g, escaped);
}

/** The bytes of the JSON text of a value, in the shortest form. */
export function compactJson(value: Json): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

/** Whether these are a text of printable ASCII between quotes, none of it escaped. */
function isPlainText(bytes: Uint8Array): boolean {
  const last = bytes.length - 1;
  if (last < 1 || bytes[0] !== 0x22 || bytes[last] !== 0x22) return false;
  for (let i = 1; i < last; i++) {
    const byte = bytes[i]!;
    if (byte < 0x20 || byte > 0x7e || byte === 0x22 || byte === 0x5c) return false;
  }
  return true;
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
