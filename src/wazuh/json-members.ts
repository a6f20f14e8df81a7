/**
 * Long JSON objects as several short ones: the members of an object, some at a time, so that a
 * document of many megabytes need not be parsed in one go. Pure.
 */
import { ProtocolError } from '../base/errors.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const [OPEN_LIST, CLOSE_LIST, OPEN, CLOSE] = [0x5b, 0x5d, 0x7b, 0x7d];

/**
 * The same object as several, of at most `countMax` members each, as JSON texts; one without members
 * is one. What is within the members is not looked at: whoever parses them does.
 * @throws ProtocolError `malformed` where the text is no object
 */
export function* membersInParts(
  json: Uint8Array,
  countMax: number,
): Generator<Uint8Array, void, undefined> {
  const start = afterSpace(json, 0);
  if (json[start] !== OPEN) throw noObject();
  let [from, depth, count] = [start + 1, 0, 0];
  for (let at = start; at < json.length; at++) {
    const byte = json[at];
    if (byte === QUOTE) at = endOfText(json, at);
    else if (byte === OPEN || byte === OPEN_LIST) depth++;
    else if (byte === CLOSE || byte === CLOSE_LIST) {
      if (--depth > 0) continue;
      if (byte !== CLOSE || afterSpace(json, at + 1) < json.length) throw noObject();
      yield objectOf(json.subarray(from, at));
      return;
    } else if (byte === COMMA && depth === 1 && ++count === countMax) {
      yield objectOf(json.subarray(from, at));
      [from, count] = [at + 1, 0];
    }
  }
  throw noObject();
}

// ---

function noObject(): ProtocolError {
  return new ProtocolError('malformed', 'A JSON text is no object');
}

function objectOf(members: Uint8Array): Uint8Array {
  const object = new Uint8Array(members.length + 2);
  object[0] = OPEN;
  object.set(members, 1);
  object[object.length - 1] = CLOSE;
  return object;
}

/** The position of the quote that ends the text which begins at a position. */
function endOfText(json: Uint8Array, start: number): number {
  for (let at = start + 1;;) {
    const quote = json.indexOf(QUOTE, at);
    if (quote < 0) throw noObject();
    let slashes = 0;
    while (json[quote - 1 - slashes] === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return quote;
    at = quote + 1;
  }
}

function afterSpace(json: Uint8Array, start: number): number {
  let at = start;
  while (at < json.length && [0x20, 0x09, 0x0a, 0x0d].includes(json[at]!)) at++;
  return at;
}
