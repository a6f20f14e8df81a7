/**
 * Long JSON texts, walked through from the front: the members of an object or the items of a list,
 * some at a time, so that a document of many megabytes need not be parsed in one go. Pure.
 *
 * The cursor finds where values end. What is within them is not looked at: whoever parses the parts
 * does, and refuses what is no JSON.
 */
import { ProtocolError } from '../base/errors.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const [OPEN_LIST, CLOSE_LIST, OPEN, CLOSE] = [0x5b, 0x5d, 0x7b, 0x7d];

/** Longest member or item, bytes: it is parsed in one go. */
const itemBytesMax = 4 * 1024 * 1024;

/** A part ends at the next border beyond this, bytes, however few members it has. */
const partBytes = 512 * 1024;

/** Longest key that anybody looks for, bytes, with its quotes. */
const keyBytesMax = 258;

const decoder = new TextDecoder();

/** A place in a JSON text. */
export class JsonCursor {
  readonly #json: Uint8Array;
  #at = 0;

  constructor(json: Uint8Array) {
    this.#json = json;
  }

  /**
   * Goes through the object that begins here, key by key: with each the cursor stands before the
   * value, which is to be walked through or skipped.
   * @throws ProtocolError `malformed`
   */
  *keys(): Generator<string, void, undefined> {
    for (const key of this.members()) {
      // An escaped key is none that anybody looks for.
      yield key.length > keyBytesMax ? '' : decoder.decode(key.subarray(1, -1));
    }
  }

  /**
   * The same with the keys as they are written, quotes and all.
   * @throws ProtocolError `malformed`
   */
  *members(): Generator<Uint8Array, void, undefined> {
    this.#take(OPEN);
    if (this.#isAt(CLOSE)) return this.#take(CLOSE);
    for (;;) {
      yield this.#key();
      if (this.#isAt(CLOSE)) return this.#take(CLOSE);
      this.#take(COMMA);
    }
  }

  /**
   * Goes through the object or the list that begins here, and gives it as several of the same kind,
   * as JSON texts, of at most `countMax` members each; one without members is one.
   * @throws ProtocolError `malformed`
   */
  *parts(kind: 'object' | 'list', countMax: number): Generator<Uint8Array, void, undefined> {
    const [open, close] = kind === 'object' ? [OPEN, CLOSE] : [OPEN_LIST, CLOSE_LIST];
    this.#take(open);
    let [from, count] = [this.#at, 0];
    const part = (): Uint8Array => bracketed(open, this.#json.subarray(from, this.#at), close);
    while (count > 0 || !this.#isAt(close)) {
      if (kind === 'object') this.#key();
      this.skip();
      if (this.#isAt(close)) break;
      const isFull = ++count === countMax || this.#at - from >= partBytes;
      if (isFull) yield part();
      this.#take(COMMA);
      if (isFull) [from, count] = [this.#at, 0];
      if (this.#isAt(close)) throw malformed();
    }
    yield part();
    this.#take(close);
  }

  /** The value that begins here, as it is written; goes past it. @throws ProtocolError `malformed` */
  value(): Uint8Array {
    this.#skipSpace();
    const from = this.#at;
    this.skip();
    return this.#json.subarray(from, this.#at);
  }

  /** Goes past the value that begins here. @throws ProtocolError `malformed` */
  skip(): void {
    this.#skipSpace();
    const from = this.#at;
    if (isBorder(this.#json[from])) throw malformed();
    let depth = 0;
    do {
      const byte = this.#json[this.#at];
      if (byte === undefined) throw malformed();
      if (byte === QUOTE) this.#at = this.#endOfText();
      else if (byte === OPEN || byte === OPEN_LIST) depth++;
      else if (byte === CLOSE || byte === CLOSE_LIST) depth--;
      else if (depth === 0) this.#skipWord();
      this.#at++;
      if (this.#at - from > itemBytesMax) throw malformed();
    } while (depth > 0);
  }

  /** The text is over. @throws ProtocolError `malformed` where it is not */
  end(): void {
    this.#skipSpace();
    if (this.#at < this.#json.length) throw malformed();
  }

  // ---

  /** The key that begins here; the cursor is before its value then. */
  #key(): Uint8Array {
    this.#skipSpace();
    const from = this.#at;
    if (this.#json[from] !== QUOTE) throw malformed();
    this.#at = this.#endOfText() + 1;
    const key = this.#json.subarray(from, this.#at);
    this.#take(COLON);
    return key;
  }

  /** The position of the quote that ends the text which begins here. */
  #endOfText(): number {
    for (let at = this.#at + 1;;) {
      const quote = this.#json.indexOf(QUOTE, at);
      if (quote < 0) throw malformed();
      let slashes = 0;
      while (this.#json[quote - 1 - slashes] === BACKSLASH) slashes++;
      if (slashes % 2 === 0) return quote;
      at = quote + 1;
    }
  }

  /** To the last byte of a number or a name such as `null`. */
  #skipWord(): void {
    while (!isBorder(this.#json[this.#at + 1])) this.#at++;
  }

  #skipSpace(): void {
    while (isSpace(this.#json[this.#at])) this.#at++;
  }

  #isAt(byte: number): boolean {
    this.#skipSpace();
    return this.#json[this.#at] === byte;
  }

  #take(byte: number): void {
    if (!this.#isAt(byte)) throw malformed();
    this.#at++;
  }
}

/**
 * An object as several, of at most `countMax` members each, as JSON texts.
 * @throws ProtocolError `malformed` where the text is no object
 */
export function* membersInParts(
  json: Uint8Array,
  countMax: number,
): Generator<Uint8Array, void, undefined> {
  const cursor = new JsonCursor(json);
  yield* cursor.parts('object', countMax);
  cursor.end();
}

// ---

function malformed(): ProtocolError {
  return new ProtocolError(
    'malformed',
    'A JSON text is not what it has to be, or has too long parts',
  );
}

function bracketed(open: number, members: Uint8Array, close: number): Uint8Array {
  const text = new Uint8Array(members.length + 2);
  text[0] = open;
  text.set(members, 1);
  text[text.length - 1] = close;
  return text;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}

/** Whether a value ends before this. */
function isBorder(byte: number | undefined): boolean {
  return byte === undefined || byte === COMMA || byte === CLOSE || byte === CLOSE_LIST ||
    isSpace(byte);
}
