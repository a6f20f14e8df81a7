/**
 * The elements of an `ossec.conf`. Pure.
 *
 * The file looks like XML and is none: it may have several roots, a bare `&` in a pattern, a `\<`
 * for a sign that opens no tag, and `--` within comments. An XML library refuses such files, and
 * rewriting them first, as others do, loses the lines. So they are read here for what they are:
 * tags, comments, text. Attributes are skipped; so are declarations.
 */
import { displayText } from '../base/bytes.ts';
import { ClusterError } from '../base/errors.ts';

/** An element. */
export interface XmlElement {
  readonly name: string;
  /** Its own text, as it stands, without the text of elements within. */
  readonly text: string;
  readonly children: readonly XmlElement[];
  /** Line of its opening tag, from 1. */
  readonly line: number;
}

interface OpenElement extends XmlElement {
  text: string;
  readonly children: XmlElement[];
}

/** How deep elements may lie in each other. */
const depthMax = 64;

const comment = /<!--.*?-->/ys;
const declaration = /<(?:\?|!(?!--))[^>]*>/y;
const tag = /<(\/?)([A-Za-z_][\w.:-]*)((?:[^<>"']|"[^"]*"|'[^']*')*?)(\/?)>/y;
const text = /[^<\\]+(?:\\<?[^<\\]*)*|(?:\\<?[^<\\]*)+/y;

const entities: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
};

/**
 * The roots of a file.
 * @throws ClusterError('configuration') with the line where it cannot be read on
 */
export function readElements(source: string): XmlElement[] {
  const document = opened('', 1);
  const open: OpenElement[] = [document];
  let at = 0;
  const taken = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(source);
    if (match !== null) at = pattern.lastIndex;
    return match;
  };
  while (at < source.length) {
    const start = at;
    const inner = open[open.length - 1]!;
    if (taken(comment) !== null || taken(declaration) !== null) continue;
    const words = taken(text);
    if (words !== null) {
      inner.text += decoded(words[0]);
      continue;
    }
    const [, slash, name = '', , end] = taken(tag) ?? fail(source, start, 'is no tag');
    if (slash === '') {
      const element = opened(name, lineOf(source, start));
      inner.children.push(element);
      if (end === '') open.push(element);
      if (open.length > depthMax) fail(source, start, 'lies too deep');
    } else if (inner.name === name && open.length > 1) open.pop();
    else fail(source, start, `does not end <${displayText(inner.name)}>`);
  }
  const unclosed = open[open.length - 1]!;
  if (unclosed !== document) throw unreadable(unclosed.line, `<${unclosed.name}> has no end`);
  return document.children;
}

/** The elements of a name among some. */
export function elementsNamed(elements: readonly XmlElement[], name: string): XmlElement[] {
  return elements.filter((element) => element.name === name);
}

function opened(name: string, line: number): OpenElement {
  return { name, text: '', children: [], line };
}

function decoded(words: string): string {
  return words.replaceAll('\\<', '<').replaceAll(/&(\w+);/g, (whole, name: string) => {
    return Object.hasOwn(entities, name) ? entities[name]! : whole;
  });
}

function lineOf(source: string, at: number): number {
  let line = 1;
  for (let i = source.indexOf('\n'); i >= 0 && i < at; i = source.indexOf('\n', i + 1)) line++;
  return line;
}

function fail(source: string, at: number, reason: string): never {
  const shown = displayText(source.slice(at, at + 20).split('\n')[0]!);
  throw unreadable(lineOf(source, at), `"${shown}" ${reason}`);
}

function unreadable(line: number, reason: string): ClusterError {
  return new ClusterError(
    'configuration',
    `Error 3006 - Error reading cluster configuration: line ${line}: ${reason}`,
  );
}
