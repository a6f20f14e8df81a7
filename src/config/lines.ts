/**
 * Finds the line on which each key of a TOML text stands, so that a problem can name it.
 *
 * The reader of TOML does not tell positions. This walk knows just enough of the notation to skip
 * values; it is given only texts that the reader accepted, and where it finds nothing the problem
 * is reported without a line. Keys within inline tables count as standing where the table stands.
 */

/** Line numbers, from 1, by key: `keep_alive.interval`, `sets[0]`, `sets[0].path`. */
export type KeyLines = ReadonlyMap<string, number>;

/** The lines of all keys and table headers in a valid TOML text. */
export function locateKeys(text: string): KeyLines {
  const lines = new Map<string, number>();
  const arrayCounts = new Map<string, number>();
  const cursor = new Cursor(text);
  let table = '';
  while (cursor.skipBlank()) {
    const line = cursor.line;
    const isArray = text.startsWith('[[', cursor.at);
    if (isArray || text[cursor.at] === '[') {
      table = cursor.takeKey(isArray ? 2 : 1, ']');
      if (isArray) {
        const index = arrayCounts.get(table) ?? 0;
        arrayCounts.set(table, index + 1);
        table = `${table}[${index}]`;
      }
      lines.set(table, line);
      cursor.skipLine();
    } else {
      const key = cursor.takeKey(0, '=');
      lines.set(table === '' ? key : `${table}.${key}`, line);
      cursor.skipValue();
    }
  }
  return lines;
}

/** The line of a key, or of what is around it. */
export function lineOf(lines: KeyLines, key: string): number | undefined {
  for (let name = key; name !== ''; name = name.replace(/(^|\.)[^.]*$/, '')) {
    const line = lines.get(name);
    if (line !== undefined) return line;
  }
  return undefined;
}

// ---------------------------------------------------------------------------------------------

class Cursor {
  readonly #text: string;
  at = 0;
  line = 1;

  constructor(text: string) {
    this.#text = text;
  }

  /** Moves to the start of the next statement; false at the end. */
  skipBlank(): boolean {
    while (this.at < this.#text.length) {
      const character = this.#text[this.at]!;
      if (character === '#') this.skipLine();
      else if (/[\s\ufeff]/.test(character)) this.#step();
      else return true;
    }
    return false;
  }

  /** Moves to the end of the line. */
  skipLine(): void {
    const end = this.#text.indexOf('\n', this.at);
    this.at = end < 0 ? this.#text.length : end;
  }

  /** Takes a dotted key that begins after `skip` characters and moves past the character that ends it. */
  takeKey(skip: number, end: string): string {
    this.at += skip;
    let key = '';
    while (this.at < this.#text.length && this.#text[this.at] !== end) {
      const start = this.at;
      if (this.#isQuote()) {
        this.#skipString();
        key += this.#text.slice(start + 1, this.at - 1);
      } else {
        this.#step();
        key += this.#text[start]!.trim();
      }
    }
    this.#step();
    return key;
  }

  /** Moves past a value: to the end of the line on which all its brackets are closed. */
  skipValue(): void {
    let depth = 0;
    while (this.at < this.#text.length) {
      const character = this.#text[this.at]!;
      if (character === '\n' && depth === 0) return;
      if (this.#isQuote()) {
        this.#skipString();
        continue;
      }
      if (character === '#') {
        this.skipLine();
        continue;
      }
      if (character === '[' || character === '{') depth += 1;
      if (character === ']' || character === '}') depth -= 1;
      this.#step();
    }
  }

  #isQuote(): boolean {
    return this.#text[this.at] === '"' || this.#text[this.at] === "'";
  }

  #skipString(): void {
    const quote = this.#text[this.at]!;
    const isLong = this.#text.startsWith(quote.repeat(3), this.at);
    const end = isLong ? quote.repeat(3) : quote;
    for (let i = 0; i < end.length; i++) this.#step();
    while (this.at < this.#text.length && !this.#text.startsWith(end, this.at)) {
      if (this.#text[this.at] === '\\' && quote === '"') this.#step();
      this.#step();
    }
    for (let i = 0; i < end.length; i++) this.#step();
    // A long string may end in up to two more quotes, which belong to its text.
    while (isLong && this.#text[this.at] === quote) this.#step();
  }

  #step(): void {
    if (this.#text[this.at] === '\n') this.line += 1;
    this.at += 1;
  }
}
