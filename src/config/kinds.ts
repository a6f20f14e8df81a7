/**
 * The kinds of keys a configuration can have: duration, size, count, share and so on.
 *
 * A key is declared once, by one of the functions here, in `keys.ts`. From that declaration come
 * the reading of the file, of the environment and of options, the type of the resolved value, the
 * effective configuration, the JSON Schema, the templates and the reference page.
 */
import * as v from 'valibot';
import { formatDuration, formatMode, formatSize } from './units.ts';
import { formatAddress, parseAddress } from '../base/address.ts';
import { parseDuration, parseMode, parseSize } from './units.ts';
import { durationPattern, modePattern, sizePattern } from './units.ts';
import { resolvePath } from './location.ts';
import {
  type FileValue,
  type Key,
  type KeyContext,
  type KeyOptions,
  type KeySuffix,
  ValueProblem,
} from './key.ts';

/** A duration: `minimum` and `maximum` are durations too. @default "1ms" to "24d" */
export function duration(
  options: KeyOptions<string> & { readonly minimum?: string; readonly maximum?: string },
): Key<number, 'Ms'> {
  // 24 days: timers count in 31 bits of milliseconds, and one that overflows fires at once.
  const { minimum = '1ms', maximum = '24d' } = options;
  const expected = 'must be a duration such as "500ms", "8s", "5m", "24h" or "7d"';
  return {
    ...declare('duration', 'Ms', options),
    schema: v.pipe(v.string(expected), v.regex(durationPattern, expected)),
    fromText: asIs,
    parse: (text: string) =>
      within(parseDuration(text), parseDuration(minimum), parseDuration(maximum), minimum, maximum),
    format: formatDuration,
  };
}

/** A size in bytes: `minimum` and `maximum` are sizes too. @default 0 to "8TiB" */
export function size(
  options: KeyOptions<string | number> & { readonly minimum?: string; readonly maximum?: string },
): Key<number, 'Bytes'> {
  const { minimum = '0B', maximum = '8TiB' } = options;
  const expected = 'must be a size such as "64KiB", "8MiB" or "1GiB", or a number of bytes';
  return {
    ...declare('size', 'Bytes', options),
    schema: v.union([
      v.pipe(v.string(), v.regex(sizePattern, expected)),
      v.pipe(v.number(), v.integer(expected), v.minValue(0, expected)),
    ], expected),
    fromText: (text) => /^\d+$/.test(text) ? Number(text) : text,
    parse: (input: string | number) =>
      within(parseSize(input), parseSize(minimum), parseSize(maximum), minimum, maximum),
    format: formatSize,
  };
}

/** A whole number. */
export function count(
  options: KeyOptions<number> & { readonly minimum: number; readonly maximum: number },
): Key<number, ''> {
  const { minimum, maximum } = options;
  const expected = `must be a whole number from ${minimum} to ${maximum}`;
  return {
    ...declare('number', '', options),
    schema: v.pipe(
      v.number(expected),
      v.integer(expected),
      v.minValue(minimum, expected),
      v.maxValue(maximum, expected),
    ),
    fromText: (text) => /^\d+$/.test(text) ? Number(text) : text,
    parse: asIs<number>,
    format: asIs,
  };
}

/** A share: a number from 0 to 1. */
export function share(options: KeyOptions<number>): Key<number, ''> {
  const expected = 'must be a share from 0 to 1, such as 0.5';
  return {
    ...declare('share', '', options),
    schema: v.pipe(v.number(expected), v.minValue(0, expected), v.maxValue(1, expected)),
    fromText: (text) => /^\d+(\.\d+)?$/.test(text) ? Number(text) : text,
    parse: asIs<number>,
    format: asIs,
  };
}

/** Yes or no. */
export function toggle(options: KeyOptions<boolean>): Key<boolean, ''> {
  return {
    ...declare('true or false', '', options),
    schema: v.boolean('must be true or false'),
    fromText: (text) => text === 'true' || (text === 'false' ? false : text),
    parse: asIs<boolean>,
    format: asIs,
  };
}

/** One of some words. */
export function choice<const Word extends string>(
  words: readonly Word[],
  options: KeyOptions<NoInfer<Word>>,
): Key<Word, ''> {
  const shown = words.map((word) => `"${word}"`);
  const expected = `${shown.slice(0, -1).join(', ')} or ${shown.at(-1)}`;
  return {
    ...declare(expected, '', options),
    schema: v.picklist(words, `must be ${expected}`),
    fromText: asIs,
    parse: asIs<Word>,
    format: asIs,
  };
}

/** A text of a given form; the message says what the form is. */
export function text(
  options: KeyOptions<string> & {
    readonly pattern: RegExp;
    readonly expected: string;
    /** Replaces what stands for something else before the form is checked. */
    readonly expand?: (text: string, context: KeyContext) => string;
  },
): Key<string, ''> {
  const { pattern, expected, expand = asIs } = options;
  return {
    ...declare('text', '', options),
    schema: options.expand === undefined
      ? v.pipe(v.string(expected), v.regex(pattern, expected))
      : v.string(expected),
    fromText: asIs,
    parse: (input: string, context) => {
      const expanded = expand(input, context);
      if (!pattern.test(expanded)) throw new ValueProblem(expected);
      return expanded;
    },
    format: asIs,
  };
}

/** The name of a user or group; "" stands for none. */
export function account(options: KeyOptions<string>): Key<string | undefined, ''> {
  const expected = 'must be the name or number of an account, or ""';
  return {
    ...declare('text', '', options),
    schema: v.pipe(v.string(expected), v.regex(/^([\w.][\w.@-]{0,254}\$?)?$/, expected)),
    fromText: asIs,
    parse: (name: string) => name === '' ? undefined : name,
    format: (name) => name ?? '',
  };
}

/** A list of texts, each of a given form; `itemsMin` (@default 0) to `itemsMax` (@default 256). */
export function list(
  options: KeyOptions<readonly string[]> & {
    readonly kind: string;
    readonly pattern: RegExp;
    readonly expected: string;
    readonly itemsMin?: number;
    readonly itemsMax?: number;
    /** What is wrong with an item in the right form, as the end of a sentence that starts with it. */
    readonly problemOf?: (item: string) => string | undefined;
  },
): Key<readonly string[], ''> {
  const { kind, pattern, expected, itemsMin = 0, itemsMax = 256, problemOf } = options;
  const items = v.array(v.pipe(v.string(expected), v.regex(pattern, expected)), expected);
  return {
    ...declare(kind, '', options),
    schema: v.pipe(items, v.minLength(itemsMin, expected), v.maxLength(itemsMax, expected)),
    fromText: (text) => text.split(',').map((item) => item.trim()).filter((item) => item !== ''),
    parse: (items: readonly string[]) => {
      for (const item of items) {
        const problem = problemOf?.(item);
        if (problem !== undefined) throw new ValueProblem(`cannot be: "${item}" ${problem}`);
      }
      return items;
    },
    format: asIs,
  };
}

/** A path of the file system, made absolute. */
export function path(options: KeyOptions<string>): Key<string, ''> {
  const expected = 'must be a path';
  return {
    ...declare('path', '', options),
    // deno-lint-ignore no-control-regex
    schema: v.pipe(v.string(expected), v.regex(/^[^\u0000]+$/, expected)),
    fromText: asIs,
    parse: (input: string, context) => resolvePath(context.directory, input),
    format: asIs,
  };
}

/** A path of the file system, made absolute, or "" for none. */
export function optionalPath(options: KeyOptions<string>): Key<string | undefined, ''> {
  const expected = 'must be a path, or ""';
  return {
    ...declare('path', '', options),
    // deno-lint-ignore no-control-regex
    schema: v.pipe(v.string(expected), v.regex(/^[^\u0000]*$/, expected)),
    fromText: asIs,
    parse: (input: string, context) =>
      input === '' ? undefined : resolvePath(context.directory, input),
    format: (path) => path ?? '',
  };
}

/** Permission bits: octal digits in a string. `minimum` are bits that must be set. */
export function mode(
  options: KeyOptions<string> & { readonly minimum: string; readonly maximum: string },
): Key<number, ''> {
  const expected = 'must be permission bits in octal digits, as a string such as "0640"';
  const [required, allowed] = [parseMode(options.minimum) ?? 0, parseMode(options.maximum) ?? 0];
  return {
    ...declare('octal digits', '', options),
    schema: v.pipe(v.string(expected), v.regex(modePattern, expected)),
    fromText: asIs,
    parse: (input: string) => {
      const bits = parseMode(input) ?? 0;
      if ((bits & required) === required && (bits & ~allowed) === 0) return bits;
      throw new ValueProblem(
        `must have the bits ${options.minimum} and none beyond ${options.maximum}`,
      );
    },
    format: formatMode,
  };
}

/** An address to listen on; port 0 lets the system choose one. */
export function listenAddress(options: KeyOptions<string>): Key<string, ''> {
  return {
    ...declare('host:port', '', options),
    schema: v.string(addressExpected),
    fromText: asIs,
    parse: (input: string) => readAddress(input, 0),
    format: asIs,
  };
}

/** An address to listen on, or "" for none. */
export function optionalAddress(options: KeyOptions<string>): Key<string | undefined, ''> {
  return {
    ...declare('host:port', '', options),
    schema: v.string(addressExpected),
    fromText: asIs,
    parse: (input: string) => input === '' ? undefined : readAddress(input, 0),
    format: (address) => address ?? '',
  };
}

/** Addresses to connect to: a list, or the only one as a string. */
export function addresses(
  options: KeyOptions<string | readonly string[]> & { readonly portDefault: number },
): Key<readonly string[], ''> {
  return {
    ...declare('list of host:port', '', options),
    schema: v.union([v.string(), v.array(v.string())], addressExpected),
    fromText: (text) => text.split(',').map((item) => item.trim()).filter((item) => item !== ''),
    parse: (input: string | readonly string[]) =>
      (typeof input === 'string' ? [input] : input).map((item) =>
        readAddress(item, 1, options.portDefault)
      ),
    format: asIs,
  };
}

// ---------------------------------------------------------------------------------------------

const addressExpected =
  'must be an address such as "10.0.0.1:1517", "[fd00::1]:1517" or "host:1517"';

function declare<Suffix extends KeySuffix>(
  kind: string,
  suffix: Suffix,
  options: KeyOptions<FileValue>,
): Pick<Key<never, Suffix>, 'kind' | 'suffix' | 'doc' | 'default' | 'derived' | 'required'> {
  const { doc, derived, required } = options;
  return { kind, suffix, doc, default: options.default, derived, required };
}

function asIs<T>(value: T): T {
  return value;
}

function within(
  value: number | undefined,
  minimum: number | undefined,
  maximum: number | undefined,
  shownMinimum: string,
  shownMaximum: string,
): number {
  if (value !== undefined && value >= (minimum ?? 0) && value <= (maximum ?? Infinity)) {
    return value;
  }
  throw new ValueProblem(`must be from "${shownMinimum}" to "${shownMaximum}"`);
}

function readAddress(input: string, portMin: number, portDefault?: number): string {
  const address = parseAddress(input, portDefault);
  if (address === undefined || address.port < portMin) throw new ValueProblem(addressExpected);
  return formatAddress(address);
}
