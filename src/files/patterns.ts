/**
 * Patterns that choose files: compiled once, tested against thousands of paths.
 *
 * The language is picomatch's, the matcher of tinyglobby: `*` and `?` stay within a name, `**`
 * crosses directories, names with a leading dot are names like any other. Patterns are Unicode
 * text and are matched as bytes: `?` and `[...]` stand for one byte, not for one character. Every
 * byte of a name counts, newlines too, and a backslash in a name is a plain character.
 *
 * Patterns of the usual kinds bypass the regular expressions; the outcome is the same.
 */
import picomatch from 'picomatch';
import { type BytePath, fromText } from '../base/bytes.ts';
import { describeError } from '../base/errors.ts';
import { nameOf } from './paths.ts';

/** A question about a path relative to the directory of a set. */
export type PathTest = (path: BytePath) => boolean;

const options = {
  dot: true,
  // Not what picomatch finds out about the machine: both ends have to agree.
  windows: false,
  // Otherwise the `.` that `**` compiles to would not match a newline in a name.
  flags: 's',
  // Otherwise a pattern that is no pattern would silently match nothing.
  debug: true,
};

/**
 * What is wrong with a pattern, as the end of a sentence that starts with the pattern; undefined
 * where nothing is. A pattern that can match nothing is wrong.
 */
export function patternProblem(pattern: string): string | undefined {
  if (pattern === '') return 'is empty';
  if (pattern.startsWith('!') && !pattern.startsWith('!(')) {
    return 'starts with "!"; files are left out by "exclude"';
  }
  if (pattern.startsWith('/')) return 'starts with "/"; it is relative to the path of the set';
  if (pattern.endsWith('/')) return 'ends with "/"; all files of a directory are "directory/**"';
  for (const component of pattern.split('/')) {
    if (component === '') return 'contains an empty component';
    if (component === '.' || component === '..') return `contains the component "${component}"`;
  }
  try {
    picomatch.makeRe(fromText(pattern), options);
    return undefined;
  } catch (error) {
    return `is not a pattern: ${describeError(error)}`;
  }
}

/** Whether a path fits one of the patterns. */
export function compilePatterns(patterns: readonly string[]): PathTest {
  const names = new Set<string>();
  const paths = new Set<string>();
  const suffixes: string[] = [];
  const expressions: RegExp[] = [];
  for (const text of patterns) {
    const pattern = fromText(text);
    if (pattern === '**') return () => true;
    const suffix = anySuffix.exec(pattern)?.[1];
    const name = anyName.exec(pattern)?.[1];
    if (suffix !== undefined) {
      suffixes.push(suffix);
    } else if (name !== undefined) {
      names.add(name);
    } else {
      // A path that is spelled like the pattern fits it, whatever else the pattern means.
      paths.add(pattern);
      if (!plainPath.test(pattern)) expressions.push(picomatch.makeRe(pattern, options));
    }
  }
  const endings = lastBytes([...suffixes, ...names]);
  const hasEnding = (path: BytePath): boolean =>
    suffixes.some((suffix) => path.endsWith(suffix)) ||
    (names.size > 0 && names.has(nameOf(path)));
  return (path) =>
    (endings[path.charCodeAt(path.length - 1)] === 1 && hasEnding(path)) ||
    (paths.size > 0 && paths.has(path)) ||
    expressions.some((expression) => expression.test(path));
}

/**
 * Whether a file below a directory may fit one of the patterns. Says yes where it would take too
 * much to know: it only saves walks through directories where nothing can be.
 */
export function compileDescent(patterns: readonly string[]): PathTest {
  const descents = patterns.map((pattern) => descentOf(fromText(pattern)));
  return (directory) => {
    const names = directory.split('/');
    return descents.some((descent) => descent(names));
  };
}

// ---------------------------------------------------------------------------------------------

/** Marks the bytes that one of these texts ends with; all of them for the empty one. */
function lastBytes(texts: readonly string[]): Uint8Array {
  const bytes = new Uint8Array(256);
  for (const text of texts) {
    if (text === '') bytes.fill(1);
    else bytes[text.charCodeAt(text.length - 1)] = 1;
  }
  return bytes;
}

// Characters without a meaning of their own in picomatch, at any place of a pattern.
const anySuffix = /^\*\*\/\*([\w.~ \u0080-\u00ff-]*)$/;
const anyName = /^\*\*\/([\w.~ \u0080-\u00ff-]+)$/;
const plainPath = /^[\w.~ /\u0080-\u00ff-]+$/;
/** Parts of a pattern that cannot be looked at apart from those after it. */
const entangled = /\*\*|[^\w.~ *?\u0080-\u00ff-]/;

function descentOf(pattern: string): (names: readonly string[]) => boolean {
  const tests: (PathTest | 'all')[] = [];
  for (const part of pattern.split('/')) {
    if (entangled.test(part)) {
      tests.push('all');
      break;
    }
    tests.push(compilePatterns([part]));
  }
  return (names) => {
    for (const [i, name] of names.entries()) {
      const test = tests[i];
      if (test === 'all') return true;
      // The last part is about the file itself, so that no directory goes beyond it.
      if (test === undefined || i === tests.length - 1 || !test(name)) return false;
    }
    return true;
  };
}
