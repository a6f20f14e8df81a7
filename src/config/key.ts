/**
 * What a configuration key is, and how the name and the type of its resolved field follow from it.
 */
import type * as v from 'valibot';

/** A value as it stands in the file. */
export type FileValue = string | number | boolean | readonly string[];

/** What a value is read against. */
export interface KeyContext {
  /** The directory that relative paths start from. */
  readonly directory: string;
  /** The name of this machine. */
  readonly hostname: string | undefined;
}

/** The unit that the name of the resolved field ends in. */
export type KeySuffix = '' | 'Ms' | 'Bytes';

/** The declaration of one key. */
export interface Key<Value = unknown, Suffix extends KeySuffix = KeySuffix> {
  /** For people: what the value is. */
  readonly kind: string;
  readonly suffix: Suffix;
  /** For people: what the key is for; one or two sentences without a full stop at the end. */
  readonly doc: string;
  /** The value where none is given; undefined where it is required or derived. */
  readonly default: FileValue | undefined;
  /** For people: how the value is found where none is given. */
  readonly derived: string | undefined;
  /** An example value of a key that must be given; undefined for all others. */
  readonly required: FileValue | undefined;
  /** The form of the value in the file. Messages continue the sentence "key X ...". */
  readonly schema: v.GenericSchema;
  /** The file's value for the text of an environment variable or an option. */
  fromText(text: string): FileValue;
  /** @throws ValueProblem for a value in the right form that cannot be */
  parse(input: FileValue, context: KeyContext): Value;
  format(value: Value): FileValue;
}

/** The value of a key is in the right form but cannot be; the message continues "key X ...". */
export class ValueProblem extends Error {}

/** What is said of each key, whatever its kind. Exactly one of the last three. */
export interface KeyOptions<Input extends FileValue> {
  readonly doc: string;
  readonly default?: Input;
  readonly derived?: string;
  readonly required?: Input;
}

/** `keep_alive` as `keepAlive`. */
export type Camel<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : Name;

/** The resolved values of a table's keys, by field name. */
export type Resolved<Keys> = {
  readonly [
    Name in keyof Keys & string as Keys[Name] extends Key<unknown, infer Suffix>
      ? `${Camel<Name>}${Suffix}`
      : never
  ]: Keys[Name] extends { parse(...input: never): infer Value } ? Value : never;
};

/** `keep_alive` as `keepAlive`. */
export function camel(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** The name of the resolved field of a key: `interval`, a duration, is `intervalMs`. */
export function fieldName(name: string, key: Key): string {
  return camel(name) + key.suffix;
}
