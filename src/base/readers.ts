/**
 * Readers: from an unknown value that a peer sent to a typed one, or `ProtocolError('malformed')`.
 * They are composed into the readers of whole messages, in `wire/messages.ts` and elsewhere. Keys
 * that a reader does not name are ignored, so that a newer peer may send more.
 */
import type { ByteString } from './bytes.ts';
import { isByteString } from './bytes.ts';
import { ProtocolError } from './errors.ts';

/** Turns an unknown value into a `T` or throws; `where` names the value in the error. */
export type Reader<T> = (value: unknown, where: string) => T;

/** The type that a reader gives. */
export type ReaderType<R> = R extends Reader<infer T> ? T : never;

function fail(where: string, expected: string): never {
  throw new ProtocolError('malformed', `"${where}" is not ${expected}`);
}

/** A text of at most `lengthMax` characters. */
export function text(lengthMax: number): Reader<string> {
  return (value, where) =>
    typeof value === 'string' && value.length <= lengthMax
      ? value
      : fail(where, `a text of at most ${lengthMax} characters`);
}

/** One of some literal texts. */
export function oneOf<const T extends string>(...choices: T[]): Reader<T> {
  return (value, where) =>
    choices.includes(value as T) ? value as T : fail(where, `one of ${choices.join(', ')}`);
}

/** A whole number within bounds, both included. */
export function whole(min: number, max: number = Number.MAX_SAFE_INTEGER): Reader<number> {
  return (value, where) =>
    typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max
      ? value
      : fail(where, `a whole number from ${min} to ${max}`);
}

/** A finite number. */
export const number: Reader<number> = (value, where) =>
  typeof value === 'number' && Number.isFinite(value) ? value : fail(where, 'a number');

export const flag: Reader<boolean> = (value, where) =>
  typeof value === 'boolean' ? value : fail(where, 'true or false');

/** Bytes, at most `lengthMax` of them. */
export function bytes(lengthMax: number): Reader<Uint8Array> {
  return (value, where) =>
    value instanceof Uint8Array && value.length <= lengthMax
      ? value
      : fail(where, `at most ${lengthMax} bytes`);
}

/** A byte string (it travels as text with one character per byte) within bounds. */
export function byteString(lengthMin: number, lengthMax: number): Reader<ByteString> {
  return (value, where) =>
    typeof value === 'string' && value.length >= lengthMin && value.length <= lengthMax &&
      isByteString(value)
      ? value
      : fail(where, `${lengthMin} to ${lengthMax} bytes`);
}

/** A list of at most `countMax` items. */
export function list<T>(item: Reader<T>, countMax: number): Reader<readonly T[]> {
  return (value, where) => {
    if (!Array.isArray(value) || value.length > countMax) {
      fail(where, `a list of at most ${countMax} items`);
    }
    return value.map((element, i) => item(element, `${where}[${i}]`));
  };
}

/** A value that may be missing. */
export function optional<T>(reader: Reader<T>): Reader<T | undefined> {
  return (value, where) => value === undefined || value === null ? undefined : reader(value, where);
}

/** An object with any keys and values of one kind, at most `countMax` of them. */
export function dictionary<T>(item: Reader<T>, countMax: number): Reader<ReadonlyMap<string, T>> {
  return (value, where) => {
    const entries = isObject(value) ? Object.entries(value) : fail(where, 'an object');
    if (entries.length > countMax) fail(where, `an object of at most ${countMax} keys`);
    return new Map(entries.map(([key, element]) => [key, item(element, `${where}["${key}"]`)]));
  };
}

type Shape = Record<string, Reader<unknown>>;
type Fields<S extends Shape> = { readonly [K in keyof S]: ReaderType<S[K]> };

/** An object with these fields. */
export function record<const S extends Shape>(shape: S): Reader<Fields<S>> {
  const fields = Object.entries(shape);
  return (value, where) => {
    if (!isObject(value)) fail(where, 'an object');
    const result: Record<string, unknown> = {};
    for (const [name, reader] of fields) {
      const field = Object.hasOwn(value, name) ? value[name] : undefined;
      result[name] = reader(field, `${where}.${name}`);
    }
    return result as Fields<S>;
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) &&
    !(value instanceof Uint8Array);
}
